//! A variable for the other side: `KEY=VALUE`, or `KEY` for the value that it has here.

use std::str::FromStr;

use crate::proto::variables::{LONGEST, LONGEST_VALUE, is_name};

/// A variable and its value, if that was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Its name: letters, digits and `_`, no digit first.
    pub name: String,
    /// Its value; `None` for the one that it has here.
    pub value: Option<String>,
}

impl FromStr for Variable {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text.split_once('=').map_or((text, None), |(name, value)| (name, Some(value.to_owned())));
        if !is_name(name) {
            return Err(format!(
                "a variable is KEY=VALUE or KEY, and KEY has at most {LONGEST} letters, digits and _, no digit first"
            ));
        }
        if value.as_ref().is_some_and(|value| value.contains('\0') || value.len() > LONGEST_VALUE) {
            return Err(format!("a value has at most {LONGEST_VALUE} bytes, none of them NUL"));
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_a_name_that_a_shell_takes() {
        let read = |text: &str| text.parse::<Variable>().map(|variable| (variable.name, variable.value));
        assert_eq!(read("A_1=x=y"), Ok(("A_1".into(), Some("x=y".into()))));
        assert_eq!(read("A="), Ok(("A".into(), Some(String::new()))));
        assert_eq!(read("A"), Ok(("A".into(), None)));
        for text in ["", "=x", "1A=x", "A-B=x", "A B"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
