//! Frames: a length of four bytes, big-endian, and that many bytes of JSON.
//!
//! The one framing of every stream of ours: the connect's reply, the agents' control and data connections. A frame over the
//! stream's limit is refused before a byte of it is stored; [`FrameReader`] never reads past the frame that it returns, so that
//! raw bytes may follow one.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What can be wrong with a frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The stream ended where no frame had begun.
    #[error("the other side closed the connection")]
    Closed,
    /// The stream ended within a frame.
    #[error("the connection ended in the middle of a message")]
    Truncated,
    /// The announced length is over the stream's limit.
    #[error("a message of {length} bytes, over the limit of {limit}")]
    TooLong {
        /// What the other side announced.
        length: usize,
        /// What this stream allows.
        limit: usize,
    },
    /// The bytes are not the JSON that belongs here.
    #[error("a message that cannot be read: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The frame did not arrive in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The stream itself failed.
    #[error("the connection failed: {0}")]
    Io(#[from] std::io::Error),
}

/// Reads frames from `io`. [`FrameReader::next`] may be dropped and called again without losing a byte (`select!`).
#[derive(Debug)]
pub struct FrameReader<R> {
    io: R,
    limit: usize,
    /// The frame so far, its four length bytes included.
    partial: Vec<u8>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// A reader of frames of at most `limit` bytes each.
    pub fn new(io: R, limit: usize) -> Self {
        Self { io, limit, partial: Vec::new() }
    }

    /// The next frame.
    ///
    /// # Errors
    /// [`FrameError`]; after any of them the stream is of no further use.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Result<T, FrameError> {
        self.fill(LENGTH).await?;
        let mut length = [0; LENGTH];
        length.copy_from_slice(&self.partial[..LENGTH]);
        let length = u32::from_be_bytes(length) as usize;
        if length > self.limit {
            return Err(FrameError::TooLong { length, limit: self.limit });
        }
        self.fill(LENGTH + length).await?;
        let frame = serde_json::from_slice(&self.partial[LENGTH..]).map_err(FrameError::Malformed);
        self.partial.clear();
        frame
    }

    /// The next frame, if it is whole before `limit` has passed.
    ///
    /// # Errors
    /// [`FrameError::Timeout`], and what [`FrameReader::next`] returns.
    pub async fn next_within<T: DeserializeOwned>(&mut self, limit: Duration) -> Result<T, FrameError> {
        tokio::time::timeout(limit, self.next()).await.map_err(|_| FrameError::Timeout(limit))?
    }

    /// The stream again, at the byte after the last frame returned.
    pub fn into_inner(self) -> R {
        self.io
    }

    /// Reads until `partial` holds `wanted` bytes, never beyond. Memory grows with what has arrived, not with what was announced.
    async fn fill(&mut self, wanted: usize) -> Result<(), FrameError> {
        while self.partial.len() < wanted {
            let missing = (wanted - self.partial.len()) as u64;
            let read = (&mut self.io).take(missing).read_buf(&mut self.partial).await?;
            if read == 0 {
                return Err(if self.partial.is_empty() { FrameError::Closed } else { FrameError::Truncated });
            }
        }
        Ok(())
    }
}

/// `message` as the bytes of one frame.
///
/// # Errors
/// [`FrameError::TooLong`] over `limit`, so that what we send is never refused for its size at the other side.
pub fn encode<T: Serialize>(message: &T, limit: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; LENGTH];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::Malformed)?;
    let length = frame.len() - LENGTH;
    match u32::try_from(length) {
        Ok(prefix) if length <= limit => frame[..LENGTH].copy_from_slice(&prefix.to_be_bytes()),
        _ => return Err(FrameError::TooLong { length, limit }),
    }
    Ok(frame)
}

/// Writes `message` as one frame and flushes it. Not to be dropped half-way: give each connection one writer.
///
/// # Errors
/// [`FrameError::TooLong`] before anything is written, [`FrameError::Io`].
pub async fn write<W: AsyncWrite + Unpin, T: Serialize>(io: &mut W, message: &T, limit: usize) -> Result<(), FrameError> {
    io.write_all(&encode(message, limit)?).await?;
    Ok(io.flush().await?)
}

const LENGTH: usize = 4;

#[cfg(test)]
mod tests {
    use tokio::io::duplex;

    use super::*;

    #[tokio::test]
    async fn frames_cross_a_pipe_of_eight_bytes_and_leave_what_follows() {
        let (mut near, far) = duplex(8);
        let writer = tokio::spawn(async move {
            write(&mut near, &"first frame, longer than the pipe", 100).await.unwrap();
            write(&mut near, &vec![1, 2, 3], 100).await.unwrap();
            near.write_all(b"raw").await.unwrap();
        });
        let mut reader = FrameReader::new(far, 100);
        assert_eq!(reader.next::<String>().await.unwrap(), "first frame, longer than the pipe");
        assert_eq!(reader.next::<Vec<u8>>().await.unwrap(), [1, 2, 3]);
        let mut rest = String::new();
        reader.into_inner().read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "raw");
        writer.await.unwrap();
    }

    #[tokio::test]
    async fn a_dropped_read_loses_nothing() {
        let (mut near, far) = duplex(8);
        let mut reader = FrameReader::new(far, 100);
        let frame = encode(&"kept", 100).unwrap();
        near.write_all(&frame[..6]).await.unwrap();
        let soon = Duration::from_millis(5);
        assert!(matches!(reader.next_within::<String>(soon).await, Err(FrameError::Timeout(_))));
        near.write_all(&frame[6..]).await.unwrap();
        assert_eq!(reader.next::<String>().await.unwrap(), "kept");
    }

    #[tokio::test]
    async fn hostile_frames_are_refused() {
        let refused = |bytes: Vec<u8>| async move {
            let mut reader = FrameReader::new(bytes.as_slice(), 16);
            reader.next_within::<String>(Duration::from_secs(1)).await.unwrap_err()
        };
        assert!(matches!(refused(vec![]).await, FrameError::Closed));
        assert!(matches!(refused(vec![0, 0]).await, FrameError::Truncated));
        assert!(matches!(refused(vec![0, 0, 0, 9, b'"']).await, FrameError::Truncated));
        assert!(matches!(refused(u32::MAX.to_be_bytes().to_vec()).await, FrameError::TooLong { .. }));
        assert!(matches!(refused(vec![0, 0, 0, 17]).await, FrameError::TooLong { length: 17, limit: 16 }));
        assert!(matches!(refused(vec![0, 0, 0, 1, 0xff]).await, FrameError::Malformed(_)));
        assert!(matches!(refused(vec![0, 0, 0, 0]).await, FrameError::Malformed(_)));
    }

    #[tokio::test]
    async fn a_frame_that_never_ends_is_given_up() {
        let (mut near, far) = duplex(8);
        near.write_all(&[0, 0, 0, 9, b'"']).await.unwrap();
        let mut reader = FrameReader::new(far, 16);
        let error = reader.next_within::<String>(Duration::from_millis(5)).await.unwrap_err();
        assert!(matches!(error, FrameError::Timeout(_)));
    }

    #[test]
    fn nothing_over_the_limit_is_sent() {
        assert!(matches!(encode(&"12345", 6), Err(FrameError::TooLong { length: 7, limit: 6 })));
    }
}
