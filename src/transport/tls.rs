//! TLS towards the broker: whose certificate is believed.
//!
//! There is no way to believe just any: a broker with a private root is told by that root ([`Roots::Pem`]) or by its
//! fingerprint ([`Roots::Fingerprint`]), which a person can read out or a join token can carry.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

/// Which roots vouch for the broker.
#[derive(Clone, Debug)]
pub enum Roots {
    /// Those that this verifier knows: the machine's own, or a compiled-in store.
    Verifier(Arc<dyn ServerCertVerifier>),
    /// Exactly these.
    Pem(Vec<CertificateDer<'static>>),
    /// The one with this fingerprint, which the broker must send along in its chain.
    Fingerprint(RootFingerprint),
}

/// SHA-256 of a root certificate's DER; written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RootFingerprint([u8; 32]);

/// Why a set of roots is of no use.
#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    /// No certificate in the PEM text.
    #[error("it holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    Empty,
    /// A certificate that cannot be read.
    #[error("a certificate in it cannot be read: {0}")]
    Malformed(String),
    /// Not `sha256:` and 64 hexadecimal digits.
    #[error("not a fingerprint: sha256: and 64 hexadecimal digits are expected")]
    Fingerprint,
}

impl Roots {
    /// The certificates of a PEM file's text.
    ///
    /// # Errors
    /// When there is none or one cannot be read.
    pub fn from_pem(text: &[u8]) -> Result<Self, RootsError> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(text)
            .collect::<Result<_, _>>()
            .map_err(|error| RootsError::Malformed(error.to_string()))?;
        if certificates.is_empty() { Err(RootsError::Empty) } else { Ok(Self::Pem(certificates)) }
    }

    /// A TLS client that believes these roots and speaks HTTP/1.1, the one version that can be upgraded.
    ///
    /// # Errors
    /// When a root cannot be used.
    pub fn client_config(&self) -> Result<ClientConfig, RootsError> {
        let provider = provider();
        let verifier: Arc<dyn ServerCertVerifier> = match self {
            Self::Verifier(verifier) => Arc::clone(verifier),
            Self::Pem(certificates) => verifier_for(&provider, certificates)?,
            Self::Fingerprint(fingerprint) => {
                Arc::new(FingerprintVerifier { fingerprint: *fingerprint, provider: Arc::clone(&provider) })
            }
        };
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| RootsError::Malformed(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        config.alpn_protocols = vec![HTTP1.to_vec()];
        Ok(config)
    }
}

impl RootFingerprint {
    /// The fingerprint of `certificate`.
    pub fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for RootFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RootFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RootFingerprint {
    type Err = RootsError;

    fn from_str(text: &str) -> Result<Self, RootsError> {
        let digits = text.strip_prefix("sha256:").filter(|digits| digits.len() == 64 && digits.is_ascii());
        let digits = digits.ok_or(RootsError::Fingerprint)?;
        let mut fingerprint = [0; 32];
        for (index, byte) in fingerprint.iter_mut().enumerate() {
            let pair = digits.get(index * 2..index * 2 + 2).ok_or(RootsError::Fingerprint)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| RootsError::Fingerprint)?;
        }
        Ok(Self(fingerprint))
    }
}

/// Whoever answers shows no certificate with the fingerprint that is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("none of the certificates that it shows has the wanted fingerprint")]
pub struct OtherRoot;

/// Believes a chain that the wanted root is part of, and judges it by that root alone.
#[derive(Debug)]
struct FingerprintVerifier {
    fingerprint: RootFingerprint,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for FingerprintVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let root = std::iter::once(end_entity)
            .chain(intermediates)
            .find(|certificate| RootFingerprint::of(certificate) == self.fingerprint)
            .ok_or_else(|| CertificateError::Other(OtherError(Arc::new(OtherRoot))))?;
        let verifier = verifier_for(&self.provider, &[root.clone().into_owned()])
            .map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
        verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, cert, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn verifier_for(
    provider: &Arc<CryptoProvider>,
    certificates: &[CertificateDer<'static>],
) -> Result<Arc<WebPkiServerVerifier>, RootsError> {
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate.clone()).map_err(|error| RootsError::Malformed(error.to_string()))?;
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
        .build()
        .map_err(|error| RootsError::Malformed(error.to_string()))
}

/// The one cryptography provider of all three programs.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// The ALPN name of HTTP/1.1.
pub const HTTP1: &[u8] = b"http/1.1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_read_back_and_nothing_else_does() {
        let fingerprint = RootFingerprint::of(&CertificateDer::from(vec![1, 2, 3]));
        assert_eq!(fingerprint.to_string().parse::<RootFingerprint>().unwrap(), fingerprint);
        for text in ["", "sha256:", "sha256:zz", &"0".repeat(71), &format!("sha256:{}", "é".repeat(32))] {
            assert!(text.parse::<RootFingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_without_a_certificate_is_refused() {
        assert!(matches!(Roots::from_pem(b""), Err(RootsError::Empty)));
        assert!(matches!(Roots::from_pem(b"hello"), Err(RootsError::Empty)));
        let garbage = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
        assert!(Roots::from_pem(garbage).is_err());
    }
}
