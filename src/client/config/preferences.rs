//! What a person prefers, as the configuration has it: the table `[settings]`. Each key has a flag and a variable that count before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::profile::ProfileName;
use crate::client::credential::StoreKind;

/// The table `[settings]`; what is absent is not preferred.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preferences {
    /// The profile that is meant when none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// When to use colour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Colour>,
    /// The key of a session's escapes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escape: Option<EscapeKey>,
    /// Where a login keeps its tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreKind>,
    /// Whether a login is by code also where there is a browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<bool>,
}

impl Preferences {
    /// Whether nothing is preferred.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Colour {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The key that begins an escape at the beginning of a line: a printable character of ASCII, or none at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EscapeKey(Option<u8>);

impl EscapeKey {
    /// The key, if there is one.
    pub fn key(self) -> Option<u8> {
        self.0
    }
}

impl Default for EscapeKey {
    fn default() -> Self {
        Self(Some(b'~'))
    }
}

impl FromStr for EscapeKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.as_bytes() {
            b"none" => Ok(Self(None)),
            [key] if key.is_ascii_graphic() && !key.is_ascii_alphanumeric() => Ok(Self(Some(*key))),
            _ => Err("an escape key is one sign that is neither letter nor digit, such as ~, or none".to_owned()),
        }
    }
}

impl TryFrom<String> for EscapeKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<EscapeKey> for String {
    fn from(key: EscapeKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for EscapeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(key) => write!(f, "{}", char::from(key)),
            None => f.write_str("none"),
        }
    }
}
