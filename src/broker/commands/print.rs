//! Everything that `ztbroker` prints: results to stdout, remarks to stderr, with nothing in them that a terminal acts on.

#![allow(clippy::print_stdout, clippy::print_stderr)]

use std::io::{self, IsTerminal, Write};

use super::failure::Failure;

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
        let mut out = io::stdout().lock();
        match out.write_all(format!("{}\n", harmless(text)).as_bytes()).and_then(|()| out.flush()) {
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

/// `text` with every character that a terminal acts on, or that makes text look like other text, replaced by `�`.
pub(super) fn harmless(text: &str) -> String {
    text.chars().map(|character| if acts(character) { char::REPLACEMENT_CHARACTER } else { character }).collect()
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            // Bidirectional controls, separators, invisible spaces, annotations, and tags, which spell invisible ASCII.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            | '\u{2028}' | '\u{2029}' | '\u{00ad}' | '\u{200b}' | '\u{200c}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_act_on_is_replaced() {
        assert_eq!(harmless("a\x1b[31mb\r\n\u{9b}m\u{202e}x"), "a�[31mb���m�x");
        assert_eq!(harmless("žluťoučký 日本語"), "žluťoučký 日本語");
    }
}
