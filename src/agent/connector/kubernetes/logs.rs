//! A container's logs, from the cluster: one stream of both outputs, followed over restarts of the container in its pod.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::{Request, StatusCode};
use kube::client::Body;
use url::form_urlencoded::Serializer;

use super::exec::Target;
use super::session::explain;
use super::{ClusterError, Inner, KubernetesConnector};
use crate::agent::connector::StartError;
use crate::agent::connector::logs::{Lines, Sink, Source};
use crate::agent::connector::remote::Wishes;
use crate::agent::process::Process;
use crate::agent::reaper::Exit;
use crate::moment;
use crate::proto::logs::LogsRequest;

impl KubernetesConnector {
    /// The logs of a container as a process that writes them.
    pub(in crate::agent) async fn logs(&self, runtime_id: &str, request: &LogsRequest) -> Result<Process, StartError> {
        let target = self.0.watch.target(runtime_id).ok_or(StartError::Gone)?;
        let body = open(&self.0, &target, request, None).await.map_err(explain)?;
        let (process, sink, wishes) = Sink::new(request.timestamps);
        let reading =
            Reading { inner: Arc::clone(&self.0), runtime_id: runtime_id.to_owned(), target, request: request.clone() };
        tokio::spawn(reading.run(sink, wishes, body));
        Ok(process)
    }
}

async fn open(inner: &Inner, target: &Target, request: &LogsRequest, last: Option<&str>) -> Result<Body, ClusterError> {
    let request = Request::get(path(target, request, last)).body(Body::empty());
    let request = request.map_err(|error| ClusterError::Unreadable(error.to_string()))?;
    let response = inner.client.send(request).await?;
    match response.status() {
        StatusCode::OK => Ok(response.into_body()),
        _ => Err(ClusterError::of(response).await),
    }
}

fn path(target: &Target, request: &LogsRequest, last: Option<&str>) -> String {
    let Target { namespace, pod, container } = target;
    let mut query = Serializer::new(format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?"));
    query.append_pair("container", container).append_pair("timestamps", "true");
    if request.follow {
        query.append_pair("follow", "true");
    }
    // The cluster counts what was written at that moment in, and the sink leaves it out.
    let since = last.and_then(moment::parse).or(request.since);
    if let Some(since) = since {
        query.append_pair("sinceTime", &moment::rfc3339(since));
    }
    if let Some(tail) = request.tail.filter(|_| last.is_none()) {
        query.append_pair("tailLines", &tail.to_string());
    }
    query.finish()
}

/// Logs that are being read.
struct Reading {
    inner: Arc<Inner>,
    runtime_id: String,
    target: Target,
    request: LogsRequest,
}

impl Reading {
    async fn run(self, mut sink: Sink, mut wishes: Wishes, body: Body) {
        let outcome = tokio::select! {
            outcome = self.read(&mut sink, body) => outcome,
            Some(signal) = wishes.signals.recv() => Ok(Exit::Signal(signal.as_raw())),
        };
        match outcome {
            Ok(exit) => sink.end(exit),
            Err(error) => sink.lose(format!("the logs were broken off: {error}")),
        }
    }

    async fn read(&self, sink: &mut Sink, mut body: Body) -> io::Result<Exit> {
        loop {
            let began = self.started_at();
            let mut lines = Lines::default();
            while let Some(frame) = body.frame().await {
                // A cluster that goes away breaks the stream off; the next attempt says whether it is back.
                let Ok(Ok(mut bytes)) = frame.map(hyper::body::Frame::into_data) else { break };
                while !bytes.is_empty() {
                    if let Some(line) = lines.next(&mut bytes) {
                        sink.piece(Source::Stdout, &line).await?;
                    }
                }
            }
            sink.piece(Source::Stdout, &lines.rest()).await?;
            if !self.request.follow {
                return Ok(Exit::Status(0));
            }
            let Some(again) = self.goes_on(sink, began).await? else {
                sink.remark("the container is gone").await?;
                return Ok(Exit::Status(0));
            };
            body = again;
        }
    }

    fn started_at(&self) -> Option<u64> {
        let containers = self.inner.watch.containers();
        let containers = containers.borrow();
        containers.get(&self.runtime_id).filter(|report| report.runs()).map(|report| report.started_at)
    }

    /// Waits until the container runs again, or for the same run where the stream was only broken off; nothing when it is not there for
    /// longer than a restart takes.
    async fn goes_on(&self, sink: &mut Sink, began: Option<u64>) -> io::Result<Option<Body>> {
        let mut containers = self.inner.watch.containers();
        let mut missing_since = None;
        loop {
            if let Some(started_at) = self.started_at() {
                missing_since = None;
                let last = sink.resume().map(str::to_owned);
                if let Ok(body) = open(&self.inner, &self.target, &self.request, last.as_deref()).await {
                    if began.is_some_and(|began| began != started_at) {
                        sink.remark("the container was started again").await?;
                    }
                    return Ok(Some(body));
                }
            } else if !containers.borrow().contains_key(&self.runtime_id) {
                let since = *missing_since.get_or_insert_with(tokio::time::Instant::now);
                if since.elapsed() >= GONE {
                    return Ok(None);
                }
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, containers.changed()).await;
        }
    }
}

/// How soon a container that has stopped is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A container that is started again is missing for a second or two.
const GONE: Duration = Duration::from_secs(10);
