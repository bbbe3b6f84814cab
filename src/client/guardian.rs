//! The guardian: a small process of its own that puts the terminal back when `ztctl` is killed without a chance to do so.
//!
//! `ztctl` starts itself again as the guardian before it takes the terminal, with a pipe as standard input and the terminal as
//! standard output and standard error. Through the pipe go the line modes as they were and as raw mode makes them, then every
//! change of what the remote output has switched on. [`DONE`] ends the guardian without a word; the pipe's end without it means
//! that `ztctl` died. Then the line modes are put back if they are still those that `ztctl` set (a shell that was quicker has
//! set its own), and the rest is switched off.
//!
//! It stands apart from `ztctl`, so that neither Ctrl-C nor the end of the terminal's session ends it first.

mod keeper;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::io::{self, Read};
use std::process::ExitCode;
use std::time::Duration;

pub use keeper::Keeper;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

use super::terminal::tty::{LineModes, Tty};

/// The first argument that makes `ztctl` the guardian.
pub const ENTRY: &str = "__guardian";

/// The most bytes that undo what a session has switched on: all of it at once is a third of this.
pub const RESETS_LIMIT: usize = 1024;

/// Frame: what now undoes the output; a length of two bytes and that many bytes follow.
const RESETS: u8 = 1;

/// Frame: the terminal has been put back.
const DONE: u8 = 2;

/// What to do once the pipe has ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Watched {
    saved: LineModes,
    raw: LineModes,
    resets: Vec<u8>,
}

/// The guardian's whole life. To be called before any thread or runtime exists.
pub fn main() -> ExitCode {
    system::stand_apart();
    let _ = std::env::set_current_dir("/");
    if let Some(watched) = watch(&mut io::stdin().lock())
        && let Ok(tty) = Tty::of_guardian()
    {
        put_back(&watched, tty);
    }
    ExitCode::SUCCESS
}

/// Reads until the end; `None` when there is nothing to put back.
pub(super) fn watch(pipe: &mut impl Read) -> Option<Watched> {
    let mut modes = [[0; LineModes::BYTES]; 2];
    for mode in &mut modes {
        pipe.read_exact(mode).ok()?;
    }
    let [saved, raw] = modes.map(|bytes| LineModes::from_bytes(&bytes));
    let mut resets = Vec::new();
    loop {
        match next(pipe) {
            Ok(Some(changed)) => resets = changed,
            Ok(None) => return None,
            // The end, or what never was a frame: `ztctl` is no longer there to speak for the terminal.
            Err(_) => return Some(Watched { saved, raw, resets }),
        }
    }
}

/// The next change; `None` for [`DONE`].
fn next(pipe: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut kind = [0];
    pipe.read_exact(&mut kind)?;
    match kind {
        [DONE] => Ok(None),
        [RESETS] => {
            let mut length = [0; 2];
            pipe.read_exact(&mut length)?;
            let length = usize::from(u16::from_be_bytes(length));
            if length > RESETS_LIMIT {
                return Err(io::ErrorKind::InvalidData.into());
            }
            let mut resets = vec![0; length];
            pipe.read_exact(&mut resets)?;
            Ok(Some(resets))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn put_back(watched: &Watched, mut tty: Tty) {
    match tty.line_modes() {
        Ok(now) if now == watched.raw => tty.put_back(&watched.saved, &watched.resets, PATIENCE),
        _ => tty.screen.write_within(&watched.resets, PATIENCE),
    }
}

/// How long a terminal that takes no output is waited for.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn modes(fill: u8) -> [u8; LineModes::BYTES] {
        [fill; LineModes::BYTES]
    }

    fn told(frames: &[&[u8]]) -> Option<Watched> {
        let bytes = [&modes(1)[..], &modes(2)[..], &frames.concat()].concat();
        watch(&mut bytes.as_slice())
    }

    #[test]
    fn the_last_word_counts_when_the_pipe_ends() {
        let watched = told(&[&[RESETS, 0, 2, b'a', b'b'], &[RESETS, 0, 1, b'c']]).unwrap();
        assert_eq!(watched.resets, b"c");
        assert_eq!((watched.saved.to_bytes(), watched.raw.to_bytes()), (modes(1), modes(2)));
    }

    #[test]
    fn done_is_done() {
        assert_eq!(told(&[&[RESETS, 0, 1, b'a'], &[DONE]]), None);
    }

    #[test]
    fn half_a_frame_leaves_the_one_before() {
        assert_eq!(told(&[&[RESETS, 0, 1, b'a'], &[RESETS, 0, 9, b'b']]).unwrap().resets, b"a");
        assert_eq!(told(&[&[RESETS, 0, 1, b'a'], &[77, 77]]).unwrap().resets, b"a");
        assert_eq!(told(&[&[RESETS, 0, 1, b'a'], &[RESETS, 0xff, 0xff]]).unwrap().resets, b"a");
    }

    #[test]
    fn before_the_modes_are_known_nothing_is_done() {
        assert_eq!(watch(&mut &modes(1)[..7]), None);
    }
}
