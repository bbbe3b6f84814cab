//! Who is asking: the token of a request becomes a [`Caller`], a name and a password become a [`User`](super::store::User).
//!
//! Tokens are of two kinds: a login's access token, which is worth something only with proofs by the login's key ([`dpop`]), and a user
//! token that an operator made, which is a bearer token. People come from an [`IdentityProvider`]; the embedded [`Directory`] is one.

mod directory;
pub(crate) mod jobs;
pub(crate) mod misuse;
pub(crate) mod oidc;
mod person;
mod seal;
pub(crate) mod token;
pub(crate) mod totp;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;

use super::State;
use super::dpop::{self, Bound, ProofError, Sent};
use super::store::Bearer;
use crate::glob;
use crate::proto::dpop::SCHEME;
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

/// Finds out who sent a request. Of a login's token the request must prove that it comes from where the login's key is; where it
/// does not, whoever sent it has the token from somewhere, and that is written down.
///
/// # Errors
/// `not_logged_in` without a token that holds, `proof_refused` and `use_dpop_nonce` without a proof that does, `unavailable` when the
/// database does not answer.
pub(crate) async fn authenticate(state: &State, sent: &Sent<'_>) -> Result<Caller, ErrorBody> {
    let (scheme, token, bearer) = look_up(state, sent.headers).await?;
    let proved = match (&bearer.key, scheme) {
        // Made by an operator, to be used without a key.
        (None, Scheme::Bearer) => return Ok(Caller::of(bearer)),
        (None, Scheme::Bound) => return Err(ErrorBody::new(ErrorCode::NotLoggedIn, "this token is a bearer token")),
        (Some(_), Scheme::Bearer) => Err(ProofError::Bearer),
        (Some(key), Scheme::Bound) => dpop::judge(state, sent, Bound { token: Some(token), key }),
    };
    let Err(error) = proved else { return Ok(Caller::of(bearer)) };
    let caller = Caller::of(bearer);
    Err(misuse::of_access(state, &caller, error, sent.address).await)
}

/// Whether the token of a request that [`authenticate`] has accepted for `caller` holds still, and the caller is in the same groups. Its
/// proof is used up and not looked at.
///
/// # Errors
/// As [`authenticate`], and `denied` after a change of the groups.
pub(crate) async fn still_holds(state: &State, headers: &HeaderMap, caller: &Caller) -> Result<(), ErrorBody> {
    let (_, _, bearer) = look_up(state, headers).await?;
    match bearer.groups == caller.groups {
        true => Ok(()),
        false => Err(ErrorBody::new(ErrorCode::Denied, "your groups have just changed: try again")),
    }
}

async fn look_up<'a>(state: &State, headers: &'a HeaderMap) -> Result<(Scheme, &'a str, Bearer), ErrorBody> {
    let (scheme, token) =
        presented(headers).ok_or_else(|| ErrorBody::new(ErrorCode::NotLoggedIn, "no access token came with the request"))?;
    let (hash, now) = (token::hash(token), state.clock.now());
    let found = if token.starts_with(token::ACCESS) {
        state.store.access(&hash, now).await
    } else {
        state.store.user_token(&hash, now).await
    };
    match found {
        Ok(Some(bearer)) => Ok((scheme, token, bearer)),
        Ok(None) => Err(ErrorBody::new(ErrorCode::NotLoggedIn, "the access token is not valid, or not any more")),
        Err(error) => {
            tracing::error!(%error, "a token cannot be looked up");
            Err(ErrorBody::new(ErrorCode::Unavailable, "the broker cannot look up logins right now"))
        }
    }
}

/// How a token is presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// RFC 6750 §2.1.
    Bearer,
    /// RFC 9449 §7.1.
    Bound,
}

/// The one token of a request. Two are none: a proxy and we could take different ones.
fn presented(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().filter(|_| values.next().is_none())?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let scheme = match scheme {
        scheme if scheme.eq_ignore_ascii_case("bearer") => Scheme::Bearer,
        scheme if scheme.eq_ignore_ascii_case(SCHEME) => Scheme::Bound,
        _ => return None,
    };
    let token = token.trim();
    (!token.is_empty() && token.len() <= token::LIMIT).then_some((scheme, token))
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
    fn one_token_and_nothing_else() {
        let mut headers = HeaderMap::new();
        assert!(presented(&headers).is_none());
        headers.append(AUTHORIZATION, "bearer abc".parse().unwrap());
        assert_eq!(presented(&headers), Some((Scheme::Bearer, "abc")));
        headers.append(AUTHORIZATION, "DPoP def".parse().unwrap());
        assert!(presented(&headers).is_none());
        for (value, meant) in [("dpop abc", Some((Scheme::Bound, "abc"))), ("Basic abc", None), ("DPoP", None), ("DPoP ", None)]
        {
            let headers: HeaderMap = [(AUTHORIZATION, value.parse().unwrap())].into_iter().collect();
            assert_eq!(presented(&headers), meant, "{value}");
        }
    }
}
