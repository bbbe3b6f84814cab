//! Policies from files: parsed, validated strictly against the schema, every annotation understood; or refused with the place.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, Validator};
use miette::Diagnostic;

use super::kinds::Kinds;
use super::listing::Listing;
use super::obligation::Obligations;
use super::schema::Words;
use super::{Set, source};

/// Why a policy set is refused.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file or folder cannot be read.
    #[error("the policy {} cannot be read: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder without a policy file.
    #[error("the policy folder {} has no file that ends in .cedar: copy deploy/policy.cedar there", .0.display())]
    Empty(PathBuf),
    /// Not one policy, where there were some.
    #[error(
        "the policy {} holds no policy, which would end every session and keep everybody out: `ztbroker lock add --everything` does that on purpose",
        .0.display()
    )]
    None(PathBuf),
    /// A file over the limit.
    #[error("the policy {} has more than {LIMIT} bytes", .0.display())]
    TooLong(PathBuf),
    /// What is wrong in the files, all of it.
    #[error("{}", lines(.0))]
    Faults(Vec<Fault>),
    /// The schema of this program itself: a mistake of ours.
    #[error("the policy schema cannot be read: {0}")]
    Schema(String),
}

/// One mistake in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What may help.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.path.display(), self.line, self.column, self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, " (hint: {hint})"))
    }
}

fn lines(faults: &[Fault]) -> String {
    faults.iter().map(Fault::to_string).collect::<Vec<_>>().join("\n")
}

/// Loads the file, or every `*.cedar` of the folder, at `path`.
pub(super) fn load(path: &Path) -> Result<Set, LoadError> {
    let mut texts = Vec::new();
    let (files, hidden) = listed(path)?;
    for file in hidden.iter().filter(|file| file.is_file()) {
        tracing::warn!("{} is hidden, and no policy is read from it", file.display());
    }
    for file in files {
        texts.push((file.clone(), read(&file)?));
    }
    from_texts(&texts)
}

/// The set that `texts` (each with the path that it came from) make.
pub(in crate::broker) fn from_texts(texts: &[(PathBuf, String)]) -> Result<Set, LoadError> {
    let words = Words::new().map_err(LoadError::Schema)?;
    let validator = Validator::new(words.schema.clone());
    let mut loader = Loader { validator, accepted: Vec::new(), faults: Vec::new(), warnings: Vec::new() };
    for (path, text) in texts {
        // Whose save has failed half-way may have held what forbids something.
        if texts.len() > 1 && text.trim().is_empty() {
            let place = Place { path, text, start: 0 };
            loader.faults.push(place.at(
                0,
                "the file is empty".to_owned(),
                Some("remove it if nothing is meant to be in it".to_owned()),
            ));
        }
        loader.file(path, text);
    }
    let Loader { accepted, faults, warnings, .. } = loader;
    if !faults.is_empty() {
        return Err(LoadError::Faults(faults));
    }
    let schema = |error: &dyn fmt::Display| LoadError::Schema(error.to_string());
    let (mut obligations, mut places) = (HashMap::new(), HashMap::new());
    let mut listing = Listing::default();
    let mut policies = PolicySet::new();
    for (policy, asks, place) in accepted {
        places.insert(policy.id().clone(), place);
        listing.add(&policy, policy.to_json().map_err(|error| schema(&error))?);
        obligations.insert(policy.id().clone(), asks);
        policies.add(policy).map_err(|error| schema(&error))?;
    }
    let kinds = Kinds::new(listing.projection());
    Ok(Set { words, policies, obligations, listing, kinds, places, warnings })
}

struct Loader {
    validator: Validator,
    accepted: Vec<(Policy, Obligations, Fault)>,
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
}

impl Loader {
    fn file(&mut self, path: &Path, text: &str) {
        let stem = path.file_stem().map_or_else(|| "policy".into(), |stem| stem.to_string_lossy());
        for (number, statement) in source::statements(text).into_iter().enumerate() {
            let at = Place { path, text, start: statement.start };
            let default_id = format!("{stem}-{}", number + 1);
            self.policy(&at, &text[statement], default_id);
        }
    }

    fn policy(&mut self, at: &Place<'_>, statement: &str, default_id: String) {
        let before = self.faults.len();
        let policy = match Policy::parse(Some(PolicyId::new(&default_id)), statement) {
            Ok(policy) => policy,
            Err(errors) => return self.faults.extend(errors.iter().map(|error| at.fault(error))),
        };
        let id = policy.annotation("id").unwrap_or(&default_id).to_owned();
        if id.is_empty() || id.len() > ID_LIMIT {
            let message = format!("a policy id has 1 to {ID_LIMIT} bytes: \"{}\"", id.escape_debug());
            self.faults.push(at.fault_at_annotation(statement, "id", message));
        } else if let Some((.., other)) = self.accepted.iter().find(|(other, ..)| other.id().to_string() == id) {
            let place = format!("{}:{}", other.path.display(), other.line);
            let message = format!("the policy id \"{}\" is taken by the policy at {place}", id.escape_debug());
            self.faults.push(at.fault_at_annotation(statement, "id", message));
        }
        let mut asks = Obligations::default();
        for (name, value) in policy.annotations() {
            if let Err(error) = asks.take(name, value, policy.effect() == Effect::Permit) {
                self.faults.push(at.fault_at_annotation(statement, name, error.to_string()));
            }
        }
        if let Err((name, error)) = asks.check() {
            self.faults.push(at.fault_at_annotation(statement, name, error.to_string()));
        }
        match PolicySet::from_policies([policy.clone()]) {
            Ok(alone) => {
                let result = self.validator.validate(&alone, ValidationMode::Strict);
                self.faults.extend(result.validation_errors().map(|error| at.fault(error)));
                self.warnings.extend(result.validation_warnings().map(|warning| at.fault(warning)));
            }
            Err(error) => self.faults.push(at.fault(&error)),
        }
        if self.faults.len() == before {
            let place = at.at(source::start_of(statement), String::new(), None);
            self.accepted.push((policy.new_id(PolicyId::new(id)), asks, place));
        }
    }
}

/// Where a statement stands.
struct Place<'a> {
    path: &'a Path,
    text: &'a str,
    start: usize,
}

impl Place<'_> {
    fn fault(&self, error: &dyn Diagnostic) -> Fault {
        let label = error.labels().and_then(|mut labels| labels.next());
        let offset = label.as_ref().map_or(0, miette::LabeledSpan::offset);
        let mut message = error.to_string();
        if let Some(detail) = label.as_ref().and_then(miette::LabeledSpan::label).filter(|detail| !message.contains(detail)) {
            message = format!("{message}: {detail}");
        }
        self.at(offset, message, error.help().map(|help| help.to_string()))
    }

    fn fault_at_annotation(&self, statement: &str, name: &str, message: String) -> Fault {
        self.at(source::find_code(statement, &format!("@{name}")).unwrap_or(0), message, None)
    }

    fn at(&self, offset: usize, message: String, hint: Option<String>) -> Fault {
        let before = self.text.get(..self.start + offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Fault {
            path: self.path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message: message.replace('\n', " "),
            hint: hint.map(|hint| hint.replace('\n', " ")),
        }
    }
}

/// The file itself, or the folder's policy files sorted by name.
pub(super) fn files(path: &Path) -> Result<Vec<PathBuf>, LoadError> {
    Ok(listed(path)?.0)
}

/// The same, and beside them those that are hidden: an editor's own files begin with a dot, as links to nowhere do by which one locks a
/// file.
fn listed(path: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), LoadError> {
    let error = |source| LoadError::Io { path: path.to_path_buf(), source };
    if !std::fs::metadata(path).map_err(error)?.is_dir() {
        return Ok((vec![path.to_path_buf()], Vec::new()));
    }
    let (mut files, mut hidden) = (Vec::new(), Vec::new());
    for entry in std::fs::read_dir(path).map_err(error)? {
        let file = entry.map_err(error)?.path();
        if file.extension().is_some_and(|extension| extension == "cedar") {
            let is_hidden = file.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
            if is_hidden { hidden.push(file) } else { files.push(file) }
        }
    }
    files.sort();
    if files.is_empty() { Err(LoadError::Empty(path.to_path_buf())) } else { Ok((files, hidden)) }
}

fn read(path: &Path) -> Result<String, LoadError> {
    let error = |source| LoadError::Io { path: path.to_path_buf(), source };
    let mut text = String::new();
    std::fs::File::open(path).map_err(error)?.take(LIMIT + 1).read_to_string(&mut text).map_err(error)?;
    if text.len() as u64 > LIMIT { Err(LoadError::TooLong(path.to_path_buf())) } else { Ok(text) }
}

/// The most bytes of a policy's id: a name.
const ID_LIMIT: usize = 128;

/// The most bytes of one policy file: thousands of policies.
const LIMIT: u64 = 1024 * 1024;
