//! A record for people: what happened in a word, and what there is to say of it as names and values.

use serde_json::Value;

use super::Record;

/// A record's event, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What happened: `session_ended`.
    pub event: String,
    /// The rest, in the event's own order; a value with a kind of its own is that kind, followed by what belongs to it.
    pub fields: Vec<(String, String)>,
}

impl Record {
    /// The event as words. Nothing in them is made fit for a terminal yet.
    pub fn words(&self) -> Words {
        let mut words = Words { event: String::new(), fields: Vec::new() };
        if let Ok(Value::Object(event)) = serde_json::to_value(&self.event) {
            for (name, value) in event {
                match (name.as_str(), value) {
                    ("event", Value::String(event)) => words.event = event,
                    (_, Value::Null) => {}
                    (_, Value::Object(mut parts)) => {
                        if let Some(kind) = parts.remove("kind") {
                            words.fields.push((name, plain(&kind)));
                        }
                        words.fields.extend(parts.into_iter().map(|(name, value)| (name, plain(&value))));
                    }
                    (_, value) => words.fields.push((name, plain(&value))),
                }
            }
        }
        words
    }
}

/// Text without quotes where it is one word; all else as JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) if !text.is_empty() && !text.contains([' ', '"', '=']) => text.clone(),
        Value::Array(values) if values.iter().all(Value::is_string) => values.iter().map(plain).collect::<Vec<_>>().join(","),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::audit::Event;
    use crate::proto::agent::Outcome;
    use crate::proto::{ContainerId, SessionId};

    fn words(event: Event) -> String {
        let record = Record { seq: 7, time: 0, event, prev: String::new(), hash: String::new() };
        let Words { event, fields } = record.words();
        fields.iter().fold(event, |line, (name, value)| format!("{line} {name}={value}"))
    }

    #[test]
    fn an_event_reads_as_words() {
        let event =
            Event::UserAdded { user: "ada".into(), groups: vec!["dev".into(), "ops".into()], by: "operator (uid 0)".into() };
        assert_eq!(words(event), "user_added user=ada groups=dev,ops by=\"operator (uid 0)\"");
    }

    #[test]
    fn a_kind_comes_before_what_belongs_to_it() {
        let event = Event::SessionEnded {
            session: SessionId::derived(&[]),
            user: "ada@local".into(),
            container: ContainerId::derived(&[]),
            outcome: Outcome::Exited { status: 3 },
            why: None,
            bytes_in: 1,
            bytes_out: 2,
            seconds: 4,
        };
        assert!(words(event).contains(" outcome=exited status=3 bytes_in=1"));
    }
}
