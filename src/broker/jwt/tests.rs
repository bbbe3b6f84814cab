//! Tokens as others sign them, and as nobody may.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;

/// Somebody who signs tokens.
pub(crate) struct Issuer {
    pair: EcdsaKeyPair,
    id: String,
}

impl Issuer {
    /// One with a new key of this name.
    pub(crate) fn new(id: &str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { pair, id: id.to_owned() }
    }

    /// Its key, as it is published.
    pub(crate) fn key(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.id, "x": x, "y": y})
    }

    /// The set of this key alone.
    pub(crate) fn keys(&self) -> Value {
        json!({"keys": [self.key()]})
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"alg": "ES256", "kid": self.id}), claims)
    }

    fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn set(keys: Value) -> JwkSet {
    serde_json::from_value(keys).unwrap()
}

#[test]
fn a_token_is_its_signers_and_nobody_elses() {
    let (issuer, other) = (Issuer::new("one"), Issuer::new("two"));
    let keys = set(json!({"keys": [other.key(), issuer.key()]}));
    let claims = json!({"sub": "ada", "exp": 1});
    let token = issuer.sign(&claims);
    assert_eq!(verify::<Value>(&token, &keys).unwrap(), claims, "the time is not judged here");
    assert_eq!(verify::<Value>(&token, &set(other.keys())), Err(JwtError::UnknownKey));
    // Signed by one in the name of the other.
    let forged = issuer.sign_as(&json!({"alg": "ES256", "kid": "two"}), &claims);
    assert_eq!(verify::<Value>(&forged, &keys), Err(JwtError::Forged));
    let [header, _, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let changed = format!("{header}.{}.{signature}", part(&json!({"sub": "eve"})));
    assert_eq!(verify::<Value>(&changed, &keys), Err(JwtError::Forged));
    // Without a name it is the only key that it could be.
    let nameless = issuer.sign_as(&json!({"alg": "ES256"}), &claims);
    assert!(verify::<Value>(&nameless, &set(issuer.keys())).is_ok());
    assert_eq!(verify::<Value>(&nameless, &keys), Err(JwtError::UnknownKey));
}

#[test]
fn the_algorithm_is_the_keys_to_say() {
    let issuer = Issuer::new("one");
    let keys = set(issuer.keys());
    let claims = json!({"sub": "eve"});
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none", "kid": "one"})), part(&claims));
    assert_eq!(verify::<Value>(&unsigned, &keys), Err(JwtError::NotOne));
    for algorithm in ["HS256", "RS256", "ES384", "EdDSA", "nonsense"] {
        let token = issuer.sign_as(&json!({"alg": algorithm, "kid": "one"}), &claims);
        let said = verify::<Value>(&token, &keys);
        assert!(matches!(said, Err(JwtError::NotOne | JwtError::UnknownKey)), "{algorithm}: {said:?}");
    }
    let critical = issuer.sign_as(&json!({"alg": "ES256", "kid": "one", "crit": ["b64"], "b64": false}), &claims);
    assert_eq!(verify::<Value>(&critical, &keys), Err(JwtError::NotOne));
    // A key for encryption signs nothing, nor does a symmetric one.
    let mut key = issuer.key();
    key["use"] = "enc".into();
    assert_eq!(verify::<Value>(&issuer.sign(&claims), &set(json!({"keys": [key]}))), Err(JwtError::UnknownKey));
    let symmetric = set(json!({"keys": [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}]}));
    assert_eq!(verify::<Value>(&issuer.sign(&claims), &symmetric), Err(JwtError::UnknownKey));
    for nonsense in ["", ".", "..", "a.b.c", "\u{0}", &"x.".repeat(5000)] {
        assert!(verify::<Value>(nonsense, &keys).is_err());
    }
    #[derive(Debug, serde::Deserialize, PartialEq)]
    struct Other {
        exp: u64,
    }
    assert_eq!(verify::<Other>(&issuer.sign(&claims), &keys), Err(JwtError::Claims));
}

/// A key and a token that OpenSSL has made; clusters sign with RSA.
#[test]
fn rsa_is_verified() {
    let n = "vyOGgWdO0VhB9QpCqGPvapAUu_510F1yJLse7Da1TbvivvhOGPKXq1W6lgcRw2TSbOMzjabWurxfLqQdsmne7HQHzkzqdo9hXKYIq4wpdZCcsVRQKj2VuYMRTkQDio8CFvERDyFsku0JiIH_ZefPH6wuFOhZUoZyex-sxrGZtHgl1Ctd4i6wRs4cHt20_ljORfMPbkiR8fFnFv_pDgKPQrF86cQ3BhcVJR5Gqk45z5wBHlKVr9qP3thv28miZFAiWSIv6qQWKVaRd8Sd7PCXUTOqoQrCo8mZftVdJ_dAM4JYxpecvVCNxRzhIiv4xZjk51SC5J0PNmqmRcTrSZ9n_Q";
    let token = concat!(
        "eyJhbGciOiJSUzI1NiIsImtpZCI6InIifQ.eyJzdWIiOiJyc2EifQ.",
        "bWs0huFtoOUtY8aYf1i97l337_ouAfA9rqKtOLxl8gYX7YtsqcMkk6_x-l2PBbArYSPEA0ZgFpo3aHk_JZEBlI70irHGo-vwcVnpXYHHJKxXeZS5kBfsKDY3o-K1AxYxKmRXhW_pOHX9NtkyQDMVhhgTU3qgvSDDtCU9wHzGa8VuXpSoEK1BS-LpMC862u32ivpH1WCrdySPsx-7MzCXD9_WGWcyUfnHgmwRrLmiCTQruZyZCmV4KVlhznp4CGXFuGQasToEsQFzRWs5aoatHwF8WmptvpteOFpcb2p-Mvlwo-Nc0kBZfJL1pcHS4vR1jx9rxHhQDFO5BrXvzh3_wA"
    );
    let keys = set(json!({"keys": [{"kty": "RSA", "kid": "r", "use": "sig", "alg": "RS256", "n": n, "e": "AQAB"}]}));
    assert_eq!(verify::<Value>(token, &keys).unwrap(), json!({"sub": "rsa"}));
    let other = token.replacen("eyJzdWIi", "eyJzdWJi", 1);
    assert_eq!(verify::<Value>(&other, &keys), Err(JwtError::Forged));
}

#[tokio::test]
async fn keys_in_a_file_are_read_anew() {
    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let file = tempfile::NamedTempFile::new().unwrap();
    let keys = Keys::new(Source::File(file.path().to_path_buf())).unwrap();
    let verified = async |issuer: &Issuer| keys.verify::<Value>(&issuer.sign(&json!({}))).await;
    assert!(matches!(verified(&old).await, Err(JwtError::NoKeys(_))), "an empty file is no set");
    std::fs::write(file.path(), old.keys().to_string()).unwrap();
    assert!(verified(&old).await.is_ok() && verified(&new).await.is_err());
    std::fs::write(file.path(), new.keys().to_string()).unwrap();
    assert!(verified(&new).await.is_ok() && verified(&old).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn keys_at_an_address_are_fetched_when_they_have_to_be() {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    let (old, new) = (Issuer::new("old"), Issuer::new("new"));
    let published = Arc::new(Mutex::new(old.keys().to_string()));
    let fetched = Arc::new(AtomicUsize::new(0));
    let (shown, counted) = (Arc::clone(&published), Arc::clone(&fetched));
    let handler = move || {
        counted.fetch_add(1, Relaxed);
        let body = shown.lock().unwrap().clone();
        async move { body }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap()).parse().unwrap();
    let router = axum::Router::new().route("/jwks", axum::routing::get(handler));
    tokio::spawn(axum::serve(listener, router).into_future());
    let keys = Keys::new(Source::Url { url, ca: None }).unwrap();
    let verified = async |issuer: &Issuer| keys.verify::<Value>(&issuer.sign(&json!({}))).await.is_ok();
    assert!(verified(&old).await && verified(&old).await);
    assert_eq!(fetched.load(Relaxed), 1);
    // A key that is not known is looked for, but not at each attempt.
    assert!(!verified(&new).await && !verified(&new).await);
    assert_eq!(fetched.load(Relaxed), 1);
    *published.lock().unwrap() = new.keys().to_string();
    tokio::time::advance(Duration::from_secs(11)).await;
    assert!(verified(&new).await && !verified(&old).await);
    assert_eq!(fetched.load(Relaxed), 2);
    // What is no set of keys any more does not lock everybody out at once.
    *published.lock().unwrap() = "<html>".to_owned();
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert!(verified(&new).await);
    tokio::time::advance(Duration::from_secs(24 * 3600)).await;
    assert!(!verified(&new).await);
}
