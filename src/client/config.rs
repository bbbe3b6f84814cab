//! The client's configuration: one TOML file with the brokers, what is pinned for each, and where its tokens are.
//!
//! It holds no secret. It is read whole and refused with file, line and advice when it cannot be understood; it is changed
//! under a lock and replaced as a whole.

use std::path::PathBuf;

mod preferences;
mod profile;

pub use preferences::{Colour, EscapeKey, Preferences};
pub use profile::ProfileName;

use serde::{Deserialize, Serialize};

use super::api::Upgrade;
use super::credential::StoreKind;
use super::http::{BrokerUrl, Trust};
use super::paths::Paths;
use super::private::{self, FileError, Guard};
use crate::proto::ca::PinnedCa;
use crate::transport::tls::{RootFingerprint, Roots, RootsError};

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The version of the format: [`VERSION`].
    version: u32,
    /// The broker of the last login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<BrokerUrl>,
    /// What the person prefers.
    #[serde(default, skip_serializing_if = "Preferences::is_empty")]
    pub settings: Preferences,
    /// Every broker that there was a login at.
    #[serde(default, rename = "broker", skip_serializing_if = "Vec::is_empty")]
    pub brokers: Vec<BrokerEntry>,
}

/// One broker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BrokerEntry {
    /// Its address.
    pub url: BrokerUrl,
    /// What the person calls it; see [`BrokerEntry::profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileName>,
    /// Its private TLS root, if it has one: the PEM text, or `sha256:` and its fingerprint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_root: Option<String>,
    /// How connections are upgraded on the way there.
    #[serde(default)]
    pub upgrade: Upgrade,
    /// The login, until it is ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login: Option<LoginEntry>,
}

/// What one login left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginEntry {
    /// Who: `ada@local`.
    pub user: String,
    /// Where the tokens are.
    pub store: StoreKind,
    /// The certificate authorities that were pinned at login, or to which their statements have led since.
    pub ca: PinnedCa,
}

/// Why there is no configuration to work with.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// It cannot be understood.
    #[error("{}:{line}: {message}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A later ztctl wrote it.
    #[error("{} is of version {version}, and this ztctl knows versions up to {VERSION}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u64,
    },
}

impl Config {
    /// What the file holds; an empty configuration when there is none.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(paths: &Paths) -> Result<Self, ConfigError> {
        let path = paths.config_file();
        let Some(bytes) = private::read(&path, Guard::Trusted, LIMIT)? else { return Ok(Self::default()) };
        let malformed = |line, message: &str| ConfigError::Malformed { path: path.clone(), line, message: message.to_owned() };
        let text = String::from_utf8(bytes).map_err(|_| malformed(1, "it is not UTF-8 text"))?;
        let error = match toml::from_str::<Self>(&text) {
            Ok(config) if config.version == VERSION => return Ok(config),
            Ok(config) if config.version < VERSION => return Err(malformed(1, "there is no such version")),
            Ok(config) => return Err(ConfigError::Newer { path, version: config.version.into() }),
            Err(error) => error,
        };
        // A newer file may well hold what we cannot read: the version is looked for first.
        match toml::from_str::<Versioned>(&text) {
            Ok(Versioned { version }) if version > VERSION.into() => Err(ConfigError::Newer { path, version }),
            _ => {
                let start = error.span().map_or(0, |span| span.start);
                let line = text.bytes().take(start).filter(|byte| *byte == b'\n').count() + 1;
                Err(malformed(line, error.message()))
            }
        }
    }

    /// Changes the file: reads it, applies `change`, writes it; under the lock between processes.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub async fn update(paths: &Paths, change: impl FnOnce(&mut Self)) -> Result<Self, ConfigError> {
        let _lock = private::lock(&paths.config_lock()).await?;
        let before = Self::load(paths)?;
        let mut config = before.clone();
        change(&mut config);
        if config != before {
            config.save(paths)?;
        }
        Ok(config)
    }

    /// The broker at `url`.
    pub fn broker(&self, url: &BrokerUrl) -> Option<&BrokerEntry> {
        self.brokers.iter().find(|broker| broker.url == *url)
    }

    /// The broker at `url`, to be changed; made when there is none.
    pub fn broker_mut(&mut self, url: &BrokerUrl) -> &mut BrokerEntry {
        let index = self.brokers.iter().position(|broker| broker.url == *url).unwrap_or_else(|| {
            self.brokers.push(BrokerEntry {
                url: url.clone(),
                profile: None,
                tls_root: None,
                upgrade: Upgrade::default(),
                login: None,
            });
            self.brokers.len() - 1
        });
        // In range: found or just made.
        &mut self.brokers[index]
    }

    /// The broker of that name.
    pub fn profile(&self, name: &ProfileName) -> Option<&BrokerEntry> {
        // A name that somebody gave counts before one that follows from a host.
        let given = self.brokers.iter().find(|broker| broker.profile.as_ref() == Some(name));
        given.or_else(|| self.brokers.iter().find(|broker| broker.profile() == *name))
    }

    /// The brokers with a login.
    pub fn logins(&self) -> impl Iterator<Item = (&BrokerEntry, &LoginEntry)> {
        self.brokers.iter().filter_map(|broker| Some((broker, broker.login.as_ref()?)))
    }

    fn save(&self, paths: &Paths) -> Result<(), ConfigError> {
        let path = paths.config_file();
        let text = toml::to_string(self).map_err(|error| ConfigError::Malformed {
            path: path.clone(),
            line: 1,
            message: error.to_string(),
        })?;
        Ok(private::write(&path, Guard::Trusted, format!("{HEAD}{text}").as_bytes())?)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self { version: VERSION, last: None, settings: Preferences::default(), brokers: Vec::new() }
    }
}

impl BrokerEntry {
    /// What it is called: what the person said, or its host.
    pub fn profile(&self) -> ProfileName {
        self.profile.clone().unwrap_or_else(|| ProfileName::of(&self.url))
    }

    /// Who vouches for the broker's TLS certificate.
    ///
    /// # Errors
    /// When the root is neither a fingerprint nor a certificate.
    pub fn trust(&self) -> Result<Trust, RootsError> {
        self.tls_root.as_deref().map_or(Ok(Trust::System), trust)
    }
}

/// The trust that `root`, a PEM text or a fingerprint, stands for.
///
/// # Errors
/// When it is neither.
pub fn trust(root: &str) -> Result<Trust, RootsError> {
    let roots = if root.starts_with("sha256:") {
        Roots::Fingerprint(root.trim().parse::<RootFingerprint>()?)
    } else {
        Roots::from_pem(root.as_bytes())?
    };
    Ok(Trust::Roots(roots))
}

/// What every version of the file has.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// The version of the format that this program reads and writes.
pub const VERSION: u32 = 1;

/// The most bytes of the file: some dozens of brokers with chains of certificates.
const LIMIT: u64 = 1024 * 1024;

const HEAD: &str = "# Written by ztctl: `ztctl login`, `ztctl logout` and `ztctl config` change it.\n\n";

#[cfg(test)]
mod tests;
