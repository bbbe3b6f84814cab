//! The key in a proof's header: which it is, that it is public, and what it is known by.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::ProofError;
use crate::proto::dpop::{PROOF_TYPE, hash, thumbprint};

/// Whoever signed a proof, by its own word: nothing is verified yet.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
    /// RFC 7638.
    pub(super) thumbprint: String,
}

impl Signer {
    /// Reads a proof's header.
    pub(super) fn of(proof: &str) -> Result<Self, ProofError> {
        let malformed = ProofError::NotOne("its header is not understood");
        let header = proof.split('.').next().and_then(|header| URL_SAFE_NO_PAD.decode(header).ok()).ok_or(malformed)?;
        let Header { typ, alg, jwk, crit } = serde_json::from_slice(&header).map_err(|_| malformed)?;
        if !typ.eq_ignore_ascii_case(PROOF_TYPE) {
            return Err(ProofError::NotOne("it is a token of another type"));
        }
        // Whoever marks something as critical wants those who do not know it to refuse (RFC 7515 §4.1.11), and we know nothing.
        if crit.is_some() {
            return Err(ProofError::NotOne("it demands what is not known here"));
        }
        if jwk.d.is_some() {
            return Err(ProofError::NotOne("it holds a private key"));
        }
        let Jwk { kty, crv, x, y, .. } = jwk;
        let unknown = ProofError::NotOne("its key or algorithm is not taken (EdDSA with Ed25519, ES256)");
        // The key says the algorithm, and the header must agree.
        let (algorithm, key, thumbprint) = match (kty.as_str(), crv.as_str(), alg.as_str(), y) {
            ("OKP", "Ed25519", "EdDSA", None) => (Algorithm::EdDSA, DecodingKey::from_ed_components(&x), thumbprint(&x)),
            ("EC", "P-256", "ES256", Some(y)) => {
                let known_by = hash(format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
                (Algorithm::ES256, DecodingKey::from_ec_components(&x, &y), known_by)
            }
            _ => return Err(unknown),
        };
        Ok(Self { algorithm, key: key.map_err(|_| unknown)?, thumbprint })
    }
}

/// As the metadata states them.
pub(crate) const ALGORITHMS: [&str; 2] = ["EdDSA", "ES256"];

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Jwk,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    #[serde(default)]
    y: Option<String>,
    #[serde(default)]
    d: Option<IgnoredAny>,
}
