//! The container's files over a session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use russh::client::Msg;
use russh::{Channel, ChannelMsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::silence::Silence;
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
        let (stream, said) = carried(channel);
        // What cannot be served says why, and ends its channel instead of answering.
        Remote::open(stream).await.map_err(|_| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner).trim().trim_start_matches("ztctl: ").to_owned();
            match self.lost() {
                SessionError::Lost { name } if !said.is_empty() => SessionError::FilesRefused { name, reason: said },
                SessionError::Lost { .. } => self.refused("to serve its files"),
                reason => reason,
            }
        })
    }

    /// Does `work` with the files for as long as the link lives, and says goodbye. `tell` gets a sentence when nothing comes any more.
    ///
    /// # Errors
    /// Why the session is over, where that is what ended the work; else what the work failed with.
    pub async fn with_files<T>(
        self,
        work: impl Future<Output = Result<T, CopyError>>,
        tell: impl Fn(&str),
    ) -> Result<Result<T, CopyError>, SessionError> {
        let mut silence = Silence::new();
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
                news = silence.news(&self) => tell(&news?),
                // Work that waits for an answer on a connection that is over may wait for long.
                () = self.gone() => return Err(self.lost()),
            }
        }
    }
}

impl Session {
    /// Returns a moment after the connection's end: the reason, if there is one, comes right before it.
    async fn gone(&self) {
        while !self.handle.is_closed() {
            tokio::time::sleep(LOOK).await;
        }
        tokio::time::sleep(LAST_WORDS).await;
    }
}

/// The channel as a stream, and what comes beside it: SFTP's own words never do, those of whoever cannot serve it do.
fn carried(channel: Channel<Msg>) -> (DuplexStream, Arc<Mutex<String>>) {
    let (near, far) = tokio::io::duplex(BUFFER);
    let (mut from_here, mut to_here) = tokio::io::split(far);
    let (mut reader, writer) = channel.split();
    let said = Arc::new(Mutex::new(String::new()));
    let words = Arc::clone(&said);
    tokio::spawn(async move {
        while let Some(message) = reader.wait().await {
            match message {
                ChannelMsg::Data { data } => match to_here.write_all(&data).await {
                    Ok(()) => {}
                    Err(_) => return,
                },
                ChannelMsg::ExtendedData { data, .. } => {
                    let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
                    if words.len() < SAID {
                        words.push_str(&String::from_utf8_lossy(&data));
                    }
                }
                ChannelMsg::Close => break,
                _ => {}
            }
        }
        let _ = to_here.shutdown().await;
    });
    tokio::spawn(async move {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PACKET);
            match from_here.read_buf(&mut buffer).await {
                Ok(1..) if writer.data_bytes(buffer.split().freeze()).await.is_ok() => {}
                _ => break,
            }
        }
        let _ = writer.eof().await;
    });
    (near, said)
}

const BUFFER: usize = 256 * 1024;

const PACKET: usize = 32 * 1024;

/// The most bytes of an explanation.
const SAID: usize = 4096;

const PATIENCE: Duration = Duration::from_secs(15);

/// How often the connection is looked at: whoever is cut off reads why within the second.
const LOOK: Duration = Duration::from_millis(100);

const LAST_WORDS: Duration = Duration::from_millis(100);
