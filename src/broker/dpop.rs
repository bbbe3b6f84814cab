//! Whether a request comes from where its token's key is: the proofs of RFC 9449, judged one by one as its §4.3 lists it, and what ours
//! cover besides.
//!
//! The time is judged last: by then it is certain that the key is the right one, and only its holder is told to prove again with a
//! nonce. A proof is good once; which were used is remembered by this broker alone, for as long as they would be in time.

mod jwk;
mod nonce;
mod replays;

#[cfg(test)]
pub(crate) mod tests;

use std::net::IpAddr;

use axum::http::{HeaderMap, Request};
use url::Url;

use super::http;
use super::identity::token::equal;
use super::{State, jwt};
use crate::proto::Secret;
use crate::proto::api::CONNECT_HEADER;
use crate::proto::dpop::{Claims, PROOF_HEADER, covers_body, hash};

pub(crate) use jwk::ALGORITHMS;
use replays::Replays;

/// A request, as far as a proof is about it.
pub(crate) struct Sent<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) address: IpAddr,
    /// The body, where the method has one: a handler that has read it puts it here, and without it nothing is believed.
    pub(crate) body: Option<&'a [u8]>,
}

/// What a proof has to be about besides the request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// The access token that came along, if one did.
    pub(crate) token: Option<&'a str>,
    /// The thumbprint of the key.
    pub(crate) key: &'a str,
}

/// Why a request is not believed to come from where the key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ProofError {
    /// RFC 9449 §7.1: it is sent as a bearer token, which it is not.
    #[error("it came as a bearer token, without a proof")]
    Bearer,
    #[error("it came without a proof")]
    Missing,
    #[error("it came with more than one proof")]
    Several,
    #[error("its proof is none: {0}")]
    NotOne(&'static str),
    #[error("the signature of its proof is wrong")]
    Forged,
    #[error("its proof is for another {0}")]
    Other(&'static str),
    #[error("its proof is by another key")]
    OtherKey,
    #[error("its proof was used before")]
    Used,
    /// Nothing is wrong but the time: the same again with a nonce.
    #[error("its proof is not of now: prove again with the nonce")]
    Late,
    #[error("there are too many requests by its key")]
    TooMany,
}

/// What this broker knows of proofs.
pub(crate) struct Proofs {
    nonces: nonce::Nonces,
    used: Replays,
}

impl Proofs {
    /// `key` is what brokers that share a database have in common: the nonce of one is good at the others.
    pub(crate) fn new(key: &Secret<[u8; 32]>) -> Self {
        Self { nonces: nonce::Nonces::new(key), used: Replays::default() }
    }

    /// What the next proof of somebody without the right time has to carry.
    pub(crate) fn nonce(&self, now: u64) -> String {
        self.nonces.at(now)
    }
}

impl<'a> Sent<'a> {
    /// A request, without its body. A handler that has taken the body puts the rest together again with `Request::from_parts(parts, ())`,
    /// and adds what it has read: `Sent { body: Some(&bytes), ..Sent::of(&state, &request) }`.
    pub(crate) fn of<B>(state: &State, request: &'a Request<B>) -> Self {
        let address = http::client_address(state, request);
        Self { method: request.method().as_str(), path: request.uri().path(), headers: request.headers(), address, body: None }
    }
}

/// Judges the proof of `sent`, which must be by the key and about the token of `bound`. An accepted proof is used up.
///
/// # Errors
/// [`ProofError`].
pub(crate) fn judge(state: &State, sent: &Sent<'_>, bound: Bound<'_>) -> Result<(), ProofError> {
    let (key, claims) = about(&state.config.public_url, sent, bound.token)?;
    if !equal(&key, bound.key) {
        return Err(ProofError::OtherKey);
    }
    let now = state.clock.now();
    in_time(state, &claims, now)?;
    state.proofs.used.first(&key, &claims.jti, now)
}

/// The thumbprint of the key that has signed the proof of `sent`, where none is expected yet. What comes with the proof has to be good
/// only once by itself.
///
/// # Errors
/// [`ProofError`].
pub(crate) fn judge_first(state: &State, sent: &Sent<'_>) -> Result<String, ProofError> {
    let (key, claims) = about(&state.config.public_url, sent, None)?;
    in_time(state, &claims, state.clock.now())?;
    Ok(key)
}

/// The thumbprint of the key and the claims, of a proof that is about `sent` at the broker of `public_url`, and about the token. Which key
/// it may be, and the time, are left to be judged.
///
/// # Errors
/// [`ProofError`].
pub(super) fn about(public_url: &Url, sent: &Sent<'_>, token: Option<&str>) -> Result<(String, Claims), ProofError> {
    let mut proofs = sent.headers.get_all(PROOF_HEADER).iter();
    let proof = proofs.next().ok_or(ProofError::Missing)?;
    if proofs.next().is_some() {
        return Err(ProofError::Several);
    }
    let proof =
        proof.to_str().ok().filter(|proof| proof.len() <= LIMIT).ok_or(ProofError::NotOne("it is too long, or no text"))?;
    let signer = jwk::Signer::of(proof)?;
    let claims: Claims = jwt::verify_by(proof, signer.algorithm, &signer.key).map_err(|error| match error {
        jwt::JwtError::Forged => ProofError::Forged,
        jwt::JwtError::Claims => ProofError::NotOne("its claims are not understood"),
        _ => ProofError::NotOne("it is not signed as it says"),
    })?;
    if claims.jti.is_empty() || claims.jti.len() > JTI_LIMIT {
        return Err(ProofError::NotOne("its jti is empty or too long"));
    }
    if claims.htm != sent.method {
        return Err(ProofError::Other("method"));
    }
    if !same_place(&claims.htu, public_url, sent.path) {
        return Err(ProofError::Other("address"));
    }
    if let Some(token) = token {
        covers(&claims, sent, token)?;
    }
    Ok((signer.thumbprint, claims))
}

/// That token, connect request and body are those that were signed.
fn covers(claims: &Claims, sent: &Sent<'_>, token: &str) -> Result<(), ProofError> {
    if claims.ath.as_deref() != Some(hash(token).as_str()) {
        return Err(ProofError::Other("token"));
    }
    let mut asked = sent.headers.get_all(CONNECT_HEADER).iter();
    let (first, more) = (asked.next(), asked.next().is_some());
    if more || claims.zth != first.map(|asked| hash(asked.as_bytes())) {
        return Err(ProofError::Other("connect request"));
    }
    if covers_body(sent.method) && (sent.body.is_none() || claims.zbh != sent.body.map(hash)) {
        return Err(ProofError::Other("body"));
    }
    Ok(())
}

/// Whether `htu` is `path` at the broker's own address; a query or a fragment counts for nothing (RFC 9449 §4.3).
fn same_place(htu: &str, public_url: &Url, path: &str) -> bool {
    let Ok(htu) = Url::parse(htu) else { return false };
    let mut own = public_url.clone();
    own.set_path(path);
    htu.origin() == own.origin() && htu.path() == own.path() && htu.username().is_empty() && htu.password().is_none()
}

/// The window, or a nonce in its place: a clock that is off is no fault of the key's.
fn in_time(state: &State, claims: &Claims, now: u64) -> Result<(), ProofError> {
    let good = match &claims.nonce {
        Some(nonce) => state.proofs.nonces.is_good(nonce, now),
        None => claims.iat.abs_diff(now) <= WINDOW,
    };
    if good { Ok(()) } else { Err(ProofError::Late) }
}

/// Seconds that a proof may be old, or that a clock may be ahead: a slow network and a clock that nobody sets, and no longer.
const WINDOW: u64 = 60;

/// For how long, in seconds, a proof could be shown again: from a clock that is as far ahead as one may be, until it is as old as it
/// may be. A nonce is good for no longer.
const MEMORY: u64 = 2 * WINDOW;

/// The most bytes of a proof. Ours have some 600.
const LIMIT: usize = 4096;

/// The most bytes of a proof's own id. Ours have 22.
const JTI_LIMIT: usize = 256;
