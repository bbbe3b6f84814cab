//! What the caller may list, and no others: `GET /v1/containers`, and one of them by its name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State as Extracted};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::dpop::Sent;
use super::identity::{self, Caller};
use super::policy::{self, Circumstances, Lister};
use super::registry::{self, Container, Resolution, Row};
use super::{State, http};
use crate::proto::error::CANDIDATES;
use crate::proto::name::Target;
use crate::proto::{ContainerId, ErrorBody, ErrorCode};

/// The route's handler.
pub(crate) async fn containers(Extracted(state): Extracted<Arc<State>>, request: Request) -> Result<Response, ErrorBody> {
    let caller = identity::authenticate(&state, &Sent::of(&state, &request)).await?;
    let address = http::client_address(&state, &request);
    gathered(&state).await;
    // Before the list itself: who comes in between is then missing from one that says so.
    let incomplete = state.registry.is_incomplete();
    let (policies, circumstances) = (state.policies.current(), listing(&state, address));
    let mut lister = Lister::new(&policies, &caller, &circumstances);
    let view = state.registry.view();
    let rows = registry::rows(&lister.among(&view.containers()));
    let body = json(&rows, incomplete).map_err(|error| ErrorBody::new(ErrorCode::Internal, error.to_string()))?;
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

/// A [`ContainerList`](crate::proto::api::ContainerList).
fn json(rows: &[Row], incomplete: bool) -> serde_json::Result<Vec<u8>> {
    // Megabytes: they are put together once, where they will not have to move.
    let mut body = Vec::with_capacity(rows.len().saturating_mul(ROW));
    body.extend_from_slice(b"{\"containers\":[");
    for (index, row) in rows.iter().enumerate() {
        body.extend_from_slice(if index > 0 { b"," } else { b"" });
        row.write(&mut body)?;
    }
    body.extend_from_slice(if incomplete { b"],\"incomplete\":true}" } else { b"]}" });
    Ok(body)
}

/// Waits, for some seconds after the start, until the agents that were connected before are back.
pub(crate) async fn gathered(state: &State) {
    state.shutdown.run_until_cancelled(state.registry.gathered()).await;
}

/// What was typed, resolved among what the caller may list; absent and forbidden look the same. A container that was picked from a list
/// is known by its id, whatever has come to share the name since. Callers wait until the list has [`gathered`].
///
/// # Errors
/// When it means none or several.
pub(crate) fn find(
    state: &State,
    caller: &Caller,
    address: IpAddr,
    typed: &Target,
    picked: Option<ContainerId>,
) -> Result<Row, ErrorBody> {
    let typed = typed.as_str();
    let incomplete = state.registry.is_incomplete();
    let rows = visible(state, caller, address, state.registry.that_may_be(typed));
    let absent = || {
        let yet = if incomplete { YET } else { "" };
        ErrorBody::new(ErrorCode::NotFound, format!("no container {typed} among those that you may list{yet}"))
    };
    if let Some(id) = picked {
        let picked = rows.into_iter().find(|row| row.container.id == id && registry::may_mean(&row.container, typed));
        return picked.ok_or_else(absent);
    }
    match registry::resolve(typed, &rows) {
        Resolution::One(row) => Ok(row),
        Resolution::None => Err(absent()),
        Resolution::Ambiguous(rows) => {
            let mut body = ErrorBody::new(ErrorCode::Ambiguous, format!("{typed} means {} containers: say which", rows.len()));
            body.candidates = rows.iter().take(CANDIDATES).map(Row::to_api).collect();
            Err(body)
        }
    }
}

/// Those of `containers` that the caller may list, under the names that they have for this caller. A caller who may list only
/// some replicas of an app must be given all of them in `containers` for the names to be right.
pub(crate) fn visible(state: &State, caller: &Caller, address: IpAddr, containers: Vec<Arc<Container>>) -> Vec<Row> {
    registry::rows(&policy::listable(&state.policies.current(), caller, containers, &listing(state, address)))
}

/// What a list is asked with.
fn listing(state: &State, address: IpAddr) -> Circumstances<'static> {
    Circumstances { address, time: state.clock.now(), reason: None, command: None }
}

/// What a name that is not found may be.
const YET: &str = "; the broker has just started, and not every agent is back: try again in half a minute";

/// About how many bytes a row has.
const ROW: usize = 640;

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::proto::api::ContainerList;
    use crate::proto::container::Facts;

    #[test]
    fn what_travels_is_what_programs_read() {
        // One that has everything which may be missing, one that has nothing of it, and one that says too much to be kept.
        let text = |text: &str| Some(text.to_owned());
        let full = Container {
            labels: [("env".to_owned(), "test".to_owned())].into(),
            cluster: text("eu"),
            namespace: text("shop"),
            facts: Facts { owner: text("deployment/web"), ports: vec!["80/tcp".to_owned()], ..Facts::default() },
            ..Container::numbered("web", 1)
        };
        let facts = Facts::default();
        let bare = Container { labels: BTreeMap::new(), cluster: None, namespace: None, facts, ..Container::numbered("db", 2) };
        let much = Container { image: "x".repeat(10_000), ..Container::numbered("much", 3) };
        let rows = registry::rows(&[full, bare, much].map(Arc::new));
        for incomplete in [false, true] {
            let body = String::from_utf8(json(&rows, incomplete).unwrap()).unwrap();
            assert_eq!(body.as_bytes(), json(&rows, incomplete).unwrap(), "what is kept is what was said");
            let list = ContainerList { containers: rows.iter().map(Row::to_api).collect(), incomplete };
            assert_eq!(body, serde_json::to_string(&list).unwrap());
            assert_eq!(serde_json::from_str::<ContainerList>(&body).unwrap(), list);
        }
        assert_eq!(json(&[], false).unwrap(), br#"{"containers":[]}"#);
    }
}
