//! Signed tokens of others (RFC 7519), verified by the public keys that they publish (RFC 7517). What a token claims is for whoever asked
//! to judge: here it is only found out who has signed it.
//!
//! The signatures are checked by `ring`, as all of ours are; no key is ever symmetric, and which algorithm a key is for is the key's to
//! say and not the token's.

mod source;

#[cfg(test)]
pub(crate) mod tests;

use jsonwebtoken::crypto::{CryptoProvider, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, Validation};
use ring::signature as verified;
use serde::de::DeserializeOwned;

pub(crate) use source::Keys;
pub use source::Source;

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwtError {
    /// It is no token, or one of an algorithm that is not taken.
    #[error("it is no signed token of a kind that is taken (RS, PS, ES or EdDSA)")]
    NotOne,
    /// None of the keys is the one that the token names.
    #[error("it is signed by a key that is not published")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("its signature is wrong")]
    Forged,
    /// Its claims are not those that such a token has.
    #[error("its claims are not understood")]
    Claims,
    /// The keys are not there.
    #[error("the keys cannot be had: {0}")]
    NoKeys(String),
}

/// The claims of a token that one of `keys` has signed. Nothing of them is judged, their times neither.
///
/// # Errors
/// [`JwtError`].
pub(crate) fn verify<C: DeserializeOwned>(token: &str, keys: &JwkSet) -> Result<C, JwtError> {
    let header = jsonwebtoken::decode_header(token).map_err(|_| JwtError::NotOne)?;
    // Whoever marks something as critical wants those who do not know it to refuse (RFC 7515 §4.1.11), and we know nothing.
    if !ALGORITHMS.contains(&header.alg) || header.crit.is_some() {
        return Err(JwtError::NotOne);
    }
    let key = choose(keys, header.kid.as_deref(), header.alg).ok_or(JwtError::UnknownKey)?;
    let key = DecodingKey::from_jwk(key).map_err(|_| JwtError::UnknownKey)?;
    verify_by(token, header.alg, &key)
}

/// The claims of a token that `key` has signed by `algorithm`, which is an asymmetric one. Nothing else is judged.
///
/// # Errors
/// [`JwtError`].
pub(crate) fn verify_by<C: DeserializeOwned>(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<C, JwtError> {
    // Only the first call does something.
    let _ = PROVIDER.install_default();
    let mut validation = Validation::new(algorithm);
    // By a clock that is not ours.
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    let token = jsonwebtoken::decode::<C>(token, key, &validation).map_err(|error| match error.kind() {
        ErrorKind::InvalidSignature => JwtError::Forged,
        ErrorKind::Json(_) | ErrorKind::Utf8(_) => JwtError::Claims,
        _ => JwtError::NotOne,
    })?;
    Ok(token.claims)
}

/// The key that the token names; without a name the only one that it could be.
fn choose<'a>(keys: &'a JwkSet, id: Option<&str>, algorithm: Algorithm) -> Option<&'a Jwk> {
    let mut fitting = keys.keys.iter().filter(|key| fits(key, algorithm));
    match id {
        Some(id) => fitting.find(|key| key.common.key_id.as_deref() == Some(id)),
        None => fitting.next().filter(|_| fitting.next().is_none()),
    }
}

fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let for_signatures = matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature));
    let says = key.common.key_algorithm.is_none_or(|says| says.to_string() == format!("{algorithm:?}"));
    let family = DecodingKey::from_jwk(key).is_ok_and(|key| key.family() == algorithm.family());
    for_signatures && says && family
}

/// Every asymmetric one that `ring` verifies.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |_, _| Err(ErrorKind::InvalidAlgorithm.into()),
    verifier_factory,
    key_utils: KeyUtils::new_unimplemented(),
};

fn verifier_factory(algorithm: &Algorithm, key: &DecodingKey) -> JwtResult<Box<dyn JwtVerifier>> {
    if algorithm.family() != key.family() || algorithm.family() == AlgorithmFamily::Hmac {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(Verifier { algorithm: *algorithm, key: key.clone() }))
}

struct Verifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

impl JwtVerifier for Verifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl signature::Verifier<Vec<u8>> for Verifier {
    fn verify(&self, message: &[u8], signed: &Vec<u8>) -> Result<(), signature::Error> {
        let wrong = |_| signature::Error::new();
        match self.key.kind() {
            DecodingKeyKind::RsaModulusExponent { n, e } => {
                let parameters = rsa(self.algorithm).ok_or_else(signature::Error::new)?;
                verified::RsaPublicKeyComponents { n, e }.verify(parameters, message, signed).map_err(wrong)
            }
            DecodingKeyKind::SecretOrDer(point) => {
                let parameters = curve(self.algorithm).ok_or_else(signature::Error::new)?;
                verified::UnparsedPublicKey::new(parameters, point).verify(message, signed).map_err(wrong)
            }
        }
    }
}

fn rsa(algorithm: Algorithm) -> Option<&'static verified::RsaParameters> {
    Some(match algorithm {
        Algorithm::RS256 => &verified::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &verified::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &verified::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::PS256 => &verified::RSA_PSS_2048_8192_SHA256,
        Algorithm::PS384 => &verified::RSA_PSS_2048_8192_SHA384,
        Algorithm::PS512 => &verified::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}

fn curve(algorithm: Algorithm) -> Option<&'static dyn verified::VerificationAlgorithm> {
    Some(match algorithm {
        Algorithm::ES256 => &verified::ECDSA_P256_SHA256_FIXED,
        Algorithm::ES384 => &verified::ECDSA_P384_SHA384_FIXED,
        Algorithm::EdDSA => &verified::ED25519,
        _ => return None,
    })
}
