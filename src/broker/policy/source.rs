//! A policy file's text cut into its statements, so that each mistake can be told with its place.

use std::ops::Range;

/// The statements of `text`, each up to and with its semicolon. What follows the last one is a statement too if there is more
/// than space and comments; the parser then says what it lacks.
pub(super) fn statements(text: &str) -> Vec<Range<usize>> {
    let (mut statements, mut start, mut code_seen) = (Vec::new(), 0, false);
    for (offset, letter) in code(text) {
        code_seen |= !letter.is_ascii_whitespace();
        if letter == b';' {
            statements.push(start..offset + 1);
            (start, code_seen) = (offset + 1, false);
        }
    }
    if code_seen {
        statements.push(start..text.len());
    }
    statements
}

/// Where the code of `text` begins, after space and comments.
pub(super) fn start_of(text: &str) -> usize {
    code(text).find(|(_, letter)| !letter.is_ascii_whitespace()).map_or(0, |(offset, _)| offset)
}

/// Where `wanted` stands in `text` as a whole word of code.
pub(super) fn find_code(text: &str, wanted: &str) -> Option<usize> {
    code(text).map(|(offset, _)| offset).find(|offset| {
        let rest = &text.as_bytes()[*offset..];
        let after = rest.get(wanted.len());
        rest.starts_with(wanted.as_bytes()) && !after.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    })
}

/// The bytes of `text` that are neither in a comment nor between quotes, with their offsets. A string's quotes count.
fn code(text: &str) -> impl Iterator<Item = (usize, u8)> + '_ {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at) == Some(&b'/') && bytes.get(at + 1) == Some(&b'/') {
            at = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end);
        }
        let (offset, byte) = (at, *bytes.get(at)?);
        at += 1;
        if byte == b'"' {
            while let Some(inside) = bytes.get(at) {
                at += if *inside == b'\\' { 2 } else { 1 };
                if *inside == b'"' {
                    break;
                }
            }
        }
        Some((offset, byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_in_strings_and_comments_end_nothing() {
        let text = "permit(a); // one; two\n@id(\"x;\\\";y\") forbid(b);\n// the end;\n";
        let parts: Vec<&str> = statements(text).into_iter().map(|range| &text[range]).collect();
        assert_eq!(parts, ["permit(a);", " // one; two\n@id(\"x;\\\";y\") forbid(b);"]);
        assert_eq!((start_of(" // no\n permit"), start_of("")), (8, 0));
        assert_eq!(statements("permit(a); permit("), [0..10, 10..18]);
        for hostile in ["", "\"", "\"\\", "//", "/", "é;\"é", "\"\\é"] {
            statements(hostile);
        }
    }

    #[test]
    fn annotations_are_found_outside_of_comments() {
        let text = "// @mfa\n@mfa_like(\"@mfa\") @mfa(\"1\") permit";
        assert_eq!(find_code(text, "@mfa"), Some(26));
    }
}
