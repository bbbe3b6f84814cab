//! Text from elsewhere, made harmless for a terminal: no escape sequence, no other control, nothing that reorders or hides.

use std::borrow::Cow;

/// `text` with every character that a terminal acts on, or that makes text look like other text, replaced by `�`.
pub fn harmless(text: &str) -> Cow<'_, str> {
    // Nearly all text is letters of ASCII, which are looked through many at a time.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    if text.chars().any(acts) {
        Cow::Owned(
            text.chars().map(|character| if acts(character) { char::REPLACEMENT_CHARACTER } else { character }).collect(),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// JSON with every such character in a text of it as `\uXXXX`: the same to a program, harmless to a terminal.
pub fn escaped(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        // A line end can only be one between tokens: in a text JSON does not have it.
        if character == '\n' || !acts(character) {
            escaped.push(character);
        } else {
            let mut units = [0; 2];
            escaped.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    escaped
}

/// Whether a terminal acts on it, or it makes text look like other text.
pub(crate) fn acts(character: char) -> bool {
    // C0 (line ends and tabs too: a message is one line), DEL and C1.
    character.is_control()
        || matches!(
            character,
            // Bidirectional controls: embeddings, overrides, isolates, marks.
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
            // Line and paragraph separators, invisible spaces and joiners, the byte order mark.
            | '\u{2028}' | '\u{2029}' | '\u{00ad}' | '\u{200b}' | '\u{200c}' | '\u{2060}'..='\u{2064}' | '\u{feff}'
            // Interlinear annotations, and tags, which spell invisible ASCII.
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_act_on_is_replaced() {
        assert_eq!(harmless("a\x1b[31mb\x07\r\n\u{9b}m"), "a�[31mb���\u{fffd}m");
        assert_eq!(harmless("user\u{202e}txt.exe\u{2066}"), "user�txt.exe�");
        assert_eq!(harmless("a\u{200b}b\u{e0041}\u{feff}"), "a�b��");
    }

    #[test]
    fn escaped_json_means_the_same() {
        let value = vec!["a\x1b[31m\u{9b}\u{202e}\u{e0041}\n", "žluťoučký"];
        let json = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(json.lines().all(|line| !line.chars().any(acts)), "{json}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&json).unwrap(), value);
    }

    #[test]
    fn ordinary_text_of_all_languages_stays() {
        for text in ["plain", "žluťoučký kůň", "日本語 тест", "עברית", "👩‍💻 …"] {
            assert!(matches!(harmless(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }
}
