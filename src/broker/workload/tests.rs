//! Which tokens of a cluster are taken, and that nothing in a token chooses who is believed.

use serde_json::{Value, json};

use super::*;
use crate::broker::jwt::Source;
use crate::broker::jwt::tests::Issuer;

const NOW: u64 = 1_800_000_000;

struct Scene {
    clusters: Clusters,
    prod: Issuer,
    test: Issuer,
    _folder: tempfile::TempDir,
}

/// Two clusters with the same issuer, as many have it, each with keys of its own.
fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let (prod, test) = (Issuer::new("key"), Issuer::new("key"));
    let cluster = |name: &str, issuer: &Issuer| {
        let file = folder.path().join(name);
        std::fs::write(&file, issuer.keys().to_string()).unwrap();
        Cluster {
            name: name.to_owned(),
            issuer: "https://kubernetes.default.svc".to_owned(),
            keys: Source::File(file),
            namespace: "ztctl".to_owned(),
            service_account: "ztagent".to_owned(),
            namespaces: vec!["shop".to_owned()],
        }
    };
    let mut config = Config::dev(folder.path().join("state"), "127.0.0.1:1".parse().unwrap(), folder.path().join("policy"));
    config.public_url = "https://broker.example.com".parse().unwrap();
    config.clusters = vec![cluster("prod", &prod), cluster("test", &test)];
    Scene { clusters: Clusters::new(&config).unwrap(), prod, test, _folder: folder }
}

/// The claims that Kubernetes makes for a pod.
fn claims() -> Value {
    json!({
        "aud": ["https://broker.example.com"], "exp": NOW + 500, "iat": NOW - 100, "nbf": NOW - 100,
        "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:ztctl:ztagent",
        "kubernetes.io": {
            "namespace": "ztctl", "pod": {"name": "ztagent-0", "uid": "u"}, "serviceaccount": {"name": "ztagent", "uid": "u"}
        }
    })
}

#[tokio::test]
async fn a_pod_is_its_account_whatever_its_key_and_asserts_what_its_cluster_may() {
    let scene = scene();
    let workload = scene.clusters.prove("prod", &scene.prod.sign(&claims()), NOW).await.unwrap();
    assert_eq!(
        (workload.name.as_str(), workload.account.as_str()),
        ("prod", "system:serviceaccount:ztctl:ztagent, pod ztagent-0")
    );
    assert_eq!(workload.asserts.cluster.as_deref(), Some("prod"));
    assert_eq!(
        (workload.asserts.namespaces, workload.asserts.runtime),
        (vec!["shop".to_owned()], Some("kubernetes".to_owned()))
    );
    let mut other = claims();
    other["kubernetes.io"]["pod"]["name"] = "ztagent-1".into();
    let again = scene.clusters.prove("prod", &scene.prod.sign(&other), NOW).await.unwrap();
    let elsewhere = scene.clusters.prove("test", &scene.test.sign(&claims()), NOW).await.unwrap();
    assert!(again.agent == workload.agent && elsewhere.agent != workload.agent);
    let mut one = claims();
    one["aud"] = "https://broker.example.com/".into();
    assert!(scene.clusters.prove("prod", &scene.prod.sign(&one), NOW).await.is_ok(), "one audience may stand alone");
}

#[tokio::test]
async fn another_cluster_of_the_same_issuer_is_not_believed() {
    let scene = scene();
    let why = scene.clusters.prove("prod", &scene.test.sign(&claims()), NOW).await.unwrap_err();
    assert!(matches!(&why, NotTaken::Token { why: JwtError::Forged, .. }), "{why}");
    let why = scene.clusters.prove("nowhere", &scene.prod.sign(&claims()), NOW).await.unwrap_err().to_string();
    assert!(why.contains("no cluster \"nowhere\""), "{why}");
}

#[tokio::test]
async fn a_token_for_others_of_others_or_of_another_time_is_refused() {
    let scene = scene();
    let refusal = async |pointer: &str, value: Value| {
        let mut claims = claims();
        *claims.pointer_mut(pointer).unwrap() = value;
        let proved = scene.clusters.prove("prod", &scene.prod.sign(&claims), NOW).await;
        proved.map(|workload| workload.account).map_err(|why| why.to_string())
    };
    for (pointer, value, expected) in [
        ("/iss", json!("https://other"), "issuer"),
        ("/aud", json!(["https://kubernetes.default.svc"]), "audience"),
        ("/aud", json!(["https://broker.example.com", "https://other"]), "audience"),
        ("/aud", json!([]), "audience"),
        ("/kubernetes.io/namespace", json!("default"), "system:serviceaccount:default:ztagent"),
        ("/kubernetes.io/serviceaccount/name", json!("default"), "system:serviceaccount:ztctl:default"),
        ("/sub", json!("system:serviceaccount:default:ztagent"), "is of"),
        ("/exp", json!(NOW), "expired 0 s ago"),
        ("/exp", json!(NOW + 501), "lives for 601 s"),
        ("/iat", json!(NOW + 31), "clocks"),
        ("/nbf", json!(NOW + 31), "clocks"),
        ("/exp", json!("tomorrow"), "claims"),
        ("/kubernetes.io/serviceaccount", json!(null), "claims"),
    ] {
        let said = refusal(pointer, value.clone()).await;
        assert!(said.as_ref().is_err_and(|why| why.contains(expected)), "{pointer} {value}: {said:?}");
    }
    assert!(refusal("/nbf", json!(NOW + 30)).await.is_ok(), "clocks differ a little");
    // The tokens of old, which never end and are for nobody.
    let mut old = claims();
    for claim in ["exp", "iat", "aud"] {
        old.as_object_mut().unwrap().remove(claim);
    }
    assert!(scene.clusters.prove("prod", &scene.prod.sign(&old), NOW).await.is_err());
}
