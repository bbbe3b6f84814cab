//! A provider that lies in each way there is. What it says right is shown with a real one, in `tests/it/oidc.rs`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use axum::extract::State as Extracted;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};

use super::*;
use crate::broker::jwt::tests::Issuer;

/// What the provider does.
struct Liar {
    issuer: String,
    keys: Mutex<Value>,
    token: Mutex<Value>,
    fetched: AtomicU64,
}

/// It, and a broker's end that believes what can be believed.
struct Scene {
    liar: Arc<Liar>,
    provider: Arc<OpenidProvider>,
    signer: Issuer,
}

const NOW: u64 = 1_800_000_000;
static KEY: std::sync::LazyLock<Secret<[u8; 32]>> = std::sync::LazyLock::new(|| Secret::new([7; 32]));
const ID: &str = "attempt";

async fn metadata(Extracted(liar): Extracted<Arc<Liar>>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", liar.issuer);
    Json(json!({
        "issuer": liar.issuer, "authorization_endpoint": at("/auth"), "token_endpoint": at("/token"), "jwks_uri": at("/keys"),
        "userinfo_endpoint": at("/userinfo"), "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
    }))
}

async fn keys(Extracted(liar): Extracted<Arc<Liar>>) -> Json<Value> {
    liar.fetched.fetch_add(1, Relaxed);
    Json(liar.keys.lock().unwrap().clone())
}

async fn token(Extracted(liar): Extracted<Arc<Liar>>) -> (axum::http::StatusCode, Json<Value>) {
    let token = liar.token.lock().unwrap().clone();
    let status = if token.get("error").is_some() { 400 } else { 200 };
    (axum::http::StatusCode::from_u16(status).unwrap(), Json(token))
}

impl Scene {
    async fn new() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let signer = Issuer::new("one");
        let liar = Arc::new(Liar {
            issuer: issuer.clone(),
            keys: Mutex::new(signer.keys()),
            token: Mutex::default(),
            fetched: AtomicU64::new(0),
        });
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(metadata))
            .route("/keys", get(keys))
            .route("/token", post(token))
            .with_state(Arc::clone(&liar));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut config = Config::dev("/s".into(), "127.0.0.1:1".parse().unwrap(), "/p".into());
        config.providers = vec![Provider {
            name: "corp".into(),
            title: "Corp".into(),
            issuer,
            client_id: "ztctl".into(),
            client_secret: Some(Secret::new("a shared secret".into())),
            scopes: vec![],
            username_claim: "preferred_username".into(),
            groups_claim: "groups".into(),
            groups: vec!["s*".into(), "web".into()],
            mfa_amr: vec!["otp".into()],
            mfa_acr: vec!["urn:gold".into()],
            ca: None,
        }];
        let providers = Providers::new(&config, &Clock::from_fn(|| NOW)).unwrap();
        let provider = Arc::clone(providers.get("corp").unwrap());
        Self { liar, provider, signer }
    }

    /// What an honest one would claim.
    fn claims(&self) -> Value {
        json!({
            "iss": self.liar.issuer, "aud": "ztctl", "sub": "1234", "iat": NOW, "exp": NOW + 300,
            "nonce": nonce(&KEY, ID).secret(), "preferred_username": "ada", "groups": ["sre", "admins", "/web", "s p"],
        })
    }

    async fn answered(&self, id_token: &str) -> Result<Person, OidcError> {
        *self.liar.token.lock().unwrap() =
            json!({"access_token": "a", "token_type": "Bearer", "id_token": id_token, "refresh_token": "refresh me"});
        self.provider.person(&KEY, ID, "code").await
    }

    async fn claimed(&self, change: impl FnOnce(&mut Value)) -> Result<Person, OidcError> {
        let mut claims = self.claims();
        change(&mut claims);
        self.answered(&self.signer.sign(&claims)).await
    }
}

fn part(value: &Value) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string())
}

#[tokio::test]
async fn an_honest_word_is_believed() {
    let scene = Scene::new().await;
    let person = scene.claimed(|_| ()).await.unwrap();
    assert_eq!((person.to_string().as_str(), person.mfa_at), ("ada@corp", None));
    let groups: Vec<String> = person.groups.unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(groups, ["sre", "web"]);
    assert!(!person.upstream.unwrap().contains("refresh me"));
    // A clock that is a little off, several audiences of which we are the authorised one, more than one factor.
    scene.claimed(|claims| (claims["iat"], claims["exp"]) = ((NOW + 30).into(), (NOW + 31).into())).await.unwrap();
    scene.claimed(|claims| claims["exp"] = (NOW - 30).into()).await.unwrap();
    let by_method = scene.claimed(|claims| claims["amr"] = json!(["pwd", "otp"])).await.unwrap();
    assert_eq!(by_method.mfa_at, Some(NOW));
    let by_level = scene.claimed(|claims| (claims["acr"], claims["auth_time"]) = ("urn:gold".into(), (NOW - 60).into()));
    assert_eq!(by_level.await.unwrap().mfa_at, Some(NOW - 60));
}

#[tokio::test]
async fn a_lie_is_not() {
    let scene = Scene::new().await;
    type Lie = fn(&mut Value);
    let lies: [(&str, Lie); 12] = [
        ("another issuer", |claims| claims["iss"] = "https://evil.example".into()),
        ("another audience", |claims| claims["aud"] = "somebody else".into()),
        ("one more audience", |claims| claims["aud"] = json!(["ztctl", "somebody else"])),
        ("another nonce", |claims| claims["nonce"] = "AAAA".into()),
        ("no nonce", |claims| claims["nonce"] = Value::Null),
        ("over", |claims| claims["exp"] = (NOW - 61).into()),
        ("not yet", |claims| claims["iat"] = (NOW + 3600).into()),
        ("no name", |claims| claims["preferred_username"] = Value::Null),
        ("an empty name", |claims| claims["preferred_username"] = "".into()),
        ("a name with more in it", |claims| claims["preferred_username"] = "ada\u{1b}[31m".into()),
        ("a name that is a path", |claims| claims["preferred_username"] = "../ada".into()),
        ("a name that is none", |claims| claims["preferred_username"] = json!(["ada"])),
    ];
    for (what, lie) in lies {
        let said = scene.claimed(lie).await;
        assert!(matches!(said, Err(OidcError::Forged(_) | OidcError::Unfit(_) | OidcError::Away(_))), "{what}: {said:?}");
    }
}

#[tokio::test]
async fn a_forged_signature_is_not() {
    let scene = Scene::new().await;
    let claims = scene.claims();
    let refused = async |what: &str, token: &str| {
        let said = scene.answered(token).await;
        assert!(matches!(said, Err(OidcError::Forged(_) | OidcError::Away(_))), "{what}: {said:?}");
    };
    // Another's key under the same name, and under its own.
    refused("the same name", &Issuer::new("one").sign(&claims)).await;
    refused("another key", &Issuer::new("two").sign(&claims)).await;
    let unsigned = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims));
    refused("none", &unsigned).await;
    // Signed with the secret that client and provider share, and with the public key as if it were one.
    for secret in ["a shared secret".as_bytes().to_vec(), scene.signer.key()["x"].to_string().into_bytes()] {
        let signed = format!("{}.{}", part(&json!({"alg": "HS256", "kid": "one"})), part(&claims));
        let tag = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret), signed.as_bytes());
        use base64::Engine;
        let tag = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(tag.as_ref());
        refused("HS256", &format!("{signed}.{tag}")).await;
    }
    let mut changed = scene.signer.sign(&claims);
    let middle = changed.len() / 2;
    let other = if changed.as_bytes()[middle] == b'A' { "B" } else { "A" };
    changed.replace_range(middle..=middle, other);
    refused("a changed letter", &changed).await;
    refused("nothing", "").await;
    // A forger does not make us fetch the keys each time.
    assert!(scene.liar.fetched.load(Relaxed) <= 2);
}

#[tokio::test]
async fn whoever_is_gone_or_somebody_else_is_no_longer_there() {
    let scene = Scene::new().await;
    let person = scene.claimed(|_| ()).await.unwrap();
    let upstream = person.upstream.unwrap();
    let still = async |answer: Value| {
        *scene.liar.token.lock().unwrap() = answer;
        scene.provider.still(&KEY, "ada", &upstream).await
    };
    let tokens = json!({"access_token": "a", "token_type": "Bearer", "refresh_token": "next"});
    let kept = still(tokens.clone()).await.unwrap();
    assert!(kept.groups.is_none() && kept.upstream != upstream);
    let with = |change: fn(&mut Value)| {
        let (mut claims, mut tokens) = (scene.claims(), tokens.clone());
        claims["nonce"] = Value::Null;
        change(&mut claims);
        tokens["id_token"] = scene.signer.sign(&claims).into();
        tokens
    };
    let renewed = still(with(|claims| claims["groups"] = json!(["sales"]))).await.unwrap();
    assert_eq!(renewed.groups, Some(vec!["sales".parse().unwrap()]));
    for other in [with(|claims| claims["sub"] = "5678".into()), with(|claims| claims["preferred_username"] = "bob".into())] {
        assert!(matches!(still(other).await, Err(OidcError::Forged(_))));
    }
    assert!(matches!(still(json!({"error": "invalid_grant"})).await, Err(OidcError::Refused(_))));
    // A mistake of the operator's is not the end of everybody's logins, nor is nonsense.
    assert!(matches!(still(json!({"error": "invalid_client"})).await, Err(OidcError::Stranger(_))));
    assert!(matches!(still(json!({"odd": true})).await, Err(OidcError::Away(_))));
    assert!(matches!(scene.provider.still(&KEY, "ada", "garbage").await, Err(OidcError::Unfit(_))));
    // The old refresh token is used up, and the userinfo endpoint does not answer as it should: the next one is kept all the same.
    let unsure = with(|claims| claims["groups"] = Value::Null);
    let kept = still(unsure).await.unwrap();
    assert!(kept.groups.is_none() && seal::open(&scene.provider.seal(&KEY), &kept.upstream).unwrap().token.expose() == "next");
}
