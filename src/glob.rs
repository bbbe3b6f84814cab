//! Patterns in which `*` is any letters, as people write them for names.

/// Whether `pattern` is the whole of `text`. It goes back to the last `*` only: at worst as many steps as the product of their lengths.
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(letter) if *letter == text[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                Some((mark, taken)) => {
                    star = Some((mark, taken + 1));
                    at = mark + 1;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|letter| *letter == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_the_whole_text() {
        for (pattern, text) in
            [("tomcat", "tomcat"), ("*", ""), ("tom*", "tomcat"), ("*-7f9*", "tomcat-7f9c"), ("a*b*c", "aXbYbZc")]
        {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("tom", "tomcat"), ("cat", "tomcat"), ("", "a"), ("a*b", "abc"), ("t?m", "tom")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
