//! Every request of the socket: what it writes down, or that it changes nothing.

use serde_json::{Value, json};

use super::*;
use crate::broker::locks::Lock;
use crate::proto::{AgentId, SessionId};

/// What the journal must have of each route; `None` for one that only reads.
const ROUTES: &[(&str, &str, Option<&str>)] = &[
    ("post", "/users", Some("user_added")),
    ("get", "/users", None),
    ("delete", "/users/{name}", Some("user_removed")),
    ("post", "/users/{name}/groups", Some("groups_set")),
    ("post", "/users/{name}/password", Some("password_set")),
    ("get", "/tokens", None),
    ("post", "/tokens/join", Some("token_created")),
    ("post", "/tokens/user", Some("token_created")),
    ("delete", "/tokens/{id}", Some("token_revoked")),
    ("get", "/agents", None),
    ("delete", "/users/{name}/totp", Some("totp_removed")),
    ("delete", "/agents/{id}", Some("agent_removed")),
    ("get", "/sessions", None),
    ("post", "/sessions/end", Some("session_cut")),
    ("post", "/locks", Some("lock_added")),
    ("get", "/locks", None),
    ("delete", "/locks/{id}", Some("lock_removed")),
    ("get", "/ca", None),
    ("post", "/ca/rotate", Some("ca_rotated")),
    ("post", "/ca/finish", Some("ca_rotation_finished")),
    ("get", "/clusters", None),
    ("get", "/audit", None),
    ("get", "/audit/follow", None),
    ("get", "/audit/export", Some("audit_exported")),
    ("get", "/audit/end", None),
    ("get", "/audit/sinks", None),
    ("post", "/device/approve", Some("device_approved")),
    ("post", "/policy/reload", Some("policy_loaded")),
    // It only asks what the policies say.
    ("post", "/policy/explain", None),
];

/// The routes of the socket, as its source has them.
fn served() -> Vec<(String, String)> {
    let source = include_str!("../socket.rs");
    let routes = source.split(".route(\"").skip(1).flat_map(|rest| {
        let (path, rest) = rest.split_once("\", ").unwrap();
        let handlers = rest.split_once('\n').unwrap().0;
        let methods = ["get", "post", "put", "patch", "delete", "any"];
        methods.into_iter().filter(|method| handlers.contains(&format!("{method}("))).map(|method| (method.into(), path.into()))
    });
    routes.collect()
}

#[test]
fn no_route_is_forgotten() {
    let mut served = served();
    let mut known: Vec<(String, String)> = ROUTES.iter().map(|(method, path, _)| ((*method).into(), (*path).into())).collect();
    served.sort();
    known.sort();
    assert_eq!(served, known, "say in ROUTES what the journal must have of a new route");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_changes_something_is_written_down_with_who_did_it() {
    let broker = Running::start().await;
    let (client, state) = (&broker.client, broker.admin.state.clone());
    let password = "correct horse battery";
    let mut seen: Vec<&str> = Vec::new();
    let mut events_before = vec![broker.events().await.len()];
    macro_rules! changes {
        ($route:expr, $done:expr) => {{
            $done;
            let wanted = ROUTES.iter().find(|(method, path, _)| $route == format!("{method} {path}")).and_then(|route| route.2);
            let events = broker.events().await;
            let new: Vec<Value> = events[events_before.pop().unwrap_or_default()..]
                .iter()
                .map(|event| serde_json::to_value(event).unwrap())
                .collect();
            let [event, undone @ ..] = new.as_slice() else { panic!("{}: {new:?}", $route) };
            assert!(undone.len() <= 1 && undone.iter().all(|undone| undone["event"] == "not_done"), "{}: {new:?}", $route);
            assert_eq!((event["event"].as_str(), event["by"].as_str()), (wanted, Some(operator().as_str())), "{}", $route);
            events_before.push(events.len());
            seen.push($route);
        }};
    }
    changes!("post /users", client.tell("/users", &json!({"name": "ada", "password": password})).await.unwrap());
    changes!("post /users/{name}/groups", client.tell("/users/ada/groups", &json!({"groups": ["sre"]})).await.unwrap());
    changes!("post /users/{name}/password", {
        client.tell("/users/ada/password", &json!({"password": password})).await.unwrap();
    });
    state.store.begin_totp(&"ada".parse().unwrap(), "sealed", 1_800_000_000).await.unwrap();
    changes!("delete /users/{name}/totp", client.delete("/users/ada/totp").await.unwrap());
    let join = JoinTokenSpec { uses: 1, ttl: Duration::from_secs(60), asserts: Assertions::default() };
    let secret;
    changes!("post /tokens/join", {
        let made: MadeToken = client.post("/tokens/join", &join).await.unwrap();
        secret = made.token.expose().parse::<JoinToken>().unwrap().secret;
    });
    let agent = AgentId::derived(&[b"an agent".as_slice()]);
    let hash = crate::broker::identity::token::hash(secret.expose());
    state.store.enrol_agent(hash, agent, "key", "web", 1_800_000_000).await.unwrap();
    changes!("delete /agents/{id}", client.delete(&format!("/agents/{agent}")).await.unwrap());
    let spec =
        UserTokenSpec { user: "ada".parse().unwrap(), ttl: Duration::from_secs(60), actions: None, containers: Vec::new() };
    changes!("post /tokens/user", client.tell("/tokens/user", &spec).await.unwrap());
    let tokens: Vec<TokenRow> = client.get("/tokens").await.unwrap();
    changes!("delete /tokens/{id}", client.delete(&format!("/tokens/{}", tokens[0].id)).await.unwrap());
    let session = SessionId::random();
    let seat = state.sessions.admit(session, crate::broker::policy::Basis::example("web"), 1_800_000_060, None);
    changes!("post /sessions/end", client.tell("/sessions/end", &json!({"session": &session.to_string()[..8]})).await.unwrap());
    assert_eq!(seat.live().cut_reason().await, "an operator ended this session");
    changes!("post /locks", client.tell("/locks", &json!({"wish": {"kind": "user", "of": "ada"}})).await.unwrap());
    let locks: Vec<Lock> = client.get("/locks").await.unwrap();
    changes!("delete /locks/{id}", client.delete(&format!("/locks/{}", locks[0].id)).await.unwrap());
    changes!("post /ca/rotate", client.tell("/ca/rotate", &json!({"overlap": 60})).await.unwrap());
    changes!("post /ca/finish", client.tell("/ca/finish", &json!({})).await.unwrap());
    // A code that nobody shows: that an operator tried is written down all the same, and that it did not succeed.
    changes!("post /device/approve", {
        client.tell("/device/approve", &json!({"user_code": "BCDF-GHJK", "user": "ada"})).await.unwrap_err();
    });
    let tried = broker.admin.audit(crate::broker::AuditQuery::default()).await.unwrap();
    let [.., device, undone] = tried.as_slice() else { panic!("{tried:?}") };
    assert!(matches!(device.event, Event::DeviceApproved { .. }), "{device:?}");
    assert!(
        matches!(&undone.event, Event::NotDone { what, why, .. } if *what == device.seq && why.contains("code")),
        "{undone:?}"
    );
    changes!("post /policy/reload", client.tell("/policy/reload", &json!({})).await.unwrap());
    changes!("get /audit/export", client.stream("/audit/export", |_| true).await.unwrap());
    changes!("delete /users/{name}", client.delete("/users/ada").await.unwrap());
    let mut wanted: Vec<String> =
        ROUTES.iter().filter(|route| route.2.is_some()).map(|(method, path, _)| format!("{method} {path}")).collect();
    wanted.sort();
    seen.sort_unstable();
    assert_eq!(seen, wanted, "a route that changes something is not tried here");
    let journal = std::fs::read_to_string(broker.folder.path().join("state/audit/journal.jsonl")).unwrap();
    assert!(!journal.contains(password));
    broker.stop().await;
}

/// What comes in as text is text in the journal, whatever it looks like to a program or does to a terminal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobodys_words_forge_an_event() {
    let broker = Running::start().await;
    let reason = "x\"},{\"seq\":9,\"event\":\"logout\"}\u{202e}\u{200b}";
    broker.client.tell("/locks", &json!({"wish": {"kind": "everything"}, "reason": reason})).await.unwrap();
    let mistake = "@id(\"a\r\n{\u{1b}[2J\u{9b}31m\") permit (principal, action";
    std::fs::write(broker.folder.path().join("policy.cedar"), mistake).unwrap();
    broker.client.tell("/policy/reload", &json!({})).await.unwrap_err();
    let journal = std::fs::read_to_string(broker.folder.path().join("state/audit/journal.jsonl")).unwrap();
    for line in journal.lines() {
        assert!(serde_json::from_str::<AuditRecord>(line).is_ok(), "{line}");
        assert!(!line.contains(|letter: char| letter.is_control() || "\u{202e}\u{200b}".contains(letter)), "{line:?}");
    }
    let events = broker.events().await;
    assert!(events.iter().any(|event| matches!(event, Event::LockAdded { reason: Some(kept), .. } if kept == reason)));
    assert!(events.iter().any(|event| matches!(event, Event::PolicyRefused { .. })));
    broker.stop().await;
}
