//! A container's logs on their way to a channel: each piece comes with its time before it, which is taken off or left on, and by which
//! a stream that was broken off goes on where it ended.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::sync::oneshot;

use crate::agent::connector::remote::{RemoteControl, Wishes};
use crate::agent::process::{Ending, Process};
use crate::agent::reaper::Exit;

/// Where logs are written for a channel.
#[derive(Debug)]
pub(super) struct Sink {
    outputs: [DuplexStream; 2],
    /// Whether a line of the output has begun and not ended.
    begun: [bool; 2],
    timestamps: bool,
    /// The time of each output's last piece: what is not later was written already when a stream is opened anew. An engine stamps the
    /// outputs apart and then writes them one after the other, so that only those of one output are in order.
    last: [Option<String>; 2],
    /// The output of the last piece.
    recent: Source,
    resumed: [bool; 2],
    ended: oneshot::Sender<Ending>,
}

/// An output of a container's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// Its standard output.
    Stdout = 0,
    /// Its standard error.
    Stderr = 1,
}

impl Sink {
    /// A process whose outputs are what is written to the sink; it ends when [`Sink::end`] says how.
    pub(super) fn new(timestamps: bool) -> (Process, Self, Wishes) {
        let ((stdout, out), (stderr, err)) = (tokio::io::duplex(PIPE), tokio::io::duplex(PIPE));
        let (control, wishes) = RemoteControl::new(None);
        let (tell, told) = oneshot::channel();
        let process = Process {
            stdin: Box::new(tokio::io::sink()),
            stdout: Box::new(stdout),
            stderr: Some(Box::new(stderr)),
            ending: Box::pin(async {
                let lost = || Ending::Lost(Some("the logs were broken off".to_owned()));
                told.await.unwrap_or_else(|_| lost())
            }),
            control: std::sync::Arc::new(control),
            leader: None,
        };
        let sink = Self {
            outputs: [out, err],
            begun: [false; 2],
            timestamps,
            last: [None, None],
            recent: Source::Stdout,
            resumed: [false; 2],
            ended: tell,
        };
        (process, sink, wishes)
    }

    /// Writes a piece that begins with its time and a space: a whole line, or a part of one.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) async fn piece(&mut self, source: Source, piece: &[u8]) -> io::Result<()> {
        let Some((time, text)) = split(piece) else {
            return self.text(source, piece).await;
        };
        let last = &mut self.last[source as usize];
        if self.resumed[source as usize] && last.as_deref().is_some_and(|last| time <= last) {
            return Ok(());
        }
        self.resumed[source as usize] = false;
        if last.as_deref() != Some(time) {
            *last = Some(time.to_owned());
        }
        self.recent = source;
        if self.timestamps && !self.begun[source as usize] {
            self.text(source, format!("{time} ").as_bytes()).await?;
        }
        self.text(source, text).await
    }

    /// Says something to the reader that is not of the logs.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub(super) async fn remark(&mut self, sentence: &str) -> io::Result<()> {
        self.outputs[Source::Stderr as usize].write_all(format!("ztctl: {sentence}\n").as_bytes()).await
    }

    /// A stream is opened anew: what is not later than the last piece was there already. Its time, if there was one.
    pub(super) fn resume(&mut self) -> Option<&str> {
        self.resumed = [true; 2];
        self.last[self.recent as usize].as_deref()
    }

    /// Ends the process: its outputs with it.
    pub(super) fn end(self, exit: Exit) {
        let _ = self.ended.send(Ending::Exit(exit));
    }

    /// Ends it because the logs can no longer be had.
    pub(super) fn lose(self, why: String) {
        let _ = self.ended.send(Ending::Lost(Some(why)));
    }

    async fn text(&mut self, source: Source, text: &[u8]) -> io::Result<()> {
        if let Some(last) = text.last() {
            self.begun[source as usize] = *last != b'\n';
        }
        self.outputs[source as usize].write_all(text).await
    }
}

/// A stream without frames, by lines.
#[derive(Debug, Default)]
pub(in crate::agent) struct Lines(BytesMut);

impl Lines {
    /// The next line in `bytes`, with its end; a part of one that is too long.
    pub(in crate::agent) fn next(&mut self, bytes: &mut Bytes) -> Option<Bytes> {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(bytes.len(), |end| end + 1);
        self.0.extend_from_slice(&bytes.split_to(taken));
        (end.is_some() || self.0.len() >= LINE).then(|| self.0.split().freeze())
    }

    /// What has begun and not ended.
    pub(in crate::agent) fn rest(self) -> Bytes {
        self.0.freeze()
    }
}

/// `2026-01-31T09:30:00.123456789Z text`. The times of one engine all have the same form, so that they compare as text does.
pub(in crate::agent) fn split(piece: &[u8]) -> Option<(&str, &[u8])> {
    let space = piece.iter().take(TIME).position(|byte| *byte == b' ')?;
    let (time, text) = piece.split_at(space);
    let time = std::str::from_utf8(time).ok()?;
    let is_time = time.len() >= 20 && time.as_bytes()[4] == b'-' && time.as_bytes()[10] == b'T';
    is_time.then(|| (time, &text[1..]))
}

/// The most bytes of a line that are kept together.
const LINE: usize = 64 * 1024;

/// What waits for a slow reader.
const PIPE: usize = 64 * 1024;

/// The most bytes of a time.
const TIME: usize = 40;

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn written(timestamps: bool, write: impl AsyncFnOnce(&mut Sink)) -> (String, String) {
        let (process, mut sink, _wishes) = Sink::new(timestamps);
        write(&mut sink).await;
        sink.end(Exit::Status(0));
        let Process { mut stdout, stderr, ending, .. } = process;
        let (mut out, mut err) = (String::new(), String::new());
        stdout.read_to_string(&mut out).await.unwrap();
        stderr.unwrap().read_to_string(&mut err).await.unwrap();
        assert_eq!(ending.await, Ending::Exit(Exit::Status(0)));
        (out, err)
    }

    const ONE: &str = "2026-01-31T09:30:00.000000001Z";
    const TWO: &str = "2026-01-31T09:30:00.000000002Z";

    #[tokio::test]
    async fn times_are_left_on_or_taken_off_and_the_streams_stay_apart() {
        let write = async |sink: &mut Sink| {
            sink.piece(Source::Stdout, format!("{ONE} begun, ").as_bytes()).await.unwrap();
            sink.piece(Source::Stderr, format!("{ONE} oops\n").as_bytes()).await.unwrap();
            sink.piece(Source::Stdout, format!("{TWO} and ended\n").as_bytes()).await.unwrap();
            sink.piece(Source::Stdout, b"no time at all\n").await.unwrap();
        };
        let (out, err) = written(false, write).await;
        assert_eq!((out.as_str(), err.as_str()), ("begun, and ended\nno time at all\n", "oops\n"));
        let (out, err) = written(true, write).await;
        assert_eq!(out, format!("{ONE} begun, and ended\nno time at all\n"));
        assert_eq!(err, format!("{ONE} oops\n"));
    }

    #[tokio::test]
    async fn a_stream_goes_on_where_it_was_broken_off() {
        let (out, err) = written(false, async |sink| {
            sink.piece(Source::Stdout, format!("{ONE} one\n").as_bytes()).await.unwrap();
            assert_eq!(sink.resume(), Some(ONE));
            sink.remark("started again").await.unwrap();
            sink.piece(Source::Stdout, format!("{ONE} one\n").as_bytes()).await.unwrap();
            sink.piece(Source::Stdout, format!("{TWO} two\n").as_bytes()).await.unwrap();
            sink.piece(Source::Stdout, format!("{TWO} of the same moment\n").as_bytes()).await.unwrap();
        })
        .await;
        assert_eq!((out.as_str(), err.as_str()), ("one\ntwo\nof the same moment\n", "ztctl: started again\n"));
    }

    #[tokio::test]
    async fn a_piece_that_is_earlier_than_one_before_it_does_not_bring_that_twice() {
        let write = async |sink: &mut Sink| {
            sink.piece(Source::Stdout, format!("{TWO} two\n").as_bytes()).await.unwrap();
            sink.piece(Source::Stderr, format!("{ONE} one\n").as_bytes()).await.unwrap();
            assert_eq!(sink.resume(), Some(ONE));
            sink.piece(Source::Stdout, format!("{TWO} two\n").as_bytes()).await.unwrap();
            sink.piece(Source::Stderr, format!("{ONE} one\n").as_bytes()).await.unwrap();
        };
        assert_eq!(written(false, write).await, ("two\n".to_owned(), "one\n".to_owned()));
    }

    #[test]
    fn lines_come_whole_wherever_the_stream_is_cut_and_long_ones_in_parts() {
        for cut in 1..8 {
            let (mut lines, mut found) = (Lines::default(), Vec::new());
            for chunk in b"one\r\n\ntwo".chunks(cut) {
                let mut bytes = Bytes::copy_from_slice(chunk);
                while !bytes.is_empty() {
                    found.extend(lines.next(&mut bytes));
                }
            }
            assert_eq!((found, lines.rest()), (vec![Bytes::from("one\r\n"), Bytes::from("\n")], Bytes::from("two")), "{cut}");
        }
        let mut long = Bytes::from(vec![b'x'; LINE + 5]);
        assert_eq!(Lines::default().next(&mut long).unwrap().len(), LINE + 5);
    }
}
