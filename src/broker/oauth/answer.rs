//! Somebody proves who they are to answer a request for an approval, in the same ways as for a login.

use std::net::IpAddr;

use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

use super::form::Parameters;
use super::signin::{self, Purpose};
use super::{password, second};
use crate::broker::State;
use crate::broker::asking::{self, page};
use crate::broker::identity::{LOCAL, Person};
use crate::broker::pages::{self, Page};
use crate::broker::store::StoreError;
use crate::proto::RequestId;
use crate::proto::name::Account;

/// By the name and the password in the form, and the second factor of whoever has one; what comes next.
///
/// # Errors
/// The status and the words of the page that asks again.
pub(crate) async fn by_password(
    state: &State,
    headers: &HeaderMap,
    form: &Parameters,
    address: IpAddr,
    request: RequestId,
) -> Result<Response, (StatusCode, String)> {
    let user = password::check(state, form, address).await.map_err(|error| (error.status(), error.to_string()))?;
    Ok(match second::after_password(state, headers, user, Purpose::Answer { request }).await {
        Ok(person) => proved(state, headers, request, person).await,
        Err(page) => page,
    })
}

/// At `provider`, where the browser at `from` goes. Whoever is logged in there proves anew who they are.
pub(crate) async fn at_provider(
    state: &State,
    headers: &HeaderMap,
    from: IpAddr,
    provider: &str,
    request: RequestId,
) -> Response {
    signin::leave(state, headers, from, provider, (true, Purpose::Answer { request })).await
}

/// Goes on with somebody who has.
pub(super) async fn proved(state: &State, headers: &HeaderMap, request: RequestId, person: Person) -> Response {
    match groups(state, &person).await {
        Ok(groups) => page::present(state, headers, request, asking::Person { user: person.to_string(), groups }).await,
        Err(error) => {
            tracing::error!(%error, "somebody's groups cannot be looked up");
            pages::answer(StatusCode::SERVICE_UNAVAILABLE, &Page::said("Later", page::LATER))
        }
    }
}

/// The provider's, or the directory's of now.
async fn groups(state: &State, person: &Person) -> Result<Vec<Account>, StoreError> {
    match &person.groups {
        Some(groups) => Ok(groups.clone()),
        None if person.idp == LOCAL => Ok(state.store.user(&person.name).await?.map(|user| user.groups).unwrap_or_default()),
        None => Ok(Vec::new()),
    }
}
