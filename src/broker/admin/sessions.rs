//! The live sessions as an operator sees and ends them: those that this broker carries.

use super::wire::{EndSession, LiveSession};
use super::{Admin, AdminError};
use crate::broker::audit::Event;
use crate::broker::own_sessions;
use crate::broker::relay::Live;

impl Admin {
    /// The live sessions of this broker, the oldest first.
    pub fn sessions(&self) -> Vec<LiveSession> {
        self.state.sessions.all().iter().map(|live| row(live)).collect()
    }

    /// Ends one of them, and returns it. Nothing keeps its user from beginning another: that is a lock's.
    ///
    /// # Errors
    /// [`AdminError::NoSession`], [`AdminError::Invalid`] for several or a reason that is none, and what keeps it from being written down.
    pub async fn end_session(&self, end: EndSession) -> Result<LiveSession, AdminError> {
        let reason = super::reason(end.reason)?;
        let mut meant = self.state.sessions.all();
        meant.retain(|live| end.session.begins(&live.session.digits()));
        let live = match meant.as_slice() {
            [] => return Err(AdminError::NoSession(end.session)),
            [only] => only,
            _ => return Err(AdminError::Invalid("several live sessions begin so: give more digits")),
        };
        let why = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let cut = Event::SessionCut { session: live.session, user: live.user(), reason, by: self.by() };
        self.write_down(cut).await?;
        live.cut(&format!("an operator ended this session{why}"));
        Ok(row(live))
    }
}

fn row(live: &Live) -> LiveSession {
    LiveSession {
        row: own_sessions::row(live),
        user: live.user(),
        command: live.basis.command.clone(),
        reason: live.basis.reason.clone(),
        agent: live.basis.container.agent_name.clone(),
    }
}
