//! The operator's certificate: from its files, and again when they have changed. Whoever renews it need not stop the broker, which would
//! end every session.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_util::sync::CancellationToken;

use super::TlsError;
use crate::proto::Secret;
use crate::transport::tls::provider;

/// The certificate that is shown now, and where it comes from.
#[derive(Debug)]
pub(crate) struct Files {
    cert: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Files {
    /// Reads certificate and key for the first time.
    ///
    /// # Errors
    /// [`TlsError::File`].
    pub(super) fn open(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let first = read(cert, key)?;
        // Some distributions have a group for those who may read it.
        if std::fs::metadata(key).is_ok_and(|key| key.permissions().mode() & 0o007 != 0) {
            tracing::warn!("the TLS key {0} can be read by everybody here: run `chmod o= {0}`", key.display());
        }
        Ok(Self { cert: cert.to_path_buf(), key: key.to_path_buf(), current: RwLock::new(Arc::new(first)) })
    }

    /// Reads the files again and says whether they hold another certificate, which is shown from now on.
    ///
    /// # Errors
    /// [`TlsError::File`]; the certificate before stays.
    pub(crate) fn renew(&self) -> Result<bool, TlsError> {
        let read = read(&self.cert, &self.key)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let news = current.cert != read.cert;
        if news {
            *current = Arc::new(read);
        }
        Ok(news)
    }

    /// Looks at the files again and again. What is wrong with them is said once.
    pub(crate) async fn keep_reading(self: Arc<Self>, shutdown: CancellationToken) {
        let mut told = None;
        while shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let looking = Arc::clone(&self);
            // A file system that hangs holds up a thread of its own.
            let Ok(renewed) = tokio::task::spawn_blocking(move || looking.renew()).await else { return };
            match renewed {
                Ok(true) => tracing::info!("the TLS certificate has changed: the new one is shown from now on"),
                Ok(false) => told = None,
                Err(error) => {
                    let error = Some(error.to_string());
                    if told != error {
                        tracing::error!("the TLS certificate before stays: {}", error.as_deref().unwrap_or_default());
                        told = error;
                    }
                }
            }
        }
    }
}

impl ResolvesServerCert for Files {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The certificate and the key that belongs to it: of a pair of which one file is new already nothing is taken.
fn read(cert: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let wrong = |path: &Path, why: String| TlsError::File { path: path.to_path_buf(), why };
    let read = |path: &Path| std::fs::read(path).map(Secret::new).map_err(|error| wrong(path, error.to_string()));
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(read(cert)?.expose())
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(cert, error.to_string()))?;
    if chain.is_empty() {
        return Err(wrong(cert, "it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    let private = PrivateKeyDer::from_pem_slice(read(key)?.expose()).map_err(|error| wrong(key, error.to_string()))?;
    CertifiedKey::from_der(chain, private, &provider()).map_err(|error| wrong(key, error.to_string()))
}

/// How often the files are looked at: a certificate is renewed weeks before it ends.
const LOOK: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    #[test]
    fn a_renewed_pair_is_taken_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let make = || {
            let pair = KeyPair::generate().unwrap();
            let made = CertificateParams::new(vec!["broker.example.com".to_owned()]).unwrap().self_signed(&pair).unwrap();
            (made, pair)
        };
        let (first, pair) = make();
        std::fs::write(&cert, first.pem()).unwrap();
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        let files = Files::open(&cert, &key).unwrap();
        let shown = || files.current.read().unwrap().cert[0].clone();
        assert!(!files.renew().unwrap() && shown() == *first.der());
        let (second, pair) = make();
        std::fs::write(&cert, second.pem()).unwrap();
        let error = files.renew().unwrap_err().to_string();
        assert!(error.contains("key.pem") && shown() == *first.der(), "{error}");
        std::fs::write(&key, pair.serialize_pem()).unwrap();
        assert!(files.renew().unwrap() && shown() == *second.der());
        std::fs::write(&cert, "").unwrap();
        assert!(files.renew().is_err() && shown() == *second.der());
    }
}
