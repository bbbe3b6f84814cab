//! The broker's own end of TLS: the operator's certificate, or one from a root that we made and that clients pin.
//!
//! The self-made root is in the state folder; the server's certificate is not kept at all. It lives in memory, is made at the start and
//! again long before it ends. The root travels in the chain, so that its fingerprint is enough to find and believe it.

mod files;

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use url::{Host, Url};

use super::config::{Config, Tls};
use super::state_folder::{self, StateFolderError};
use crate::clock::Clock;
use crate::proto::Secret;
use crate::transport::tls::{HTTP1, RootFingerprint, provider};

pub(crate) use files::Files;

/// A private root, as others get to see it.
#[derive(Debug, Clone)]
pub(crate) struct Root {
    pem: String,
    fingerprint: RootFingerprint,
}

impl Root {
    /// The certificate, in PEM form.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// What a join token carries.
    pub(crate) fn fingerprint(&self) -> RootFingerprint {
        self.fingerprint
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of the operator's.
    #[error("{} cannot be used for TLS: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The state folder.
    #[error(transparent)]
    State(#[from] StateFolderError),
    /// Making a certificate failed.
    #[error("a TLS certificate cannot be made: {0}")]
    Making(String),
    /// The library refuses certificate and key.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The server's side of TLS.
#[derive(Debug, Default)]
pub(crate) struct Opened {
    /// What a connection is accepted with; nothing where something in front of us does that.
    pub(crate) server: Option<Arc<ServerConfig>>,
    /// The private root, where TLS is self-made.
    pub(crate) root: Option<Root>,
    /// The operator's files, where it is not.
    pub(crate) files: Option<Arc<Files>>,
}

/// The server's side of TLS for `config`.
///
/// # Errors
/// [`TlsError`].
pub(crate) fn open(config: &Config, clock: &Clock) -> Result<Opened, TlsError> {
    match &config.tls {
        Tls::None => Ok(Opened::default()),
        Tls::Files { cert, key } => {
            let files = Arc::new(Files::open(cert, key)?);
            let resolver: Arc<Files> = Arc::clone(&files);
            Ok(Opened { server: Some(server_config(resolver)?), root: None, files: Some(files) })
        }
        Tls::SelfMade => {
            let maker = Maker::open(&config.state.join("tls"), &config.public_url)?;
            let root = maker.root.clone();
            let server = server_config(Arc::new(Remade::new(maker, clock.clone())?))?;
            Ok(Opened { server: Some(server), root: Some(root), files: None })
        }
    }
}

fn server_config(resolver: Arc<dyn ResolvesServerCert>) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    // Only HTTP/1.1 can be upgraded to a byte stream.
    config.alpn_protocols = vec![HTTP1.to_vec()];
    Ok(Arc::new(config))
}

/// Makes server certificates under the private root.
struct Maker {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    root: Root,
    name: Name,
}

/// What the server's certificate is for.
#[derive(Clone)]
enum Name {
    Domain(String),
    Address(IpAddr),
}

impl Maker {
    /// Opens the root in `folder`, or makes it.
    fn open(folder: &Path, public_url: &Url) -> Result<Self, TlsError> {
        state_folder::make(folder)?;
        let (key_path, root_path) = (folder.join("root.key"), folder.join("root.pem"));
        let (key, pem) = match (std::fs::read_to_string(&key_path).map(Secret::new), std::fs::read_to_string(&root_path)) {
            (Ok(key), Ok(pem)) => {
                let key = KeyPair::from_pem(key.expose());
                (key.map_err(|error| TlsError::File { path: key_path, why: error.to_string() })?, pem)
            }
            // The key is written first: a root without it is of no use, and a key without a root has vouched for nothing.
            (_, Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(making)?;
                let pem = root_params().self_signed(&key).map_err(making)?.pem();
                state_folder::write_whole(&key_path, 0o600, Secret::new(key.serialize_pem()).expose().as_bytes())?;
                state_folder::write_whole(&root_path, 0o644, pem.as_bytes())?;
                (key, pem)
            }
            (_, Err(error)) => return Err(TlsError::File { path: root_path, why: error.to_string() }),
            (Err(error), _) => return Err(TlsError::File { path: key_path, why: error.to_string() }),
        };
        let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| TlsError::File { path: root_path, why: error.to_string() })?;
        let name = match public_url.host() {
            Some(Host::Domain(name)) => Name::Domain(name.to_owned()),
            Some(Host::Ipv4(ip)) => Name::Address(ip.into()),
            Some(Host::Ipv6(ip)) => Name::Address(ip.into()),
            None => return Err(TlsError::Making("public_url names no host".to_owned())),
        };
        let root = Root { fingerprint: RootFingerprint::of(&certificate), pem };
        Ok(Self { issuer: Issuer::new(root_params(), key), certificate, root, name })
    }

    /// A server certificate with a key of its own, good around `now`.
    fn make(&self, now: u64) -> Result<CertifiedKey, TlsError> {
        let key = KeyPair::generate().map_err(making)?;
        let mut params = CertificateParams::default();
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(now.saturating_sub(DAY).min(FAR));
        params.not_after = epoch + Duration::from_secs(now.saturating_add(LIFETIME).min(FAR));
        params.distinguished_name.push(DnType::CommonName, "ztbroker");
        let name = match &self.name {
            Name::Domain(name) => rcgen::SanType::DnsName(name.as_str().try_into().map_err(making)?),
            Name::Address(ip) => rcgen::SanType::IpAddress(*ip),
        };
        params.subject_alt_names = vec![name];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(making)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok(CertifiedKey::from_der(chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())), &provider())?)
    }
}

fn root_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    params.distinguished_name.push(DnType::CommonName, "ztbroker private root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn making(error: rcgen::Error) -> TlsError {
    TlsError::Making(error.to_string())
}

/// Hands out one certificate until it is half through its life, then a new one.
struct Remade {
    maker: Maker,
    clock: Clock,
    current: RwLock<(Arc<CertifiedKey>, u64)>,
}

impl Remade {
    fn new(maker: Maker, clock: Clock) -> Result<Self, TlsError> {
        let now = clock.now();
        let first = Arc::new(maker.make(now)?);
        Ok(Self { maker, clock, current: RwLock::new((first, now)) })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        let now = self.clock.now();
        let old = |made: u64| now.abs_diff(made) > LIFETIME / 2;
        let (current, made) = self.current.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !old(made) {
            return current;
        }
        let mut held = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if old(held.1) {
            match self.maker.make(now) {
                Ok(made) => *held = (Arc::new(made), now),
                // The old one is good for as long again; the next handshake tries once more.
                Err(error) => tracing::error!(%error, "the TLS certificate could not be made anew"),
            }
        }
        Arc::clone(&held.0)
    }
}

impl ResolvesServerCert for Remade {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

impl fmt::Debug for Remade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remade").field("root", &self.maker.root.fingerprint).finish_non_exhaustive()
    }
}

const DAY: u64 = 24 * 3600;

/// Ninety days, of which at least half are left whenever the certificate is shown.
const LIFETIME: u64 = 90 * DAY;

/// The year 9000: beyond it a certificate cannot say its dates.
const FAR: u64 = 221_845_392_000;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustls::pki_types::{ServerName, UnixTime};

    use super::*;
    use crate::transport::tls::Roots;

    fn config(folder: &Path) -> Config {
        Config::dev(folder.to_path_buf(), "127.0.0.1:8443".parse().unwrap(), "/p".into())
    }

    #[test]
    fn the_root_stays_and_its_key_is_ours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = open(&config(folder.path()), &Clock::system()).unwrap().root.unwrap();
        let again = open(&config(folder.path()), &Clock::system()).unwrap().root.unwrap();
        assert_eq!(first.fingerprint, again.fingerprint);
        assert_eq!(std::fs::read_to_string(folder.path().join("tls/root.pem")).unwrap(), first.pem);
        let mode = std::fs::metadata(folder.path().join("tls/root.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::remove_file(folder.path().join("tls/root.key")).unwrap();
        assert!(matches!(open(&config(folder.path()), &Clock::system()), Err(TlsError::File { .. })));
    }

    #[test]
    fn a_client_that_pins_the_root_believes_the_chain_and_a_new_one_later() {
        let folder = tempfile::tempdir().unwrap();
        let time = Arc::new(AtomicU64::new(1_800_000_000));
        let told = Arc::clone(&time);
        let clock = Clock::from_fn(move || told.load(Ordering::Relaxed));
        let maker = Maker::open(folder.path(), &"https://127.0.0.1:1".parse().unwrap()).or_else(|_| {
            // A temporary folder may be open to others on some machines.
            Maker::open(&folder.path().join("tls"), &"https://127.0.0.1:1".parse().unwrap())
        });
        let remade = Remade::new(maker.unwrap(), clock).unwrap();
        let roots = Roots::from_pem(remade.maker.root.pem.as_bytes()).unwrap();
        let mut store = rustls::RootCertStore::empty();
        let Roots::Pem(certificates) = roots else { panic!("not PEM") };
        certificates.into_iter().for_each(|certificate| store.add(certificate).unwrap());
        let verifier =
            rustls::client::WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider()).build().unwrap();
        let believes = |key: &CertifiedKey, name: &str, now: u64| {
            let name = ServerName::try_from(name.to_owned()).unwrap();
            let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
            rustls::client::danger::ServerCertVerifier::verify_server_cert(
                &*verifier,
                &key.cert[0],
                &key.cert[1..],
                &name,
                &[],
                now,
            )
            .is_ok()
        };
        let first = remade.current();
        assert!(believes(&first, "127.0.0.1", 1_800_000_000));
        assert!(!believes(&first, "127.0.0.2", 1_800_000_000));
        assert!(Arc::ptr_eq(&first, &remade.current()));
        time.fetch_add(LIFETIME, Ordering::Relaxed);
        let later = 1_800_000_000 + LIFETIME + DAY;
        assert!(!believes(&first, "127.0.0.1", later));
        assert!(believes(&remade.current(), "127.0.0.1", later));
    }
}
