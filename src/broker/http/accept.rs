//! From a listener to requests: TLS, HTTP/1.1 with upgrades, and limits for those who come to waste our time.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::Peer;
use crate::broker::config::Network;
use crate::broker::crowd::{Crowd, Vacancy};

/// What connections come to.
#[derive(Clone)]
pub(crate) struct Door {
    /// Without it something in front of the broker ends TLS.
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// What answers.
    pub(crate) router: Router,
    /// Who comes.
    pub(crate) crowd: Arc<Crowd>,
    /// Peers that speak for many, so that no share of the places is theirs.
    pub(crate) proxies: Arc<[Network]>,
    /// How long each may take.
    pub(crate) patience: Patience,
}

/// How long a connection may take that is not (yet) a session's or an agent's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For TLS.
    pub(crate) handshake: Duration,
    /// For the head of a request, and between two requests.
    pub(crate) head: Duration,
    /// For all its requests and answers: an answer that nobody reads has no other end.
    pub(crate) life: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            // Two round trips; ten seconds is the worst of networks.
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(30),
            // The list of 100,000 containers over a slow line.
            life: Duration::from_secs(300),
        }
    }
}

impl Door {
    /// One without TLS and proxies.
    pub(crate) fn plain(router: Router) -> Self {
        let crowd = Crowd::new("connections", CONNECTIONS, CONNECTIONS_OF_ONE);
        Self { tls: None, router, crowd, proxies: Arc::new([]), patience: Patience::default() }
    }
}

/// Serves at `door` until `shutdown`; then nothing new is accepted, and what is being answered is answered to its end.
pub(crate) async fn serve(listener: TcpListener, door: Door, shutdown: CancellationToken) {
    let connections = TaskTracker::new();
    while let Some(accepted) = shutdown.run_until_cancelled(next(&listener, &door.crowd)).await {
        let (stream, peer, vacancy) = accepted;
        let many = door.proxies.iter().any(|network| network.contains(peer.ip().to_canonical()));
        let Some(place) = door.crowd.seat(vacancy, (!many).then(|| peer.ip())) else { continue };
        let (door, shutdown) = (door.clone(), shutdown.clone());
        connections.spawn(async move {
            // The place is for those who have asked for nothing yet; an upgraded connection is a session's or an agent's, and
            // counted there.
            let _place = place;
            converse(stream, peer, door, shutdown).await;
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, connections.wait()).await;
}

/// A connection and room for it. When there is none, connections wait in the system's queue.
async fn next(listener: &TcpListener, crowd: &Crowd) -> (TcpStream, SocketAddr, Vacancy) {
    loop {
        let vacancy = crowd.vacancy().await;
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, vacancy),
            Err(error) => {
                // Out of file descriptors, mostly: others must end first.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, door: Door, shutdown: CancellationToken) {
    // A keystroke is a packet.
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%peer, %error, "a connection was gone at once");
    }
    let Some(tls) = door.tls.clone().map(TlsAcceptor::from) else {
        return answer(stream, peer, door, shutdown).await;
    };
    let handshake = tokio::time::timeout(door.patience.handshake, tls.accept(stream));
    match shutdown.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => answer(stream, peer, door, shutdown).await,
        Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "no TLS came about"),
        Some(Err(_)) => tracing::debug!(%peer, "the TLS handshake took too long"),
        None => {}
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    door: Door,
    shutdown: CancellationToken,
) {
    let Door { router, patience, .. } = door;
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience.head)
        .max_buf_size(HEADER_LIMIT)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => Ok(ended),
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            Ok(connection.await)
        }
        () = tokio::time::sleep(patience.life) => {
            // One that waits for the next request ends now, and what is being answered has a little longer.
            connection.as_mut().graceful_shutdown();
            tokio::time::timeout(patience.head, connection).await
        }
    };
    match ended {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%peer, %error, "a connection ended badly"),
        Err(_) => tracing::debug!(%peer, "a connection was cut that did not take its answer"),
    }
}

/// How many connections may be open that are not (yet) a session's or an agent's.
const CONNECTIONS: usize = 4096;

/// How many of them one address may have: an office behind one router asks some dozens of things at once.
const CONNECTIONS_OF_ONE: usize = 512;

/// How long we rest when a connection cannot be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The most bytes of a request's head: the longest connect request is 6 KiB in base64, a token and cookies come on top.
const HEADER_LIMIT: usize = 32 * 1024;

/// The most headers of a request.
const HEADERS: usize = 64;

/// How long answers may take that were begun before the end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
