//! From what a person typed or picked to what is asked of the broker.
//!
//! A typed name goes to the broker as it is: it knows what this user may see, so one round trip resolves, authorises and
//! connects. A picked row names its container by id, and no other will do. Nothing here guesses.

use super::api::ApiError;
use super::session::{Request, SessionError};
use crate::proto::api::ContainerRow;
use crate::proto::name::{InvalidName, Login, Target};
use crate::proto::{Action, Actions, ContainerId, ErrorCode};

/// How a person wants to enter, wherever that will be.
#[derive(Debug, Clone, Default)]
pub struct Entry {
    /// The Unix user inside; `None` for the container's own.
    pub login: Option<Login>,
    /// Why.
    pub reason: Option<String>,
    /// Whether to begin without an approval that is missing, where policy allows that.
    pub break_glass: bool,
}

/// Which container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What was typed, or the name of the row.
    pub as_typed: Target,
    /// The row's container.
    pub container: Option<ContainerId>,
}

impl Choice {
    /// What was typed.
    pub fn typed(name: Target) -> Self {
        Self { as_typed: name, container: None }
    }

    /// The row that was picked.
    ///
    /// # Errors
    /// When the broker's name for it is none.
    pub fn picked(row: &ContainerRow) -> Result<Self, InvalidName> {
        // The full name stays unique when another container appears between the list and the connect.
        Ok(Self { as_typed: row.full_name.parse()?, container: Some(row.id) })
    }

    /// A request for a shell.
    pub fn shell(self, entry: Entry) -> Request {
        self.request(entry, Action::Shell, None)
    }

    /// A request to run `command`, as it goes over the wire.
    pub fn exec(self, entry: Entry, command: Vec<u8>) -> Request {
        self.request(entry, Action::Exec, Some(command))
    }

    /// A request for the container's logs.
    pub fn logs(self, reason: Option<String>) -> Request {
        self.request(Entry { reason, ..Entry::default() }, Action::Logs, None)
    }

    /// A request to copy files.
    pub fn copy(self, entry: Entry) -> Request {
        self.request(entry, Action::Copy, None)
    }

    /// A request to connect through it.
    pub fn forward(self, entry: Entry) -> Request {
        self.request(entry, Action::Forward, None)
    }

    /// A request for whatever may be done there: by a stock client, which does not say beforehand what it wants.
    pub fn anything(self, login: Option<Login>, reason: Option<String>) -> Request {
        let optional = [Action::Shell, Action::Exec, Action::Copy, Action::Forward].into_iter().collect();
        Request {
            actions: Actions::default(),
            optional,
            ..self.request(Entry { login, reason, break_glass: false }, Action::Exec, None)
        }
    }

    fn request(self, entry: Entry, action: Action, command: Option<Vec<u8>>) -> Request {
        Request {
            as_typed: self.as_typed,
            container: self.container,
            login: entry.login.unwrap_or_else(Login::container_default),
            actions: [action].into_iter().collect(),
            optional: Actions::default(),
            command,
            reason: entry.reason,
            break_glass: entry.break_glass,
        }
    }
}

/// What a name that means several containers may mean; `None` for every other error.
pub fn candidates(error: &SessionError) -> Option<&[ContainerRow]> {
    match error {
        SessionError::Api(ApiError::Refused(body)) if body.code == ErrorCode::Ambiguous => Some(&body.candidates),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ErrorBody;

    #[test]
    fn only_an_ambiguous_name_has_candidates() {
        let refused = |code| SessionError::Api(ApiError::Refused(Box::new(ErrorBody::new(code, "no"))));
        assert!(candidates(&refused(ErrorCode::Ambiguous)).is_some());
        assert!(candidates(&refused(ErrorCode::NotFound)).is_none());
    }

    #[test]
    fn a_name_goes_as_it_was_typed_and_a_row_by_its_id() {
        let typed = Choice::typed("web".parse().unwrap()).shell(Entry::default());
        assert_eq!((typed.container, typed.login.is_default()), (None, true));
        let entry = Entry { login: Some("app".parse().unwrap()), reason: Some("ticket".into()), break_glass: false };
        let exec = Choice::typed("web".parse().unwrap()).exec(entry, b"'id'".to_vec());
        assert_eq!((exec.login.as_str(), exec.reason.as_deref()), ("app", Some("ticket")));
        assert!(exec.actions.allow(Action::Exec) && !exec.actions.allow(Action::Shell));
    }
}
