//! Actions: what one may do with a container, one word each, the same in policy, certificate and audit.

use std::fmt;
use std::str::FromStr;

use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One thing that one may do with a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// See that it is there.
    List,
    /// Have an interactive shell.
    Shell,
    /// Run a command.
    Exec,
    /// Read what its process has written to its outputs.
    Logs,
    /// Copy files from and to it.
    Copy,
    /// Connect through it: to its own ports, and to whatever it can reach.
    Forward,
}

impl Action {
    /// Every action that this version knows.
    pub const ALL: [Self; 6] = [Self::List, Self::Shell, Self::Exec, Self::Logs, Self::Copy, Self::Forward];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::List => "list",
            Self::Shell => "shell",
            Self::Exec => "exec",
            Self::Logs => "logs",
            Self::Copy => "copy",
            Self::Forward => "forward",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The word is none of the actions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown action: one of list, shell, exec, logs, copy, forward is expected")]
pub struct UnknownAction;

impl FromStr for Action {
    type Err = UnknownAction;

    fn from_str(word: &str) -> Result<Self, UnknownAction> {
        Self::ALL.into_iter().find(|action| action.as_str() == word).ok_or(UnknownAction)
    }
}

/// A set of actions, written as words with commas between them, sorted; a bit each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Actions(u8);

impl Actions {
    /// Whether `action` is in the set.
    pub fn allow(self, action: Action) -> bool {
        self.0 & bit(action) != 0
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Each of them, sorted.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.allow(*action))
    }
}

fn bit(action: Action) -> u8 {
    1 << action as u8
}

impl FromIterator<Action> for Actions {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        Self(actions.into_iter().fold(0, |bits, action| bits | bit(action)))
    }
}

impl Serialize for Actions {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Actions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Actions;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of actions")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Actions, A::Error> {
        let mut actions = Actions::default();
        while let Some(action) = words.next_element()? {
            actions.0 |= bit(action);
        }
        Ok(actions)
    }
}

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, action) in self.iter().enumerate() {
            write!(f, "{}{action}", if index == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Actions {
    type Err = UnknownAction;

    fn from_str(words: &str) -> Result<Self, UnknownAction> {
        words.split(',').map(str::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_back() {
        let set: Actions = [Action::Shell, Action::Exec].into_iter().collect();
        assert_eq!(set.to_string(), "shell,exec");
        assert_eq!(set.to_string().parse(), Ok(set));
        assert!("shell,sudo".parse::<Actions>().is_err());
        assert!("".parse::<Actions>().is_err());
        let json = serde_json::to_string(&set).unwrap();
        assert_eq!((json.as_str(), serde_json::from_str(&json).unwrap()), (r#"["shell","exec"]"#, set));
        assert_eq!(Action::ALL.into_iter().collect::<Actions>().iter().collect::<Vec<_>>(), Action::ALL);
    }
}
