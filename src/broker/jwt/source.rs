//! Where published keys are: in a file that the operator has fetched, or at an address where they change by themselves.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jsonwebtoken::jwk::JwkSet;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::{JwtError, verify};
use crate::broker::fetch::Fetcher;

/// Where published keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// In a file, which is read anew each time.
    File(PathBuf),
    /// At an address.
    Url {
        /// `https://…`, or `http://` to this machine itself.
        url: Url,
        /// A PEM file with the only roots that vouch for it; without one those of the machine do.
        ca: Option<PathBuf>,
    },
}

/// Published keys, as fresh as they have to be.
pub(crate) struct Keys {
    source: Source,
    fetcher: Option<Fetcher>,
    fetched: Mutex<Option<(JwkSet, Instant)>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Keys").field("source", &self.source).finish_non_exhaustive()
    }
}

impl Keys {
    /// The keys at `source`; nothing is read yet.
    ///
    /// # Errors
    /// A sentence when the roots of an address cannot be used.
    pub(crate) fn new(source: Source) -> Result<Self, String> {
        let fetcher = match &source {
            Source::File(_) => None,
            Source::Url { ca, .. } => Some(Fetcher::new(ca.as_deref()).map_err(|error| error.to_string())?),
        };
        Ok(Self { source, fetcher, fetched: Mutex::default() })
    }

    /// The claims of a token that one of these keys has signed.
    ///
    /// # Errors
    /// [`JwtError`].
    pub(crate) async fn verify<C: DeserializeOwned>(&self, token: &str) -> Result<C, JwtError> {
        let (url, fetcher) = match (&self.source, &self.fetcher) {
            (Source::Url { url, .. }, Some(fetcher)) => (url, fetcher),
            (Source::File(path) | Source::Url { ca: Some(path), .. }, _) => return verify(token, &read(path)?),
            (Source::Url { .. }, None) => return Err(JwtError::NoKeys("there is no way to fetch them".to_owned())),
        };
        // One fetches at a time, and whoever waits meanwhile takes the same.
        let mut fetched = self.fetched.lock().await;
        let age = fetched.as_ref().map(|(_, at)| at.elapsed());
        if let Some((keys, _)) = fetched.as_ref().filter(|_| age < Some(FRESH)) {
            let verified = verify(token, keys);
            // A key of today is not in the set of yesterday; but a forger does not make us fetch at each attempt.
            if !matches!(verified, Err(JwtError::UnknownKey)) || age < Some(AGAIN) {
                return verified;
            }
        }
        match fetcher.get(url, LIMIT).await.map_err(|error| error.to_string()).and_then(|body| parse(&body)) {
            Ok(keys) => {
                let (keys, _) = fetched.insert((keys, Instant::now()));
                verify(token, keys)
            }
            // Whoever publishes the keys is away: those of before are as good as they were.
            Err(error) => match fetched.as_mut() {
                Some((keys, at)) if at.elapsed() < STALE => {
                    tracing::warn!(%url, %error, "published keys cannot be fetched; those of before go on");
                    verify(token, keys)
                }
                _ => Err(JwtError::NoKeys(format!("{url}: {error}"))),
            },
        }
    }
}

fn read(path: &Path) -> Result<JwkSet, JwtError> {
    let bytes = || {
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(LIMIT as u64).read_to_end(&mut bytes)?;
        Ok::<_, std::io::Error>(bytes)
    };
    let keys = bytes().map_err(|error| error.to_string()).and_then(|bytes| parse(&bytes));
    keys.map_err(|error| JwtError::NoKeys(format!("{}: {error}", path.display())))
}

fn parse(bytes: &[u8]) -> Result<JwkSet, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("this is no set of keys (JWKS): {error}"))
}

/// The most bytes of a set of keys.
const LIMIT: usize = 256 * 1024;

/// How long fetched keys are believed without asking: a key that is taken back goes with this.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// How soon they are fetched again because of a key that is not among them.
const AGAIN: Duration = Duration::from_secs(10);

/// How long they are believed when they cannot be fetched.
const STALE: Duration = Duration::from_secs(24 * 3600);
