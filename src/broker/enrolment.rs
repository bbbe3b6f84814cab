//! What an agent's enrolment asserts about its containers. The broker fixes it when the agent joins, and policies can rely on it; what
//! the agent says later counts only within it.

use serde::{Deserialize, Serialize};

/// The assertions of a join token, and of every agent that joined with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertions {
    /// The cluster that the containers are in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The namespaces that they may be in, as patterns with `*`. With none, no namespace counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub namespaces: Vec<String>,
    /// The only runtime that the agent may report: `process`, `host`, `docker` or `kubernetes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
}

impl Assertions {
    /// Refuses what nothing could be compared with.
    ///
    /// # Errors
    /// A sentence without a period.
    pub fn check(&self) -> Result<(), &'static str> {
        let unfit = |text: &String| text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control);
        if self.cluster.as_ref().is_some_and(unfit) {
            return Err("a cluster's name has 1 to 253 characters, none of them a control character");
        }
        let pattern = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'*');
        if self.namespaces.iter().any(|name| unfit(name) || !name.bytes().all(pattern)) {
            return Err("a namespace has lower-case letters, digits and `-`, and `*` for any of them");
        }
        if self.namespaces.len() > MOST {
            return Err("at most 64 namespaces or patterns of them");
        }
        if self.runtime.as_ref().is_some_and(|runtime| !RUNTIMES.contains(&runtime.as_str())) {
            return Err("the runtime is one of process, host, docker and kubernetes");
        }
        Ok(())
    }

    /// Each as a word and its value, for people.
    pub fn words(&self) -> Vec<(&'static str, String)> {
        let mut words = Vec::new();
        words.extend(self.cluster.iter().map(|cluster| ("cluster", cluster.clone())));
        if !self.namespaces.is_empty() {
            words.push(("namespace", self.namespaces.join(",")));
        }
        words.extend(self.runtime.iter().map(|runtime| ("runtime", runtime.clone())));
        words
    }
}

/// The words of the connectors that there are.
pub const RUNTIMES: [&str; 4] = ["process", "host", "docker", "kubernetes"];

const LONGEST: usize = 253;
const MOST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_compared_is_asserted() {
        let good = Assertions {
            cluster: Some("prod eu".into()),
            namespaces: vec!["shop".into(), "team-*".into()],
            runtime: Some("kubernetes".into()),
        };
        good.check().unwrap();
        assert_eq!(
            good.words(),
            [("cluster", "prod eu".into()), ("namespace", "shop,team-*".into()), ("runtime", "kubernetes".into())]
        );
        let refused = |change: fn(&mut Assertions)| {
            let mut changed = good.clone();
            change(&mut changed);
            changed.check().is_err()
        };
        assert!(refused(|it| it.cluster = Some(String::new())));
        assert!(refused(|it| it.cluster = Some("a\nb".into())));
        assert!(refused(|it| it.namespaces = vec!["Shop".into()]));
        assert!(refused(|it| it.namespaces = vec![String::new()]));
        assert!(refused(|it| it.namespaces = vec!["a".into(); 65]));
        assert!(refused(|it| it.runtime = Some("podman".into())));
    }
}
