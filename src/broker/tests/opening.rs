//! What a broker opens and what it refuses to, and the routes that need no login.

use std::os::unix::fs::PermissionsExt;

use tokio_util::sync::CancellationToken;

use super::site::Site;
use crate::broker::{Broker, Config, Part};
use crate::clock::Clock;

fn config(folder: &tempfile::TempDir) -> Config {
    std::fs::write(folder.path().join("policy.cedar"), "permit (principal, action, resource);").unwrap();
    Config::dev(folder.path().join("state"), "127.0.0.1:0".parse().unwrap(), folder.path().join("policy.cedar"))
}

async fn refusal(config: Config) -> String {
    match Broker::open(config, Clock::system()).await {
        Ok(_) => panic!("opened"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_state_folder_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    std::fs::create_dir(&config.state).unwrap();
    std::fs::set_permissions(&config.state, std::fs::Permissions::from_mode(0o755)).unwrap();
    let said = refusal(config).await;
    assert!(said.contains("chmod 700"), "{said}");
}

#[tokio::test]
async fn two_brokers_never_share_a_state_folder() {
    let folder = tempfile::tempdir().unwrap();
    let first = Broker::open(config(&folder), Clock::system()).await.unwrap();
    let said = refusal(config(&folder)).await;
    assert!(said.contains("another"), "{said}");
    drop(first);
}

#[tokio::test]
async fn what_it_keeps_is_for_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    let broker = Broker::open(config.clone(), Clock::system()).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&config.state), 0o700);
    let mut folders = vec![config.state.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|kind| kind != "pem") || mode(&path) != 0o644 {
                assert_eq!(mode(&path), 0o600, "{}", path.display());
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                assert!(!text.contains("PRIVATE"), "{}", path.display());
            }
        }
    }
    assert!(broker.tls_root_fingerprint().is_some());
    assert!(broker.tls_root_pem().unwrap().contains("BEGIN CERTIFICATE"));
}

#[tokio::test]
async fn a_policy_with_a_mistake_is_told_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(&folder);
    std::fs::write(&config.policy, "permit (principal, action, resource)\nwhen { resource.ap == \"x\" };\n").unwrap();
    let said = refusal(config).await;
    assert!(said.contains("policy.cedar:"), "{said}");
}

#[tokio::test]
async fn identity_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let first = Broker::open(config(&folder), Clock::system()).await.unwrap();
    let before = (first.ca_set(), first.tls_root_pem());
    drop(first);
    let again = Broker::open(config(&folder), Clock::system()).await.unwrap();
    assert_eq!((again.ca_set(), again.tls_root_pem()), before);
}

/// A share that is not mounted is no first start.
#[tokio::test]
async fn what_a_broker_has_served_with_is_not_made_anew_in_silence() {
    let serve_once = async |folder: &tempfile::TempDir| {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let broker = Broker::open(config(folder), Clock::system()).await.unwrap();
        let stop = CancellationToken::new();
        stop.cancel();
        broker.serve(listener, stop).await.unwrap();
        std::fs::read_to_string(folder.path().join("state/audit/journal.jsonl")).unwrap()
    };
    for (name, part) in [("ca", Part::Ca), ("broker.db", Part::Database)] {
        let folder = tempfile::tempdir().unwrap();
        serve_once(&folder).await;
        let place = config(&folder).state.join(name);
        let _ = std::fs::remove_dir_all(&place).or_else(|_| std::fs::remove_file(&place));
        let said = refusal(config(&folder)).await;
        assert!(said.contains(&format!("is gone from {}", place.display())) && said.contains("--anew "), "{said}");
        assert!(!place.exists(), "nothing is made");
        drop(Broker::open(Config { anew: vec![part], ..config(&folder) }, Clock::system()).await.unwrap());
        assert!(place.exists());
        let journal = std::fs::read_to_string(folder.path().join("state/audit/journal.jsonl")).unwrap();
        assert!(journal.contains(&format!(r#""event":"made_anew","what":"{}""#, part.word())), "{journal}");
    }
    // The journal's key is renewed by moving it away; the journal tells of it.
    let folder = tempfile::tempdir().unwrap();
    serve_once(&folder).await;
    std::fs::remove_file(folder.path().join("state/audit/checkpoint_key")).unwrap();
    let journal = serve_once(&folder).await;
    assert!(journal.contains(r#""event":"made_anew","what":"checkpoint-key""#), "{journal}");
}

#[tokio::test]
async fn the_open_routes_answer_without_a_login_and_the_others_do_not() {
    let mut site = Site::open().await;
    for path in ["/healthz", "/readyz"] {
        assert_eq!(site.get(path, &[]).await.status, 200, "{path}");
    }
    let set = site.get("/v1/ca", &[]).await.json();
    assert!(set["user"][0].as_str().unwrap().starts_with("ssh-ed25519 ") && set["user"] != set["host"], "{set}");
    let document = site.get("/.well-known/oauth-authorization-server", &[]).await.json();
    assert_eq!(document["issuer"], site.url());
    for name in ["authorization_endpoint", "token_endpoint", "revocation_endpoint", "device_authorization_endpoint"] {
        assert!(document[name].as_str().unwrap().starts_with(&site.url()), "{name}: {document}");
    }
    assert_eq!(document["code_challenge_methods_supported"], serde_json::json!(["S256"]));
    assert_eq!(document["dpop_signing_alg_values_supported"], serde_json::json!(["EdDSA", "ES256"]));
    for path in ["/v1/whoami", "/v1/containers", "/v1/connect"] {
        for headers in [&[][..], &[("Authorization", "Bearer wrong")], &[("Authorization", "Basic YTpi")]] {
            let answer = site.get(path, headers).await;
            assert_eq!((answer.status, answer.text("code")), (401, "not_logged_in".to_owned()), "{path}");
            assert!(answer.header("www-authenticate").starts_with("DPoP ") && answer.header("dpop-nonce").is_empty());
        }
    }
    assert_eq!(site.get("/elsewhere", &[]).await.status, 404);
    site.stop().await;
    let stopped = site.audit().await;
    let last: Vec<_> =
        stopped.iter().rev().take(2).map(|event| serde_json::to_value(event).unwrap()["event"].clone()).collect();
    assert_eq!(last, ["checkpoint", "broker_stopped"]);
}
