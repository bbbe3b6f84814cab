//! The administration socket: HTTP over `STATE/admin.sock`, 0600 in a 0700 folder, for this broker's own user and root alone.
//!
//! Each route is one call of [`Admin`]; who asks is known from the connection, never from what it says.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, FromRequestParts, Path as Segment, Query, Request, State as Extracted};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::serve::{IncomingStream, Listener};
use axum::{Json, Router};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use super::wire::{
    AddUser, ApproveDevice, EndSession, ExplainSpec, ExportRange, JoinTokenSpec, LockSpec, MadeToken, PoliciesLoaded, Rotation,
    SetGroups, SetPassword, TokenId, UserTokenSpec,
};
use super::{Admin, AdminError, AuditQuery};
use crate::broker::State;
use crate::broker::audit::{Follow, JournalError};
use crate::broker::locks::LockId;
use crate::proto::name::Account;
use crate::proto::{AgentId, ErrorBody};

/// Binds the socket at `path`. Another one there is left from a broker that ended: the state folder's lock says that none is alive.
///
/// # Errors
/// What the system says.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&new)?;
    // It takes its name when it is closed to others: nobody ever finds it open, whatever the umask is.
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

/// Serves administration until `shutdown`; then requests under way have a moment to end.
pub(crate) async fn serve(state: Arc<State>, listener: UnixListener, shutdown: CancellationToken) {
    let door = Door { listener, own: rustix::process::geteuid().as_raw() };
    let shared = Shared { state, shutdown: shutdown.clone() };
    let app = routes().with_state(shared).into_make_service_with_connect_info::<Operator>();
    let serving = axum::serve(door, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    tokio::select! {
        // It ends only by the shutdown, and without an error.
        _ = serving.into_future() => {}
        () = async { shutdown.cancelled().await; tokio::time::sleep(GRACE).await } => {}
    }
}

fn routes() -> Router<Shared> {
    Router::new()
        .route("/users", post(add_user).get(users))
        .route("/users/{name}", delete(remove_user))
        .route("/users/{name}/groups", post(set_groups))
        .route("/users/{name}/password", post(set_password))
        .route("/users/{name}/totp", delete(reset_totp))
        .route("/tokens", get(tokens))
        .route("/tokens/join", post(create_join_token))
        .route("/tokens/user", post(create_user_token))
        .route("/tokens/{id}", delete(remove_token))
        .route("/agents", get(agents))
        .route("/agents/{id}", delete(remove_agent))
        .route("/sessions", get(sessions))
        .route("/sessions/end", post(end_session))
        .route("/locks", post(add_lock).get(locks))
        .route("/locks/{id}", delete(remove_lock))
        .route("/ca", get(authorities))
        .route("/ca/rotate", post(rotate_ca))
        .route("/ca/finish", post(finish_ca_rotation))
        .route("/clusters", get(clusters))
        .route("/audit", get(audit))
        .route("/audit/follow", get(follow))
        .route("/audit/export", get(export))
        .route("/audit/end", get(audit_end))
        .route("/audit/sinks", get(audit_sinks))
        .route("/device/approve", post(approve_device))
        .route("/policy/reload", post(reload_policy))
        .route("/policy/explain", post(explain))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(middleware::from_fn(to_its_end))
}

/// What has begun goes on when whoever asked hangs up: what is written down is done as well, as a whole.
async fn to_its_end(request: Request, next: Next) -> Response {
    match tokio::spawn(next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[derive(Clone)]
struct Shared {
    state: Arc<State>,
    shutdown: CancellationToken,
}

/// Lets in only connections of our own user and of root.
struct Door {
    listener: UnixListener,
    own: u32,
}

impl Listener for Door {
    type Io = UnixStream;
    type Addr = Operator;

    async fn accept(&mut self) -> (UnixStream, Operator) {
        loop {
            match self.listener.accept().await.and_then(|(stream, _)| Ok((stream.peer_cred()?.uid(), stream))) {
                Ok((uid, stream)) if uid == self.own || uid == 0 => return (stream, Operator(uid)),
                Ok((uid, _)) => tracing::warn!("the administration socket was opened by uid {uid} and closed"),
                Err(error) => {
                    tracing::warn!("the administration socket does not accept: {error}");
                    // Out of file descriptors, most likely: others have to end first.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Operator> {
        Ok(Operator(self.own))
    }
}

/// Who is at the other end, as the kernel knows it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operator(u32);

impl Connected<IncomingStream<'_, Door>> for Operator {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        *stream.remote_addr()
    }
}

impl FromRequestParts<Shared> for Admin {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, StatusCode> {
        let operator = ConnectInfo::<Operator>::from_request_parts(parts, shared).await;
        let ConnectInfo(Operator(uid)) = operator.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(Self::of_peer(Arc::clone(&shared.state), uid))
    }
}

impl IntoResponse for AdminError {
    fn into_response(self) -> Response {
        let body: ErrorBody = self.to_body();
        let status = StatusCode::from_u16(body.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(body)).into_response()
    }
}

async fn add_user(admin: Admin, Json(body): Json<AddUser>) -> Result<StatusCode, AdminError> {
    admin.add_user(&body.name, &body.groups, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn users(admin: Admin) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.users().await?))
}

async fn remove_user(admin: Admin, Segment(name): Segment<Account>) -> Result<StatusCode, AdminError> {
    admin.remove_user(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_groups(
    admin: Admin,
    Segment(name): Segment<Account>,
    Json(body): Json<SetGroups>,
) -> Result<StatusCode, AdminError> {
    admin.set_groups(&name, &body.groups).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_password(
    admin: Admin,
    Segment(name): Segment<Account>,
    Json(body): Json<SetPassword>,
) -> Result<StatusCode, AdminError> {
    admin.set_password(&name, body.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reset_totp(admin: Admin, Segment(name): Segment<Account>) -> Result<StatusCode, AdminError> {
    admin.reset_totp(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn tokens(admin: Admin) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.tokens().await?))
}

async fn create_join_token(admin: Admin, Json(spec): Json<JoinTokenSpec>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(MadeToken { token: admin.create_join_token(spec).await? }))
}

async fn create_user_token(admin: Admin, Json(spec): Json<UserTokenSpec>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(MadeToken { token: admin.create_user_token(spec).await? }))
}

async fn remove_token(admin: Admin, Segment(id): Segment<TokenId>) -> Result<StatusCode, AdminError> {
    admin.remove_token(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn add_lock(admin: Admin, Json(spec): Json<LockSpec>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.add_lock(spec).await?))
}

async fn locks(admin: Admin) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.locks().await?))
}

async fn remove_lock(admin: Admin, Segment(id): Segment<LockId>) -> Result<StatusCode, AdminError> {
    admin.remove_lock(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn authorities(admin: Admin) -> impl IntoResponse {
    Json(admin.authorities())
}

async fn rotate_ca(admin: Admin, Json(rotation): Json<Rotation>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.rotate_ca(rotation).await?))
}

async fn finish_ca_rotation(admin: Admin) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.finish_ca_rotation().await?))
}

async fn clusters(admin: Admin) -> impl IntoResponse {
    Json(admin.clusters())
}

async fn agents(admin: Admin) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.agents().await?))
}

async fn remove_agent(admin: Admin, Segment(id): Segment<AgentId>) -> Result<StatusCode, AdminError> {
    admin.remove_agent(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn sessions(admin: Admin) -> impl IntoResponse {
    Json(admin.sessions())
}

async fn end_session(admin: Admin, Json(end): Json<EndSession>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.end_session(end).await?))
}

async fn audit(admin: Admin, Query(query): Query<AuditQuery>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.audit(query).await?))
}

/// One record a line, as they come, until either side ends.
async fn follow(admin: Admin, Extracted(shared): Extracted<Shared>, Query(query): Query<AuditQuery>) -> impl IntoResponse {
    let following = Following { follow: admin.follow(), query, shutdown: shared.shutdown };
    let lines = futures_util::stream::unfold(following, |mut following| async move {
        let lines = following.next().await?;
        Some((Ok::<_, Infallible>(lines), following))
    });
    ([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines))
}

/// The lines of an export, until either side ends.
async fn export(admin: Admin, Query(range): Query<ExportRange>) -> Result<impl IntoResponse, AdminError> {
    let export = admin.export_audit(range.since, range.until).await?;
    let lines = futures_util::stream::try_unfold(export, |mut export| async move {
        Ok::<_, JournalError>(export.next().await?.map(|lines| (Bytes::from(lines), export)))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)))
}

async fn audit_end(admin: Admin) -> impl IntoResponse {
    Json(admin.audit_end())
}

async fn audit_sinks(admin: Admin) -> impl IntoResponse {
    Json(admin.audit_sinks())
}

async fn approve_device(admin: Admin, Json(body): Json<ApproveDevice>) -> Result<StatusCode, AdminError> {
    admin.approve_device(&body.user_code, &body.user).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn reload_policy(admin: Admin) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(PoliciesLoaded { policies: admin.reload_policy().await? }))
}

async fn explain(admin: Admin, Json(spec): Json<ExplainSpec>) -> Result<impl IntoResponse, AdminError> {
    Ok(Json(admin.explain(spec).await?))
}

struct Following {
    follow: Follow,
    query: AuditQuery,
    shutdown: CancellationToken,
}

impl Following {
    /// The next lines that are asked for; `None` at the end. A slow reader is waited for: the journal is the buffer.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let records = tokio::select! {
                records = self.follow.next() => records,
                () = self.shutdown.cancelled() => return None,
            };
            let records = records.inspect_err(|error| tracing::warn!("following the journal ends: {error}")).ok()?;
            let mut lines = Vec::new();
            for record in records.iter().filter(|record| self.query.wants(record)) {
                serde_json::to_writer(&mut lines, record).ok()?;
                lines.push(b'\n');
            }
            if !lines.is_empty() {
                return Some(lines.into());
            }
        }
    }
}

/// The most bytes of a request: names, a password, some patterns.
const BODY_LIMIT: usize = 64 * 1024;

/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(2);

const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
