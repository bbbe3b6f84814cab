//! The names that were in the list last, and what one tells containers apart by: for completion, which must not wait for a broker.
//!
//! It is one login's list, as the broker gave it to that login; it is its owner's alone and goes when the login ends.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::private::{self, FileError, Guard};
use crate::proto::Textual;
use crate::proto::api::ContainerRow;

/// One container of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de> + Ord + Default"))]
pub struct Known<S = String> {
    /// The short name.
    pub name: S,
    /// The name that stays its own.
    pub full_name: S,
    /// What it is a replica of.
    pub app: S,
    /// Where it runs.
    pub location: S,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<S>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<S, S>,
}

impl<'a, S: Textual> From<&'a ContainerRow<S>> for Known<&'a str> {
    fn from(row: &'a ContainerRow<S>) -> Self {
        Self {
            name: row.name.as_ref(),
            full_name: row.full_name.as_ref(),
            app: row.app.as_ref(),
            location: row.location.as_ref(),
            namespace: row.namespace_or_project(),
            labels: row.labels.iter().map(|(key, value)| (key.as_ref(), value.as_ref())).collect(),
        }
    }
}

/// The list, one container a line, of which only those are read that are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names(pub(super) String);

impl Names {
    /// The list of `rows`.
    pub fn of<S: Textual>(rows: &[ContainerRow<S>]) -> Self {
        // Texts always serialise.
        Self(rows.iter().map(|row| serde_json::to_string(&Known::from(row)).unwrap_or_default() + "\n").collect())
    }

    /// All of it; what is damaged is left out.
    pub fn all(&self) -> Vec<Known> {
        self.0.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Those whose name begins with `typed`.
    pub fn beginning(&self, typed: &str) -> Vec<Known> {
        // The name stands first in each line, as JSON has it.
        let typed = serde_json::to_string(typed).unwrap_or_default();
        let begin = format!("{{\"name\":{}", typed.trim_end_matches('"'));
        let fitting = self.0.lines().filter(|line| line.starts_with(&begin));
        fitting.filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// What is known, and for how long; `None` when nothing is, or nothing that can be read.
pub fn load(file: &Path) -> Option<(Duration, Names)> {
    let bytes = private::read(file, Guard::Secret, LIMIT).ok()??;
    let age = fs::metadata(file).and_then(|found| found.modified()).ok()?.elapsed().unwrap_or_default();
    Some((age, Names(String::from_utf8(bytes).ok()?)))
}

/// Keeps the list instead of the one before.
///
/// # Errors
/// [`FileError`].
pub fn save<S: Textual>(file: &Path, rows: &[ContainerRow<S>]) -> Result<(), FileError> {
    private::write(file, Guard::Secret, Names::of(rows).0.as_bytes())
}

/// The most bytes of the file: 100 000 containers with their labels.
const LIMIT: u64 = 64 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back_and_what_is_damaged_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("state/names.json");
        assert!(load(&file).is_none());
        let row = ContainerRow { namespace: Some("shop".into()), ..ContainerRow::example("tomcat") };
        save(&file, std::slice::from_ref(&row)).unwrap();
        let (age, names) = load(&file).unwrap();
        assert!(age < Duration::from_secs(60) && names == Names::of(&[row]));
        assert_eq!(names.all()[0].namespace.as_deref(), Some("shop"));
        assert_eq!((names.beginning("tomcat-7").len(), names.beginning("omcat").len(), names.beginning("\"").len()), (1, 0, 0));
        fs::write(&file, b"[{").unwrap();
        assert!(load(&file).unwrap().1.all().is_empty());
    }
}
