//! Join tokens: what an operator hands to an agent so that it can find, trust and enter a broker.
//!
//! One line of text, `ztj1.` and base64url of JSON: the broker's address, the secret that is worth an enrolment, the fingerprint
//! of the CA set to pin and, where the broker's TLS root is private, its fingerprint. The broker keeps only the secret's hash.

use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::Secret;

/// A join token's content. Its `Debug` shows no secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct JoinToken {
    /// The broker's URL: `https://broker.example.com`.
    #[serde(rename = "b")]
    pub broker: String,
    /// What the broker exchanges for an enrolment.
    #[serde(rename = "s")]
    pub secret: Secret<String>,
    /// [`CaSet::fingerprint`](super::ca::CaSet::fingerprint) of the set to pin.
    #[serde(rename = "c")]
    pub ca: String,
    /// The private TLS root's fingerprint (`sha256:…`), if the broker has one.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tls_root: Option<String>,
}

/// The text is no join token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a join token: one line that begins with {PREFIX} is expected, as `ztbroker token create` prints it")]
pub struct InvalidJoinToken;

impl JoinToken {
    /// The token as the one line that is handed over.
    pub fn encode(&self) -> Secret<String> {
        // A struct of four strings always serialises.
        let json = Secret::new(serde_json::to_vec(self).unwrap_or_default());
        Secret::new(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json.expose())))
    }
}

impl FromStr for JoinToken {
    type Err = InvalidJoinToken;

    fn from_str(text: &str) -> Result<Self, InvalidJoinToken> {
        let text = text.trim();
        if text.len() > LIMIT {
            return Err(InvalidJoinToken);
        }
        let body = text.strip_prefix(PREFIX).ok_or(InvalidJoinToken)?;
        let json = Secret::new(URL_SAFE_NO_PAD.decode(body).map_err(|_| InvalidJoinToken)?);
        serde_json::from_slice(json.expose()).map_err(|_| InvalidJoinToken)
    }
}

/// What every token begins with.
const PREFIX: &str = "ztj1.";

/// The most characters of a token: four short strings.
const LIMIT: usize = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_shows_nothing() {
        let token = JoinToken {
            broker: "https://broker.example.com".into(),
            secret: "s3cret".to_owned().into(),
            ca: "SHA256:00".into(),
            tls_root: None,
        };
        let line = token.encode();
        let read: JoinToken = format!("{}\n", line.expose()).parse().unwrap();
        assert_eq!((read.broker.as_str(), read.secret.expose().as_str()), ("https://broker.example.com", "s3cret"));
        assert!(!format!("{read:?}").contains("s3cret"));
    }

    #[test]
    fn other_text_is_refused() {
        for text in ["", "ztj1.", "ztj1.!!!", "ztj1.e30", "hello", &"x".repeat(LIMIT + 1)] {
            assert_eq!(text.parse::<JoinToken>().unwrap_err(), InvalidJoinToken, "{text}");
        }
    }
}
