//! The configuration as it stands in the file: every key optional, none unknown.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use url::Url;

use super::audit::AuditTable;
use super::cluster::ClusterTable;
use super::job::JobTable;
use super::notify::{self, NotifyTable};
use super::provider::ProviderTable;
use super::{Config, ConfigError, LISTEN, Network, POLICY, STATE, Tls, VERSION};
use crate::log::LogLevel;
use crate::proto::Secret;

/// The file's content.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::broker) struct File {
    /// Read before everything else, because a newer file may hold keys that we do not know.
    #[serde(rename = "version")]
    _version: i64,
    listen: Option<SocketAddr>,
    public_url: Option<Url>,
    state: Option<PathBuf>,
    database: Option<Secret<String>>,
    #[serde(default)]
    tls: TlsTable,
    policy: Option<PathBuf>,
    #[serde(default)]
    trusted_proxies: Vec<Network>,
    certificate_lifetime: Option<Seconds>,
    max_session: Option<Seconds>,
    sessions_per_user: Option<u32>,
    login_lifetime: Option<Seconds>,
    directory: Option<bool>,
    require_totp: Option<bool>,
    log: Option<LogLevel>,
    #[serde(default, rename = "cluster")]
    clusters: Vec<ClusterTable>,
    #[serde(default, rename = "identity_provider")]
    providers: Vec<ProviderTable>,
    #[serde(default, rename = "job")]
    jobs: Vec<JobTable>,
    #[serde(default)]
    audit: AuditTable,
    #[serde(default)]
    notify: Vec<NotifyTable>,
}

/// The `[tls]` table.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsTable {
    mode: Option<Mode>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    SelfMade,
    Files,
    None,
}

/// A length of time, written `90s`, `5m`, `8h` or `1d`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seconds(pub(super) Duration);

impl File {
    /// The state folder alone, whatever else `text` has.
    pub(super) fn state(path: &Path, text: &str) -> Result<PathBuf, ConfigError> {
        #[derive(Deserialize)]
        struct Stated {
            state: Option<PathBuf>,
        }
        let found: Stated = toml::from_str(text).map_err(|error| wrong(path, text, &error))?;
        Ok(found.state.unwrap_or_else(|| STATE.into()))
    }

    /// Reads `text`, which stands in the file at `path`.
    pub(in crate::broker) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: i64,
        }
        let at = |error: toml::de::Error| wrong(path, text, &error);
        let found = toml::from_str::<Versioned>(text).map_err(at)?.version;
        if found > VERSION {
            return Err(ConfigError::Newer { path: path.to_path_buf(), found });
        }
        if found < VERSION {
            let message = format!("version {found} does not exist: write version = {VERSION}");
            return Err(ConfigError::Line { path: path.to_path_buf(), line: 1, message });
        }
        toml::from_str(text).map_err(at)
    }

    /// Fills in the defaults and refuses what does not go together.
    pub(in crate::broker) fn resolve(self, folder: &Path) -> Result<Config, ConfigError> {
        let place = |path: PathBuf| folder.join(path);
        let listen = self.listen.unwrap_or(LISTEN);
        let state = place(self.state.unwrap_or_else(|| STATE.into()));
        let policy = place(self.policy.unwrap_or_else(|| POLICY.into()));
        if self.public_url.is_none() && listen.ip().is_unspecified() {
            let sentence = "public_url is missing: with a listen address for all interfaces, say what people call this broker";
            return Err(ConfigError::Unfit(sentence.to_owned()));
        }
        let tls = self.tls.resolve(folder)?;
        let mut config = Config::dev(state, listen, policy);
        config.public_url = self.public_url.unwrap_or_else(|| {
            let mut url = config.public_url.clone();
            if tls == Tls::None {
                // From https to http is always possible.
                let _ = url.set_scheme("http");
            }
            url
        });
        config.database = self.database;
        config.tls = tls;
        config.trusted_proxies = self.trusted_proxies;
        let set = |value: &mut Duration, wanted: Option<Seconds>| *value = wanted.map_or(*value, |seconds| seconds.0);
        set(&mut config.certificate_lifetime, self.certificate_lifetime);
        set(&mut config.max_session, self.max_session);
        set(&mut config.login_lifetime, self.login_lifetime);
        config.sessions_per_user = self.sessions_per_user.unwrap_or(config.sessions_per_user);
        config.directory = self.directory.unwrap_or(config.directory);
        config.require_totp = self.require_totp.unwrap_or(config.require_totp);
        config.log_level = self.log.unwrap_or(config.log_level);
        config.clusters = self.clusters.into_iter().map(|table| table.resolve(folder)).collect::<Result<_, _>>()?;
        config.providers = self.providers.into_iter().map(|table| table.resolve(folder)).collect::<Result<_, _>>()?;
        config.jobs = self.jobs.into_iter().map(|table| table.resolve(folder)).collect::<Result<_, _>>()?;
        config.audit = self.audit.resolve(folder)?;
        config.notify =
            notify::distinct(self.notify.into_iter().map(|table| table.resolve(folder)).collect::<Result<_, _>>()?)?;
        config.check()?;
        Ok(config)
    }
}

impl TlsTable {
    fn resolve(self, folder: &Path) -> Result<Tls, ConfigError> {
        let unfit = |sentence: &str| Err(ConfigError::Unfit(sentence.to_owned()));
        match (self.mode, self.cert, self.key) {
            (None | Some(Mode::Files), Some(cert), Some(key)) => {
                Ok(Tls::Files { cert: folder.join(cert), key: folder.join(key) })
            }
            (None | Some(Mode::SelfMade), None, None) => Ok(Tls::SelfMade),
            (Some(Mode::None), None, None) => Ok(Tls::None),
            (None | Some(Mode::Files), _, _) => unfit("[tls] needs both cert and key, each the path of a PEM file"),
            (Some(_), _, _) => unfit("[tls] cert and key go with mode = \"files\" only"),
        }
    }
}

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        seconds(&text)
            .map(|seconds| Seconds(Duration::from_secs(seconds)))
            .ok_or_else(|| serde::de::Error::custom("a length of time like \"90s\", \"5m\" or \"8h\" is expected"))
    }
}

fn seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| number.parse::<u64>().ok()?.checked_mul(factor)).flatten().filter(|seconds| *seconds <= LONGEST)
}

/// The mistake with its line.
fn wrong(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    ConfigError::Line {
        path: path.to_path_buf(),
        line: error.span().map_or(1, |span| line_of(text, span.start)),
        message: error.message().trim().replace('\n', ", "),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Ten years: beyond it a length of time is a slip of the keyboard, and adding it to the clock must not overflow.
const LONGEST: u64 = 10 * 365 * 86_400;
