//! Proofs as they are made, and in each way in which they are wrong.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::*;
use crate::broker::{Broker, Config};
use crate::clock::Clock;
use crate::proto::dpop::thumbprint;

/// Somebody with a key.
pub(crate) struct Holder(Ed25519KeyPair);

impl Holder {
    /// Whose key is of this seed.
    pub(crate) fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub(crate) fn thumbprint(&self) -> String {
        thumbprint(&self.public())
    }

    /// A new proof for a request with this token, made at `now`.
    pub(crate) fn proof(&self, method: &str, url: &str, token: Option<&str>, now: u64) -> String {
        self.sign(&claims(method, url, token, now))
    }

    /// A proof with these claims.
    pub(crate) fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": self.jwk()}), claims)
    }

    fn sign_as(&self, header: &Value, claims: &Value) -> String {
        assemble(header, claims, |signed| self.0.sign(signed).as_ref().to_vec())
    }

    fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": self.public()})
    }

    fn public(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0.public_key())
    }
}

/// The claims of a proof, to be changed.
pub(crate) fn claims(method: &str, url: &str, token: Option<&str>, now: u64) -> Value {
    let jti = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>());
    let mut claims = json!({"jti": jti, "htm": method, "htu": url, "iat": now});
    if let Some(token) = token {
        claims["ath"] = hash(token).into();
    }
    claims
}

fn assemble(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

const NOW: u64 = 1_800_000_000;
const URL: &str = "https://127.0.0.1:9443/v1/whoami";
const TOKEN: &str = "zta_token";

/// A broker at the address of [`URL`], and a key that a token is bound to.
struct Scene {
    _folder: tempfile::TempDir,
    broker: Broker,
    holder: Holder,
}

impl Scene {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.cedar");
        std::fs::write(&policy, "@id(\"all\") permit (principal, action, resource);").unwrap();
        let config = Config::dev(folder.path().join("state"), "127.0.0.1:9443".parse().unwrap(), policy);
        let broker = Broker::open(config, Clock::from_fn(|| NOW)).await.unwrap();
        Self { _folder: folder, broker, holder: Holder::new(1) }
    }

    /// What the broker thinks of these proofs on `GET /v1/whoami`.
    fn judge(&self, proofs: &[&str]) -> Result<(), ProofError> {
        self.judge_request("GET", "/v1/whoami", proofs, &[], None)
    }

    fn judge_request(
        &self,
        method: &str,
        path: &str,
        proofs: &[&str],
        more: &[(&'static str, &str)],
        body: Option<&[u8]>,
    ) -> Result<(), ProofError> {
        let mut headers = HeaderMap::new();
        for (name, value) in proofs.iter().map(|proof| (PROOF_HEADER, *proof)).chain(more.iter().copied()) {
            headers.append(name, value.parse().unwrap());
        }
        let sent = Sent { method, path, headers: &headers, address: [192, 0, 2, 1].into(), body };
        judge(&self.broker.state, &sent, Bound { token: Some(TOKEN), key: &self.holder.thumbprint() })
    }

    fn claims(&self) -> Value {
        claims("GET", URL, Some(TOKEN), NOW)
    }

    /// The claims with one of them changed.
    fn with(&self, name: &str, value: impl Into<Value>) -> String {
        let mut claims = self.claims();
        claims[name] = value.into();
        self.holder.sign(&claims)
    }
}

#[tokio::test]
async fn a_good_proof_is_good_once() {
    let scene = Scene::open().await;
    let proof = scene.holder.sign(&scene.claims());
    assert_eq!(scene.judge(&[&proof]), Ok(()));
    assert_eq!(scene.judge(&[&proof]), Err(ProofError::Used));
    assert_eq!(scene.judge(&[&scene.holder.sign(&scene.claims())]), Ok(()));
}

#[tokio::test]
async fn there_is_exactly_one() {
    let scene = Scene::open().await;
    let proof = scene.holder.sign(&scene.claims());
    assert_eq!(scene.judge(&[]), Err(ProofError::Missing));
    assert_eq!(scene.judge(&[&proof, &proof]), Err(ProofError::Several));
    for text in ["", "a", "a.b", "a.b.c", "....", &"x".repeat(LIMIT + 1), &format!("{proof}."), &proof.replace('.', "")] {
        assert!(matches!(scene.judge(&[text]), Err(ProofError::NotOne(_))), "{text}");
    }
}

#[tokio::test]
async fn the_header_says_what_it_must_and_the_key_is_public_and_its_own() {
    let scene = Scene::open().await;
    let (holder, good) = (&scene.holder, json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": scene.holder.jwk()}));
    let with = |name: &str, value: Value| {
        let mut header = good.clone();
        header[name] = value;
        scene.judge(&[&holder.sign_as(&header, &scene.claims())])
    };
    assert_eq!(with("typ", json!("DPoP+JWT")), Ok(()));
    assert_eq!(with("kid", json!("whatever")), Ok(()));
    for (name, value) in [
        ("typ", json!("JWT")),
        ("typ", Value::Null),
        ("alg", json!("none")),
        ("alg", json!("ES256")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("alg", Value::Null),
        ("jwk", Value::Null),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519"})),
        ("jwk", json!({"kty": "OKP", "crv": "X25519", "x": holder.public()})),
        ("jwk", json!({"kty": "oct", "crv": "Ed25519", "x": holder.public(), "k": holder.public()})),
        ("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "not base64url!"})),
        ("crit", json!(["b64"])),
    ] {
        let said = with(name, value.clone());
        assert!(matches!(said, Err(ProofError::NotOne(_))), "{name} {value}: {said:?}");
    }
    let mut private = holder.jwk();
    private["d"] = URL_SAFE_NO_PAD.encode([1; 32]).into();
    assert_eq!(with("jwk", private), Err(ProofError::NotOne("it holds a private key")));
    // Signed by one in the name of another, and a key of which only the curve is right.
    assert_eq!(with("jwk", Holder::new(2).jwk()), Err(ProofError::Forged));
    assert_eq!(with("jwk", json!({"kty": "OKP", "crv": "Ed25519", "x": "AAAA"})), Err(ProofError::Forged));
}

#[tokio::test]
async fn a_public_key_is_no_secret_to_sign_with() {
    use hmac::{Hmac, KeyInit, Mac};
    let scene = Scene::open().await;
    for algorithm in ["HS256", "EdDSA"] {
        let header = json!({"typ": "dpop+jwt", "alg": algorithm, "jwk": scene.holder.jwk()});
        let forged = assemble(&header, &scene.claims(), |signed| {
            let mut mac = Hmac::<sha2::Sha256>::new_from_slice(scene.holder.0.public_key().as_ref()).unwrap();
            mac.update(signed);
            mac.finalize().into_bytes().to_vec()
        });
        let said = scene.judge(&[&forged]);
        assert!(matches!(said, Err(ProofError::NotOne(_) | ProofError::Forged)), "{algorithm}: {said:?}");
        let unsigned = assemble(&header, &scene.claims(), |_| Vec::new());
        assert!(scene.judge(&[&unsigned]).is_err());
    }
    let good = scene.holder.sign(&scene.claims());
    let [header, _, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
    let changed = URL_SAFE_NO_PAD.encode(scene.claims().to_string());
    assert_eq!(scene.judge(&[&format!("{header}.{changed}.{signature}")]), Err(ProofError::Forged));
}

#[tokio::test]
async fn another_key_is_refused_whatever_it_signs() {
    let scene = Scene::open().await;
    let other = Holder::new(2);
    assert_eq!(scene.judge(&[&other.sign(&scene.claims())]), Err(ProofError::OtherKey));
    // A good one of the other algorithm.
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
    let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": x, "y": y}});
    let signed = assemble(&header, &scene.claims(), |signed| pair.sign(&random, signed).unwrap().as_ref().to_vec());
    assert_eq!(scene.judge(&[&signed]), Err(ProofError::OtherKey));
    let headers: HeaderMap = [(PROOF_HEADER.parse().unwrap(), signed.parse().unwrap())].into_iter().collect();
    let sent = Sent { method: "GET", path: "/v1/whoami", headers: &headers, address: [192, 0, 2, 1].into(), body: None };
    let known_by = judge_first(&scene.broker.state, &sent).unwrap();
    assert_eq!(judge(&scene.broker.state, &sent, Bound { token: Some(TOKEN), key: &known_by }), Ok(()));
}

#[tokio::test]
async fn it_is_for_this_request_and_this_token() {
    let scene = Scene::open().await;
    for htu in [URL, &format!("{URL}?a=b"), &format!("{URL}#a"), "HTTPS://127.0.0.1:9443/v1/whoami"] {
        assert_eq!(scene.judge(&[&scene.with("htu", htu)]), Ok(()), "{htu}");
    }
    for htu in [
        "http://127.0.0.1:9443/v1/whoami",
        "https://127.0.0.1/v1/whoami",
        "https://broker.example:9443/v1/whoami",
        "https://127.0.0.1:9443/v1/whoami/",
        "https://127.0.0.1:9443/v1/containers",
        "https://me@127.0.0.1:9443/v1/whoami",
        "/v1/whoami",
        "",
    ] {
        assert_eq!(scene.judge(&[&scene.with("htu", htu)]), Err(ProofError::Other("address")), "{htu}");
    }
    for htm in ["get", "POST", ""] {
        assert_eq!(scene.judge(&[&scene.with("htm", htm)]), Err(ProofError::Other("method")), "{htm}");
    }
    for ath in [json!(hash("zta_other")), json!(""), Value::Null, json!(TOKEN)] {
        assert_eq!(scene.judge(&[&scene.with("ath", ath.clone())]), Err(ProofError::Other("token")), "{ath}");
    }
    for (name, value) in
        [("jti", json!("")), ("jti", json!("x".repeat(JTI_LIMIT + 1))), ("jti", json!(1)), ("iat", json!("now"))]
    {
        let said = scene.judge(&[&scene.with(name, value.clone())]);
        assert!(matches!(said, Err(ProofError::NotOne(_))), "{name} {value}: {said:?}");
    }
}

#[tokio::test]
async fn the_connect_request_and_the_body_are_those_that_were_signed() {
    let scene = Scene::open().await;
    let connect = |zth: Value, sent: &[&str]| {
        let more: Vec<_> = sent.iter().map(|value| (CONNECT_HEADER, *value)).collect();
        scene.judge_request("GET", "/v1/whoami", &[&scene.with("zth", zth)], &more, None)
    };
    assert_eq!(connect(json!(hash("abc")), &["abc"]), Ok(()));
    let refused = Err(ProofError::Other("connect request"));
    assert_eq!(connect(json!(hash("abc")), &["abd"]), refused);
    assert_eq!(connect(Value::Null, &["abc"]), refused);
    assert_eq!(connect(json!(hash("abc")), &[]), refused);
    assert_eq!(connect(json!(hash("abc")), &["abc", "abd"]), refused);

    let post = |zbh: Value, body: Option<&[u8]>| {
        let mut claims = claims("POST", URL, Some(TOKEN), NOW);
        claims["zbh"] = zbh;
        scene.judge_request("POST", "/v1/whoami", &[&scene.holder.sign(&claims)], &[], body)
    };
    assert_eq!(post(json!(hash("{}")), Some(b"{}")), Ok(()));
    assert_eq!(post(json!(hash("")), Some(b"")), Ok(()));
    let refused = Err(ProofError::Other("body"));
    assert_eq!(post(json!(hash("{}")), Some(b"{ }")), refused);
    assert_eq!(post(Value::Null, Some(b"{}")), refused);
    assert_eq!(post(Value::Null, None), refused, "a handler that does not say what came");
    assert_eq!(post(json!(hash("")), None), refused);
}

#[tokio::test]
async fn a_proof_is_of_now_or_has_the_nonce() {
    let scene = Scene::open().await;
    for iat in [NOW - WINDOW, NOW + WINDOW] {
        assert_eq!(scene.judge(&[&scene.with("iat", iat)]), Ok(()), "{iat}");
    }
    for iat in [NOW - WINDOW - 1, NOW + WINDOW + 1, 0, u64::MAX] {
        assert_eq!(scene.judge(&[&scene.with("iat", iat)]), Err(ProofError::Late), "{iat}");
    }
    let state = &scene.broker.state;
    let with = |nonce: &str| {
        let mut claims = scene.claims();
        (claims["iat"], claims["nonce"]) = (7200.into(), nonce.into());
        scene.holder.sign(&claims)
    };
    let proof = with(&state.proofs.nonce(NOW));
    assert_eq!(scene.judge(&[&proof]), Ok(()));
    assert_eq!(scene.judge(&[&proof]), Err(ProofError::Used), "a nonce is no licence to repeat");
    for nonce in ["", "made up", &state.proofs.nonce(NOW - 120), &state.proofs.nonce(NOW + 120)] {
        assert_eq!(scene.judge(&[&with(nonce)]), Err(ProofError::Late), "{nonce}");
    }
    // Only whoever has the key hears of the time.
    let mut late = scene.claims();
    late["iat"] = 7200.into();
    assert_eq!(scene.judge(&[&Holder::new(2).sign(&late)]), Err(ProofError::OtherKey));
}
