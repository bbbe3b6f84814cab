//! Where a policy asks for a second factor: the person is asked in place, and the session goes on as if nothing had been.
//!
//! That is for codes. A person of an identity provider logs in again, which [`run`](super::run) offers as it does where there is
//! no login.

use tokio::sync::Mutex;

use super::access::Access;
use super::failure::{Failure, Kind};
use super::ui::Ui;
use crate::client::api::ApiError;
use crate::client::session::{Request, Session, SessionError};
use crate::proto::error::MfaWay;
use crate::proto::{ErrorCode, Secret};

/// Why there is no session.
pub(super) enum NotOpen {
    /// The session's own reason.
    Session(Box<SessionError>),
    /// What the person did, or could not do.
    Person(Failure),
}

/// Opens the session that is asked for, after a code where the policy asks for one and a person is there.
pub(super) async fn session(ui: &Ui, access: &Access, request: Request) -> Result<Session, NotOpen> {
    opened(ui, access, async || access.session(request.clone()).await).await
}

/// The same for whatever `open` opens.
pub(super) async fn opened<T>(ui: &Ui, access: &Access, open: impl AsyncFn() -> Result<T, SessionError>) -> Result<T, NotOpen> {
    match open().await {
        Err(error) if ui.asks_at_terminal() && wants_code(&error) => {
            ui.note(&format!("ztctl: {error}"));
            verify(ui, access).await.map_err(NotOpen::Person)?;
        }
        result => return Ok(result?),
    }
    Ok(open().await?)
}

/// The same for one of several at once: one code is for all of them, and whoever gives up is not asked again. `given_up` says so,
/// and who holds it asks, once `quiet` has returned: what the others say has been printed, and waits while what it returned is there.
pub(super) async fn one_of_many<G>(
    ui: &Ui,
    access: &Access,
    given_up: &Mutex<bool>,
    quiet: impl AsyncFnOnce() -> G,
    request: Request,
) -> Result<Session, NotOpen> {
    let refused = match access.session(request.clone()).await {
        Err(error) if ui.asks_at_terminal() && wants_code(&error) => error,
        result => return Ok(result?),
    };
    let mut given_up = given_up.lock().await;
    if *given_up {
        return Err(refused.into());
    }
    // Another one may have asked meanwhile.
    match access.session(request.clone()).await {
        Err(error) if wants_code(&error) => {
            let _quiet = quiet().await;
            ui.note(&format!("ztctl: {error}"));
            if let Err(failure) = verify(ui, access).await {
                *given_up = true;
                return Err(NotOpen::Person(failure));
            }
        }
        result => return Ok(result?),
    }
    drop(given_up);
    Ok(access.session(request).await?)
}

/// Asks for codes until one is right.
pub(super) async fn verify(ui: &Ui, access: &Access) -> Result<(), Failure> {
    ask(ui, access, async |code| access.api.show_mfa(code).await).await.map(drop)
}

/// Asks for codes until `send` takes one.
pub(super) async fn ask<T>(
    ui: &Ui,
    access: &Access,
    send: impl AsyncFn(Secret<String>) -> Result<T, ApiError>,
) -> Result<T, Failure> {
    if !ui.can_ask_at_terminal() {
        return Err(Failure::new(Kind::Usage, "no_terminal", "a code is asked for at a terminal, and here is none"));
    }
    let mut tries = 1;
    loop {
        let code = Secret::new(ui.answer("code: ").await?);
        match send(code).await {
            Ok(done) => return Ok(done),
            Err(ApiError::Refused(body)) if body.code == ErrorCode::WrongCode && tries < TRIES => {
                ui.note(&format!("ztctl: {body}"));
                tries += 1;
            }
            Err(error) => return Err(Failure::of_api(error, &access.api)),
        }
    }
}

fn wants_code(error: &SessionError) -> bool {
    matches!(error, SessionError::Api(ApiError::Refused(body)) if body.mfa == Some(MfaWay::Totp))
}

impl NotOpen {
    /// The message.
    pub(super) fn failure(self, access: &Access) -> Failure {
        match self {
            Self::Session(error) => Failure::session(*error, &access.api),
            Self::Person(failure) => failure,
        }
    }
}

impl From<SessionError> for NotOpen {
    fn from(error: SessionError) -> Self {
        Self::Session(Box::new(error))
    }
}

/// How often a person may mistype.
const TRIES: u32 = 3;
