//! CI jobs that may log in by the token that their platform gives them: a `[[job]]` of the file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use url::Url;

use super::cluster::is_safe;
use super::file::Seconds;
use super::{Config, ConfigError};
use crate::broker::identity::{LOCAL, Narrowing};
use crate::broker::jwt::Source;
use crate::proto::name::Account;
use crate::proto::{Action, Actions};

/// Which jobs, and who they are here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// What stands behind the `@`: `github`.
    pub name: String,
    /// The issuer of its tokens.
    pub issuer: String,
    /// Its public keys.
    pub keys: Source,
    /// Claims that the token must have, each with a pattern (`*` for any letters) for its text.
    pub claims: BTreeMap<String, String>,
    /// The name that such a job has.
    pub user: Account,
    /// Its groups.
    pub groups: Vec<Account>,
    /// What it may at most.
    pub narrowed: Narrowing,
    /// How long its login lasts.
    pub lifetime: Duration,
}

/// The `[[job]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobTable {
    name: String,
    issuer: String,
    jwks: Option<PathBuf>,
    jwks_url: Option<Url>,
    jwks_ca: Option<PathBuf>,
    claims: BTreeMap<String, String>,
    user: Account,
    #[serde(default)]
    groups: Vec<Account>,
    actions: Vec<Action>,
    #[serde(default)]
    containers: Vec<String>,
    lifetime: Option<Seconds>,
}

impl JobTable {
    /// Fills in the defaults and refuses what does not go together.
    pub(super) fn resolve(self, folder: &Path) -> Result<Job, ConfigError> {
        let name = self.name;
        let unfit = |why: &str| ConfigError::Unfit(format!("the job {name:?}: {why}"));
        let simple = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > LONGEST || name == LOCAL || !name.bytes().all(simple) {
            return Err(unfit("its name has 1 to 32 lower-case letters, digits and `-`, and is not \"local\""));
        }
        let keys = match (self.jwks, self.jwks_url, self.jwks_ca) {
            (Some(file), None, None) => Source::File(folder.join(file)),
            (None, Some(url), ca) if is_safe(&url) => Source::Url { url, ca: ca.map(|path| folder.join(path)) },
            (None, Some(_), _) => {
                return Err(unfit("jwks_url begins with https://, or with http:// and this machine's own address"));
            }
            _ => return Err(unfit("say where its public keys are: jwks = FILE or jwks_url = URL, one of them")),
        };
        if self.issuer.is_empty() {
            return Err(unfit("issuer must not be empty"));
        }
        // The issuer of a public platform signs for everybody's jobs.
        if self.claims.is_empty() || self.claims.values().any(|pattern| pattern.trim_matches('*').is_empty()) {
            return Err(unfit("claims must name at least one claim, and what it has to say: repository = \"acme/shop\""));
        }
        let actions: Actions = self.actions.into_iter().collect();
        if actions.is_empty() || actions.allow(Action::List) {
            return Err(unfit("actions must name some of shell, exec, logs, copy and forward"));
        }
        let lifetime = self.lifetime.map_or(LIFETIME, |seconds| seconds.0);
        if lifetime.is_zero() || lifetime > MOST {
            return Err(unfit("lifetime must be between 1s and 1h"));
        }
        let narrowed = Narrowing { actions, containers: self.containers };
        let (issuer, claims, user, groups) = (self.issuer, self.claims, self.user, self.groups);
        Ok(Job { name, issuer, keys, claims, user, groups, narrowed, lifetime })
    }
}

impl Config {
    /// Refuses jobs that could be taken for a provider's people.
    pub(super) fn check_jobs(&self) -> Result<(), ConfigError> {
        match self.jobs.iter().find(|job| self.providers.iter().any(|provider| provider.name == job.name)) {
            Some(job) => Err(ConfigError::Unfit(format!("a job and an identity provider are both called {:?}", job.name))),
            None => Ok(()),
        }
    }
}

/// As long as most jobs take.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// A login that nobody can take back by asking its platform does not last.
const MOST: Duration = Duration::from_secs(3600);

/// The most characters of a name.
const LONGEST: usize = 32;
