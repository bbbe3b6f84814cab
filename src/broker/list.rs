//! `GET /v1/containers`: what the caller may list, and no others.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State as Extracted};

use super::identity::{self, Caller};
use super::policy::{self, Circumstances};
use super::registry::{self, Container, Row};
use super::{State, http};
use crate::proto::ErrorBody;
use crate::proto::api::ContainerList;

/// The route's handler.
pub(crate) async fn containers(
    Extracted(state): Extracted<Arc<State>>,
    request: Request,
) -> Result<Json<ContainerList>, ErrorBody> {
    let caller = identity::authenticate(&state, request.headers()).await?;
    let address = http::client_address(&state, &request);
    let rows = visible(&state, &caller, address, state.registry.all());
    Ok(Json(ContainerList { containers: rows.iter().map(Row::to_api).collect() }))
}

/// Those of `containers` that the caller may list, under the names that they have for this caller. A caller who may list only
/// some replicas of an app must be given all of them in `containers` for the names to be right.
pub(crate) fn visible(state: &State, caller: &Caller, address: IpAddr, containers: Vec<Arc<Container>>) -> Vec<Row> {
    let circumstances = Circumstances { address, time: state.clock.now(), reason: None, command: None };
    registry::rows(policy::listable(&state.policies.current(), caller, containers, &circumstances))
}
