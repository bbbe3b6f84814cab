//! `deploy/audit.md` has every event and field, with the words that stand beside them in the source.
//! `ZTCTL_BLESS=1 cargo test audit::document` writes the list anew.

use std::collections::BTreeMap;
use std::path::Path;

use super::Event;

const DOCUMENT: &str = "deploy/audit.md";
const BEGIN: &str = "<!-- The list is made from the source: ZTCTL_BLESS=1 cargo test audit::document -->\n";
const SOURCES: &[&str] = &[
    include_str!("event.rs"),
    include_str!("checkpoint.rs"),
    include_str!("../../proto/agent.rs"),
    include_str!("asking.rs"),
    include_str!("authorised.rs"),
];

#[derive(Default, Clone)]
struct Entry {
    name: String,
    words: String,
    fields: Vec<Field>,
    /// The struct that has its fields.
    inner: Option<String>,
}

#[derive(Default, Clone)]
struct Field {
    name: String,
    words: String,
    kind: String,
    optional: bool,
}

/// The body of `item`, up to the brace that closes it.
fn body(item: &str) -> &'static str {
    let start = format!("pub {item} {{\n");
    let source = SOURCES.iter().find(|source| source.contains(&start)).unwrap_or_else(|| panic!("there is no {item}"));
    source.split_once(&start).unwrap().1.split_once("\n}\n").unwrap().0
}

/// The variants of an enum as rustfmt leaves it.
fn variants(name: &str) -> Vec<Entry> {
    let (mut entries, mut words, mut field) = (Vec::new(), String::new(), Field::default());
    let mut entry = Entry::default();
    for line in body(&format!("enum {name}")).lines() {
        if let Some(text) = line.strip_prefix("    /// ") {
            add(&mut words, text);
        } else if let Some(text) = line.strip_prefix("        /// ") {
            add(&mut field.words, text);
        } else if line.starts_with("        #[serde") {
            field.optional |= line.contains("skip_serializing_if");
        } else if let Some((name, kind)) =
            line.strip_prefix("        ").and_then(|line| line.trim_end_matches(',').split_once(": "))
        {
            entry.fields.push(typed(std::mem::take(&mut field), name, kind));
        } else if let Some(rest) =
            line.strip_prefix("    ").filter(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
        {
            let end = rest.find(|letter: char| !letter.is_alphanumeric()).unwrap();
            let inner = rest[end..]
                .strip_prefix('(')
                .map(|inner| inner.trim_end_matches([',', ')']).replace("Box<", "").replace('>', ""));
            entry = Entry { name: snake(&rest[..end]), words: std::mem::take(&mut words), fields: Vec::new(), inner };
            if !rest.ends_with('{') {
                entries.push(std::mem::take(&mut entry));
            }
        } else if line == "    }," {
            entries.push(std::mem::take(&mut entry));
        }
    }
    entries
}

fn members(name: &str) -> Vec<Field> {
    let (mut fields, mut field) = (Vec::new(), Field::default());
    for line in body(&format!("struct {name}")).lines() {
        if let Some(text) = line.strip_prefix("    /// ") {
            add(&mut field.words, text);
        } else if line.contains("skip_serializing_if") {
            field.optional = true;
        } else if let Some((name, kind)) =
            line.strip_prefix("    pub ").and_then(|line| line.trim_end_matches(',').split_once(": "))
        {
            fields.push(typed(std::mem::take(&mut field), name, kind));
        }
    }
    fields
}

fn typed(field: Field, name: &str, kind: &str) -> Field {
    let (kind, optional) = match kind.strip_prefix("Option<") {
        Some(inner) => (inner.trim_end_matches('>'), true),
        None => (kind, field.optional),
    };
    let words = match kind {
        "String" => "text",
        "u16" | "u32" | "u64" => "number",
        "Vec<String>" => "list of texts",
        "Actions" => "list of actions",
        "SessionId" | "ContainerId" | "AgentId" | "RequestId" => "id",
        "ChannelReport" => "[channel](#channels)",
        "Outcome" => "[outcome](#outcomes)",
        other => panic!("say how {other} looks in JSON"),
    };
    Field { name: name.to_owned(), kind: words.to_owned(), optional, ..field }
}

fn add(words: &mut String, text: &str) {
    if !words.is_empty() {
        words.push(' ');
    }
    words.push_str(text);
}

fn snake(name: &str) -> String {
    let letter = |(index, letter): (usize, char)| {
        let space = if index > 0 && letter.is_uppercase() { "_" } else { "" };
        format!("{space}{}", letter.to_lowercase())
    };
    name.chars().enumerate().map(letter).collect()
}

fn list(entries: &[Entry], level: &str) -> String {
    let mut text = String::new();
    for entry in entries {
        let fields = entry.inner.as_deref().map_or(entry.fields.clone(), members);
        text += &format!("\n{level} `{}`\n\n{}\n", entry.name, entry.words);
        if !fields.is_empty() {
            text += "\n| field | is | |\n| --- | --- | --- |\n";
        }
        for Field { name, kind, optional, words } in fields {
            let may = if optional { ", may be missing" } else { "" };
            text += &format!("| `{name}` | {kind}{may} | {} |\n", words.replace("[`", "`").replace("`]", "`"));
        }
    }
    text
}

fn events() -> Vec<Entry> {
    let mut events = variants("Event");
    // What this version cannot read is not what it writes.
    assert_eq!(events.pop().map(|last| last.name).as_deref(), Some("unknown"));
    events
}

#[test]
fn the_document_has_every_event() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(DOCUMENT);
    let text = std::fs::read_to_string(&path).unwrap();
    let (head, _) = text.split_once(BEGIN).expect("the document has a place for the list");
    let fresh = format!(
        "{head}{BEGIN}{}\n## Channels\n\nWith the name in `kind`.\n{}\n## Outcomes\n\nWith the name in `kind`.\n{}",
        list(&events(), "###"),
        list(&variants("ChannelReport"), "###"),
        list(&variants("Outcome"), "###"),
    );
    if std::env::var_os("ZTCTL_BLESS").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    assert!(
        text == fresh || std::env::var_os("ZTCTL_BLESS").is_some(),
        "{DOCUMENT} is stale: ZTCTL_BLESS=1 cargo test audit::document"
    );
}

/// The names are those of the JSON, and what they need is what the list has.
#[test]
fn the_list_is_what_is_written() {
    let sample = |kind: &str| match kind {
        "number" => serde_json::json!(1),
        "list of texts" | "list of actions" => serde_json::json!([]),
        "id" => serde_json::json!("0".repeat(32)),
        "[channel](#channels)" => serde_json::json!({"kind": "shell"}),
        "[outcome](#outcomes)" => serde_json::json!({"kind": "cut"}),
        _ => serde_json::json!("text"),
    };
    for entry in events() {
        let fields = entry.inner.as_deref().map_or(entry.fields, members);
        let mut line: BTreeMap<String, serde_json::Value> =
            fields.iter().map(|field| (field.name.clone(), sample(&field.kind))).collect();
        line.insert("event".into(), entry.name.clone().into());
        let event: Event =
            serde_json::from_value(serde_json::json!(line)).unwrap_or_else(|error| panic!("{}: {error}", entry.name));
        assert_ne!(event, Event::Unknown, "{}", entry.name);
        let written = serde_json::to_value(&event).unwrap();
        for field in fields.iter().filter(|field| !field.optional || field.kind != "list of texts") {
            assert!(written.get(&field.name).is_some(), "{} does not write {}", entry.name, field.name);
        }
    }
}
