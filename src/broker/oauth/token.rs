//! Tokens for a code, a device code or a refresh token, and their return; each with a proof of having the login's key (RFC 9449 §5).

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State as Extracted};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::form::{Refusal, Sent};
use super::{REVOKE_PATH, TOKEN_PATH, still};
use crate::broker::State;
use crate::broker::audit::Event;
use crate::broker::dpop::{self, Bound};
use crate::broker::identity::jobs::Proved;
use crate::broker::identity::misuse::{self, Kind};
use crate::broker::identity::{LOCAL, Person, token};
use crate::broker::rate::{Limit, network};
use crate::broker::store::{DevicePoll, NewTokens, Owner, Redeemed, Rotation, Started};
use crate::proto::dpop::SCHEME;
use crate::proto::{Actions, Secret, SessionId};

/// RFC 6749 §5.1.
#[derive(Serialize)]
pub(super) struct Tokens {
    access_token: Secret<String>,
    /// RFC 8693 §2.2.1.
    #[serde(skip_serializing_if = "Option::is_none")]
    issued_token_type: Option<&'static str>,
    token_type: &'static str,
    expires_in: u64,
    refresh_token: Secret<String>,
}

pub(super) async fn exchange(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<Tokens>, Refusal> {
    let sent = Sent::read(&state, request).await?;
    limit(&state, sent.address)?;
    sent.form.client()?;
    let tokens = match sent.form.needed("grant_type")? {
        CODE => code(&state, &sent).await?,
        DEVICE => device(&state, &sent).await?,
        EXCHANGE => job(&state, &sent).await?,
        REFRESH => refresh(&state, &sent).await?,
        _ => return Err(Refusal::new("unsupported_grant_type", "this grant type is not spoken here")),
    };
    Ok(Json(tokens))
}

/// RFC 7009: gives a token back and ends its login. A token that is unknown is no error.
pub(super) async fn revoke(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<StatusCode, Refusal> {
    let sent = Sent::read(&state, request).await?;
    limit(&state, sent.address)?;
    sent.form.client()?;
    let given = sent.form.needed("token")?;
    let Some(owner) = state.store.owner(&token::hash(given)).await? else { return Ok(StatusCode::OK) };
    let kind = if given.starts_with(token::ACCESS) { Kind::Access } else { Kind::Refresh };
    // Whoever has but a copy ends nobody's login.
    proved(&state, sent.to_prove(REVOKE_PATH), &owner, kind).await?;
    if let Some(user) = state.store.end_login(&token::hash(given)).await? {
        write_down(&state, Event::Logout { user }).await?;
    }
    Ok(StatusCode::OK)
}

async fn code(state: &State, sent: &Sent) -> Result<Tokens, Refusal> {
    let hash = token::hash(sent.form.needed("code")?);
    let (redirect, verifier) = (sent.form.needed("redirect_uri")?, sent.form.needed("code_verifier")?);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let refused = || Refusal::new("invalid_grant", "the code is not valid, or not any more");
    let found = state.store.authorization_code(&hash, redirect, &challenge, state.clock.now()).await?;
    let (person, key) = found.ok_or_else(refused)?;
    let owner = Owner { user: person.to_string(), key };
    proved(state, sent.to_prove(TOKEN_PATH), &owner, Kind::Code).await?;
    let (login, tokens, kept) = first(state, Begin::of(state, person, "browser"), owner.key).await?;
    match state.store.redeem(&hash, &login, &kept).await? {
        Redeemed::Started => {}
        Redeemed::Invalid => return Err(refused()),
        Redeemed::Reused => {
            write_down(state, Event::Logout { user: login.person.to_string() }).await?;
            return Err(refused());
        }
    }
    begun(state, &login, sent.address, None).await?;
    Ok(tokens)
}

async fn device(state: &State, sent: &Sent) -> Result<Tokens, Refusal> {
    let hash = token::hash(sent.form.needed("device_code")?);
    // Whoever has the code is the device, and the key that it shows first is the login's. An approved code is good once.
    let key = dpop::judge_first(state, &sent.to_prove(TOKEN_PATH)).map_err(Refusal::proof)?;
    let person = match state.store.poll_device(&hash, state.clock.now()).await? {
        DevicePoll::Approved(person) => person,
        DevicePoll::Pending => return Err(Refusal::new("authorization_pending", "nobody has entered the code yet")),
        DevicePoll::SlowDown => return Err(Refusal::new("slow_down", "ask less often")),
        DevicePoll::Denied => return Err(Refusal::new("access_denied", "the login was refused")),
        DevicePoll::Expired => return Err(Refusal::new("expired_token", "the code has expired")),
        DevicePoll::Unknown => return Err(Refusal::new("invalid_grant", "the device code is unknown")),
    };
    let (login, tokens, kept) = first(state, Begin::of(state, person, "device"), key).await?;
    state.store.start_login(&login, &kept).await?;
    begun(state, &login, sent.address, None).await?;
    Ok(tokens)
}

/// A login for a job that shows its platform's token (RFC 8693).
async fn job(state: &State, sent: &Sent) -> Result<Tokens, Refusal> {
    let kind = sent.form.needed("subject_token_type")?;
    if !matches!(kind, ID_TOKEN | JWT) {
        return Err(Refusal::new("invalid_request", format!("subject_token_type must be {ID_TOKEN}")));
    }
    let key = dpop::judge_first(state, &sent.to_prove(TOKEN_PATH)).map_err(Refusal::proof)?;
    let proved = match state.jobs.prove(sent.form.needed("subject_token")?, state.clock.now()).await {
        Ok(proved) => proved,
        Err(error) => {
            // Whoever floods us with nonsense does not flood the journal.
            if state.limits.attempt(Limit::Refusal, &network(sent.address), state.clock.now()).is_ok() {
                let (client_address, why) = (sent.address.to_string(), error.to_string());
                write_down(state, Event::LoginFailed { user: "a job".to_owned(), client_address, why }).await?;
            }
            return Err(Refusal::new("invalid_request", error.to_string()));
        }
    };
    let Proved { person, narrowed, lifetime, subject } = proved;
    let begin = Begin { person, method: "job", scope: Some((narrowed.actions, narrowed.containers)), lifetime };
    let (login, tokens, kept) = first(state, begin, key).await?;
    state.store.start_login(&login, &kept).await?;
    begun(state, &login, sent.address, Some(subject)).await?;
    Ok(Tokens { issued_token_type: Some(ACCESS_TOKEN), ..tokens })
}

/// The next tokens. Two who ask at once, or one whose answer was lost, get the same refresh token again: it is computed from the
/// old one. Whoever comes with an old one later, and with the key, has stolen both, or was stolen from: the login ends for both.
async fn refresh(state: &State, sent: &Sent) -> Result<Tokens, Refusal> {
    let (old, now) = (sent.form.needed("refresh_token")?, state.clock.now());
    let ended = || Refusal::new("invalid_grant", "the login has ended: log in again");
    let owner = state.store.owner(&token::hash(old)).await?.ok_or_else(ended)?;
    proved(state, sent.to_prove(TOKEN_PATH), &owner, Kind::Refresh).await?;
    still::check(state, &token::hash(old)).await?;
    let (access, next) = (token::random(token::ACCESS), token::successor(state.store.key(), old));
    let kept = NewTokens {
        access: token::hash(access.expose()),
        access_expires_at: now.saturating_add(ACCESS_LIFETIME),
        refresh: token::hash(next.expose()),
    };
    match state.store.rotate(&token::hash(old), &kept, now, GRACE).await? {
        Rotation::Fresh { login_expires_at } => Ok(Tokens {
            access_token: access,
            issued_token_type: None,
            token_type: SCHEME,
            expires_in: ACCESS_LIFETIME.min(login_expires_at.saturating_sub(now)),
            refresh_token: next,
        }),
        Rotation::Unknown => Err(ended()),
        Rotation::Reused { user } => {
            write_down(state, Event::RefreshReuse { user, client_address: sent.address.to_string() }).await?;
            Err(ended())
        }
    }
}

/// That the request comes from where the owner's key is.
async fn proved(state: &State, sent: dpop::Sent<'_>, owner: &Owner, kind: Kind) -> Result<(), Refusal> {
    let Err(error) = dpop::judge(state, &sent, Bound { token: None, key: &owner.key }) else { return Ok(()) };
    misuse::note(state, &owner.user, kind, error, sent.address).await;
    Err(Refusal::proof(error))
}

/// A login that is to begin.
struct Begin {
    person: Person,
    /// `browser`, `device` or `job`.
    method: &'static str,
    /// What it is limited to.
    scope: Option<(Actions, Vec<String>)>,
    /// In seconds.
    lifetime: u64,
}

impl Begin {
    /// A person's login. Whose provider cannot be asked again is believed for less long.
    fn of(state: &State, person: Person, method: &'static str) -> Self {
        let whole = state.config.login_lifetime.as_secs();
        let asked = person.idp == LOCAL || person.upstream.is_some();
        Self { person, method, scope: None, lifetime: if asked { whole } else { whole.min(UNASKED) } }
    }
}

/// A login that is bound to `key`, and its first tokens, which nobody has yet.
async fn first(state: &State, begin: Begin, key: String) -> Result<(Started, Tokens, NewTokens), Refusal> {
    let (now, Begin { person, method, scope, lifetime }) = (state.clock.now(), begin);
    state.store.prune(now).await?;
    let expires_in = ACCESS_LIFETIME.min(lifetime);
    let (access, refresh) = (token::random(token::ACCESS), token::random(token::REFRESH));
    let kept = NewTokens {
        access: token::hash(access.expose()),
        access_expires_at: now.saturating_add(expires_in),
        refresh: token::hash(refresh.expose()),
    };
    let id = SessionId::random().to_string();
    let login = Started { id, person, method, scope, key, now, expires_at: now.saturating_add(lifetime) };
    let tokens =
        Tokens { access_token: access, issued_token_type: None, token_type: SCHEME, expires_in, refresh_token: refresh };
    Ok((login, tokens, kept))
}

async fn begun(state: &State, login: &Started, address: IpAddr, subject: Option<String>) -> Result<(), Refusal> {
    let (user, method) = (login.person.to_string(), login.method.to_owned());
    write_down(state, Event::Login { user, method, client_address: address.to_string(), subject }).await
}

async fn write_down(state: &State, event: Event) -> Result<(), Refusal> {
    state.journal.append(event).await.map(drop).map_err(|error| Refusal::unavailable(&error))
}

fn limit(state: &State, address: IpAddr) -> Result<(), Refusal> {
    state.limits.attempt(Limit::Token, &network(address), state.clock.now()).map_err(|error| Refusal::too_many(&error))
}

pub(super) const CODE: &str = "authorization_code";
pub(super) const REFRESH: &str = "refresh_token";
/// RFC 8693 §2.1.
pub(super) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(super) const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8693 §3.
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What a removed person may still do, at the most.
const ACCESS_LIFETIME: u64 = 600;

/// How long a login lasts whose provider gave nothing to ask it with again (no `offline_access`).
const UNASKED: u64 = 3600;

/// Longer than a retry takes, shorter than a thief.
const GRACE: u64 = 30;
