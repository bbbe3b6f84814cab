//! Short names, and what a typed name means.
//!
//! `<app>-<digits>` with the fewest digits (3 or more) that tell the container from every other of the same app that the viewer
//! sees. Exact beats prefix; more than one match is never guessed.

use std::sync::Arc;

use super::Container;
use crate::proto::ContainerId;

/// A container under the name that one viewer sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The container.
    pub container: Arc<Container>,
    /// Its shortest unique name for this viewer.
    pub name: String,
}

/// What a typed name means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// This one.
    One(Row),
    /// Any of these; ask.
    Ambiguous(Vec<Row>),
    /// None that the viewer sees.
    None,
}

/// The rows for a viewer who sees exactly `containers`, sorted by name.
pub fn rows(containers: &[Arc<Container>]) -> Vec<Row> {
    // Ids are in the order of their digits.
    let mut sorted: Vec<(Order<'_>, ContainerId, &Arc<Container>)> =
        containers.iter().map(|container| (Order::of(&container.app), container.id, container)).collect();
    sorted.sort_unstable_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    sorted.dedup_by_key(|(_, id, _)| *id);
    let row = |(index, (app, id, container)): (usize, &(Order<'_>, ContainerId, &Arc<Container>))| {
        // In sorted order the one that shares the most digits is a neighbour.
        let neighbours = [index.checked_sub(1), index.checked_add(1)].into_iter().flatten();
        let same_app = neighbours.filter_map(|neighbour| sorted.get(neighbour)).filter(|(other, ..)| other == app);
        let shared = same_app.map(|(_, other, _)| id.shared_digits(*other)).max();
        let length = (shared.unwrap_or(0) + 1).clamp(SHORTEST, ID_DIGITS);
        let digits = id.digits();
        let name = [container.app.as_str(), "-", digits.as_str().get(..length).unwrap_or_default()].concat();
        Row { container: Arc::clone(container), name }
    };
    sorted.iter().enumerate().map(row).collect()
}

/// A text in its order among others. The first letters, which mostly decide, lie where they are compared.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Order<'a>(u128, Option<&'a [u8]>);

impl<'a> Order<'a> {
    fn of(text: &'a str) -> Self {
        let (first, rest) = text.as_bytes().split_at(text.len().min(16));
        let mut begin = [0; 16];
        begin[..first.len()].copy_from_slice(first);
        Self(u128::from_be_bytes(begin), Some(rest).filter(|rest| !rest.is_empty()))
    }
}

/// What `typed` means to the viewer of `rows`: a short name, a full name or an id exactly, else a unique beginning of one.
pub fn resolve(typed: &str, rows: &[Row]) -> Resolution {
    let exact = |row: &&Row| row.name == typed || row.container.full_name == typed || row.container.id.to_string() == typed;
    let found: Vec<&Row> = rows.iter().filter(exact).collect();
    let found = if found.is_empty() { rows.iter().filter(|row| may_mean(&row.container, typed)).collect() } else { found };
    match found.as_slice() {
        [] => Resolution::None,
        [row] => Resolution::One((*row).clone()),
        several => Resolution::Ambiguous(several.iter().map(|row| (*row).clone()).collect()),
    }
}

/// Whether `typed` begins, or is, one of the container's names: `<app>-<all digits>` or the digits alone.
pub(in crate::broker) fn may_mean(container: &Container, typed: &str) -> bool {
    if container.full_name.starts_with(typed) {
        return true;
    }
    // The digits alone, or more of them than the full name has.
    let app = typed.strip_prefix(container.app.as_str()).and_then(|rest| rest.strip_prefix('-'));
    let digits = app.unwrap_or(typed);
    // Fewer than a short name has are no id: `db` is an app, also for whoever sees none of it.
    let enough = if app.is_some() { 0 } else { SHORTEST };
    (enough..=ID_DIGITS).contains(&digits.len())
        && digits.bytes().all(hexadecimal)
        && container.id.to_string().starts_with(digits)
}

fn hexadecimal(digit: u8) -> bool {
    matches!(digit, b'0'..=b'9' | b'a'..=b'f')
}

/// The fewest digits of a short name.
const SHORTEST: usize = 3;

const ID_DIGITS: usize = 32;
