//! The container's files over a session.

use std::time::Duration;

use tokio::time::interval;

use super::exec::CHECK;
use super::{Session, SessionError};
use crate::client::copy::{CopyError, Remote};

impl Session {
    /// Opens the container's files.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn files(&self) -> Result<Remote, SessionError> {
        let channel = self.channel().await?;
        let asked = tokio::time::timeout(PATIENCE, channel.request_subsystem(true, "sftp")).await;
        match asked {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(self.lost()),
            Err(_) => return Err(SessionError::Timeout { name: self.name().to_owned() }),
        }
        // A subsystem that is refused ends its channel instead of answering.
        Remote::open(channel.into_stream()).await.map_err(|_| self.files_refused())
    }

    /// Does `work` with the files for as long as the link lives, and says goodbye.
    ///
    /// # Errors
    /// Why the session is over, where that is what ended the work; else what the work failed with.
    pub async fn with_files<T>(
        self,
        work: impl Future<Output = Result<T, CopyError>>,
    ) -> Result<Result<T, CopyError>, SessionError> {
        let mut check = interval(CHECK);
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    if matches!(done, Err(CopyError::Lost)) {
                        // The reason, if there is one, comes right behind.
                        tokio::time::sleep(LAST_WORDS).await;
                        return Err(self.lost());
                    }
                    self.close().await;
                    return Ok(done);
                }
                _ = check.tick() => if self.is_silent() {
                    return Err(self.lost());
                },
            }
        }
    }

    fn files_refused(&self) -> SessionError {
        match self.lost() {
            SessionError::Lost { .. } => self.refused("to serve its files"),
            reason => reason,
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(15);

const LAST_WORDS: Duration = Duration::from_millis(100);
