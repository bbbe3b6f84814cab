//! What is done with the audit journal: the `[audit]` table of the file, with an `[[audit.sink]]` for each place that gets a copy.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::Url;

use super::ConfigError;
use super::cluster::is_safe;
use super::file::Seconds;
use crate::broker::audit::Pace;

/// How the journal is signed, and where its copies go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audit {
    /// How often it gets a checkpoint.
    pub pace: Pace,
    /// Who gets a copy, as it is written.
    pub sinks: Vec<Sink>,
}

/// A place that gets every line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// What it is called; its place in the journal is kept by that name.
    pub name: String,
    /// Where it is.
    pub to: Destination,
}

/// Where a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The standard output of `ztbroker serve`.
    Stdout,
    /// A file that is appended to.
    File(PathBuf),
    /// A server that is posted to.
    Webhook {
        /// Its URL.
        url: Url,
        /// The file that holds the secret shared with it.
        secret: PathBuf,
        /// A PEM file with its TLS root, where the machine does not trust it already.
        ca: Option<PathBuf>,
    },
}

/// The `[audit]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditTable {
    checkpoint_events: Option<u64>,
    checkpoint_interval: Option<Seconds>,
    #[serde(default, rename = "sink")]
    sinks: Vec<SinkTable>,
}

/// An `[[audit.sink]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SinkTable {
    kind: Kind,
    name: Option<String>,
    path: Option<PathBuf>,
    url: Option<Url>,
    secret: Option<PathBuf>,
    ca: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Stdout,
    File,
    Webhook,
}

impl AuditTable {
    /// Fills in the defaults and refuses what would be a trap.
    pub(super) fn resolve(self, folder: &Path) -> Result<Audit, ConfigError> {
        let default = Pace::default();
        let pace = Pace {
            events: self.checkpoint_events.unwrap_or(default.events),
            seconds: self.checkpoint_interval.map_or(default.seconds, |interval| interval.0.as_secs()),
        };
        if pace.events == 0 || pace.seconds == 0 {
            let sentence = "[audit] checkpoint_events and checkpoint_interval must be at least 1 and 1s";
            return Err(ConfigError::Unfit(sentence.to_owned()));
        }
        let sinks: Vec<Sink> = self.sinks.into_iter().map(|table| table.resolve(folder)).collect::<Result<_, _>>()?;
        for (index, sink) in sinks.iter().enumerate() {
            if sinks[..index].iter().any(|other| other.name == sink.name) {
                let sentence = format!("there are two audit sinks called {:?}: give one of them another name", sink.name);
                return Err(ConfigError::Unfit(sentence));
            }
        }
        Ok(Audit { pace, sinks })
    }
}

impl SinkTable {
    fn resolve(self, folder: &Path) -> Result<Sink, ConfigError> {
        let Self { kind, name, path, url, secret, ca } = self;
        let name = name.unwrap_or_else(|| format!("{kind:?}").to_lowercase());
        let unfit = |why: &str| Err(ConfigError::Unfit(format!("the audit sink {name:?}: {why}")));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > NAME_MOST || !name.bytes().all(plain) {
            return unfit("a name has lower-case letters, digits and -, at most 32 of them");
        }
        let to = match (kind, path, url, secret, ca) {
            (Kind::Stdout, None, None, None, None) => Destination::Stdout,
            (Kind::Stdout, ..) => return unfit("kind = \"stdout\" goes without path, url, secret and ca"),
            (Kind::File, Some(path), None, None, None) => Destination::File(folder.join(path)),
            (Kind::File, ..) => return unfit("kind = \"file\" needs path = FILE, and goes without url, secret and ca"),
            (Kind::Webhook, None, Some(url), Some(secret), ca) if is_safe(&url) => {
                Destination::Webhook { url, secret: folder.join(secret), ca: ca.map(|path| folder.join(path)) }
            }
            (Kind::Webhook, None, Some(_), Some(_), _) => {
                return unfit("url begins with https://, or with http:// and this machine's own address");
            }
            (Kind::Webhook, ..) => return unfit("kind = \"webhook\" needs url = URL and secret = FILE, and goes without path"),
        };
        Ok(Sink { name, to })
    }
}

/// The most characters of a sink's name.
const NAME_MOST: usize = 32;
