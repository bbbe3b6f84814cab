//! Expected decisions in a file, which an operator keeps beside the policies: `ztbroker policy test` holds the one against the other.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::finding::{Decision, Finding, Obliged};
use super::obligation;
use super::{Approval, Approvers, Basis, Scope, Set};
use crate::broker::identity::{Caller, LOCAL};
use crate::broker::registry::{Container, Note};
use crate::moment;
use crate::proto::container::{Capabilities, Facts};
use crate::proto::name::{Account, Login, app_name};
use crate::proto::{Action, AgentId, ContainerId, RequestId, VariableNames};

/// The cases of a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cases {
    #[serde(rename = "case")]
    cases: Vec<Spanned<Case>>,
}

/// A case that the policies decide otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where it stands, from 1.
    pub line: usize,
    /// What it is called.
    pub name: String,
    /// Who wants what, in words.
    pub wish: String,
    /// What was expected and is not so, a line each.
    pub expected: Vec<String>,
    /// What is so in its place.
    pub found: Vec<String>,
}

/// A file that cannot be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct InvalidCases {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    user: Account,
    #[serde(default)]
    groups: Vec<Account>,
    action: Action,
    login: Option<Login>,
    command: Option<String>,
    reason: Option<String>,
    /// The groups of those who have approved it.
    #[serde(default)]
    approved_by: Vec<Account>,
    #[serde(default)]
    break_glass: bool,
    address: Option<IpAddr>,
    time: Option<Time>,
    /// How long ago a second factor was shown; none was where it is left out.
    mfa_age: Option<Length>,
    #[serde(default)]
    container: ContainerTable,
    expect: Decision,
    policies: Option<Vec<String>>,
    obligations: Option<ObligationTable>,
}

/// What the container is; what is left out it has not, but for the attributes that every container has.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ContainerTable {
    id: Option<ContainerId>,
    agent: Option<String>,
    agent_id: Option<AgentId>,
    cluster: Option<String>,
    namespace: Option<String>,
    runtime: Option<String>,
    image: Option<String>,
    name: Option<String>,
    app: Option<String>,
    state: Option<String>,
    owner: Option<String>,
    project: Option<String>,
    service: Option<String>,
    pod: Option<String>,
    container: Option<String>,
    kind: Option<String>,
    node: Option<String>,
    health: Option<String>,
    #[serde(default)]
    ports: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

/// All that may be asked for; what is left out must not be.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObligationTable {
    max_session: Option<Length>,
    idle: Option<Length>,
    #[serde(default)]
    reason: bool,
    mfa: Option<Length>,
    env: Option<Names>,
    #[serde(default)]
    approval: Vec<Groups>,
    #[serde(default)]
    break_glass: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Length(u64);

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Time(u64);

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Names(VariableNames);

#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "String")]
struct Groups(Approvers);

impl Cases {
    /// Reads a file's text.
    ///
    /// # Errors
    /// [`InvalidCases`] with the first line that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, InvalidCases> {
        let invalid = |error: toml::de::Error| InvalidCases {
            line: error.span().map_or(1, |span| line_of(text, span.start)),
            message: error.message().trim().replace('\n', ", "),
        };
        let cases: Self = toml::from_str(text).map_err(invalid)?;
        if cases.cases.is_empty() {
            return Err(InvalidCases { line: 1, message: "no [[case]] is here".to_owned() });
        }
        Ok(cases)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.cases.len()
    }

    /// Those that `set` decides otherwise than `text`, the file, expects, where it is `now` unless a case says when.
    pub fn mismatches(&self, set: &Set, text: &str, now: u64) -> Vec<Mismatch> {
        self.cases.iter().filter_map(|case| case.get_ref().mismatch(set, line_of(text, case.span().start), now)).collect()
    }
}

impl Case {
    fn mismatch(&self, set: &Set, line: usize, now: u64) -> Option<Mismatch> {
        let basis = self.basis(now);
        let finding = Finding::of(set, &basis);
        let mut differences = Vec::new();
        if self.expect != finding.decision {
            differences.push((self.expect.as_str().to_owned(), finding.decision.as_str().to_owned()));
        }
        if let Some(policies) = &self.policies {
            let mut expected = policies.clone();
            expected.sort();
            if expected != finding.policies || !differences.is_empty() {
                differences.push((by(&expected), by(&finding.policies)));
            }
        } else if !differences.is_empty() && !finding.policies.is_empty() {
            differences.push((String::new(), by(&finding.policies)));
        }
        // Where it is not allowed there is nothing to ask for.
        if let (Some(expected), Some(found)) = (self.obligations.as_ref().map(Obliged::from), &finding.obligations)
            && expected != *found
        {
            differences.push((format!("obligations: {}", expected.words()), format!("obligations: {}", found.words())));
        }
        let (expected, found): (Vec<String>, Vec<String>) = differences.into_iter().unzip();
        let expected: Vec<String> = expected.into_iter().filter(|line| !line.is_empty()).collect();
        let wish = || {
            let groups: Vec<&str> = basis.caller.groups.iter().map(Account::as_str).collect();
            let groups = if groups.is_empty() { "no group".to_owned() } else { groups.join(", ") };
            format!("{} in {groups}: {} as {} in {}", basis.caller.user(), self.action, basis.login, basis.container.name)
        };
        (!found.is_empty()).then(|| Mismatch { line, name: self.name.clone(), wish: wish(), expected, found })
    }

    fn basis(&self, now: u64) -> Basis {
        let (name, idp) = match self.user.as_str().rsplit_once('@').and_then(|(name, idp)| Some((name.parse().ok()?, idp))) {
            Some((name, idp)) => (name, idp.to_owned()),
            None => (self.user.clone(), LOCAL.to_owned()),
        };
        let time = self.time.map_or(now, |time| time.0);
        let groups = self.groups.clone();
        let caller = Caller {
            name,
            idp,
            groups,
            login: None,
            logged_in_at: time,
            narrowed: None,
            expires_at: None,
            mfa_at: self.mfa_age.map(|age| time.saturating_sub(age.0)),
        };
        let container = Arc::new(self.container.container());
        let login = self.login.clone().unwrap_or_else(Login::container_default);
        let approval = Approval {
            request: RequestId::derived(&[b"policy test"]),
            user: caller.user(),
            scope: Scope::Container(container.id),
            login: login.clone(),
            actions: [self.action].into_iter().collect(),
            groups: self.approved_by.clone(),
            until: u64::MAX,
        };
        Basis {
            caller,
            container,
            login,
            actions: [self.action].into_iter().collect(),
            approvals: vec![approval],
            break_glass: self.break_glass,
            command: self.command.clone(),
            reason: self.reason.clone(),
            address: self.address.unwrap_or(Ipv4Addr::LOCALHOST.into()),
            time,
            max_session: Duration::ZERO,
        }
    }
}

impl ContainerTable {
    fn container(&self) -> Container {
        let given = |value: &Option<String>, otherwise: &str| value.clone().unwrap_or_else(|| otherwise.to_owned());
        let app = app_name(self.app.as_deref().unwrap_or_default());
        let agent = self.agent_id.unwrap_or_else(|| AgentId::of_key(b"policy test"));
        let id = self.id.unwrap_or_else(|| ContainerId::derived(&[b"policy test"]));
        Container {
            id,
            agent,
            agent_name: given(&self.agent, "agent"),
            cluster: self.cluster.clone(),
            namespace: self.namespace.clone(),
            runtime_id: String::new(),
            runtime: given(&self.runtime, "docker"),
            name: self.name.clone().unwrap_or_else(|| app.clone()),
            full_name: format!("{app}-{:.12}", id.to_string()),
            app,
            image: given(&self.image, ""),
            location: String::new(),
            state: given(&self.state, "running"),
            started_at: 0,
            labels: self.labels.clone(),
            instance: None,
            facts: Facts {
                owner: self.owner.clone(),
                project: self.project.clone(),
                service: self.service.clone(),
                pod: self.pod.clone(),
                container: self.container.clone(),
                kind: self.kind.clone(),
                node: self.node.clone(),
                health: self.health.clone(),
                ports: self.ports.clone(),
            },
            capabilities: Capabilities::of(Action::ALL),
            note: Note::default(),
        }
    }
}

impl From<&ObligationTable> for Obliged {
    fn from(table: &ObligationTable) -> Self {
        Self {
            max_session: table.max_session.map(|length| length.0),
            idle: table.idle.map(|length| length.0),
            reason: table.reason,
            mfa: table.mfa.map(|length| length.0),
            env: table.env.iter().flat_map(|names| names.0.iter().map(str::to_owned).collect::<Vec<_>>()).collect(),
            approval: table
                .approval
                .iter()
                .map(|groups| groups.0.clone())
                .collect::<BTreeSet<_>>()
                .iter()
                .map(Approvers::to_string)
                .collect(),
            break_glass: table.break_glass,
        }
    }
}

impl TryFrom<String> for Length {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let length = obligation::duration(&text).ok_or_else(|| format!("\"{text}\" is no length of time: \"30m\", \"1h\""))?;
        Ok(Self(length.as_secs()))
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        moment::at(&text).map(Self)
    }
}

impl TryFrom<String> for Names {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: crate::proto::variables::InvalidVariableNames| error.to_string())
    }
}

impl TryFrom<String> for Groups {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|error: super::approval::InvalidApprovers| error.to_string())
    }
}

fn by(policies: &[String]) -> String {
    if policies.is_empty() { "by no policy".to_owned() } else { format!("by {}", policies.join(", ")) }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.get(..offset).unwrap_or(text).matches('\n').count() + 1
}
