//! The bodies about the certificate authorities.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::maybe_seconds;
use crate::broker::ca::KeyRow;

/// `POST /ca/rotate`: which keys are renewed. With neither `user` nor `host` both are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotation {
    /// The key that vouches for users.
    #[serde(default)]
    pub user: bool,
    /// The key that vouches for hosts.
    #[serde(default)]
    pub host: bool,
    /// For how long the old keys stay beside the new ones; without it they leave at once.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "maybe_seconds")]
    pub overlap: Option<Duration>,
}

/// `GET /ca`: the certificate authorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Authorities {
    /// How many changes there were; 0 before the first.
    pub sequence: u64,
    /// The fingerprint of the set, as clients show it.
    pub fingerprint: String,
    /// When the rotation that is under way ends, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The keys.
    pub keys: Vec<KeyRow>,
    /// The agents that are connected and do not trust the newest keys.
    pub behind: Vec<String>,
}
