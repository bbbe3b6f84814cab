//! The client's own files: unreadable, open to others, from a newer version, or a disk that is full.

use std::io;

use super::{Failure, Kind};
use crate::client::config::ConfigError;
use crate::client::credential::StoreError;
use crate::client::http::BrokerUrl;
use crate::client::private::FileError;
use crate::transport::tls::RootsError;

impl Failure {
    /// The sockets for stock `ssh` cannot be made.
    pub(in crate::cli) fn identity_agent(folder: &std::path::Path, error: &io::Error) -> Self {
        let message = format!("cannot serve the certificate in {}: {error}", folder.display());
        Self::new(Kind::Failed, "identity_agent", message).hint("ztctl ssh-config")
    }

    /// Stock `ssh` is not served on this system.
    pub(in crate::cli) fn no_identity_agent() -> Self {
        Self::new(Kind::Failed, "unsupported", "stock ssh cannot be given certificates on this system")
            .hint("ztctl shell, exec, cp and forward need no ssh; within WSL, ztctl ssh-config works")
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let failed = |code| Self::new(Kind::Failed, code, error.to_string());
        match &error {
            FileError::Io { .. } if error.is_full() => {
                failed("disk_full").hint("free some space; what was there is still there")
            }
            FileError::Io { source, .. } if source.kind() == io::ErrorKind::ReadOnlyFilesystem => failed("read_only")
                .hint("put ztctl's files where they can be written: set ZTCTL_CONFIG_DIR and ZTCTL_STATE_DIR"),
            FileError::Io { .. } => failed("file"),
            FileError::ForeignOwner { path } => failed("file").hint(format!("sudo chown \"$USER\" '{}'", path.display())),
            FileError::Loose { path, .. } => failed("file").hint(format!("chmod go= '{}'", path.display())),
            FileError::NotPlain { path } => failed("file").hint(format!("ls -l '{}'", path.display())),
            FileError::TooLong { path } => failed("file").hint(format!("mv '{0}' '{0}.old'", path.display())),
            FileError::Locked { .. } if cfg!(windows) => {
                failed("locked").hint("look for a ztctl that hangs: tasklist /fi \"imagename eq ztctl.exe\"")
            }
            FileError::Locked { .. } => failed("locked").hint("look for a ztctl that hangs: pgrep -a ztctl"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let message = error.to_string();
        match error {
            ConfigError::File(error) => error.into(),
            ConfigError::Malformed { path, .. } => Self::new(Kind::Failed, "config", message)
                .hint(format!("correct that line, or start anew: mv '{0}' '{0}.old' && ztctl login URL", path.display())),
            ConfigError::Newer { .. } => {
                Self::new(Kind::Failed, "config_newer", message).hint("upgrade this ztctl (ztctl version)")
            }
        }
    }
}

impl Failure {
    /// The tokens cannot be kept or read.
    pub fn store(error: StoreError, broker: &BrokerUrl) -> Self {
        match error {
            StoreError::File(error) => error.into(),
            StoreError::Unavailable(message) => Self::new(Kind::Failed, "store", message)
                .hint(format!("keep the tokens elsewhere: ztctl login {broker} --store file")),
            error @ StoreError::Locked { .. } => Self::new(Kind::Failed, "store_locked", error.to_string())
                .hint("unlock it at your desktop, and try again")
                .hint(format!("or keep the tokens elsewhere: ztctl login {broker} --store file")),
            error @ StoreError::Malformed(_) => {
                Self::new(Kind::Failed, "store", error.to_string()).hint(format!("ztctl login {broker}"))
            }
        }
    }

    /// `root` is neither a certificate nor a fingerprint.
    pub fn root(root: &str, error: &RootsError) -> Self {
        Self::new(Kind::Usage, "ca_file", format!("the TLS root {root} cannot be used: {error}")).hint(ROOT_HINT)
    }

    /// The file of a root cannot be read.
    pub fn root_file(path: &str, error: &io::Error) -> Self {
        Self::new(Kind::Usage, "ca_file", format!("cannot read the TLS root {path}: {error}")).hint(ROOT_HINT)
    }
}

const ROOT_HINT: &str = "--ca takes a PEM file, or sha256: and 64 hexadecimal digits; your platform team has either";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_that() {
        let source = io::ErrorKind::StorageFull.into();
        let failure: Failure = FileError::Io { action: "write", path: "/x".into(), source }.into();
        assert_eq!(failure.code(), "disk_full");
    }

    #[test]
    fn a_newer_configuration_asks_for_a_newer_program() {
        let failure: Failure = ConfigError::Newer { path: "/c/config.toml".into(), version: 9 }.into();
        assert!(failure.message().contains("/c/config.toml is of version 9"));
        assert!(failure.hints().iter().any(|hint| hint.contains("upgrade")));
    }
}
