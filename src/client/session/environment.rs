//! The variables that a session is given: those that go along where the other side takes them, and those without which nothing is to
//! run there.

use russh::{ChannelMsg, ChannelReadHalf, ChannelWriteHalf, client};
use tokio::time::timeout;

use super::{OPENING, Session, SessionError};

/// The variables of a command or a shell.
#[derive(Debug, Clone, Copy, Default)]
pub struct Environment<'a> {
    /// Those that go along where the other side takes them.
    pub usual: &'a [(String, String)],
    /// Those without which nothing is to run.
    pub demanded: &'a [(String, String)],
}

impl Environment<'_> {
    /// Sets those that are demanded, and waits until all are set. It is a round trip, as what follows must not run without them.
    ///
    /// # Errors
    /// [`SessionError::RequestRefused`] for the first that is not; nothing has run then.
    pub(super) async fn demand(
        &self,
        session: &Session,
        reader: &mut ChannelReadHalf,
        writer: &ChannelWriteHalf<client::Msg>,
    ) -> Result<(), SessionError> {
        for (name, value) in self.demanded {
            writer.set_env(true, name, value).await.map_err(|_| session.lost())?;
        }
        let answers = async {
            // Answers come in the order of the questions.
            for (name, _) in self.demanded {
                loop {
                    match reader.wait().await {
                        Some(ChannelMsg::Success) => break,
                        Some(ChannelMsg::Failure) => return Err(session.refused(format!("the variable {name}"))),
                        Some(ChannelMsg::Close) | None => return Err(session.lost()),
                        Some(_) => {}
                    }
                }
            }
            Ok(())
        };
        timeout(OPENING, answers).await.unwrap_or_else(|_| Err(SessionError::Timeout { name: session.name.clone() }))
    }

    /// Sends the others, without waiting for an answer.
    pub(super) async fn pass_on(&self, writer: &ChannelWriteHalf<client::Msg>) -> Result<(), russh::Error> {
        for (name, value) in self.usual {
            writer.set_env(false, name, value).await?;
        }
        Ok(())
    }
}
