//! What the policies find out about a container when it is listed: two containers of which they find out the same have one answer.
//!
//! Read from the policies' JSON form. Of an attribute or a label that is only compared with constants it counts which comparisons hold,
//! of every other that is read its value: so a fleet of containers with a name each falls into few kinds. Whatever is not plainly such
//! a reading counts as reading everything, the id included, so that the worst a surprise can do is cost time.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::schema::{self, Reader};
use crate::broker::registry::Container;
use crate::proto::Action;

/// What is read.
#[derive(Debug, Default)]
pub(super) struct Projection {
    attributes: BTreeMap<String, (Reader, Reading)>,
    labels: BTreeMap<String, Reading>,
    agent: bool,
    ports: bool,
    everything: bool,
}

/// What is found out about one text.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Reading {
    /// The text itself.
    whole: bool,
    /// Which of these it is, if any; by number.
    equals: HashMap<String, u16>,
    /// Which of these it is like.
    likes: Vec<Pattern>,
}

/// A pattern of the policies: texts with anything between two of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern(Vec<String>);

/// A text of the container that a policy reads.
enum Source<'a> {
    Attribute(&'a str),
    Label(&'a str),
}

impl Projection {
    /// Adds what the policy with this JSON form reads when a container is listed.
    pub(super) fn read_by(&mut self, policy: &Value) {
        if !may_apply(&policy["action"], Action::List) {
            return;
        }
        let resource = &policy["resource"];
        let by_type = resource["op"] == "All" || (resource["op"] == "is" && resource.get("in").is_none());
        self.everything |= !by_type;
        self.expression(&policy["conditions"]);
    }

    fn expression(&mut self, expression: &Value) {
        match expression {
            Value::Array(parts) => parts.iter().for_each(|part| self.expression(part)),
            Value::Object(fields) => fields.iter().for_each(|(operator, operands)| self.operation(operator, operands)),
            _ => {}
        }
    }

    fn operation(&mut self, operator: &str, operands: &Value) {
        let (left, right) = (&operands["left"], &operands["right"]);
        match operator {
            "Var" if operands == "resource" => self.everything = true,
            "Value" => {}
            "has" if is_resource(left) => match operands["attr"].as_str() {
                Some(attribute) => drop(self.reading(&Source::Attribute(attribute))),
                None => self.everything = true,
            },
            "hasTag" if is_resource(left) => match right["Value"].as_str() {
                Some(label) => drop(self.reading(&Source::Label(label))),
                None => self.everything = true,
            },
            "." | "getTag" if is_resource(left) => match source(operator, operands) {
                Some(source) => self.reading(&source).into_iter().for_each(|reading| reading.whole = true),
                None => self.everything = true,
            },
            "==" | "!=" => {
                let compared = text_of(left).zip(right["Value"].as_str()).or(text_of(right).zip(left["Value"].as_str()));
                match compared {
                    Some((source, constant)) => self.compare(&source, [constant]),
                    None => self.expression(&Value::Array(vec![left.clone(), right.clone()])),
                }
            }
            "contains" => match (constants(left), text_of(right)) {
                (Some(constants), Some(source)) => self.compare(&source, constants),
                _ => self.expression(&Value::Array(vec![left.clone(), right.clone()])),
            },
            "like" => match (text_of(left), Pattern::of(&operands["pattern"])) {
                (Some(source), Some(pattern)) => {
                    if let Some(reading) = self.reading(&source) {
                        reading.like(pattern);
                    }
                }
                _ => self.expression(operands),
            },
            _ => self.expression(operands),
        }
    }

    fn compare<'a>(&mut self, source: &Source<'_>, constants: impl IntoIterator<Item = &'a str>) {
        if let Some(reading) = self.reading(source) {
            constants.into_iter().for_each(|constant| reading.equal(constant));
        }
    }

    /// What is found out about a text; none of what is found out otherwise.
    fn reading(&mut self, source: &Source<'_>) -> Option<&mut Reading> {
        match source {
            Source::Label(label) => Some(self.labels.entry((*label).to_owned()).or_default()),
            Source::Attribute("agent_id") => {
                self.agent = true;
                None
            }
            Source::Attribute("ports") => {
                self.ports = true;
                None
            }
            Source::Attribute(name) => match schema::reader(name) {
                Some(reader) => Some(&mut self.attributes.entry((*name).to_owned()).or_insert((reader, Reading::default())).1),
                None => {
                    self.everything = true;
                    None
                }
            },
        }
    }

    /// What `container` is to the policies, as `key`: for two that are the same to them the same bytes, for others never. False when they
    /// read everything.
    pub(super) fn project(&self, container: &Container, key: &mut Vec<u8>) -> bool {
        key.clear();
        if self.everything {
            return false;
        }
        for (read, reading) in self.attributes.values() {
            reading.write(read(container), key);
        }
        for (label, reading) in &self.labels {
            reading.write(container.labels.get(label).map(String::as_str), key);
        }
        if self.agent {
            whole(&container.agent.to_string(), key);
        }
        if self.ports {
            key.extend(container.facts.ports.len().to_le_bytes());
            container.facts.ports.iter().for_each(|port| whole(port, key));
        }
        true
    }
}

impl Reading {
    fn equal(&mut self, constant: &str) {
        match u16::try_from(self.equals.len() + 1) {
            Ok(number) => drop(self.equals.entry(constant.to_owned()).or_insert(number)),
            Err(_) => self.whole = true,
        }
    }

    fn like(&mut self, pattern: Pattern) {
        if self.likes.contains(&pattern) {
        } else if self.likes.len() < MOST_PATTERNS {
            self.likes.push(pattern);
        } else {
            self.whole = true;
        }
    }

    /// Adds to `key` what is found out about `text`. Each form begins with a byte of its own and has its length.
    fn write(&self, text: Option<&str>, key: &mut Vec<u8>) {
        match text {
            None => key.push(ABSENT),
            Some(text) if self.whole => whole(text, key),
            Some(text) => {
                let like = |bits: u64, pattern: &Pattern| bits << 1 | u64::from(pattern.fits(text));
                key.push(COMPARED);
                key.extend(self.equals.get(text).copied().unwrap_or(0).to_le_bytes());
                key.extend(self.likes.iter().fold(0, like).to_le_bytes());
            }
        }
    }
}

impl Pattern {
    /// The pattern with this JSON form.
    fn of(json: &Value) -> Option<Self> {
        let mut texts = vec![String::new()];
        for element in json.as_array()? {
            match (element.as_str(), element["Literal"].as_str()) {
                (Some("Wildcard"), _) => texts.push(String::new()),
                (None, Some(literal)) => texts.last_mut()?.push_str(literal),
                _ => return None,
            }
        }
        Some(Self(texts))
    }

    /// Whether it is the whole of `text`.
    fn fits(&self, text: &str) -> bool {
        let Some((first, rest)) = self.0.split_first() else { return false };
        let Some((last, between)) = rest.split_last() else { return text == first };
        let Some(mut rest) = text.strip_prefix(first.as_str()).and_then(|rest| rest.strip_suffix(last.as_str())) else {
            return false;
        };
        between.iter().all(|wanted| match rest.find(wanted.as_str()) {
            Some(at) => {
                rest = rest.get(at + wanted.len()..).unwrap_or_default();
                true
            }
            None => false,
        })
    }
}

fn whole(text: &str, key: &mut Vec<u8>) {
    key.push(WHOLE);
    key.extend(text.len().to_le_bytes());
    key.extend(text.as_bytes());
}

fn is_resource(expression: &Value) -> bool {
    expression["Var"] == "resource"
}

/// What an operation on the resource itself reads.
fn source<'a>(operator: &str, operands: &'a Value) -> Option<Source<'a>> {
    match operator {
        "." => operands["attr"].as_str().map(Source::Attribute),
        _ => operands["right"]["Value"].as_str().map(Source::Label),
    }
}

/// The text of the resource that `expression` is, if it is no more than that.
fn text_of(expression: &Value) -> Option<Source<'_>> {
    let (operator, operands) = expression.as_object().filter(|fields| fields.len() == 1)?.iter().next()?;
    let reads = matches!(operator.as_str(), "." | "getTag") && is_resource(&operands["left"]);
    reads.then(|| source(operator, operands)).flatten()
}

/// The texts of a set of nothing but texts.
fn constants(expression: &Value) -> Option<Vec<&str>> {
    match expression["Set"].as_array() {
        Some(members) => members.iter().map(|member| member["Value"].as_str()).collect(),
        None => expression["Value"].as_array()?.iter().map(Value::as_str).collect(),
    }
}

/// Whether a policy with this action scope can say anything about `action`.
pub(super) fn may_apply(scope: &Value, action: Action) -> bool {
    let is = |entity: &Value| entity["id"] == action.as_str();
    match scope["op"].as_str() {
        Some("==") => is(&scope["entity"]),
        Some("in") => is(&scope["entity"]) || scope["entities"].as_array().is_some_and(|entities| entities.iter().any(is)),
        _ => true,
    }
}

/// The container has no such text.
const ABSENT: u8 = 0;
/// The text follows.
const WHOLE: u8 = 1;
/// The number of the constant that it is (0 for none), and a bit for each pattern that it is like.
const COMPARED: u8 = 2;

/// As many as there are bits.
const MOST_PATTERNS: usize = 64;

#[cfg(test)]
mod tests;
