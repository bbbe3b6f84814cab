//! A link on which nothing comes: after some seconds a person is told, after three quarters of a minute it is given up.
//!
//! The other side is asked for a sign of life every few seconds, so a link that lives is never silent for long, and one that is dead is
//! told of within ten seconds. It may come back: a moved laptop, a Wi-Fi that returns.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{Session, SessionError};

/// Looks at the silence of one session.
#[derive(Debug)]
pub(super) struct Silence {
    tick: Interval,
    told: bool,
}

/// What a look showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing to say.
    Well,
    /// Nothing has come for so many seconds.
    Silent(u64),
    /// Something has come again.
    Back,
    /// There is no hope.
    Lost,
}

impl Silence {
    pub(super) fn new() -> Self {
        let mut tick = interval(CHECK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { tick, told: false }
    }

    /// Waits until there is something to say. Cancelling is fine.
    ///
    /// # Errors
    /// When the link is given up.
    pub(super) async fn news(&mut self, session: &Session) -> Result<String, SessionError> {
        loop {
            self.tick.tick().await;
            match self.look(session.throttle.silence()) {
                Look::Well => {}
                Look::Silent(seconds) => {
                    return Ok(format!("nothing has come from {} for {seconds} s; waiting, it may come back", session.name));
                }
                Look::Back => return Ok(format!("{} is back", session.name)),
                Look::Lost => return Err(session.lost()),
            }
        }
    }

    fn look(&mut self, silence: Duration) -> Look {
        match silence {
            silence if silence > GIVEN_UP => Look::Lost,
            silence if silence >= TOLD && !self.told => {
                self.told = true;
                Look::Silent(silence.as_secs())
            }
            silence if silence < TOLD && std::mem::take(&mut self.told) => Look::Back,
            _ => Look::Well,
        }
    }
}

/// How often it is looked at.
pub(super) const CHECK: Duration = Duration::from_secs(1);

/// From when on a person is told: two questions for a sign of life were not answered.
const TOLD: Duration = Duration::from_secs(8);

/// From when on it is given up.
const GIVEN_UP: Duration = Duration::from_secs(45);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_silence_is_told_once_and_so_is_its_end() {
        let mut silence = Silence::new();
        let mut look = |seconds| silence.look(Duration::from_secs(seconds));
        assert_eq!(
            [look(0), look(7), look(8), look(9), look(0), look(1)].to_vec(),
            vec![Look::Well, Look::Well, Look::Silent(8), Look::Well, Look::Back, Look::Well]
        );
        assert_eq!([look(9), look(46)], [Look::Silent(9), Look::Lost]);
    }
}
