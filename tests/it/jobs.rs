//! A CI job logs in with its platform's token, does what it is for, and nothing else.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};
use ztctl::broker::audit::Query;
use ztctl::broker::config::{Job, Source};
use ztctl::broker::identity::Narrowing;
use ztctl::proto::Action;

use crate::world::World;

const PLATFORM: &str = "https://ci.example.com";

/// A platform that signs tokens for its jobs.
struct Platform(EcdsaKeyPair);

impl Platform {
    fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap())
    }

    fn keys(&self) -> String {
        let point = self.0.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"keys": [{"kty": "EC", "crv": "P-256", "use": "sig", "kid": "one", "x": x, "y": y}]}).to_string()
    }

    fn token(&self, audience: &str, repository: &str) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({
            "iss": PLATFORM, "aud": audience, "sub": format!("repo:{repository}:main"), "repository": repository, "iat": now, "exp": now + 300,
        });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&json!({"alg": "ES256", "kid": "one"})), part(&claims));
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_does_what_it_is_for_and_nothing_else() {
    let platform = Platform::new();
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, platform.keys()).unwrap();
    let policy = r#"permit (principal == User::"deploy@ci", action, resource);"#;
    let world = World::configured("127.0.0.1", policy, |config| {
        config.jobs = vec![Job {
            name: "ci".into(),
            issuer: PLATFORM.into(),
            keys: Source::File(keys),
            claims: BTreeMap::from([("repository".into(), "acme/shop".into())]),
            user: "deploy".parse().unwrap(),
            groups: vec!["jobs".parse().unwrap()],
            narrowed: Narrowing { actions: [Action::Exec].into_iter().collect(), containers: vec!["shop*".into()] },
            lifetime: Duration::from_secs(900),
        }];
    })
    .await;
    let _agents = (world.agent("shop").await, world.agent("bank").await);
    let job = world.stranger("job");
    let root = world.root().display().to_string();
    let login = ["login", &world.url, "--ca", &root, "--store", "file", "--id-token", "-"];

    // Another's repository, and a token that is for somebody else.
    for (audience, repository, why) in [
        (world.url.as_str(), "evil/shop", "no job of the configuration has such claims"),
        ("https://elsewhere.example.com", "acme/shop", "audience"),
    ] {
        let refused = job.run_with(&login, platform.token(audience, repository).as_bytes()).await;
        assert_eq!(refused.code, 3, "{}", refused.stderr);
        assert!(refused.stderr.contains(why), "{}", refused.stderr);
    }
    let forged = job.run_with(&login, Platform::new().token(&world.url, "acme/shop").as_bytes()).await;
    assert!(forged.code == 3 && forged.stderr.contains("signature"), "{}", forged.stderr);
    let unreadable = job.run(&["login", &world.url, "--ca", &root, "--id-token", "/nowhere"]).await;
    assert!(unreadable.code == 1 && unreadable.stderr.contains("/nowhere"), "{}", unreadable.stderr);

    let token = folder.path().join("token");
    std::fs::write(&token, platform.token(&world.url, "acme/shop")).unwrap();
    let named = ["login", &world.url, "--ca", &root, "--store", "file", "--id-token", &token.display().to_string()];
    let logged_in = job.run(&named).await;
    assert_eq!(logged_in.code, 0, "{}", logged_in.stderr);
    let status = job.run(&["status"]).await.stdout;
    assert!(status.contains("deploy@ci") && status.contains("exec on shop*"), "{status}");
    // What it is for; not what policy would allow beside it.
    let names = job.names(1).await;
    assert!(names[0].starts_with("shop"), "{names:?}");
    assert_eq!(job.run(&["exec", &names[0], "--", "true"]).await.code, 0);
    let copy =
        job.run(&["cp", &format!("{}:/etc/hostname", names[0]), &folder.path().join("copy").display().to_string()]).await;
    assert!(copy.code == 4 && copy.stderr.contains("this token is not for that"), "{}: {}", copy.code, copy.stderr);
    let audit = serde_json::to_string(&world.admin.audit(Query::default()).await.unwrap()).unwrap();
    assert!(audit.contains(r#""subject":"repo:acme/shop:main""#) && audit.contains(r#""event":"login_failed","user":"a job""#));
    assert_eq!(job.run(&["logout"]).await.code, 0);
}
