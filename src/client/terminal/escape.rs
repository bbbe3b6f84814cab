//! The escapes of a session: `~.`, `~^Z` and `~?` at the beginning of a line, as `ssh` has them.
//!
//! They work on this side only, so also when nothing answers any more. Nothing in a paste is an escape.

/// What the person asked of ztctl itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Escape {
    /// `~.`: leave at once.
    Disconnect,
    /// `~^Z`: stop this job.
    Suspend,
    /// `~?`: say which escapes there are.
    Help,
}

/// What `~?` shows, one line each, where `key` is the key that begins an escape.
pub fn help(key: Option<u8>) -> Vec<String> {
    let Some(key) = key.map(char::from) else { return Vec::new() };
    vec![
        "Escapes, at the beginning of a line:".to_owned(),
        format!("  {key}.   leave at once, also when nothing answers"),
        format!("  {key}^Z  suspend ztctl"),
        format!("  {key}?   this list"),
        format!("  {key}{key}   send one {key}"),
    ]
}

/// Watches the keys for escapes.
#[derive(Debug)]
pub struct Escapes {
    /// Whether the next key is the first of a line.
    line_start: bool,
    /// Whether a `~` that began a line is held back.
    held: bool,
    /// The key that begins an escape, if any does.
    key: Option<u8>,
}

impl Escapes {
    /// Begins at the start of a line; `key` begins an escape, if any does.
    pub fn new(key: Option<u8>) -> Self {
        Self { line_start: true, held: false, key }
    }

    /// Adds what of `keys` goes to the other side to `out`. Ends at the first escape and returns it with the number of keys
    /// that were taken; the rest is for another call.
    pub fn take(&mut self, keys: &[u8], out: &mut Vec<u8>) -> (usize, Option<Escape>) {
        if keys.len() > TYPED {
            if std::mem::take(&mut self.held) {
                out.extend(self.key);
            }
            out.extend_from_slice(keys);
            self.line_start = keys.last().is_some_and(|key| is_line_end(*key));
            return (keys.len(), None);
        }
        for (index, &key) in keys.iter().enumerate() {
            if std::mem::take(&mut self.held) {
                let escape = match key {
                    b'.' => Some(Escape::Disconnect),
                    CTRL_Z => Some(Escape::Suspend),
                    b'?' => Some(Escape::Help),
                    _ => None,
                };
                if escape.is_some() {
                    self.line_start = true;
                    return (index + 1, escape);
                }
                out.extend(self.key);
                self.line_start = false;
                if Some(key) == self.key {
                    continue;
                }
            } else if self.line_start && Some(key) == self.key {
                self.held = true;
                continue;
            }
            out.push(key);
            self.line_start = is_line_end(key);
        }
        (keys.len(), None)
    }
}

fn is_line_end(key: u8) -> bool {
    matches!(key, b'\r' | b'\n')
}

/// The most keys that one read brings while a person types: repeated keys and escape sequences come in handfuls, a paste in
/// hundreds.
const TYPED: usize = 32;

const CTRL_Z: u8 = 0x1a;

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes to the other side, and the escapes on the way.
    fn typed(reads: &[&str]) -> (String, Vec<Escape>) {
        let (mut escapes, mut out, mut found) = (Escapes::new(Some(b'~')), Vec::new(), Vec::new());
        for read in reads {
            let mut keys = read.as_bytes();
            while !keys.is_empty() {
                let (taken, escape) = escapes.take(keys, &mut out);
                keys = &keys[taken..];
                found.extend(escape);
            }
        }
        (String::from_utf8(out).unwrap(), found)
    }

    #[test]
    fn escapes_stand_at_the_beginning_of_a_line() {
        assert_eq!(typed(&["~."]), (String::new(), vec![Escape::Disconnect]));
        assert_eq!(typed(&["ls\r", "~", "."]), ("ls\r".into(), vec![Escape::Disconnect]));
        assert_eq!(typed(&["ls\r~?pwd\r"]), ("ls\rpwd\r".into(), vec![Escape::Help]));
        assert_eq!(typed(&["\r~\x1a~."]), ("\r".into(), vec![Escape::Suspend, Escape::Disconnect]));
        assert_eq!(typed(&["cd ~.", "a~?"]), ("cd ~.a~?".into(), vec![]));
    }

    #[test]
    fn two_tildes_send_one_and_other_keys_send_both() {
        assert_eq!(typed(&["~~."]), ("~.".into(), vec![]));
        assert_eq!(typed(&["~", "x"]), ("~x".into(), vec![]));
        assert_eq!(typed(&["~\r~."]), ("~\r".into(), vec![Escape::Disconnect]));
    }

    #[test]
    fn the_key_can_be_another_one_or_none() {
        let mut out = Vec::new();
        assert_eq!(Escapes::new(Some(b'%')).take(b"%.", &mut out), (2, Some(Escape::Disconnect)));
        assert_eq!(Escapes::new(None).take(b"~.%.", &mut out), (4, None));
        assert_eq!((out.as_slice(), help(None).len(), help(Some(b'%'))[4].as_str()), (&b"~.%."[..], 0, "  %%   send one %"));
    }

    #[test]
    fn nothing_in_a_paste_is_an_escape() {
        let paste = format!("{}\n~.\n~?\n", "x".repeat(40));
        assert_eq!(typed(&[&paste]), (paste.clone(), vec![]));
        assert_eq!(typed(&["~", &paste]), (format!("~{paste}"), vec![]));
    }
}
