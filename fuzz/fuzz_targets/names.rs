//! What people and machines write in one line: names, ids, patterns, times, tokens, selectors. What is understood is written as it was
//! read, or reads back as the same.
#![no_main]

use std::fmt::{Debug, Display};
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use ztctl::broker::locks::LockId;
use ztctl::broker::{TokenId, config::Network};
use ztctl::client::config::{EscapeKey, ProfileName};
use ztctl::client::http::BrokerUrl;
use ztctl::client::select::Selector;
use ztctl::proto::join::JoinToken;
use ztctl::proto::logs::LogsRequest;
use ztctl::proto::name::{Account, Login, Target, app_name};
use ztctl::proto::{Action, Actions, AgentId, ContainerId, SessionId, VariableNames, command};
use ztctl::transport::tls::RootFingerprint;
use ztctl::{agent, glob, harmless, moment};
use ztctl_fuzz::{split, text, texts};

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    let line = text(bytes);
    match choice % 8 {
        0 => {
            same::<Target>(&line);
            same::<Login>(&line);
            same::<Account>(&line);
            same::<LockId>(&line);
            same::<ProfileName>(&line);
            same::<EscapeKey>(&line);
            assert!(app_name(&line).parse::<Target>().is_ok(), "{}", app_name(&line));
        }
        1 => {
            same::<AgentId>(&line);
            same::<ContainerId>(&line);
            same::<SessionId>(&line);
            same::<Action>(&line);
            again::<Actions>(&line);
            again::<RootFingerprint>(&line);
            let _ = (line.parse::<TokenId>().is_ok(), line.parse::<Network>().is_ok());
        }
        2 => {
            again::<VariableNames>(&line);
            let [names, name, value] = texts(&line);
            if let Ok(granted) = names.parse::<VariableNames>() {
                agent::fuzzing::variable(name, value, &granted);
                let other: Result<VariableNames, _> = value.parse();
                if let Ok(other) = other {
                    let both = granted.and(&other).admit(name);
                    assert_eq!(both, granted.admit(name) && other.admit(name), "{granted} and {other}: {name}");
                }
            }
        }
        3 => {
            if let Ok(token) = line.parse::<JoinToken>() {
                assert!(token.encode().expose().parse::<JoinToken>().is_ok());
            }
            if let Ok(url) = line.parse::<BrokerUrl>() {
                assert_eq!(url.to_string().parse::<BrokerUrl>().as_ref(), Ok(&url));
                assert!(url.holds(&url.at("/v1/ca")));
            }
            if let Some(request) = LogsRequest::from_subsystem(&line) {
                assert_eq!(LogsRequest::from_subsystem(&request.to_subsystem()), Some(request));
            }
        }
        4 => {
            let [pattern, name, _] = texts(&line);
            assert!(glob::matches("*", name));
            if !name.contains('*') {
                assert!(glob::matches(name, name) && glob::matches(&format!("{name}*"), name));
            }
            let _ = glob::matches(pattern, name);
            let _ = line.parse::<Selector>();
        }
        5 => {
            let shown = harmless::harmless(&line);
            assert!(!shown.chars().any(char::is_control) && harmless::harmless(&shown) == shown);
            let json = serde_json::to_string(&*line).expect("a text");
            assert_eq!(serde_json::from_str::<String>(&harmless::escaped(&json)).expect("a text"), *line);
        }
        6 => {
            let _ = (moment::duration(&line), moment::at(&line));
            if let Ok(since) = moment::since(&line) {
                since.seconds(1_800_000_000);
            }
            if let Some(time) = moment::parse(&line) {
                assert_eq!(moment::parse(&moment::rfc3339(time)), Some(time), "{time}");
                moment::length(time);
            }
            ztctl::client::fuzzing::date(&line);
        }
        _ => {
            if let Some(words) = command::unquote(bytes) {
                assert_eq!(command::quote(&words), bytes);
            }
            let words: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
            assert_eq!(command::unquote(&command::quote(&words)).expect("our own form"), words);
        }
    }
});

/// What is read is written as it was.
fn same<T: FromStr + Display>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert_eq!(read.to_string(), text);
    }
}

/// What is read and written reads as the same.
fn again<T: FromStr + Display + PartialEq + Debug>(text: &str) {
    if let Ok(read) = text.parse::<T>() {
        assert!(read.to_string().parse::<T>().is_ok_and(|again| again == read), "{read}");
    }
}
