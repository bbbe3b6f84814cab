//! After the password: the page that asks for the second factor, or that sets one up where the broker asks for it.
//!
//! The password is not asked again and not kept: what goes from page to page is the id of an attempt, for one browser, once.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::{Deserialize, Serialize};

use super::form::Sent;
use super::signin::{self, Kept, Purpose};
use super::{answer, authorize, device};
use crate::broker::State;
use crate::broker::identity::Person;
use crate::broker::mfa::{self, NotShown};
use crate::broker::pages::{self, Field, Page, Picture};
use crate::broker::store::User;

/// What an attempt waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// A code.
    Code,
    /// The first code of an authenticator that is being set up.
    Enrol,
    /// That the person has put the recovery codes away.
    Saved,
}

/// The person, where the password is enough; else the page that comes next.
pub(super) async fn after_password(
    state: &State,
    headers: &HeaderMap,
    user: User,
    purpose: Purpose,
) -> Result<Person, Response> {
    let person = Person::local(user.name);
    let stage = match mfa::has(state, &person.name).await {
        Ok(true) => Stage::Code,
        Ok(false) if state.config.require_totp => match mfa::begin(state, &person.name).await {
            Ok(_) => Stage::Enrol,
            Err(error) => return Err(refused(error)),
        },
        Ok(false) => return Ok(person),
        Err(error) => return Err(refused(error)),
    };
    let attempt = Attempt { then: purpose, person, until: state.clock.now().saturating_add(signin::LIFETIME) };
    Err(attempt.ask(state, headers, stage, None).await)
}

pub(super) async fn submit(Extracted(state): Extracted<Arc<State>>, request: Request) -> Response {
    let Sent { headers, address, form } = match Sent::read(&state, request).await {
        Ok(sent) => sent,
        Err(refusal) => return signin::said(refusal.status(), &authorize::capital(&refusal.description)),
    };
    if !pages::is_ours(&state, &headers, form.value(pages::CSRF)) {
        return signin::said(StatusCode::FORBIDDEN, signin::LOST);
    }
    let (purpose, kept) = match signin::take(&state, &headers, form.value("attempt").unwrap_or_default()).await {
        Ok(taken) => taken,
        Err(response) => return response,
    };
    let (Purpose::Second { then, stage }, Some(person)) = (purpose, kept.person) else {
        return signin::said(StatusCode::BAD_REQUEST, signin::LOST);
    };
    let attempt = Attempt { then: *then, person, until: kept.expires_at };
    if form.value("answer") == Some("cancel") {
        // The device waits for a word as well; to say no the password was enough.
        if let Purpose::Device { user_code } = &attempt.then {
            return device::answer(&state, &headers, user_code, None).await;
        }
        return signin::refuse(&state, &attempt.then, "the login was given up");
    }
    attempt.go_on(&state, &headers, stage, form.value("code").unwrap_or_default(), address).await
}

/// A person between the password and what the browser came for.
struct Attempt {
    then: Purpose,
    person: Person,
    until: u64,
}

impl Attempt {
    async fn go_on(mut self, state: &State, headers: &HeaderMap, stage: Stage, code: &str, address: IpAddr) -> Response {
        let name = self.person.name.clone();
        match stage {
            Stage::Code => match mfa::show(state, &name, code, address).await {
                Ok(()) => {
                    self.person.mfa_at = Some(state.clock.now());
                    self.finish(state, headers).await
                }
                Err(error) => self.ask(state, headers, stage, Some(error)).await,
            },
            Stage::Enrol => match mfa::confirm(state, &name, code, address).await {
                Ok(codes) => {
                    self.person.mfa_at = Some(state.clock.now());
                    let codes: Vec<&str> = codes.iter().map(|code| code.expose().as_str()).collect();
                    self.show_codes(state, headers, &codes).await
                }
                Err(error) => self.ask(state, headers, stage, Some(error)).await,
            },
            Stage::Saved => self.finish(state, headers).await,
        }
    }

    async fn finish(self, state: &State, headers: &HeaderMap) -> Response {
        match self.then {
            Purpose::Authorize(wish) => authorize::grant(state, &wish, self.person).await,
            Purpose::Device { user_code } => device::answer(state, headers, &user_code, Some(&self.person)).await,
            Purpose::Answer { request } => answer::proved(state, headers, request, self.person).await,
            Purpose::Second { .. } => signin::said(StatusCode::BAD_REQUEST, signin::LOST),
        }
    }

    /// The page that asks for a code.
    async fn ask(self, state: &State, headers: &HeaderMap, stage: Stage, error: Option<NotShown>) -> Response {
        let (status, said) = match error {
            None => (StatusCode::OK, None),
            Some(error @ (NotShown::Wrong | NotShown::TooMany(_))) => {
                let status = if error == NotShown::Wrong { StatusCode::UNAUTHORIZED } else { StatusCode::TOO_MANY_REQUESTS };
                (status, Some(format!("{}.", authorize::capital(&error.to_string()))))
            }
            Some(error) => return refused(error),
        };
        let begun = match stage {
            Stage::Enrol => match mfa::pending(state, &self.person.name).await {
                Ok(begun) => Some(begun),
                Err(error) => return refused(error),
            },
            _ => None,
        };
        let (title, text, picture) = match &begun {
            None => (
                "Second factor",
                vec!["Enter the code that your authenticator app shows, or one of your recovery codes.".to_owned()],
                None,
            ),
            Some(begun) => (
                "Set up a second factor",
                vec![
                    "This broker asks for a second factor. Scan this with an authenticator app, then enter the code that it shows."
                        .to_owned(),
                    format!("The app cannot scan? Type this secret into it: {}", begun.secret.expose()),
                ],
                Picture::qr(begun.url.expose()),
            ),
        };
        let page = Page {
            title,
            text,
            picture,
            error: said.as_deref(),
            fields: &[Field::OneTimeCode],
            buttons: &[("next", "Continue"), ("cancel", "Cancel")],
            ..Page::default()
        };
        self.page(state, headers, stage, status, page).await
    }

    /// The page that shows the recovery codes, once.
    async fn show_codes(self, state: &State, headers: &HeaderMap, codes: &[&str]) -> Response {
        let page = Page {
            title: "Keep these recovery codes",
            text: vec![
                "Your second factor is set up. Without your app, each of these codes lets you in once, with your password. They are \
                 not shown again."
                    .to_owned(),
            ],
            list: codes,
            buttons: &[("next", "I have kept them")],
            ..Page::default()
        };
        self.page(state, headers, Stage::Saved, StatusCode::OK, page).await
    }

    /// A page with the id of a fresh attempt.
    async fn page(self, state: &State, headers: &HeaderMap, stage: Stage, status: StatusCode, page: Page<'_>) -> Response {
        let redirects_to = match &self.then {
            Purpose::Authorize(wish) => wish.origin().map(str::to_owned),
            _ => None,
        };
        let purpose = Purpose::Second { then: Box::new(self.then), stage };
        let kept = match Kept::begin(state, headers, purpose, &self.person, self.until).await {
            Ok(kept) => kept,
            Err(response) => return response,
        };
        let hidden = [("attempt", kept.id())];
        let page = Page { action: Some(PATH), hidden: &hidden, redirects_to: redirects_to.as_deref(), ..page };
        kept.remembered(state, pages::form(state, headers, status, &page))
    }
}

fn refused(error: NotShown) -> Response {
    let status = if error == NotShown::Unavailable { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::CONFLICT };
    signin::said(status, &format!("{}.", authorize::capital(&error.to_string())))
}

/// Where the form goes.
pub(super) const PATH: &str = "/oauth/second";
