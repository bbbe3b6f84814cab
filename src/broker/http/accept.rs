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
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::Peer;

/// Serves `router` until `shutdown`; then nothing new is accepted, and what is being answered is answered to its end.
pub(crate) async fn serve(listener: TcpListener, tls: Option<Arc<ServerConfig>>, router: Router, shutdown: CancellationToken) {
    let tls = tls.map(TlsAcceptor::from);
    let (connections, places) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    while let Some(accepted) = shutdown.run_until_cancelled(next(&listener, &places)).await {
        let (stream, peer, place) = accepted;
        let (tls, router, shutdown) = (tls.clone(), router.clone(), shutdown.clone());
        connections.spawn(async move {
            // The place is for those who have asked for nothing yet; an upgraded connection is a session's or an agent's, and
            // counted there.
            let _place = place;
            converse(stream, peer, tls, router, shutdown).await;
        });
    }
    drop(listener);
    connections.close();
    let _ = tokio::time::timeout(LAST_ANSWERS, connections.wait()).await;
}

/// A connection and a place for it. When no place is free, connections wait in the system's queue.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit) {
    loop {
        let Ok(place) = Arc::clone(places).acquire_owned().await else {
            // The semaphore is never closed.
            return std::future::pending().await;
        };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                // Out of file descriptors, mostly: others must end first.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn converse(stream: TcpStream, peer: SocketAddr, tls: Option<TlsAcceptor>, router: Router, shutdown: CancellationToken) {
    // A keystroke is a packet.
    if let Err(error) = stream.set_nodelay(true) {
        return tracing::debug!(%peer, %error, "a connection was gone at once");
    }
    let Some(tls) = tls else {
        return answer(stream, peer, router, shutdown).await;
    };
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream));
    match shutdown.run_until_cancelled(handshake).await {
        Some(Ok(Ok(stream))) => answer(stream, peer, router, shutdown).await,
        Some(Ok(Err(error))) => tracing::debug!(%peer, %error, "no TLS came about"),
        Some(Err(_)) => tracing::debug!(%peer, "the TLS handshake took too long"),
        None => {}
    }
}

async fn answer(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    router: Router,
    shutdown: CancellationToken,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(Peer(peer));
        // A router is always ready.
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_LIMIT)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "a connection ended badly");
    }
}

/// How many connections may be open that are not (yet) a session's or an agent's.
const CONNECTIONS: usize = 4096;

/// How long we rest when a connection cannot be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A handshake is two round trips; ten seconds is the worst of networks.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// For the head of a request, and for a connection that is kept open between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of a request's head: the longest connect request is 6 KiB in base64, a token and cookies come on top.
const HEADER_LIMIT: usize = 32 * 1024;

/// The most headers of a request.
const HEADERS: usize = 64;

/// How long answers may take that were begun before the end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);
