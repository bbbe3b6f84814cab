//! `/v1/mfa` and `/v1/totp…`: a second factor shown in the midst of a login, set up, and taken away.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Request, State as Extracted};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};

use super::NotShown;
use crate::broker::identity::{Caller, LOCAL, LoginId};
use crate::broker::{State, http};
use crate::proto::api::mfa::{Code, MfaShown, RecoveryCodes, TotpBegun, TotpStatus};
use crate::proto::name::Account;
use crate::proto::{ErrorBody, ErrorCode, Secret};

/// Where that takes place.
pub(crate) fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/v1/mfa", post(show))
        .route("/v1/totp", get(status).post(begin))
        .route("/v1/totp/confirm", post(confirm))
        .route("/v1/totp/recovery-codes", post(recovery_codes))
        .route("/v1/totp/remove", post(remove))
}

/// Somebody of the directory, in a login of their own.
struct Asker {
    name: Account,
    login: LoginId,
    address: IpAddr,
}

impl Asker {
    /// Whoever sent `request`, and the body, which the proof covers.
    async fn of(state: &State, request: Request) -> Result<(Self, Bytes), ErrorBody> {
        let (caller, address, body) = http::caller_and_body(state, request).await?;
        match caller {
            Caller { login: None, .. } => Err(ErrorBody::new(
                ErrorCode::Denied,
                "a user token stands for no person at a keyboard: log in to use a second factor",
            )),
            Caller { idp, .. } if idp != LOCAL => Err(ErrorBody::new(
                ErrorCode::Unsupported,
                format!("your second factor is a matter of the identity provider {idp}, not of this broker"),
            )),
            Caller { name, login: Some(login), .. } => Ok((Self { name, login, address }, body)),
        }
    }

    /// The same, and the code that came along.
    async fn with_code(state: &State, request: Request) -> Result<(Self, Secret<String>), ErrorBody> {
        let (asker, body) = Self::of(state, request).await?;
        let body: Result<Code, _> = serde_json::from_slice(&body);
        // What is wrong with it is told without what was in it.
        let body = body.map_err(|_| ErrorBody::new(ErrorCode::InvalidRequest, "a JSON body with a code is expected"))?;
        Ok((asker, body.code))
    }

    /// A second factor was shown in this login now.
    async fn shown(&self, state: &State) -> Result<MfaShown, ErrorBody> {
        let now = state.clock.now();
        let kept = state.store.shown_mfa(&self.login.0, now).await.map_err(|error| super::unavailable(&error))?;
        kept.then_some(MfaShown { mfa_at: now })
            .ok_or_else(|| ErrorBody::new(ErrorCode::NotLoggedIn, "the login has ended: log in again"))
    }
}

async fn show(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<MfaShown>, ErrorBody> {
    let (asker, code) = Asker::with_code(&state, request).await?;
    super::show(&state, &asker.name, code.expose(), asker.address).await?;
    Ok(Json(asker.shown(&state).await?))
}

async fn status(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<TotpStatus>, ErrorBody> {
    let (asker, _) = Asker::of(&state, request).await?;
    let kept = state.store.totp(&asker.name).await.map_err(|error| super::unavailable(&error))?;
    let since = kept.as_ref().and_then(|kept| kept.confirmed_at);
    let recovery_codes = kept.filter(|_| since.is_some()).map_or(0, |kept| kept.recovery_codes);
    Ok(Json(TotpStatus { since, recovery_codes }))
}

async fn begin(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<TotpBegun>, ErrorBody> {
    let (asker, _) = Asker::of(&state, request).await?;
    let begun = super::begin(&state, &asker.name).await?;
    Ok(Json(TotpBegun { secret: begun.secret, url: begun.url }))
}

async fn confirm(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<RecoveryCodes>, ErrorBody> {
    let (asker, code) = Asker::with_code(&state, request).await?;
    let codes = super::confirm(&state, &asker.name, code.expose(), asker.address).await?;
    // It counts as set up even where the login has ended meanwhile: the codes are the person's.
    let _ = asker.shown(&state).await;
    Ok(Json(RecoveryCodes { codes }))
}

async fn recovery_codes(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Json<RecoveryCodes>, ErrorBody> {
    let (asker, code) = Asker::with_code(&state, request).await?;
    super::show(&state, &asker.name, code.expose(), asker.address).await?;
    Ok(Json(RecoveryCodes { codes: super::renew_codes(&state, &asker.name, asker.address).await? }))
}

async fn remove(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<StatusCode, ErrorBody> {
    let (asker, code) = Asker::with_code(&state, request).await?;
    super::show(&state, &asker.name, code.expose(), asker.address).await?;
    super::remove(&state, &asker.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<NotShown> for ErrorBody {
    fn from(error: NotShown) -> Self {
        let code = match error {
            NotShown::Wrong => ErrorCode::WrongCode,
            NotShown::TooMany(_) => ErrorCode::RateLimited,
            NotShown::Absent | NotShown::Present => ErrorCode::Unsupported,
            NotShown::Unavailable => ErrorCode::Unavailable,
        };
        Self::new(code, error.to_string())
    }
}
