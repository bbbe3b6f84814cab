//! Command lines as they cross SSH, which carries one string: our client writes each word in single quotes, and our agent reads
//! exactly that form back into the words, so that arguments arrive as given even where no shell is there to split them.
//!
//! Any other string is for a shell: [`unquote`] refuses it rather than guess.

/// `words` as one command line that a POSIX shell and [`unquote`] read back as the same words.
pub fn quote<I: IntoIterator<Item = impl AsRef<[u8]>>>(words: I) -> Vec<u8> {
    let mut line = Vec::new();
    for (index, word) in words.into_iter().enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        line.push(b'\'');
        for &byte in word.as_ref() {
            match byte {
                b'\'' => line.extend_from_slice(ESCAPED),
                byte => line.push(byte),
            }
        }
        line.push(b'\'');
    }
    line
}

/// The words of a `line` that [`quote`] wrote; `None` for every other text.
pub fn unquote(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.strip_prefix(b"'")?;
        let mut word = Vec::new();
        loop {
            let end = rest.iter().position(|byte| *byte == b'\'')?;
            let (part, tail) = rest.split_at(end);
            word.extend_from_slice(part);
            match tail.strip_prefix(ESCAPED) {
                Some(tail) => {
                    word.push(b'\'');
                    rest = tail;
                }
                None => {
                    rest = tail.strip_prefix(b"'")?;
                    break;
                }
            }
        }
        words.push(word);
        if rest.is_empty() {
            return Some(words);
        }
        rest = rest.strip_prefix(b" ")?;
    }
}

/// How a single quote is written inside single quotes: end, a quote by itself, begin again.
const ESCAPED: &[u8] = b"'\\''";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_quoted_as_a_shell_reads_them() {
        assert_eq!(quote(["echo", "it's", "", "a b"]), b"'echo' 'it'\\''s' '' 'a b'");
    }

    #[test]
    fn what_a_person_types_is_left_to_a_shell() {
        for line in [
            "",
            "ls",
            "ls -l",
            "'ls' -l",
            "'ls'  '-l'",
            "'ls' ",
            " 'ls'",
            "'ls",
            "'ls'; id",
            "\"ls\"",
            "'a''b'",
            "'a'b",
            "'\\''",
        ] {
            assert_eq!(unquote(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_words_come_back(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..12), 1..6)) {
            prop_assert_eq!(unquote(&quote(&words)), Some(words));
        }

        #[test]
        fn what_is_read_is_what_would_be_written(line in "[' \\\\a]{0,16}") {
            if let Some(words) = unquote(line.as_bytes()) {
                prop_assert_eq!(quote(words), line.into_bytes());
            }
        }
    }
}
