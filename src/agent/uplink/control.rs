//! The control connection: what we serve goes up, what shall happen comes down.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

use super::{Backoff, Uplink};
use crate::agent::dial::Link;
use crate::agent::greeting::{GreetingError, Opened};
use crate::proto::agent::{CONTROL_SILENCE, ContainerReport, FRAME_LIMIT, FromAgent, FromBroker, Kind};
use crate::proto::frame::{self, FrameError};

/// Keeps a control connection until the agent is shut down.
pub(super) async fn keep(uplink: &Uplink, mut outbox: mpsc::Receiver<FromAgent>) {
    let mut backoff = Backoff::new();
    let shutdown = uplink.host.shutdown.clone();
    loop {
        let opened = tokio::select! {
            opened = open(uplink) => opened,
            () = shutdown.cancelled() => return,
        };
        if let Some(opened) = opened {
            let begun = Instant::now();
            tracing::info!(name = %opened.name, "connected to the broker");
            uplink.recovered();
            uplink.online.send_replace(true);
            let ended = serve(uplink, opened, &mut outbox).await;
            uplink.online.send_replace(false);
            match ended {
                Ok(()) => return,
                Err(ServeError::Lost(error)) => {
                    uplink.troubled(format!("the connection to the broker is lost: {error}"), false);
                }
                Err(ServeError::Distrust(error)) => uplink.troubled(error.to_string(), true),
            }
            // One that broke at once is no reason to come back at once.
            if begun.elapsed() > CONTROL_SILENCE {
                backoff.reset();
            }
        }
        tokio::select! {
            () = tokio::time::sleep(backoff.next(Instant::now())) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Why a control connection was not ended by ourselves.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Lost(#[from] FrameError),
    /// The broker tells of authorities to which nothing leads from those that are trusted.
    #[error(transparent)]
    Distrust(#[from] GreetingError),
}

async fn open(uplink: &Uplink) -> Option<Opened<Link>> {
    let link = match uplink.dialer.open(Kind::Control).await {
        Ok(link) => link,
        Err(error) => {
            uplink.troubled(error.to_string(), false);
            return None;
        }
    };
    match uplink.greeter.greet(&uplink.host, link, Kind::Control).await {
        Ok(opened) => Some(opened),
        Err(error) => {
            uplink.troubled(error.to_string(), matches!(error, GreetingError::Pin { .. } | GreetingError::Refused(_)));
            None
        }
    }
}

/// Serves one control connection. `Ok` is our own leaving, an error everything else.
async fn serve(uplink: &Uplink, opened: Opened<Link>, outbox: &mut mpsc::Receiver<FromAgent>) -> Result<(), ServeError> {
    let Opened { mut reader, mut writer, .. } = opened;
    let host = &uplink.host;
    // The broker takes the first list for whole.
    let looking = timeout(FIRST_LOOK, host.connector.looked_up());
    let _ = host.shutdown.run_until_cancelled(looking).await;
    let mut containers = host.connector.containers();
    let mut known = containers.borrow_and_update().clone();
    for part in snapshot(&known) {
        say(&mut writer, &part).await?;
    }
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = timeout_at(heard + CONTROL_SILENCE, reader.next()) => {
                let message = message.map_err(|_| FrameError::Timeout(CONTROL_SILENCE))??;
                heard = Instant::now();
                match message {
                    FromBroker::Ping => say(&mut writer, &FromAgent::Pong { time: host.clock.now() }).await?,
                    FromBroker::Announce(announcement) => host.book.announce(announcement),
                    FromBroker::Cut { session, reason } => host.book.cut(session, reason),
                    FromBroker::Authorities { chain } => uplink.greeter.follow(host, &chain)?,
                    FromBroker::Sweep { sessions } => host.sweep(sessions),
                    FromBroker::Acknowledge { request, refused } => host.answer(request, refused),
                }
            }
            // The outbox ends with the host, which is ours.
            Some(message) = outbox.recv() => say(&mut writer, &message).await?,
            Ok(()) = containers.changed() => {
                let now = containers.borrow_and_update().clone();
                for change in changes(&known, &now) {
                    say(&mut writer, &change).await?;
                }
                known = now;
            }
            () = host.shutdown.cancelled() => {
                for runtime_id in known.keys() {
                    say(&mut writer, &FromAgent::Remove { runtime_id: runtime_id.clone() }).await?;
                }
                // The sessions' ends.
                loop {
                    tokio::select! {
                        biased;
                        Some(message) = outbox.recv() => say(&mut writer, &message).await?,
                        () = uplink.idle.cancelled() => break,
                    }
                }
                let _ = timeout(CONTROL_SILENCE, writer.shutdown()).await;
                return Ok(());
            }
        }
    }
}

/// One message within the time after which the other side is given up anyway.
async fn say<W: AsyncWrite + Unpin>(writer: &mut W, message: &FromAgent) -> Result<(), FrameError> {
    let written = timeout(CONTROL_SILENCE, frame::write(writer, message, FRAME_LIMIT)).await;
    match written.map_err(|_| FrameError::Timeout(CONTROL_SILENCE))? {
        // A container with labels beyond every measure: the others are served all the same.
        Err(error @ FrameError::TooLong { .. }) => {
            tracing::warn!("something is not told to the broker: {error}");
            Ok(())
        }
        result => result,
    }
}

/// All containers in parts of which each fits a frame. Nothing served is a snapshot too.
fn snapshot(containers: &BTreeMap<String, ContainerReport>) -> Vec<FromAgent> {
    let (mut parts, mut part, mut size) = (Vec::new(), Vec::new(), 0);
    for report in containers.values() {
        let length = serde_json::to_vec(report).map_or(0, |json| json.len() + 1);
        if size + length > FRAME_LIMIT - ENVELOPE && !part.is_empty() {
            parts.push(FromAgent::Snapshot { containers: std::mem::take(&mut part), more: true });
            size = 0;
        }
        size += length;
        part.push(report.clone());
    }
    parts.push(FromAgent::Snapshot { containers: part, more: false });
    parts
}

/// What leads from `before` to `now`.
fn changes(before: &BTreeMap<String, ContainerReport>, now: &BTreeMap<String, ContainerReport>) -> Vec<FromAgent> {
    let gone = before.keys().filter(|id| !now.contains_key(*id));
    let gone = gone.map(|id| FromAgent::Remove { runtime_id: id.clone() });
    let other = now.iter().filter(|(id, report)| before.get(*id) != Some(report));
    gone.chain(other.map(|(_, report)| FromAgent::Upsert { container: Box::new(report.clone()) })).collect()
}

/// How long the first list may take: an engine or a cluster that does not answer has nothing to list.
const FIRST_LOOK: Duration = Duration::from_secs(4);

/// What a snapshot's frame has beside its reports.
const ENVELOPE: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::agent::{Capabilities, Facts};

    fn report(id: &str, label: &str) -> (String, ContainerReport) {
        let report = ContainerReport {
            runtime_id: id.into(),
            name: id.into(),
            app: "app".into(),
            image: String::new(),
            location: String::new(),
            runtime: "process".into(),
            state: "running".into(),
            started_at: 0,
            labels: [("label".to_owned(), label.to_owned())].into(),
            namespace: None,
            instance: None,
            facts: Facts::default(),
            capabilities: Capabilities::default(),
        };
        (id.into(), report)
    }

    #[test]
    fn a_large_snapshot_goes_in_parts_that_fit() {
        let many: BTreeMap<_, _> = (0..100).map(|id| report(&id.to_string(), &"x".repeat(10_000))).collect();
        let parts = snapshot(&many);
        assert!(parts.len() > 3);
        let mut seen = 0;
        for (index, part) in parts.iter().enumerate() {
            frame::encode(part, FRAME_LIMIT).unwrap();
            let FromAgent::Snapshot { containers, more } = part else { panic!() };
            assert_eq!(*more, index + 1 < parts.len());
            seen += containers.len();
        }
        assert_eq!(seen, 100);
        assert!(matches!(&snapshot(&BTreeMap::new())[..], [FromAgent::Snapshot { more: false, .. }]));
    }

    #[test]
    fn changes_lead_from_one_state_to_the_next() {
        let before: BTreeMap<_, _> = [report("a", "1"), report("b", "1")].into();
        let now: BTreeMap<_, _> = [report("b", "2"), report("c", "1")].into();
        let said: Vec<String> = changes(&before, &now)
            .into_iter()
            .map(|change| match change {
                FromAgent::Remove { runtime_id } => format!("-{runtime_id}"),
                FromAgent::Upsert { container } => format!("+{}", container.runtime_id),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(said, ["-a", "+b", "+c"]);
        assert!(changes(&now, &now).is_empty());
    }
}
