//! Where the client keeps what it keeps, below two folders that the caller names.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::http::BrokerUrl;

/// The client's two folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    config: PathBuf,
    state: PathBuf,
}

impl Paths {
    /// The configuration below `config`, all else below `state`.
    pub fn new(config: impl Into<PathBuf>, state: impl Into<PathBuf>) -> Self {
        Self { config: config.into(), state: state.into() }
    }

    /// The one file of the configuration.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// The lock that whoever changes the configuration holds.
    pub fn config_lock(&self) -> PathBuf {
        self.state.join("config.lock")
    }

    /// The lock that whoever exchanges this broker's refresh token holds.
    pub fn token_lock(&self, broker: &BrokerUrl) -> PathBuf {
        self.state.join(format!("{}.lock", file_stem(broker)))
    }

    /// The file that holds this broker's tokens where no keyring does.
    pub fn credential_file(&self, broker: &BrokerUrl) -> PathBuf {
        self.state.join("credentials").join(format!("{}.json", file_stem(broker)))
    }

    /// What this broker's tokens are called in a keyring. One user's keyring serves several homes, as those of CI jobs, whose logins are
    /// not each other's.
    pub fn keyring_entry(&self, broker: &BrokerUrl) -> String {
        // However it is written: without a slash at its end, from the root on.
        let state: PathBuf = std::path::absolute(&self.state).unwrap_or_else(|_| self.state.clone()).components().collect();
        format!("{broker} {}", digits(&Sha256::digest(state.as_os_str().as_encoded_bytes())))
    }

    /// The configuration of stock `ssh`, to be included.
    pub fn ssh_config(&self) -> PathBuf {
        self.config.join("ssh/config")
    }

    /// Whom stock `ssh` accepts containers by.
    pub fn known_hosts(&self) -> PathBuf {
        self.config.join("ssh/known_hosts")
    }

    /// The folder of the sockets at which stock `ssh` finds its certificate.
    pub fn ssh_agents(&self) -> PathBuf {
        self.state.join("ssh")
    }

    /// The file that remembers what was picked last at this broker.
    pub fn last_picked(&self, broker: &BrokerUrl) -> PathBuf {
        self.state.join(format!("{}.picked", file_stem(broker)))
    }

    /// The file of the names that this broker's list had last.
    pub fn names(&self, broker: &BrokerUrl) -> PathBuf {
        self.state.join(format!("{}.names", file_stem(broker)))
    }

    /// The folder of locks and other state.
    pub fn state_folder(&self) -> &Path {
        &self.state
    }
}

/// A file name for a broker: its host, so that a person knows it, and a hash, because hosts differ in what file names do not.
fn file_stem(broker: &BrokerUrl) -> String {
    let hash = Sha256::digest(broker.to_string());
    let host: String = broker.host().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).take(64).collect();
    format!("{}-{}", host.trim_start_matches('.'), digits(&hash))
}

/// Eight digits of a hash.
fn digits(hash: &[u8]) -> String {
    hash.iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_on_one_host_have_files_of_their_own() {
        let paths = Paths::new("/c", "/s");
        let file = |url: &str| paths.credential_file(&url.parse().unwrap());
        assert_ne!(file("https://broker.example.com"), file("https://broker.example.com:8443"));
        assert!(file("https://[::1]:9/").starts_with("/s/credentials"));
    }

    #[test]
    fn homes_have_entries_of_their_own_in_one_keyring() {
        let broker = "https://broker.example.com".parse().unwrap();
        let entry = |state: &str| Paths::new("/c", state).keyring_entry(&broker);
        assert!(entry("/home/ada").starts_with("https://broker.example.com ") && entry("/home/ada") != entry("/home/job-7"));
        assert_eq!(entry("/home/ada/"), entry("/home//ada"));
    }
}
