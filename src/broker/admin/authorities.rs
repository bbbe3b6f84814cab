//! The certificate authorities as an operator sees and renews them.

use super::wire::{Authorities, Rotation};
use super::{Admin, AdminError};
use crate::broker::audit::Event;
use crate::broker::ca::rotation::{Change, NoChange, Turn, Wish};

impl Admin {
    /// The keys, and who does not trust the newest of them yet.
    pub fn authorities(&self) -> Authorities {
        let state = &self.state;
        Authorities {
            sequence: state.ca.sequence(),
            fingerprint: state.ca.set().fingerprint(),
            until: state.ca.until(),
            keys: state.ca.keys(),
            behind: state.agents.behind(&state.ca),
        }
    }

    /// Makes new keys: the old ones stay beside them for a time, or leave at once. Agents that are here are told.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] for an overlap outside its limits, [`AdminError::Ca`] while a rotation is under way or where the keys
    /// cannot be written, and what keeps it from being written down.
    pub async fn rotate_ca(&self, rotation: Rotation) -> Result<Authorities, AdminError> {
        let overlap = rotation.overlap.map(|overlap| overlap.as_secs());
        if overlap.is_some_and(|overlap| !(SHORTEST..=LONGEST).contains(&overlap)) {
            return Err(AdminError::Invalid("the old keys stay for 1m to 366d, or leave with --now"));
        }
        let both = rotation.user == rotation.host;
        let wish = Wish { user: rotation.user || both, host: rotation.host || both, overlap };
        let turn = self.state.ca.turn().await.map_err(NoChange::Ca)?;
        let change = turn.rotate(wish, self.state.clock.now())?;
        let event = Event::CaRotated {
            sequence: change.sequence(),
            ca: change.fingerprint(),
            added: change.added.clone(),
            removed: change.removed.clone(),
            until: change.until(),
            by: self.by(),
        };
        self.make(turn, change, event).await
    }

    /// Ends the rotation that is under way: the old keys are deleted, and nobody trusts them any more.
    ///
    /// # Errors
    /// [`AdminError::Ca`] where none is under way or the keys cannot be written, and what keeps it from being written down.
    pub async fn finish_ca_rotation(&self) -> Result<Authorities, AdminError> {
        let turn = self.state.ca.turn().await.map_err(NoChange::Ca)?;
        let change = turn.finish()?;
        let event = Event::CaRotationFinished { removed: change.removed.clone(), by: self.by() };
        self.make(turn, change, event).await
    }

    async fn make(&self, turn: Turn<'_>, change: Change, event: Event) -> Result<Authorities, AdminError> {
        self.carry_out(event, async { turn.commit(change).map_err(NoChange::Ca) }).await?;
        self.state.agents.tell_authorities(&self.state.ca);
        Ok(self.authorities())
    }
}

/// The shortest overlap in seconds: agents are told at once.
const SHORTEST: u64 = 60;

/// The longest in seconds: a year.
const LONGEST: u64 = 366 * 24 * 3600;
