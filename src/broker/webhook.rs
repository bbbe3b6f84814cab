//! Telling another server: a POST that it can check to be ours, by an HMAC over the time and the body.
//!
//! `Ztctl-Timestamp` is the time in seconds since 1970, `Ztctl-Signature` is `v1=` and HMAC-SHA256 in hexadecimal digits, keyed with the
//! shared secret, over the timestamp, a dot and the body. Who receives it refuses what is older than some minutes.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use url::Url;

use super::fetch::{FetchError, Fetcher};
use crate::proto::Secret;

/// One server, and the secret that is shared with it.
#[derive(Debug)]
pub(crate) struct Webhook {
    fetcher: Fetcher,
    url: Url,
    secret: Secret<String>,
}

/// Why a webhook cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// The secret's file.
    #[error("the secret {} cannot be read: {source}", path.display())]
    Secret {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The secret's file is open to others.
    #[error("the secret {0} is open to others: run `chmod 600 {0}`", path.display())]
    Permissions {
        /// Which.
        path: PathBuf,
    },
    /// The secret can be guessed.
    #[error("the secret {} is too short: put at least {SECRET_LEAST} characters there, such as those of `openssl rand -hex 32`", path.display())]
    Short {
        /// Which.
        path: PathBuf,
    },
    /// The roots or the client.
    #[error("{0}")]
    Setup(String),
}

impl Webhook {
    /// The server at `url`, with the secret in the file `secret`, believed by the roots in the PEM file `ca` or those of the machine.
    ///
    /// # Errors
    /// [`WebhookError`].
    pub(crate) fn new(url: Url, secret: &Path, ca: Option<&Path>) -> Result<Self, WebhookError> {
        let path = || secret.to_path_buf();
        let failed = |source| WebhookError::Secret { path: path(), source };
        if std::fs::metadata(secret).map_err(failed)?.permissions().mode() & 0o077 != 0 {
            return Err(WebhookError::Permissions { path: path() });
        }
        let whole = Secret::new(std::fs::read_to_string(secret).map_err(failed)?);
        let trimmed = Secret::new(whole.expose().trim().to_owned());
        if trimmed.expose().len() < SECRET_LEAST {
            return Err(WebhookError::Short { path: path() });
        }
        let fetcher = Fetcher::new(ca).map_err(|error| WebhookError::Setup(error.to_string()))?;
        Ok(Self { fetcher, url, secret: trimmed })
    }

    /// Sends `body`, signed at `now`; done when the answer's status is 2xx.
    ///
    /// # Errors
    /// [`FetchError`].
    pub(crate) async fn post(&self, content_type: &str, body: Vec<u8>, now: u64) -> Result<(), FetchError> {
        let (time, signature) = (now.to_string(), signature(&self.secret, now, &body));
        let headers = [("content-type", content_type), ("ztctl-timestamp", &time), ("ztctl-signature", &signature)];
        self.fetcher.post(&self.url, &headers, body).await
    }
}

/// The value of `Ztctl-Signature`.
fn signature(secret: &Secret<String>, time: u64, body: &[u8]) -> String {
    // HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return String::new() };
    mac.update(format!("{time}.").as_bytes());
    mac.update(body);
    mac.finalize().into_bytes().iter().fold("v1=".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// 128 bits, in hexadecimal digits.
const SECRET_LEAST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_openssl_makes() {
        // printf '1800000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let secret = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
        let wanted = "v1=a8471f58daa469f8073cbebd823830f85e8942f4bbc0acd2ef47c28edc8c488e";
        assert_eq!(signature(&secret, 1_800_000_000, b"{}"), wanted);
        assert_ne!(signature(&secret, 1_800_000_001, b"{}"), wanted);
    }

    #[test]
    fn a_secret_that_others_know_or_guess_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let open = || Webhook::new("https://siem.example.com/in".parse().unwrap(), &path, None);
        assert!(matches!(open(), Err(WebhookError::Secret { .. })));
        std::fs::write(&path, "0123456789abcdef0123456789abcdef\n").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(open().unwrap_err().to_string().contains("chmod 600"));
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(!format!("{:?}", open().unwrap()).contains("0123456789"));
        std::fs::write(&path, "hunter2\n").unwrap();
        assert!(open().unwrap_err().to_string().contains("openssl rand"));
    }
}
