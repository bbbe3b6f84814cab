//! One command among several: it reads nothing, and what it writes goes to whoever gathers it, piece by piece.

use bytes::Bytes;

use super::ending::{Ending, Exit, Said};
use super::environment::Environment;
use super::silence::Silence;
use super::throttle::Throttle;
use super::{Session, SessionError};

/// Some bytes that the command wrote. As long as it is kept, it counts against what may be under way.
#[derive(Debug)]
pub struct Piece {
    /// Whether it was written to standard error.
    pub errors: bool,
    /// What was written.
    pub bytes: Bytes,
    throttle: Throttle,
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.throttle.done(self.bytes.len());
    }
}

impl Session {
    /// Runs `command` (as it goes over the wire) with nothing to read, until it ends; its output goes to `take`. When that takes no
    /// more, it is ended.
    ///
    /// # Errors
    /// When the session ends without a status.
    pub async fn gather(
        self,
        command: Vec<u8>,
        environment: Environment<'_>,
        take: impl AsyncFn(Piece) -> bool,
    ) -> Result<Exit, SessionError> {
        let (mut reader, writer) = self.channel().await?.split();
        if let Err(error) = environment.demand(&self, &mut reader, &writer).await {
            self.close().await;
            return Err(error);
        }
        environment.pass_on(&writer).await.map_err(|_| self.lost())?;
        writer.exec(true, command).await.map_err(|_| self.lost())?;
        writer.eof().await.map_err(|_| self.lost())?;
        let (mut ending, mut silence) = (Ending::new(["the command"]), Silence::new());
        loop {
            let said = tokio::select! {
                message = reader.wait() => ending.hear(message),
                news = silence.news(&self) => {
                    news?;
                    continue;
                }
            };
            let (errors, bytes) = match said {
                Said::Output(bytes) => (false, bytes),
                Said::Errors(bytes) => (true, bytes),
                Said::Nothing => continue,
                Said::Refused(what) => {
                    let error = self.refused(what);
                    self.close().await;
                    return Err(error);
                }
                Said::Over => return self.conclude(ending.into_exit()).await,
            };
            self.throttle.queue(bytes.len());
            let piece = Piece { errors, bytes, throttle: self.throttle.clone() };
            if !take(piece).await {
                self.close().await;
                return Ok(Exit::Local(SIGPIPE));
            }
        }
    }
}

const SIGPIPE: u8 = 13;
