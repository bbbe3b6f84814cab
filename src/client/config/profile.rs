//! The name of a broker among several: `prod`. A broker that nobody named is called after its host.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::client::http::BrokerUrl;

/// A profile's name: 1 to 64 of `a-z A-Z 0-9 . _ -`, a letter or a digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProfileName(String);

impl ProfileName {
    /// What a broker is called that nobody named: `broker.example.com`, `broker.example.com-8443`.
    pub fn of(broker: &BrokerUrl) -> Self {
        let host = broker.host().trim_matches(['[', ']']).replace(':', "-");
        let host = host.trim_start_matches('-');
        let mut name = if host.is_empty() { "broker".to_owned() } else { host.to_owned() };
        name.truncate(LENGTH - PORT);
        if let Some(port) = broker.port() {
            name += &format!("-{port}");
        }
        Self(name)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ProfileName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-');
        if text.len() <= LENGTH && text.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(known) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a profile's name has up to 64 of a-z, A-Z, 0-9, `.`, `_` and `-`, a letter or a digit first".to_owned())
        }
    }
}

impl TryFrom<String> for ProfileName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ProfileName> for String {
    fn from(name: ProfileName) -> Self {
        name.0
    }
}

impl fmt::Display for ProfileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const LENGTH: usize = 64;

/// Room for `-65535`.
const PORT: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_without_a_name_has_its_hosts() {
        let name = |url: &str| ProfileName::of(&url.parse().unwrap()).to_string();
        assert_eq!(name("https://broker.example.com"), "broker.example.com");
        assert_eq!(name("https://broker.example.com:8443"), "broker.example.com-8443");
        assert_eq!(name("http://[::1]:9/"), "1-9");
        for url in ["https://broker.example.com:8443", "http://[::1]:9", "https://a.b"] {
            assert!(name(url).parse::<ProfileName>().is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "-x", "a b", "a/b", "\u{e9}", &"x".repeat(65)] {
            assert!(text.parse::<ProfileName>().is_err(), "{text}");
        }
        assert!("Prod_1.eu-west".parse::<ProfileName>().is_ok());
    }
}
