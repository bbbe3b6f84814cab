//! The broker's configuration: what a TOML file says, made into values that need no second look.
//!
//! A file that cannot be understood is refused with its line and with what to do; an unknown key is a mistake, not a wish. Lengths
//! of time are whole seconds, `8h` in the file.

mod audit;
mod cluster;
pub(super) mod file;
mod job;
mod network;
mod notify;
mod provider;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::identity::LOCAL;
use super::kept::Part;
use crate::log::LogLevel;
use crate::proto::Secret;
use crate::ssh::cert;

pub use audit::{Audit, Destination, Sink};
pub use cluster::Cluster;
pub use job::Job;
pub use network::Network;
pub use notify::{Notify, NotifyOf};
pub use provider::Provider;

pub use super::jwt::Source;

/// How a broker is set up.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What people and agents call it, without a path: `https://broker.example.com`.
    pub public_url: Url,
    /// The folder that holds everything it keeps.
    pub state: PathBuf,
    /// `postgres://…` or `sqlite://…`; a file in the state folder where there is none. It may hold a password.
    pub database: Option<Secret<String>>,
    /// How connections are encrypted.
    pub tls: Tls,
    /// The policy file, or the folder of policy files.
    pub policy: PathBuf,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// For how long a certificate opens the door.
    pub certificate_lifetime: Duration,
    /// After what time a session ends, where policy says nothing shorter. Whole seconds, as the others.
    pub max_session: Duration,
    /// How many sessions of one person may be open at this broker, about: one account does not take all its room.
    pub sessions_per_user: u32,
    /// After what time a login ends.
    pub login_lifetime: Duration,
    /// Whether the broker's own directory of users may log in.
    pub directory: bool,
    /// Whether the directory's people need a second factor to log in.
    pub require_totp: bool,
    /// The OpenID Providers whose people may log in.
    pub providers: Vec<Provider>,
    /// The CI jobs that may log in by their platform's token.
    pub jobs: Vec<Job>,
    /// The Kubernetes clusters whose agents join by their service accounts' tokens.
    pub clusters: Vec<Cluster>,
    /// What is done with the audit journal.
    pub audit: Audit,
    /// Who is told of requests and alarms.
    pub notify: Vec<Notify>,
    /// What may be made anew although the broker has served before, because it is lost for good: never in the file, said once.
    pub anew: Vec<Part>,
    /// How much is logged.
    pub log_level: LogLevel,
}

/// How connections are encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// With a root of our own in the state folder, which clients pin.
    SelfMade,
    /// With the operator's certificate.
    Files {
        /// The chain, in PEM form, the server's certificate first.
        cert: PathBuf,
        /// Its key, in PEM form.
        key: PathBuf,
    },
    /// Not at all: a trusted proxy does it, or nobody else can reach us.
    None,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}; name another with --config FILE", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is for a newer program.
    #[error("the configuration {} is of version {found}, and this ztbroker reads version {VERSION}: update ztbroker", path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: i64,
    },
    /// A line cannot be understood.
    #[error("{}:{line}: {message}; correct the line, deploy/ztbroker.toml shows every key", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// Values that do not go together.
    #[error("the configuration is refused: {0}")]
    Unfit(String),
}

impl Config {
    /// Reads the file at `path`. Relative paths in it start at the file's folder.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        file::File::parse(path, &text)?.resolve(folder)
    }

    /// The state folder that the file at `path` names, whatever is wrong with the rest: a running broker must be reached all the same.
    ///
    /// # Errors
    /// [`ConfigError`], where nobody can tell.
    pub(crate) fn state_of(path: &Path) -> Result<PathBuf, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_path_buf(), source })?;
        Ok(path.parent().unwrap_or(Path::new("")).join(file::File::state(path, &text)?))
    }

    /// What stands behind the `@` of a person's whole name: the directory, the identity providers, the jobs.
    pub fn providers_of_people(&self) -> Vec<String> {
        let directory = self.directory.then(|| LOCAL.to_owned());
        let others = self.providers.iter().map(|provider| &provider.name).chain(self.jobs.iter().map(|job| &job.name));
        directory.into_iter().chain(others.cloned()).collect()
    }

    /// A broker for trying things out: its own TLS root, a file as its database.
    pub fn dev(state: PathBuf, listen: SocketAddr, policy: PathBuf) -> Self {
        Self {
            public_url: url_of(listen),
            listen,
            state,
            database: None,
            tls: Tls::SelfMade,
            policy,
            trusted_proxies: Vec::new(),
            certificate_lifetime: Duration::from_secs(cert::LIFETIME),
            max_session: MAX_SESSION,
            sessions_per_user: SESSIONS_PER_USER,
            login_lifetime: LOGIN_LIFETIME,
            directory: true,
            require_totp: false,
            providers: Vec::new(),
            jobs: Vec::new(),
            clusters: Vec::new(),
            audit: Audit::default(),
            anew: Vec::new(),
            notify: Vec::new(),
            log_level: LogLevel::Info,
        }
    }

    /// Refuses what would be a trap. Called once more when flags have changed something.
    ///
    /// # Errors
    /// [`ConfigError::Unfit`].
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |sentence: &str| Err(ConfigError::Unfit(sentence.to_owned()));
        if !matches!(self.public_url.scheme(), "https" | "http") || self.public_url.host().is_none() {
            return refuse("public_url must be like https://broker.example.com");
        }
        let more = self.public_url.path() != "/" || self.public_url.query().is_some() || self.public_url.fragment().is_some();
        if more || !self.public_url.username().is_empty() || self.public_url.password().is_some() {
            return refuse("public_url must hold no path, user or query: the routes begin at its root");
        }
        let loopback = self.listen.ip().is_loopback();
        if self.tls == Tls::None && !loopback && self.trusted_proxies.is_empty() {
            return refuse(
                "without TLS the broker listens on loopback only, or behind trusted_proxies: set one of them, or [tls]",
            );
        }
        if self.public_url.scheme() == "http" && !(self.tls == Tls::None && loopback) {
            return refuse("public_url with http:// is for loopback without TLS: write https://");
        }
        if self.certificate_lifetime.is_zero() || self.certificate_lifetime.as_secs() > cert::MAX_LIFETIME {
            return refuse("certificate_lifetime must be between 1s and 300s");
        }
        for (index, cluster) in self.clusters.iter().enumerate() {
            if self.clusters[..index].iter().any(|other| other.name == cluster.name) {
                return refuse(&format!("there are two clusters called {:?}", cluster.name));
            }
        }
        self.check_providers()?;
        self.check_jobs()?;
        if self.max_session.is_zero() || self.login_lifetime.is_zero() {
            return refuse("max_session and login_lifetime must be at least 1s");
        }
        if self.sessions_per_user == 0 {
            return refuse("sessions_per_user must be at least 1; ztbroker lock keeps people out");
        }
        Ok(())
    }

    /// What people and agents call it, as they write it: without a slash at the end.
    pub(crate) fn public_url_text(&self) -> &str {
        self.public_url.as_str().trim_end_matches('/')
    }

    /// Where the database is.
    pub(crate) fn database_url(&self) -> Secret<String> {
        self.database.clone().unwrap_or_else(|| {
            let file = self.state.join(DATABASE);
            // The URL takes no path that begins somewhere; only a process without a current folder has none to give.
            let file = std::path::absolute(&file).unwrap_or(file);
            Secret::new(format!("sqlite://{}", file.display()))
        })
    }

    /// The database, where it is a file of ours.
    pub(crate) fn database_file(&self) -> Option<PathBuf> {
        self.database.is_none().then(|| self.state.join(DATABASE))
    }

    /// Whether `address` is one of the proxies whose word counts.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }
}

/// The URL of a socket; one that listens everywhere is called by its loopback address.
fn url_of(listen: SocketAddr) -> Url {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let mut url = LOOPBACK.clone();
    // An IP address and a port always fit into an https URL.
    let _ = url.set_ip_host(ip);
    let _ = url.set_port(Some(listen.port()));
    url
}

/// The URL that others are made from.
static LOOPBACK: std::sync::LazyLock<Url> = std::sync::LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "a constant that the tests parse")]
    Url::parse("https://127.0.0.1").expect("a URL")
});

/// The version of the file that we read.
const VERSION: i64 = 1;

/// Where a broker listens that was not told: at loopback, which exposes nothing.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);

/// The state folder of an installed broker.
const STATE: &str = "/var/lib/ztbroker";

/// The database's file in the state folder.
const DATABASE: &str = "broker.db";

/// The policy of an installed broker.
const POLICY: &str = "/etc/ztbroker/policy.cedar";

/// More than a person has windows and a job has steps, and not what fills a broker.
const SESSIONS_PER_USER: u32 = 500;

/// A working day.
const MAX_SESSION: Duration = Duration::from_secs(8 * 3600);

/// A working day with its breaks.
const LOGIN_LIFETIME: Duration = Duration::from_secs(12 * 3600);
