//! What the fuzz targets in `fuzz/` reach of the client's parsers: what brokers, browsers and files say. Built for fuzzing only.

use url::Url;

use super::config::Config;
use super::http::{Answer, date};
use super::names::Names;
use super::oauth::{callback, discovery, exchange};
use super::{guardian, stdio};
use crate::proto::Secret;

/// A time as HTTP writes it.
pub fn date(text: &str) {
    let _ = date::parse(text);
}

/// The answers of a broker's login endpoints.
pub fn login_answers(body: &[u8]) {
    for status in [200, 400] {
        let answer = Answer { status, body: body.to_vec() };
        let _ = exchange::answer::<exchange::Tokens>(&answer);
        let _ = exchange::answer::<discovery::Document>(&answer);
    }
}

/// What a browser asks the loopback address for.
pub fn callback(target: &str) {
    let Ok(redirect) = Url::parse("http://127.0.0.1:4711/callback") else { return };
    let state = Secret::new("the state of this login".to_owned());
    if let Ok(url) = redirect.join(target) {
        let code = callback::judge(&url, &state);
        assert!(code.is_err() || url.query().is_some_and(|query| query.contains("state")));
    }
}

/// The configuration's file.
pub fn config(text: &str) {
    if let Ok(config) = toml::from_str::<Config>(text) {
        for broker in &config.brokers {
            let _ = (broker.profile(), broker.trust());
        }
        let again = toml::to_string(&config).unwrap_or_default();
        assert_eq!(toml::from_str::<Config>(&again).ok(), Some(config), "{again}");
    }
}

/// The file of names, and a beginning of one.
pub fn names(file: &str, typed: &str) {
    let names = Names(file.to_owned());
    let _ = (names.all(), names.beginning(typed));
}

/// What the guardian hears.
pub fn guardian(pipe: &[u8]) {
    let _ = guardian::watch(&mut &pipe[..]);
}

/// A console's text: the same wherever it is cut.
pub fn console(bytes: &[u8], cut: usize) {
    let text = |pieces: &[&[u8]]| {
        let mut drawn = stdio::text::Drawn::default();
        pieces.iter().map(|piece| drawn.text(piece)).collect::<String>()
    };
    let (one, other) = bytes.split_at(cut.min(bytes.len()));
    assert_eq!(text(&[bytes]), text(&[one, other]));
    let (mut typed, mut out) = (stdio::text::Typed::default(), String::new());
    for unit in bytes.chunks_exact(2) {
        typed.push(u16::from_be_bytes([unit[0], unit[1]]), &mut out);
    }
}
