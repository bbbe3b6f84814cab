//! Tokens that somebody else has: copied, replayed, or on a request that was changed on its way. Nothing comes of it but an event, and
//! their owner goes on.

use serde_json::json;

use super::browser::{Browser, REDIRECT, VERIFIER, authorize_path, parameter};
use super::login::exchange;
use super::site::{Answer, Site};
use crate::broker::dpop::tests::{Holder, claims};
use crate::proto::dpop::hash;

/// The key of whoever has a copy.
fn thief() -> Holder {
    Holder::new(2)
}

async fn code(site: &Site) -> String {
    parameter(&Browser::default().authorize(site, &authorize_path(&[])).await, "code")
}

async fn log_in(site: &Site) -> (String, String) {
    let tokens = exchange(site, &code(site).await, REDIRECT, VERIFIER).await;
    assert_eq!(tokens.text("token_type"), "DPoP");
    (tokens.text("access_token"), tokens.text("refresh_token"))
}

/// What the journal says of tokens without their key: kind and reason.
async fn misused(site: &Site) -> Vec<(String, String)> {
    let records = site.audit().await.into_iter().map(|record| serde_json::to_value(record).unwrap());
    let records = records.filter(|record| record["event"] == "token_misused");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    records
        .map(|record| {
            assert_eq!((record["user"].as_str(), record["client_address"].as_str()), (Some("ada@local"), Some("127.0.0.1")));
            (text(&record["token"]), text(&record["why"]))
        })
        .collect()
}

fn is_refused(answer: &Answer) {
    assert_eq!((answer.status, answer.text("code")), (401, "proof_refused".to_owned()), "{answer:?}");
    assert!(answer.header("www-authenticate").contains("invalid_dpop_proof") && answer.header("dpop-nonce").is_empty());
}

#[tokio::test]
async fn a_copied_access_token_is_worth_nothing() {
    let site = Site::open().await;
    let (access, _) = log_in(&site).await;
    let theirs = site.proof(&thief(), "GET", "/v1/whoami", Some(&access));
    is_refused(&site.get("/v1/whoami", &[("Authorization", &format!("Bearer {access}"))]).await);
    is_refused(&site.get("/v1/whoami", &[("Authorization", &format!("Bearer {access}")), ("DPoP", &theirs)]).await);
    is_refused(&site.get("/v1/whoami", &[("Authorization", &format!("DPoP {access}"))]).await);
    is_refused(&site.whoami_by(&theirs, &access).await);
    let ours = site.proof(&Site::holder(), "GET", "/v1/whoami", Some(&access));
    assert_eq!(site.whoami_by(&ours, &access).await.status, 200);
    is_refused(&site.whoami_by(&ours, &access).await);
    let elsewhere = site.proof(&Site::holder(), "GET", "/v1/containers", Some(&access));
    is_refused(&site.whoami_by(&elsewhere, &access).await);
    assert_eq!(site.whoami(&access).await.status, 200, "its owner goes on");
    let reasons: Vec<String> = misused(&site).await.into_iter().map(|(kind, why)| format!("{kind} {why}")).collect();
    assert_eq!(
        reasons,
        [
            "access it came as a bearer token, without a proof",
            "access it came as a bearer token, without a proof",
            "access it came without a proof",
            "access its proof is by another key",
            "access its proof was used before",
            "access its proof is for another address",
        ]
    );
}

#[tokio::test]
async fn a_copied_refresh_token_is_worth_nothing_and_ends_nothing() {
    let site = Site::open().await;
    let (access, refresh) = log_in(&site).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    site.token_by(&thief(), &form).await.is_refusal("invalid_dpop_proof");
    let bare: Vec<_> = form.into_iter().chain([("client_id", "ztctl")]).collect();
    site.post("/oauth/token", &[], &bare).await.is_refusal("invalid_dpop_proof");
    // Nor does an old one of a login that goes on end it, nor is it given back.
    let next = site.refresh(&refresh).await.text("refresh_token");
    site.pass(31);
    site.token_by(&thief(), &form).await.is_refusal("invalid_dpop_proof");
    site.revoke(&thief(), &next).await.is_refusal("invalid_dpop_proof");
    site.revoke(&thief(), &access).await.is_refusal("invalid_dpop_proof");
    site.post("/oauth/revoke", &[], &[("client_id", "ztctl"), ("token", &next)]).await.is_refusal("invalid_dpop_proof");
    assert_eq!(site.whoami(&access).await.status, 200);
    // What was sent once is not sent again by somebody on the way.
    let proof = site.proof(&Site::holder(), "POST", "/oauth/token", None);
    let form = [("grant_type", "refresh_token"), ("refresh_token", next.as_str())];
    assert_eq!(site.prove("/oauth/token", &proof, &form).await.status, 200);
    site.prove("/oauth/token", &proof, &form).await.is_refusal("invalid_dpop_proof");
    let kinds: Vec<String> = misused(&site).await.into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, ["refresh", "refresh", "refresh", "refresh", "access", "refresh", "refresh"]);
    assert_eq!((site.events("refresh_reuse").await, site.events("logout").await), (0, 0));
}

#[tokio::test]
async fn a_stolen_code_is_worth_nothing() {
    let site = Site::open().await;
    let code = code(&site).await;
    let form = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    site.token_by(&thief(), &form).await.is_refusal("invalid_dpop_proof");
    let bare: Vec<_> = form.into_iter().chain([("client_id", "ztctl")]).collect();
    site.post("/oauth/token", &[], &bare).await.is_refusal("invalid_dpop_proof");
    let proof = site.proof(&Site::holder(), "POST", "/oauth/token", None);
    let tokens = site.prove("/oauth/token", &proof, &form).await;
    assert_eq!(tokens.status, 200, "it is still its owner's: {tokens:?}");
    // A code that comes twice ends its login, but not by a request that was only overheard.
    site.prove("/oauth/token", &proof, &form).await.is_refusal("invalid_dpop_proof");
    assert_eq!(site.whoami(&tokens.text("access_token")).await.status, 200);
    assert_eq!(misused(&site).await.len(), 3);
}

#[tokio::test]
async fn a_device_login_is_bound_to_the_key_that_came_first() {
    let site = Site::open().await;
    let started = site.post("/oauth/device", &[], &[("client_id", "ztctl")]).await;
    let device = started.text("device_code");
    site.admin.approve_device(&started.text("user_code"), &"ada".parse().unwrap()).await.unwrap();
    let form =
        [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", &device), ("client_id", "ztctl")];
    site.post("/oauth/token", &[], &form).await.is_refusal("invalid_dpop_proof");
    let tokens = site.token(&form[..2]).await;
    let access = tokens.text("access_token");
    assert_eq!(site.whoami(&access).await.status, 200);
    is_refused(&site.whoami_by(&site.proof(&thief(), "GET", "/v1/whoami", Some(&access)), &access).await);
}

#[tokio::test]
async fn a_clock_that_is_off_proves_with_a_nonce() {
    let site = Site::open().await;
    let (access, refresh) = log_in(&site).await;
    let url = |path: &str| format!("{}{path}", site.url());
    let proof = |method: &str, path: &str, token: Option<&str>, nonce: &str| {
        let mut claims = claims(method, &url(path), token, 1_800_007_200);
        if !nonce.is_empty() {
            claims["nonce"] = nonce.into();
        }
        Site::holder().sign(&claims)
    };
    let asked = site.whoami_by(&proof("GET", "/v1/whoami", Some(&access), ""), &access).await;
    assert_eq!((asked.status, asked.text("code")), (401, "use_dpop_nonce".to_owned()), "{asked:?}");
    assert!(asked.header("www-authenticate").contains("error=\"use_dpop_nonce\""), "{asked:?}");
    let nonce = asked.header("dpop-nonce");
    for _ in 0..2 {
        assert_eq!(site.whoami_by(&proof("GET", "/v1/whoami", Some(&access), nonce), &access).await.status, 200);
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    let asked = site.prove("/oauth/token", &proof("POST", "/oauth/token", None, ""), &form).await;
    asked.is_refusal("use_dpop_nonce");
    let nonce = asked.header("dpop-nonce");
    assert_eq!(site.prove("/oauth/token", &proof("POST", "/oauth/token", None, nonce), &form).await.status, 200);
    site.pass(150);
    let late = site.whoami_by(&proof("GET", "/v1/whoami", Some(&access), nonce), &access).await;
    assert_eq!(late.text("code"), "use_dpop_nonce");
    assert_ne!(late.header("dpop-nonce"), nonce);
    assert!(misused(&site).await.is_empty(), "a clock is no thief");
}

#[tokio::test]
async fn a_connect_is_what_its_sender_signed() {
    let site = Site::open().await;
    let (access, _) = log_in(&site).await;
    let connect = async |asked: &str, signed: &str| {
        let mut claims = claims("GET", &format!("{}/v1/connect", site.url()), Some(&access), 1_800_000_000);
        if !signed.is_empty() {
            claims["zth"] = hash(signed).into();
        }
        let (token, proof) = (format!("DPoP {access}"), Site::holder().sign(&claims));
        let headers = [("Authorization", token.as_str()), ("DPoP", &proof), ("Ztctl-Connect", asked), ("Upgrade", "ztctl/1")];
        site.get("/v1/connect", &headers).await
    };
    let asked = |key: &str| {
        use base64::Engine;
        let asked = json!({"as_typed": "web", "login": "default", "public_key": key, "actions": ["shell"], "link": ["raw1"]});
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(asked.to_string())
    };
    let (ours, theirs) = (asked("ssh-ed25519 AAAA ours"), asked("ssh-ed25519 AAAA theirs"));
    is_refused(&connect(&theirs, &ours).await);
    is_refused(&connect(&theirs, "").await);
    assert_ne!(connect(&ours, &ours).await.status, 401);
    assert_eq!(
        misused(&site).await,
        [("access", "its proof is for another connect request"); 2].map(|(a, b)| (a.into(), b.into()))
    );
}

#[tokio::test]
async fn whoever_has_a_copy_does_not_fill_the_journal() {
    let site = Site::open().await;
    let (access, _) = log_in(&site).await;
    for _ in 0..110 {
        is_refused(&site.get("/v1/whoami", &[("Authorization", &format!("Bearer {access}"))]).await);
    }
    assert_eq!(misused(&site).await.len(), 100);
    site.pass(60);
    is_refused(&site.get("/v1/whoami", &[("Authorization", &format!("Bearer {access}"))]).await);
    assert_eq!(misused(&site).await.len(), 101);
}
