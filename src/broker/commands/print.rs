//! Everything that `ztbroker` prints: results to stdout, remarks to stderr, with nothing in them that a terminal acts on.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, IsTerminal, Write};

use super::failure::Failure;
use crate::harmless::harmless;

/// Where a command's words go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Printer {
    /// Whether failures are told to a program.
    pub(super) as_json: bool,
}

impl Printer {
    pub(super) fn new(as_json: bool) -> Self {
        Self { as_json }
    }

    /// One line of the result. False when nobody reads any more: a closed pipe is how `head` says that it has enough.
    pub(super) fn line(self, text: &str) -> Result<bool, Failure> {
        self.bytes(format!("{}\n", harmless(text)).as_bytes())
    }

    /// Bytes of the result that a program reads, as they are. False when nobody reads any more.
    pub(super) fn bytes(self, bytes: &[u8]) -> Result<bool, Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes).and_then(|()| out.flush()) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(Failure::new(format!("the output cannot be written: {error}"))),
        }
    }

    /// The lines of the result.
    pub(super) fn lines<'a>(self, lines: impl IntoIterator<Item = &'a str>) -> Result<(), Failure> {
        for line in lines {
            if !self.line(line)? {
                break;
            }
        }
        Ok(())
    }

    /// What a person should know and a program need not: on stderr, each line by itself.
    pub(super) fn remark(self, text: &str) {
        for line in text.lines() {
            // Nobody is left to tell when stderr is closed.
            let _ = writeln!(io::stderr(), "{}", harmless(line));
        }
    }

    /// A remark that is in the way of programs: only where a person sits at stdout.
    pub(super) fn remark_to_person(self, text: &str) {
        if io::stdout().is_terminal() {
            self.remark(text);
        }
    }
}
