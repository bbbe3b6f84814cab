//! The framing of every stream of ours and the messages in it: whatever is understood can be said again, and means the same; what an
//! agent reports is harmless when people see it.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde::Serialize;
use serde::de::DeserializeOwned;
use ztctl::broker::fuzzing::rows;
use ztctl::harmless::harmless;
use ztctl::proto::agent::{
    Answer, Challenge, FRAME_LIMIT, FromAgent, FromBroker, FromParked, HELLO_LIMIT, Hello, LinkHeader, ToParked,
};
use ztctl::proto::api::{ConnectReply, ContainerRow};
use ztctl::proto::frame::{FrameReader, encode};
use ztctl_fuzz::{run, split};

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    run(frames(bytes));
    let json = bytes;
    match choice % 10 {
        0 => drop(again::<Challenge>(json)),
        1 => drop(again::<Hello>(json)),
        2 => drop(again::<Answer>(json)),
        3 => drop(again::<FromBroker>(json)),
        4 => drop(again::<ToParked>(json)),
        5 => drop(again::<FromParked>(json)),
        6 => drop(again::<LinkHeader>(json)),
        7 => drop(again::<ConnectReply>(json)),
        _ => match again::<FromAgent>(json) {
            Some(FromAgent::Snapshot { containers, .. }) => rows(containers).iter().for_each(check),
            Some(FromAgent::Upsert { container }) => rows(vec![*container]).iter().for_each(check),
            _ => {}
        },
    }
});

/// A stream of frames, as the side that has not seen the other's proof reads it.
async fn frames(bytes: &[u8]) {
    let mut reader = FrameReader::new(bytes, HELLO_LIMIT);
    while reader.next::<serde_json::Value>().await.is_ok() {}
}

fn again<T: Serialize + DeserializeOwned + Debug>(json: &[u8]) -> Option<T> {
    let message: T = serde_json::from_slice(json).ok()?;
    if let Ok(frame) = encode(&message, FRAME_LIMIT) {
        let repeated: T = run(async { FrameReader::new(frame.as_slice(), FRAME_LIMIT).next().await.expect("what we say") });
        assert_eq!(format!("{message:?}"), format!("{repeated:?}"));
    }
    Some(message)
}

fn check(row: &ContainerRow) {
    let texts = [&row.name, &row.full_name, &row.app, &row.image, &row.location, &row.state, &row.agent, &row.runtime];
    for text in texts.into_iter().chain(row.labels.keys()).chain(row.labels.values()) {
        assert!(text.len() <= 1024 && !text.chars().any(char::is_control), "{text:?}");
        assert_eq!(harmless(text), harmless(&harmless(text)));
    }
    assert!(row.name.parse::<ztctl::proto::name::Target>().is_ok(), "{}", row.name);
}
