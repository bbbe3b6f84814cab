//! What of requests and answers is told to the [`Trace`]: which, when, and their headers; of what is secret only that it is there.

use std::pin::Pin;
use std::task::{Context, Poll};

use reqwest::Request;
use reqwest::header::HeaderMap;
use tower_layer::Layer;
use tower_service::Service;

use crate::client::trace::Trace;

/// Tells how long TCP and TLS took: around reqwest's connector.
#[derive(Debug, Clone)]
pub(super) struct Connecting(pub(super) Trace);

impl<S> Layer<S> for Connecting {
    type Service = Connector<S>;

    fn layer(&self, inner: S) -> Connector<S> {
        Connector { inner, trace: self.0.clone() }
    }
}

/// A connector that is watched.
#[derive(Debug, Clone)]
pub(super) struct Connector<S> {
    inner: S,
    trace: Trace,
}

impl<S, R> Service<R> for Connector<S>
where
    S: Service<R>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let (trace, connecting) = (self.trace.clone(), self.inner.call(request));
        Box::pin(async move {
            let connected = connecting.await;
            trace.step("connection");
            trace.event(|| if connected.is_ok() { "connected" } else { "no connection" }.to_owned());
            connected
        })
    }
}

/// Tells what is sent.
pub(super) fn request(trace: &Trace, request: &Request) {
    // Not the query: a code or a state may be in it.
    trace.event(|| format!("> {} {}", request.method(), without_query(request.url())));
    headers(trace, '>', request.headers());
}

/// Tells what came.
pub(super) fn response(trace: &Trace, status: reqwest::StatusCode, answer: &HeaderMap) {
    trace.event(|| format!("< {status}"));
    headers(trace, '<', answer);
}

fn without_query(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn headers(trace: &Trace, sign: char, headers: &HeaderMap) {
    for (name, value) in headers {
        trace.header(|| {
            let secret = value.is_sensitive() || SECRET.contains(&name.as_str());
            let shown = if secret { "(not shown)" } else { value.to_str().unwrap_or("(not text)") };
            format!("{sign} {name}: {shown}")
        });
    }
}

/// Headers that may carry a secret, whoever set them.
const SECRET: [&str; 6] = ["authorization", "proxy-authorization", "cookie", "set-cookie", "dpop", "location"];
