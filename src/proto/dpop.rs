//! Proofs that whoever sends a token has the login's key, as they travel: RFC 9449, and what ours cover besides.
//!
//! A proof is a JWT of the type [`PROOF_TYPE`] that names its public key and is signed by it, a new one for each request. Beyond the
//! RFC it covers the connect request (`zth`) and a body (`zbh`), so that nothing on the way can change what is asked for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a proof says.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Claims {
    /// Of this proof alone: at least 96 random bits.
    pub jti: String,
    /// The request's method.
    pub htm: String,
    /// The request's URL without query and fragment.
    pub htu: String,
    /// When it was made, in seconds since 1970.
    pub iat: u64,
    /// [`hash`] of the access token, where the request carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ath: Option<String>,
    /// What the broker gave for this, where it has: it stands for the time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// [`hash`] of the value of the `Ztctl-Connect` header, where the request carries one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zth: Option<String>,
    /// [`hash`] of the body, with an access token and a method other than GET, HEAD and DELETE; that of no bytes where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zbh: Option<String>,
}

/// base64url of the SHA-256, as claims have it.
pub fn hash(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes.as_ref()))
}

/// The thumbprint (RFC 7638) of the Ed25519 key whose base64url is `x`.
pub fn thumbprint(x: &str) -> String {
    hash(format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#))
}

/// Whether a request of this method has a body for the proof to cover.
pub fn covers_body(method: &str) -> bool {
    !matches!(method, "GET" | "HEAD" | "DELETE")
}

/// The header with the proof.
pub const PROOF_HEADER: &str = "dpop";

/// The header with what the next proof must carry as its `nonce`. It comes with the refusals that ask for it, and with no other answer.
pub const NONCE_HEADER: &str = "dpop-nonce";

/// The scheme in `Authorization`, and the type of the tokens.
pub const SCHEME: &str = "DPoP";

/// The JWT's `typ`.
pub const PROOF_TYPE: &str = "dpop+jwt";

/// The algorithm of `ztctl`'s keys.
pub const ALGORITHM: &str = "EdDSA";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_rfcs() {
        // RFC 9449, figure 12.
        let token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
        assert_eq!(hash(token), "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo");
        // RFC 8037, A.3.
        assert_eq!(thumbprint("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
