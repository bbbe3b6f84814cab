//! Whom and what an event is about, by which the journal is searched.

use super::Event;
use crate::proto::SessionId;

impl Event {
    /// The session that this is about, if it is about one.
    pub fn session(&self) -> Option<SessionId> {
        match self {
            Self::SessionAuthorised(session) => Some(session.session),
            Self::BreakGlass(broke) => Some(broke.session),
            Self::ChannelOpened { session, .. } | Self::SessionCut { session, .. } | Self::SessionEnded { session, .. } => {
                Some(*session)
            }
            _ => None,
        }
    }

    /// The user that this is about, if it is about one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::SessionAuthorised(session) => Some(&session.user),
            Self::RequestMade(made) => Some(&made.user),
            Self::RequestRefused(refused) => Some(&refused.user),
            Self::RequestAnswered(answered) => Some(&answered.user),
            Self::RequestWithdrawn(withdrawn) => Some(&withdrawn.user),
            Self::BreakGlass(broke) => Some(&broke.user),
            Self::Login { user, .. }
            | Self::LoginFailed { user, .. }
            | Self::RefreshReuse { user, .. }
            | Self::TokenMisused { user, .. }
            | Self::Logout { user }
            | Self::LoginEnded { user, .. }
            | Self::DeviceApproved { user, .. }
            | Self::UserAdded { user, .. }
            | Self::GroupsSet { user, .. }
            | Self::UserRemoved { user, .. }
            | Self::PasswordSet { user, .. }
            | Self::TotpEnrolled { user, .. }
            | Self::TotpRemoved { user, .. }
            | Self::RecoveryCodesMade { user, .. }
            | Self::RecoveryCodeUsed { user, .. }
            | Self::MfaShown { user, .. }
            | Self::MfaFailed { user, .. }
            | Self::SessionCut { user, .. }
            | Self::SessionDenied { user, .. }
            | Self::SessionEnded { user, .. } => Some(user),
            Self::LockAdded { target, .. } | Self::LockRemoved { target, .. } => target.strip_prefix("user "),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::audit::Record;

    #[test]
    fn an_event_of_a_newer_version_is_still_a_record() {
        let line = r#"{"seq":1,"time":2,"event":"moon_landed","site":"tranquility","prev":"","hash":""}"#;
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!((record.seq, record.event), (1, Event::Unknown));
    }
}
