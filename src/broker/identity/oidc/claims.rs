//! What a provider's claims mean here: a name, groups, and whether more than one factor was shown.

use serde_json::{Map, Value};

use super::OidcError;
use crate::broker::config::Provider;
use crate::proto::name::Account;

/// Claims that are believed, by their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    /// Of an ID token, or of the userinfo endpoint.
    pub(super) fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Who, in the provider's own and lasting words.
    pub(super) fn subject(&self) -> String {
        self.text("sub").unwrap_or_default().to_owned()
    }

    /// Takes what `more` says and we do not have yet.
    pub(super) fn add(&mut self, more: Self) {
        for (name, value) in more.0 {
            self.0.entry(name).or_insert(value);
        }
    }

    /// The person's name.
    ///
    /// # Errors
    /// [`OidcError::Unfit`] when there is none that could be one here.
    pub(super) fn name(&self, config: &Provider) -> Result<Account, OidcError> {
        let claim = config.username_claim.as_str();
        let name = self.text(claim).ok_or_else(|| OidcError::Unfit(format!("it has no claim {claim:?} for the name")))?;
        // An address that anybody may write into their profile is nobody's name.
        if claim == "email" && self.0.get("email_verified") != Some(&Value::Bool(true)) {
            return Err(OidcError::Unfit("it has not verified the e-mail address that is to be the name".to_owned()));
        }
        name.parse().map_err(|error| OidcError::Unfit(format!("its claim {claim:?} cannot be a name: {error}")))
    }

    /// The groups that count, sorted; none where it says nothing about groups. Those that could not be named in a policy are left out.
    pub(super) fn groups(&self, config: &Provider) -> Option<Vec<Account>> {
        let said = match self.0.get(&config.groups_claim)? {
            Value::Array(groups) => groups.iter().filter_map(Value::as_str).collect(),
            Value::String(group) => vec![group.as_str()],
            Value::Null => return None,
            _ => Vec::new(),
        };
        // Keycloak writes groups as paths; a group at the top is its name.
        let mut groups: Vec<Account> = said
            .into_iter()
            .map(|group| group.strip_prefix('/').unwrap_or(group))
            .filter(|group| config.takes_group(group))
            .filter_map(|group| group.parse().ok())
            .take(MOST)
            .collect();
        groups.sort();
        groups.dedup();
        Some(groups)
    }

    /// When more than one factor was shown, if it says so.
    pub(super) fn mfa_at(&self, config: &Provider, now: u64) -> Option<u64> {
        let shown = |known: &[String], value: &str| known.iter().any(|known| known == value);
        let methods = self.0.get("amr").and_then(Value::as_array);
        let by_method =
            methods.is_some_and(|methods| methods.iter().filter_map(Value::as_str).any(|amr| shown(&config.mfa_amr, amr)));
        let by_level = self.text("acr").is_some_and(|acr| shown(&config.mfa_acr, acr));
        // Without a time of its own it is as old as it can be told: the token's.
        let at = ["auth_time", "iat"].iter().find_map(|claim| self.0.get(*claim)?.as_u64());
        (by_method || by_level).then(|| at.unwrap_or(0).min(now))
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.0.get(claim)?.as_str().filter(|text| !text.is_empty())
    }
}

/// More groups than anybody is in.
const MOST: usize = 500;
