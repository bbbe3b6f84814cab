//! The engine's framing of two outputs on one stream: a header of eight bytes (the output, three zeros, the length), then that much.
//!
//! What is read is passed on in pieces as it comes, so that memory does not grow with a frame.

use std::io;

use bytes::{Buf, Bytes, BytesMut};

/// Takes frames apart.
#[derive(Debug, Default)]
pub(in crate::agent) struct Demultiplexer {
    /// Which output the current frame is of, and what is missing of it.
    frame: Option<(Source, usize)>,
    header: BytesMut,
}

/// An output of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) enum Source {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
}

impl Demultiplexer {
    /// The next piece in `bytes`, or `None` when all of them are used up.
    ///
    /// # Errors
    /// Where the engine sends something else.
    pub(in crate::agent) fn next(&mut self, bytes: &mut Bytes) -> io::Result<Option<(Source, Bytes)>> {
        while !bytes.is_empty() {
            if let Some((source, missing)) = &mut self.frame {
                let piece = bytes.split_to(bytes.len().min(*missing));
                *missing -= piece.len();
                let source = *source;
                if *missing == 0 {
                    self.frame = None;
                }
                return Ok(Some((source, piece)));
            }
            let wanted = (HEADER - self.header.len()).min(bytes.len());
            self.header.extend_from_slice(&bytes.split_to(wanted));
            if self.header.len() == HEADER {
                self.frame = self.read_header()?;
            }
        }
        Ok(None)
    }

    fn read_header(&mut self) -> io::Result<Option<(Source, usize)>> {
        let source = match self.header.get_u32() {
            // Nothing is said on standard input; engines use its number for the first output too.
            0x0000_0000 | 0x0100_0000 => Source::Stdout,
            0x0200_0000 => Source::Stderr,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the Docker engine sends no frames")),
        };
        let length = self.header.get_u32() as usize;
        self.header.clear();
        Ok((length > 0).then_some((source, length)))
    }
}

const HEADER: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(source: u8, text: &[u8]) -> Vec<u8> {
        let mut frame = vec![source, 0, 0, 0];
        frame.extend_from_slice(&(text.len() as u32).to_be_bytes());
        frame.extend_from_slice(text);
        frame
    }

    #[test]
    fn frames_come_apart_wherever_the_stream_is_cut() {
        let stream = [frame(1, b"out\0\x01"), frame(2, b""), frame(2, b"err"), frame(1, &[0; 300])].concat();
        for cut in 1..20 {
            let (mut frames, mut stdout, mut stderr) = (Demultiplexer::default(), Vec::new(), Vec::new());
            for chunk in stream.chunks(cut) {
                let mut bytes = Bytes::copy_from_slice(chunk);
                while let Some((source, piece)) = frames.next(&mut bytes).unwrap() {
                    if source == Source::Stdout { &mut stdout } else { &mut stderr }.extend_from_slice(&piece);
                }
            }
            assert_eq!((&stdout[..5], stdout.len(), stderr.as_slice()), (&b"out\0\x01"[..], 305, &b"err"[..]), "{cut}");
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error_and_a_long_one_is_not_stored() {
        let next = |bytes: &[u8]| Demultiplexer::default().next(&mut Bytes::copy_from_slice(bytes));
        assert!(next(b"OCI runtime exec failed").is_err());
        assert!(next(&[3, 0, 0, 0, 0, 0, 0, 1, b'x']).is_err());
        let huge = [&[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff][..], b"abc"].concat();
        assert_eq!(next(&huge).unwrap(), Some((Source::Stdout, Bytes::from_static(b"abc"))));
    }
}
