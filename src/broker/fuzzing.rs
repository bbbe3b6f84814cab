//! What the fuzz targets in `fuzz/` reach of the broker's parsers, each without what stands around it. Built for fuzzing only.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Map, Value};
use url::Url;

use super::audit::{Checkpoint, Event, Inspection, Keys, Report, Signer, Tip};
use super::config::{Job, Network};
use super::connect::request::Asked;
use super::dpop::Sent;
use super::enrolment::Assertions;
use super::identity::{Caller, Narrowing, jobs, oidc};
use super::jwt::Source;
use super::policy::{Cases, Circumstances, Set};
use super::registry::{Asserted, Container, Registry, Row};
use super::relay::upgrade::Wanted;
use super::{Config, config, dpop, http, jwt, oauth, policy, registry};
use crate::proto::agent::ContainerReport;
use crate::proto::api::{CONNECT_HEADER, ContainerRow};
use crate::proto::dpop::PROOF_HEADER;
use crate::proto::{Action, AgentId};

/// A connect request as `value` of its header, and one whose JSON is `value`.
pub fn connect(value: &[u8]) {
    for value in [value.to_vec(), URL_SAFE_NO_PAD.encode(value).into_bytes()] {
        let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
        if let Ok(asked) = Asked::from_headers(&[(HeaderName::from_static(CONNECT_HEADER), value)].into_iter().collect()) {
            assert!(!asked.actions.is_empty() || !asked.optional.is_empty());
            assert!(!asked.actions.allow(Action::List) && !asked.optional.allow(Action::List));
            assert!(asked.reason.is_none_or(|reason| !reason.chars().any(char::is_control)));
        }
    }
}

/// A request's headers, one a line.
pub fn headers(lines: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n').take(64) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&value[1..])) {
            headers.append(name, value);
        }
    }
    let _ = Wanted::from_headers(&headers, "ztctl/1").map(|wanted| wanted.response());
    let mut config = Config::dev("/s".into(), ([127, 0, 0, 1], 1).into(), "/p".into());
    let stranger = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
    assert_eq!(http::address::behind(&config, stranger, &headers), stranger, "nobody is trusted");
    config.trusted_proxies.extend("10.0.0.0/8".parse::<Network>().ok());
    assert_eq!(http::address::behind(&config, stranger, &headers), stranger, "others are trusted");
    let proxy = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
    http::address::behind(&config, proxy, &headers);
    // The proxy adds where the request came from to what the client has sent, as nginx does.
    let sent = headers.get_all("x-forwarded-for").iter().next_back().map_or(&b""[..], HeaderValue::as_bytes);
    if let Ok(value) = HeaderValue::from_bytes(&[sent, b", 203.0.113.1"].concat()) {
        headers.insert("x-forwarded-for", value);
        assert_eq!(http::address::behind(&config, proxy, &headers), stranger, "whatever the client has sent");
    }
}

/// A form or a query, and what stands in one.
pub fn form(bytes: &[u8]) {
    if let Some(form) = oauth::form::Parameters::parse(bytes) {
        for name in ["client_id", "code", "state"] {
            let _ = form.value(name);
        }
    }
    let text = String::from_utf8_lossy(bytes);
    if let Some(code) = oauth::device::normal(&text) {
        assert_eq!(oauth::device::normal(&code), Some(code.clone()));
        assert_eq!(code.len(), 9);
    }
    if oauth::authorize::is_loopback(&text) {
        let url = url::Url::parse(&text).ok();
        let host = url.as_ref().and_then(|url| url.host_str());
        assert!(matches!(host, Some("127.0.0.1" | "[::1]")), "{text}");
    }
}

/// A token and the keys that it shall be by, as JSON; its claims, if they are believed.
pub fn token(token: &str, keys: &[u8]) -> Option<Value> {
    jwt::verify(token, &serde_json::from_slice::<JwkSet>(keys).ok()?).ok()
}

/// A request that a proof is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved<'a> {
    /// `GET`.
    pub method: &'a str,
    /// `/v1/whoami`.
    pub path: &'a str,
    /// The connect request's header, where there is one.
    pub connect: Option<&'a [u8]>,
    /// The body, where the method has one.
    pub body: Option<&'a [u8]>,
    /// The access token.
    pub token: &'a str,
}

/// The thumbprint of the key of `proof`, if that is about the request, at the broker `https://broker.example`.
pub fn proof(request: &Proved<'_>, proof: &[u8]) -> Option<String> {
    let mut headers = HeaderMap::new();
    headers.insert(PROOF_HEADER, HeaderValue::from_bytes(proof).ok()?);
    if let Some(connect) = request.connect {
        headers.insert(CONNECT_HEADER, HeaderValue::from_bytes(connect).ok()?);
    }
    let address = Ipv4Addr::LOCALHOST.into();
    let Proved { method, path, body, .. } = *request;
    let sent = Sent { method, path, headers: &headers, address, body };
    let own = Url::parse("https://broker.example").ok()?;
    dpop::about(&own, &sent, Some(request.token)).ok().map(|(key, _)| key)
}

/// Whose ID token it is that stands in a provider's answer, if it is believed. All as JSON.
pub fn id_token(metadata: &[u8], keys: &[u8], answer: &[u8], nonce: &str) -> Option<String> {
    oidc::fuzzing::id_token(metadata, keys, answer, nonce, NOW)
}

/// Claims that are believed: a person's by a provider, and a job's by its platform. Who it is then.
pub fn claims(claims: &Map<String, Value>, more: Map<String, Value>) -> Option<String> {
    oidc::fuzzing::claims(claims.clone(), more, NOW);
    let job = Job {
        name: "ci".to_owned(),
        issuer: "https://ci.example".to_owned(),
        keys: Source::File(PathBuf::from("/keys")),
        claims: [("repository".to_owned(), "shop/*".to_owned()), ("protected".to_owned(), "true".to_owned())].into(),
        user: "deploy".parse().ok()?,
        groups: Vec::new(),
        narrowed: Narrowing::default(),
        lifetime: Duration::from_secs(600),
    };
    jobs::judge(&job, "https://broker.example", claims, NOW).ok().map(|proved| proved.subject)
}

/// A policy file.
pub fn policies(text: &str) -> Option<Set> {
    policy::load::from_texts(&[(PathBuf::from("fuzz.cedar"), text.to_owned())]).ok()
}

/// What a policy set makes of these containers for a person: a list decides as single questions do.
pub fn decide(set: &Set, groups: &[String], reports: Vec<ContainerReport>) {
    let registry = registry_of(reports);
    let caller = Caller {
        name: "ada".parse().unwrap_or_else(|_| unreachable!("a name")),
        idp: "local".to_owned(),
        groups: groups.iter().filter_map(|group| group.parse().ok()).collect(),
        login: None,
        logged_in_at: 0,
        narrowed: None,
        expires_at: None,
        mfa_at: None,
    };
    let address = Ipv4Addr::LOCALHOST.into();
    let circumstances = Circumstances { address, time: NOW, reason: None, command: None };
    let all = registry.all();
    let listed = policy::listable(set, &caller, all.clone(), &circumstances);
    let alone =
        |container: &Arc<Container>| !policy::listable(set, &caller, vec![Arc::clone(container)], &circumstances).is_empty();
    assert_eq!(listed, all.into_iter().filter(alone).collect::<Vec<_>>());
}

/// A file of expected decisions.
pub fn cases(text: &str, set: Option<&Set>) {
    if let (Ok(cases), Some(set)) = (Cases::parse(text), set) {
        cases.mismatches(set, text, NOW);
    }
}

/// A broker's configuration.
pub fn config(text: &str) {
    let folder = Path::new("/etc/ztbroker");
    let _ = config::file::File::parse(Path::new("ztbroker.toml"), text).map(|file| file.resolve(folder));
}

/// What agents report, as people see it.
pub fn rows(reports: Vec<ContainerReport>) -> Vec<ContainerRow> {
    registry::rows(&registry_of(reports).all()).iter().map(Row::to_api).collect()
}

fn registry_of(reports: Vec<ContainerReport>) -> Registry {
    let registry = Registry::default();
    let asserts = Assertions { cluster: None, namespaces: vec!["shop-*".to_owned()], runtime: None };
    let asserted = Asserted { agent: AgentId::of_key(b"key"), name: "node".to_owned(), asserts, enrolled_at: 0 };
    let lease = registry.attach(asserted);
    let _ = registry.snapshot(&lease, reports, false);
    registry
}

/// A journal of thirty events, signed every tenth, and the keys to verify it by.
pub fn journal(folder: &Path) -> Option<(Vec<u8>, Keys)> {
    let signer = Signer::open(folder).ok()?;
    let keys = Keys::parse(signer.public_line()).ok()?;
    let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
    for seq in 1..=30 {
        let time = NOW + seq;
        let event = match seq % 10 {
            0 => Event::Checkpoint(Checkpoint::sign(&signer, &tip, time)),
            _ => Event::Logout { user: format!("user{seq}@local") },
        };
        tip.push(time, &event, &mut lines).ok()?;
    }
    Some((lines, keys))
}

/// What is found in a journal that shall hold `tip`.
pub fn verify(journal: &[u8], keys: &Keys, tip: Option<Tip>) -> Option<Report> {
    let mut inspection = Inspection::new(Some(keys));
    if let Some(tip) = tip {
        inspection.must_hold(tip, "the checkpoint");
    }
    let _ = Inspection::of_part(None).read(journal);
    let _ = Checkpoint::last_in(journal, keys);
    inspection.read(journal).ok()
}

/// Somebody's now.
const NOW: u64 = 1_800_000_000;
