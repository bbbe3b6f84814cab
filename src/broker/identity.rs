//! Who is asking: the token of a request becomes a [`Caller`], a name and a password become a [`User`](super::store::User).
//!
//! Tokens are bearer tokens of two kinds: a login's access token, and a user token that an operator made. People come from an
//! [`IdentityProvider`]; the embedded [`Directory`] is one.

mod directory;
pub(crate) mod oidc;
mod person;
pub(crate) mod token;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::State;
use super::store::Bearer;
use crate::glob;
use crate::proto::name::Account;
use crate::proto::{Action, Actions, ErrorBody, ErrorCode, Secret};

pub(crate) use directory::{Directory, DirectoryError};
pub(crate) use person::Person;

/// The id of a login.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LoginId(pub(crate) String);

/// Who asks, as policy and journal see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name at the identity provider.
    pub name: Account,
    /// The identity provider: `local` for the embedded directory.
    pub idp: String,
    /// The groups, sorted.
    pub groups: Vec<Account>,
    /// The login; none for a user token.
    pub login: Option<LoginId>,
    /// When the login began, or the user token was made, in seconds since 1970.
    pub logged_in_at: u64,
    /// What a user token is limited to.
    pub narrowed: Option<Narrowing>,
    /// When the login or the user token ends, in seconds since 1970.
    pub expires_at: Option<u64>,
    /// When the person last showed more than one factor in this login, in seconds since 1970.
    pub mfa_at: Option<u64>,
}

/// The limits of a user token. They only ever take away from what policy gives the person.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Narrowing {
    /// What it may do; none means all that the person may.
    pub actions: Actions,
    /// Patterns for apps or full names, `*` for any letters; none means all that the person may reach.
    pub containers: Vec<String>,
}

/// Where people and their passwords come from.
pub(crate) trait IdentityProvider: Send + Sync {
    /// What stands behind the `@`.
    fn name(&self) -> &'static str;

    /// The person of that name, if the password is theirs. Takes as long for a name that nobody has.
    fn check(
        &self,
        name: &str,
        password: Secret<String>,
    ) -> impl Future<Output = Result<Option<super::store::User>, DirectoryError>> + Send;
}

impl Caller {
    /// The whole name: `ada@local`.
    pub fn user(&self) -> String {
        format!("{}@{}", self.name, self.idp)
    }

    fn of(bearer: Bearer) -> Self {
        Self {
            name: bearer.user,
            idp: bearer.idp,
            groups: bearer.groups,
            login: bearer.login.map(LoginId),
            logged_in_at: bearer.since,
            narrowed: bearer.scope.map(|(actions, containers)| Narrowing { actions, containers }),
            expires_at: Some(bearer.expires_at),
            mfa_at: bearer.mfa_at,
        }
    }
}

impl Narrowing {
    /// Whether the token is for `action`.
    pub fn permits_action(&self, action: Action) -> bool {
        self.actions.is_empty() || self.actions.allow(action)
    }

    /// Whether the token is for the container of this app and this full name.
    pub fn permits_container(&self, app: &str, full_name: &str) -> bool {
        self.containers.is_empty()
            || self.containers.iter().any(|pattern| glob::matches(pattern, app) || glob::matches(pattern, full_name))
    }

    /// The limits in words, if there are any.
    pub fn words(&self) -> Option<String> {
        let actions = (!self.actions.is_empty()).then(|| self.actions.to_string());
        let containers = (!self.containers.is_empty()).then(|| format!("on {}", self.containers.join(", ")));
        let words: Vec<String> = [actions, containers].into_iter().flatten().collect();
        (!words.is_empty()).then(|| words.join(" "))
    }
}

/// Finds out who sent a request.
///
/// # Errors
/// `not_logged_in` without a token that holds, `unavailable` when the database does not answer.
pub(crate) async fn authenticate(state: &State, headers: &HeaderMap) -> Result<Caller, ErrorBody> {
    let token =
        bearer(headers).ok_or_else(|| ErrorBody::new(ErrorCode::NotLoggedIn, "no access token came with the request"))?;
    let (hash, now) = (token::hash(token), state.clock.now());
    let found = if token.starts_with(token::ACCESS) {
        state.store.access(&hash, now).await
    } else {
        state.store.user_token(&hash, now).await
    };
    match found {
        Ok(Some(bearer)) => Ok(Caller::of(bearer)),
        Ok(None) => Err(ErrorBody::new(ErrorCode::NotLoggedIn, "the access token is not valid, or not any more")),
        Err(error) => {
            tracing::error!(%error, "a token cannot be looked up");
            Err(ErrorBody::new(ErrorCode::Unavailable, "the broker cannot look up logins right now"))
        }
    }
}

/// The one bearer token of a request (RFC 6750 §2.1). Two are none: a proxy and we could take different ones.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= token::LIMIT).then_some(token)
}

/// The name of the embedded directory.
pub(crate) const LOCAL: &str = "local";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_without_limits_says_so() {
        let all = Narrowing::default();
        assert!(all.permits_action(Action::Shell) && all.permits_container("a", "a-1") && all.words().is_none());
        let narrow = Narrowing { actions: [Action::Exec].into_iter().collect(), containers: vec!["web-*".to_owned()] };
        assert!(!narrow.permits_action(Action::Shell) && narrow.permits_container("web", "web-7f9"));
        assert!(!narrow.permits_container("db", "db-7f9"));
        assert_eq!(narrow.words().as_deref(), Some("exec on web-*"));
    }

    #[test]
    fn one_bearer_token_and_nothing_else() {
        let mut headers = HeaderMap::new();
        assert!(bearer(&headers).is_none());
        headers.append(AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(bearer(&headers), Some("abc"));
        headers.append(AUTHORIZATION, "Bearer def".parse().unwrap());
        assert!(bearer(&headers).is_none());
        let mut basic = HeaderMap::new();
        basic.append(AUTHORIZATION, "Basic abc".parse().unwrap());
        assert!(bearer(&basic).is_none());
    }
}
