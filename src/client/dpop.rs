//! The key that a login is bound to, and the proof that each request carries of having it: RFC 9449.
//!
//! A key is made at login and kept with the tokens. A proof is made when a request is ready to be sent, for that request alone, and
//! never sent twice.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Request, RequestBuilder};
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::http::{Http, HttpError};
use crate::proto::Secret;
use crate::proto::api::CONNECT_HEADER;
use crate::proto::dpop::{ALGORITHM, Claims, PROOF_HEADER, PROOF_TYPE, SCHEME, covers_body, hash, thumbprint};

/// An Ed25519 key that tokens are bound to. It is written down as its seed.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "Secret<String>", into = "Secret<String>")]
pub struct ProofKey(Arc<Inner>);

struct Inner {
    seed: Secret<[u8; 32]>,
    pair: Ed25519KeyPair,
    /// base64url of the public half.
    public: String,
}

/// What is written down is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no key of ztctl's")]
pub struct InvalidKey;

impl ProofKey {
    /// A key that nobody else has.
    ///
    /// # Errors
    /// [`InvalidKey`]: never with a working `ring`.
    pub fn random() -> Result<Self, InvalidKey> {
        Self::of(Secret::new(rand::random()))
    }

    /// What the broker knows the key by.
    pub fn thumbprint(&self) -> String {
        thumbprint(&self.0.public)
    }

    /// A proof for a request.
    pub fn proof(&self, claims: &Claims) -> String {
        let header = format!(
            r#"{{"typ":"{PROOF_TYPE}","alg":"{ALGORITHM}","jwk":{{"kty":"OKP","crv":"Ed25519","x":"{}"}}}}"#,
            self.0.public
        );
        // A struct of texts and a number always serialises; an empty proof is refused by the broker.
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.0.pair.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn of(seed: Secret<[u8; 32]>) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| InvalidKey)?;
        let public = URL_SAFE_NO_PAD.encode(pair.public_key());
        Ok(Self(Arc::new(Inner { seed, pair, public })))
    }
}

impl TryFrom<Secret<String>> for ProofKey {
    type Error = InvalidKey;

    fn try_from(text: Secret<String>) -> Result<Self, InvalidKey> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.expose()).map_err(|_| InvalidKey)?);
        Self::of(Secret::new(bytes.as_slice().try_into().map_err(|_| InvalidKey)?))
    }
}

impl From<ProofKey> for Secret<String> {
    fn from(key: ProofKey) -> Self {
        Self::new(URL_SAFE_NO_PAD.encode(key.0.seed.expose()))
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(…)")
    }
}

/// A token and the key that it is bound to; without one it is a bearer token, which an operator made.
#[derive(Debug, Clone)]
pub struct Held {
    /// The access token.
    pub token: Secret<String>,
    /// Its key.
    pub key: Option<ProofKey>,
}

impl Held {
    /// `request` with the token on it, and with the proof: of its method, its URL, the token, and whatever it asks for in the header
    /// of a connect or in a body. Nothing of these may be changed afterwards.
    pub(crate) fn on(&self, request: RequestBuilder, http: &Http) -> Result<RequestBuilder, HttpError> {
        signed(request, |request| {
            let scheme = if self.key.is_some() { SCHEME } else { "Bearer" };
            let value = Zeroizing::new(format!("{scheme} {}", self.token.expose()));
            // No token of a broker has other characters: sent without, it is answered with "not logged in".
            secret(request.headers_mut(), AUTHORIZATION.as_str(), &value);
            if let Some(key) = &self.key {
                key.prove(request, http, Some(&self.token));
            }
        })
    }
}

impl ProofKey {
    /// `request` with a proof but without an access token: where tokens are given out and taken back.
    pub(crate) fn on(&self, request: RequestBuilder, http: &Http) -> Result<RequestBuilder, HttpError> {
        signed(request, |request| self.prove(request, http, None))
    }

    fn prove(&self, request: &mut Request, http: &Http, token: Option<&Secret<String>>) {
        let mut url = request.url().clone();
        url.set_query(None);
        url.set_fragment(None);
        let asked = request.headers().get(CONNECT_HEADER).map(HeaderValue::as_bytes);
        let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
        let claims = Claims {
            jti: URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()),
            htm: request.method().as_str().to_owned(),
            htu: url.into(),
            iat: http.clock().now(),
            ath: token.map(|token| hash(token.expose())),
            nonce: http.nonce(),
            zth: asked.map(hash),
            zbh: token.filter(|_| covers_body(request.method().as_str())).map(|_| hash(body)),
        };
        let proof = self.proof(&claims);
        secret(request.headers_mut(), PROOF_HEADER, &proof);
    }
}

fn signed(request: RequestBuilder, sign: impl FnOnce(&mut Request)) -> Result<RequestBuilder, HttpError> {
    let (client, request) = request.build_split();
    let mut request = request.map_err(|error| HttpError::classify(&error))?;
    sign(&mut request);
    Ok(RequestBuilder::from_parts(client, request))
}

/// Sets a header that no trace shows.
fn secret(headers: &mut HeaderMap, name: &'static str, value: &str) {
    if let Ok(mut value) = HeaderValue::from_str(value) {
        value.set_sensitive(true);
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use reqwest::Method;

    use super::*;
    use crate::client::http::fake::{FakeBroker, json};

    fn claims(proof: &str) -> Claims {
        let claims = proof.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    #[test]
    fn a_key_is_kept_and_is_the_same_key() {
        let key = ProofKey::random().unwrap();
        let text = serde_json::to_string(&key).unwrap();
        let again: ProofKey = serde_json::from_str(&text).unwrap();
        assert_eq!(again.thumbprint(), key.thumbprint());
        assert_ne!(ProofKey::random().unwrap().thumbprint(), key.thumbprint());
        let seed = text.trim_matches('"');
        for shown in [format!("{key:?}"), format!("{:?}", Held { token: "t0k3n".to_owned().into(), key: Some(key.clone()) })] {
            assert!(!shown.contains(seed) && !shown.contains("t0k3n"), "{shown}");
        }
        for text in [r#""""#, r#""AAAA""#, r#""not base64url!""#, "1", "null"] {
            assert!(serde_json::from_str::<ProofKey>(text).is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn a_proof_is_for_one_request_and_covers_it() {
        let broker = FakeBroker::start(|_| json("{}")).await;
        let http = broker.client(1_000);
        let held = Held { token: "t0ken".to_owned().into(), key: Some(ProofKey::random().unwrap()) };
        let sent = |builder: RequestBuilder| held.on(builder, &http).unwrap().build().unwrap();
        let proof = |request: &Request| claims(request.headers()[PROOF_HEADER].to_str().unwrap());
        let get = || http.request(Method::GET, "/v1/whoami").query(&[("a", "b")]);
        let (one, two) = (sent(get()), sent(get()));
        assert!(one.headers()[PROOF_HEADER].is_sensitive() && one.headers()[AUTHORIZATION].is_sensitive());
        assert_eq!(one.headers()[AUTHORIZATION], "DPoP t0ken");
        let (first, second) = (proof(&one), proof(&two));
        assert_ne!(first.jti, second.jti);
        assert_eq!((first.htm.as_str(), first.iat), ("GET", 1_000));
        assert_eq!(first.htu, format!("{}/v1/whoami", broker.url));
        assert_eq!(first.ath, Some(hash("t0ken")));
        assert!(first.zth.is_none() && first.zbh.is_none() && first.nonce.is_none());
        let connect = proof(&sent(get().header(CONNECT_HEADER, "e30")));
        assert_eq!(connect.zth, Some(hash("e30")));
        let post = proof(&sent(http.request(Method::POST, "/v1/x").body("{}")));
        assert_eq!((post.zbh, post.zth), (Some(hash("{}")), None));
        assert_eq!(proof(&sent(http.request(Method::POST, "/v1/x"))).zbh, Some(hash("")));
        let form = held.key.as_ref().unwrap().on(http.request(Method::POST, "/oauth/token").body("a=b"), &http).unwrap();
        let form = form.build().unwrap();
        assert!(proof(&form).ath.is_none() && proof(&form).zbh.is_none() && form.headers().get(AUTHORIZATION).is_none());
    }

    #[tokio::test]
    async fn a_bearer_token_comes_without_a_proof() {
        let broker = FakeBroker::start(|_| json("{}")).await;
        let http = broker.client(1_000);
        let held = Held { token: "t0ken".to_owned().into(), key: None };
        let request = held.on(http.request(Method::GET, "/v1/whoami"), &http).unwrap().build().unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer t0ken");
        assert!(request.headers().get(PROOF_HEADER).is_none());
    }
}
