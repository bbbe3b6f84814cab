//! Who is told of requests and alarms: a `[[notify]]` table for each server.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::Url;

use super::ConfigError;
use super::cluster::is_safe;

/// A server that is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notify {
    /// What it is called; what waits for it is kept by that name.
    pub name: String,
    /// Its URL.
    pub url: Url,
    /// The file that holds the secret shared with it.
    pub secret: PathBuf,
    /// A PEM file with its TLS root, where the machine does not trust it already.
    pub ca: Option<PathBuf>,
    /// What it is told of.
    pub events: Vec<NotifyOf>,
}

/// What can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifyOf {
    /// Somebody asks for an approval.
    Request,
    /// A request was approved, denied or withdrawn, or an approval taken back.
    Answer,
    /// Somebody goes in without the approval that policy asks for.
    BreakGlass,
}

/// A `[[notify]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NotifyTable {
    name: Option<String>,
    url: Url,
    secret: PathBuf,
    ca: Option<PathBuf>,
    events: Option<Vec<NotifyOf>>,
}

impl NotifyTable {
    pub(super) fn resolve(self, folder: &Path) -> Result<Notify, ConfigError> {
        let name = self.name.unwrap_or_else(|| "webhook".to_owned());
        let unfit = |why: &str| Err(ConfigError::Unfit(format!("[[notify]] {name:?}: {why}")));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_MOST || !name.bytes().all(plain) {
            return unfit("a name has lower-case letters, digits and -, at most 32 of them");
        }
        if !is_safe(&self.url) {
            return unfit("url begins with https://, or with http:// and this machine's own address");
        }
        let events = self.events.unwrap_or_else(|| vec![NotifyOf::Request, NotifyOf::Answer, NotifyOf::BreakGlass]);
        if events.is_empty() {
            return unfit("events is empty: leave it out for all of them");
        }
        let (secret, ca) = (folder.join(self.secret), self.ca.map(|path| folder.join(path)));
        Ok(Notify { name, url: self.url, secret, ca, events })
    }
}

/// Refuses two of one name.
pub(super) fn distinct(servers: Vec<Notify>) -> Result<Vec<Notify>, ConfigError> {
    for (index, server) in servers.iter().enumerate() {
        if servers[..index].iter().any(|other| other.name == server.name) {
            let sentence = format!("there are two [[notify]] called {:?}: give one of them another name", server.name);
            return Err(ConfigError::Unfit(sentence));
        }
    }
    Ok(servers)
}

/// The most characters of a name.
const NAME_MOST: usize = 32;
