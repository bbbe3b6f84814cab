//! Text that is borrowed from the message it was read from: of a list of thousands nothing is copied.

use std::borrow::{Borrow, Cow};
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text of a message. It is a copy only where the message has escapes in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text<'a>(Cow<'a, str>);

/// What the texts of a row are: a [`String`] each, or a [`Text`].
pub trait Textual: AsRef<str> + Borrow<str> + Ord {}

impl<S: AsRef<str> + Borrow<str> + Ord> Textual for S {}

impl AsRef<str> for Text<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Text<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
        Ok(Text(Cow::Owned(text.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::api::{ContainerList, ContainerRow};
    use crate::proto::container::Facts;

    #[test]
    fn only_what_has_escapes_is_copied() {
        let read: Vec<Text<'_>> = serde_json::from_str(r#"["tomcat","a\"b"]"#).unwrap();
        assert_eq!(read.iter().map(Text::as_ref).collect::<Vec<_>>(), ["tomcat", "a\"b"]);
        assert!(matches!(&read[..], [Text(Cow::Borrowed(_)), Text(Cow::Owned(_))]));
        assert!(serde_json::from_str::<Text<'_>>("1").is_err());
    }

    #[test]
    fn a_row_of_borrowed_texts_is_the_row() {
        let text = |text: &str| Some(text.to_owned());
        let facts = Facts { owner: text("deployment/\u{1f40b}"), ports: vec!["80/tcp".into()], ..Facts::default() };
        let labels = [("a\"b".to_owned(), "c\nd".to_owned()), ("env".to_owned(), String::new())].into();
        let row = ContainerRow { facts, labels, namespace: text("shop"), ..ContainerRow::example("web") };
        let json = serde_json::to_string(&ContainerList { containers: vec![row], incomplete: false }).unwrap();
        let borrowed: ContainerList<Text<'_>> = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&borrowed).unwrap(), json);
    }
}
