//! Bytes and a console's UTF-16, made of each other piece by piece: what a piece ends in the middle of waits for the next.

use std::mem::take;

/// Output: UTF-8, as a console takes it.
#[derive(Debug, Default)]
pub(in crate::client) struct Drawn {
    /// The beginning of a character, three bytes at most.
    begun: Vec<u8>,
}

impl Drawn {
    /// The text that `bytes` go on with. What is not UTF-8 becomes a mark.
    pub(in crate::client) fn text(&mut self, bytes: &[u8]) -> String {
        let bytes = [take(&mut self.begun).as_slice(), bytes].concat();
        let (mut text, mut rest) = (String::with_capacity(bytes.len()), bytes.as_slice());
        while let Some(chunk) = rest.utf8_chunks().next() {
            text += chunk.valid();
            let (valid, invalid) = (chunk.valid().len(), chunk.invalid());
            rest = rest.get(valid + invalid.len()..).unwrap_or_default();
            let incomplete = std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
            if rest.is_empty() && incomplete {
                self.begun = invalid.to_vec();
            } else if !invalid.is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }
}

/// Input: the UTF-16 of keys, as the other side takes it.
#[derive(Debug, Default)]
pub(in crate::client) struct Typed {
    /// The first half of a character of two.
    half: Option<u16>,
}

impl Typed {
    /// Adds what `unit` makes to `out`. A half without its other is no character, and is passed over.
    pub(in crate::client) fn push(&mut self, unit: u16, out: &mut String) {
        let half = self.half.take();
        match char::decode_utf16(half.into_iter().chain([unit])).last() {
            Some(Ok(character)) => out.push(character),
            Some(Err(_)) => self.half = Some(unit).filter(|unit| FIRST_HALVES.contains(unit)),
            None => {}
        }
    }
}

/// The high surrogates.
const FIRST_HALVES: std::ops::Range<u16> = 0xd800..0xdc00;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_the_same_wherever_it_is_split() {
        for bytes in [&b"a\xc3\xbc\xe2\x82\xac\xf0\x9f\xa6\x80z"[..], b"a\xffb\xe2\x82c\xf0\x9f", b"\xc3\xc3\xbc\x80"] {
            let whole = Drawn::default().text(bytes);
            assert!(String::from_utf8_lossy(bytes).starts_with(&whole));
            for at in 0..=bytes.len() {
                let mut drawn = Drawn::default();
                assert_eq!(drawn.text(&bytes[..at]) + &drawn.text(&bytes[at..]), whole, "{bytes:?} at {at}");
            }
        }
        assert_eq!(Drawn::default().text(b"a\xffb"), "a\u{fffd}b");
    }

    #[test]
    fn keys_are_characters() {
        let typed = |units: &[u16]| {
            let (mut typed, mut out) = (Typed::default(), String::new());
            units.iter().for_each(|unit| typed.push(*unit, &mut out));
            out
        };
        assert_eq!(typed(&"a\u{fc}\u{1a}\u{1f980}z".encode_utf16().collect::<Vec<_>>()), "a\u{fc}\u{1a}\u{1f980}z");
        assert_eq!(typed(&[0xd83e, 0xd83e, 0xdd80, 0xdd80, 0x61, 0xd83e, 0x62]), "\u{1f980}ab");
    }
}
