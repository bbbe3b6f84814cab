//! A container's logs, from the engine: followed over its restarts until it is removed or nobody reads any more.

use std::io;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::engine::{Engine, EngineError};
use super::stream::{Demultiplexer, Source as Frame};
use super::{DockerConnector, Inner};
use crate::agent::connector::StartError;
use crate::agent::connector::inside::NotStarted;
use crate::agent::connector::logs::{Lines, Sink, Source};
use crate::agent::connector::remote::Wishes;
use crate::agent::process::Process;
use crate::agent::reaper::Exit;
use crate::moment;
use crate::proto::logs::LogsRequest;

impl DockerConnector {
    /// The logs of a container as a process that writes them.
    pub(in crate::agent) async fn logs(&self, runtime_id: &str, request: &LogsRequest) -> Result<Process, StartError> {
        let engine = self.0.watch.engine().ok_or(NotStarted::Away)?;
        let explain = |error| match error {
            EngineError::Refused { status: 404, .. } => StartError::Gone,
            EngineError::Refused { message, .. } => NotStarted::Refused(message).into(),
            EngineError::Away { .. } => NotStarted::Away.into(),
        };
        let container = engine.inspect(runtime_id).await.map_err(explain)?.ok_or(StartError::Gone)?;
        let terminal = container.config.and_then(|config| config.tty) == Some(true);
        let body = open(&engine, runtime_id, request, None).await.map_err(explain)?;
        let (process, sink, wishes) = Sink::new(request.timestamps);
        let reading = Reading { inner: self.0.clone(), container: runtime_id.to_owned(), request: request.clone(), terminal };
        tokio::spawn(reading.run(sink, wishes, body));
        Ok(process)
    }
}

async fn open(engine: &Engine, container: &str, request: &LogsRequest, last: Option<&str>) -> Result<Incoming, EngineError> {
    let mut path = format!("/containers/{container}/logs?stdout=1&stderr=1&timestamps=1&follow={}", u8::from(request.follow));
    match last {
        // The engine counts what was written at that moment in, and the sink leaves it out.
        Some(last) => path += &format!("&since={}", moment::parse(last).unwrap_or(0)),
        None => {
            path += &request.since.map(|since| format!("&since={since}")).unwrap_or_default();
            path += &request.tail.map(|tail| format!("&tail={tail}")).unwrap_or_default();
        }
    }
    engine.stream(&path).await
}

/// Logs that are being read.
struct Reading {
    inner: std::sync::Arc<Inner>,
    container: String,
    request: LogsRequest,
    /// Whether the container has a terminal: then its output is one stream without frames.
    terminal: bool,
}

impl Reading {
    async fn run(self, mut sink: Sink, mut wishes: Wishes, body: Incoming) {
        let outcome = tokio::select! {
            outcome = self.read(&mut sink, body) => outcome,
            Some(signal) = wishes.signals.recv() => Ok(Exit::Signal(signal.as_raw())),
        };
        match outcome {
            Ok(exit) => sink.end(exit),
            Err(error) => sink.lose(format!("the logs were broken off: {error}")),
        }
    }

    async fn read(&self, sink: &mut Sink, mut body: Incoming) -> io::Result<Exit> {
        loop {
            self.copy(sink, &mut body).await?;
            if !self.request.follow {
                return Ok(Exit::Status(0));
            }
            match self.started_again(sink).await? {
                Some(again) => body = again,
                None => {
                    sink.remark("the container was removed").await?;
                    return Ok(Exit::Status(0));
                }
            }
        }
    }

    /// Copies one stream to its end.
    async fn copy(&self, sink: &mut Sink, body: &mut Incoming) -> io::Result<()> {
        let (mut frames, mut lines) = (Demultiplexer::default(), Lines::default());
        while let Some(frame) = body.frame().await {
            // An engine that goes away breaks the stream off; the next attempt says whether it is back.
            let Ok(Ok(mut bytes)) = frame.map(hyper::body::Frame::into_data) else { break };
            if self.terminal {
                while !bytes.is_empty() {
                    if let Some(line) = lines.next(&mut bytes) {
                        sink.piece(Source::Stdout, &line).await?;
                    }
                }
                continue;
            }
            while let Some((frame, piece)) = frames.next(&mut bytes)? {
                let source = match frame {
                    Frame::Stdout => Source::Stdout,
                    Frame::Stderr => Source::Stderr,
                };
                sink.piece(source, &piece).await?;
            }
        }
        sink.piece(Source::Stdout, &lines.rest()).await
    }

    /// Waits until there is something to read again; nothing when the container is gone for good.
    async fn started_again(&self, sink: &mut Sink) -> io::Result<Option<Incoming>> {
        let mut containers = self.inner.watch.containers();
        let mut away = false;
        loop {
            if let Some(engine) = self.inner.watch.engine() {
                match engine.inspect(&self.container).await {
                    Ok(None) => return Ok(None),
                    Ok(Some(container)) if container.state.as_ref().is_some_and(|state| state.running == Some(true)) => {
                        let last = sink.resume().map(str::to_owned);
                        if let Ok(body) = open(&engine, &self.container, &self.request, last.as_deref()).await {
                            sink.remark(if away { "the engine answers again" } else { "the container was started again" })
                                .await?;
                            return Ok(Some(body));
                        }
                    }
                    _ => {}
                }
            } else {
                away = true;
            }
            // A change in the list, or a moment later: one that is not listed changes nothing there.
            let _ = tokio::time::timeout(LOOK_AGAIN, containers.changed()).await;
        }
    }
}

/// How soon a container that has stopped is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
