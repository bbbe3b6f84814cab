//! The parked connection: one waits at any time, so that a session starts without a dial, and the next is opened at once.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;

use super::{Backoff, Uplink};
use crate::agent::dial::Link;
use crate::agent::greeting::Opened;
use crate::agent::server;
use crate::proto::agent::{FRAME_LIMIT, FromParked, HELLO_TIMEOUT, Kind, LinkHeader, PARKED_PING, ToParked};
use crate::proto::frame::{self, FrameError};

/// Keeps one connection parked while there is a control connection, until the agent is shut down.
pub(super) async fn keep(uplink: &Arc<Uplink>, sessions: &TaskTracker) {
    let mut backoff = Backoff::new();
    let mut online = uplink.online.subscribe();
    let host = &uplink.host;
    loop {
        let round = async {
            // The sender is in the uplink, which is ours.
            let _ = online.wait_for(|online| *online).await;
            match park(uplink).await {
                Ok((header, link)) => {
                    backoff.reset();
                    sessions.spawn(server::serve(Arc::clone(host), header, link));
                }
                Err(why) => {
                    uplink.troubled(why, false);
                    tokio::time::sleep(backoff.next(Instant::now())).await;
                }
            }
        };
        tokio::select! {
            () = round => {}
            () = host.shutdown.cancelled() => return,
        }
    }
}

/// Opens a connection and waits on it for a session.
async fn park(uplink: &Uplink) -> Result<(LinkHeader, Link), String> {
    let link = uplink.dialer.open(Kind::Data).await.map_err(|error| error.to_string())?;
    let opened = uplink.greeter.greet(&uplink.host, link, Kind::Data).await.map_err(|error| error.to_string())?;
    wait(opened).await.map_err(|error| format!("a parked connection is lost: {error}"))
}

async fn wait(opened: Opened<Link>) -> Result<(LinkHeader, Link), FrameError> {
    let Opened { mut reader, mut writer, .. } = opened;
    loop {
        match reader.next_within(SILENCE).await? {
            ToParked::Ping => {
                let said = timeout(HELLO_TIMEOUT, frame::write(&mut writer, &FromParked::Pong, FRAME_LIMIT)).await;
                said.map_err(|_| FrameError::Timeout(HELLO_TIMEOUT))??;
            }
            ToParked::Start(header) => {
                let said = timeout(HELLO_TIMEOUT, frame::write(&mut writer, &FromParked::Ready, FRAME_LIMIT)).await;
                said.map_err(|_| FrameError::Timeout(HELLO_TIMEOUT))??;
                return Ok((header, reader.into_inner().unsplit(writer)));
            }
        }
    }
}

/// Two pings lost and half a one's time for the third.
const SILENCE: Duration = Duration::from_secs(PARKED_PING.as_secs() * 5 / 2);
