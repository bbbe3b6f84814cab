//! Tokens as a platform gives them to its jobs, and as it does not.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::broker::jwt::Source;
use crate::broker::jwt::tests::Issuer;
use crate::proto::Action;

const NOW: u64 = 1_800_000_000;
const PLATFORM: &str = "https://ci.example.com";

fn claims() -> Value {
    json!({
        "iss": PLATFORM, "aud": "https://127.0.0.1:1", "sub": "repo:acme/shop:ref:refs/heads/main", "iat": NOW, "exp": NOW + 300,
        "repository": "acme/shop", "ref": "refs/heads/main", "run_id": 7, "protected": true,
    })
}

fn job(user: &str, keys: &std::path::Path, wanted: &[(&str, &str)]) -> Job {
    Job {
        name: "ci".into(),
        issuer: PLATFORM.into(),
        keys: Source::File(keys.to_owned()),
        claims: wanted.iter().map(|(claim, pattern)| ((*claim).to_owned(), (*pattern).to_owned())).collect(),
        user: user.parse().unwrap(),
        groups: vec!["deployers".parse().unwrap()],
        narrowed: Narrowing { actions: [Action::Exec].into_iter().collect(), containers: vec!["web-*".into()] },
        lifetime: Duration::from_secs(900),
    }
}

fn jobs(folder: &tempfile::TempDir, signer: &Issuer) -> Jobs {
    let keys = folder.path().join("keys.json");
    std::fs::write(&keys, signer.keys().to_string()).unwrap();
    let mut config = Config::dev("/s".into(), "127.0.0.1:1".parse().unwrap(), "/p".into());
    config.jobs = vec![
        job("deploy", &keys, &[("repository", "acme/shop"), ("ref", "refs/heads/main"), ("protected", "true")]),
        job("check", &keys, &[("repository", "acme/*")]),
    ];
    Jobs::new(&config).unwrap()
}

#[tokio::test]
async fn a_job_is_who_its_first_fitting_rule_says() {
    let (folder, signer) = (tempfile::tempdir().unwrap(), Issuer::new("one"));
    let jobs = jobs(&folder, &signer);
    let proved = jobs.prove(&signer.sign(&claims()), NOW).await.unwrap();
    assert_eq!((proved.person.to_string().as_str(), proved.lifetime), ("deploy@ci", 900));
    assert_eq!(proved.narrowed.words().as_deref(), Some("exec on web-*"));
    assert_eq!(proved.subject, "repo:acme/shop:ref:refs/heads/main");
    let mut branch = claims();
    branch["ref"] = "refs/heads/feature".into();
    assert_eq!(jobs.prove(&signer.sign(&branch), NOW).await.unwrap().person.to_string(), "check@ci");
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_the_reason() {
    let (folder, signer) = (tempfile::tempdir().unwrap(), Issuer::new("one"));
    let jobs = jobs(&folder, &signer);
    let cases: [(&str, Value, &str); 10] = [
        ("repository", "evil/shop".into(), "no job"),
        ("repository", json!(["acme/shop"]), "no job"),
        ("iss", "https://evil.example.com".into(), "no job of the issuer"),
        ("aud", "https://elsewhere.example.com".into(), "audience"),
        ("aud", json!(["https://127.0.0.1:1", "https://elsewhere.example.com"]), "audience"),
        ("aud", Value::Null, "audience"),
        ("exp", NOW.into(), "expired"),
        ("exp", Value::Null, "\"exp\""),
        ("nbf", (NOW + 100).into(), "clocks"),
        ("sub", Value::Null, "\"sub\""),
    ];
    for (claim, value, why) in cases {
        let mut changed = claims();
        changed[claim] = value.clone();
        let refused = jobs.prove(&signer.sign(&changed), NOW).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{claim} = {value}: {refused}");
    }
    let forged = jobs.prove(&Issuer::new("one").sign(&claims()), NOW).await;
    assert!(matches!(forged, Err(NotTaken::Token(JwtError::Forged))), "{forged:?}");
    for nonsense in ["", "a.b", "a.b.c", "a.b.c.d", "é.é.é"] {
        assert!(matches!(jobs.prove(nonsense, NOW).await, Err(NotTaken::NotOne)), "{nonsense}");
    }
}
