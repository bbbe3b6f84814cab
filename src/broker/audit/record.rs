//! A line of the journal: an event, when it was, and what holds it in its place.

use serde::{Deserialize, Serialize};

use super::Event;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// 1 for the first, without gaps.
    pub seq: u64,
    /// When it was written, in seconds since 1970.
    pub time: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
    /// The hash of the line before; 64 zeros for the first.
    pub prev: String,
    /// SHA-256 of the line without this field.
    pub hash: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_of_a_newer_version_is_still_a_record() {
        let line = r#"{"seq":1,"time":2,"event":"moon_landed","site":"tranquility","prev":"","hash":""}"#;
        let record: Record = serde_json::from_str(line).unwrap();
        assert_eq!((record.seq, record.event), (1, Event::Unknown));
    }
}
