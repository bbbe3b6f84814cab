//! Parked data connections: each waits with a task of its own, which notices its end and keeps it alive, until a session takes it.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{ReadHalf, WriteHalf};
use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;

use super::opening::Opened;
use crate::broker::State;
use crate::broker::relay::upgrade::Link;
use crate::proto::agent::{FRAME_LIMIT, FromParked, LinkHeader, PARKED_PING, ToParked};
use crate::proto::frame::{self, FrameError, FrameReader};
use crate::proto::{ErrorBody, ErrorCode};

/// An agent's parked connections, the longest parked first.
#[derive(Debug, Default)]
pub(super) struct Parked {
    waiting: Mutex<VecDeque<Claim>>,
    came: Notify,
}

/// Asks a parked connection's task for its link.
type Claim = oneshot::Sender<oneshot::Sender<Link>>;

impl Parked {
    /// A link of these, or of one that comes in time.
    pub(super) async fn take(&self, gone: &CancellationToken) -> Option<Link> {
        tokio::select! {
            link = tokio::time::timeout(TAKE, self.next()) => link.ok(),
            () = gone.cancelled() => None,
        }
    }

    async fn next(&self) -> Link {
        loop {
            // Before looking, so that one that is parked in between is not missed.
            let came = self.came.notified();
            while let Some(claim) = self.pop() {
                let (give, given) = oneshot::channel();
                // One whose task is gone, or is waiting for a pong that does not come, is passed over.
                if claim.send(give).is_ok()
                    && let Ok(Ok(link)) = tokio::time::timeout(HAND_OVER, given).await
                {
                    return link;
                }
            }
            came.await;
        }
    }

    /// Whether there was room for one more.
    fn push(&self, claim: Claim) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|claim| !claim.is_closed());
        let room = waiting.len() < LIMIT;
        if room {
            waiting.push_back(claim);
            self.came.notify_one();
        }
        room
    }

    fn pop(&self) -> Option<Claim> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

/// Parks an opened data connection until a session takes it or it ends.
pub(super) async fn run(state: &State, mut opened: Opened) {
    let Some(presence) = state.agents.present(opened.agent) else {
        let message = "a data connection needs the agent's control connection first";
        return opened.turn_away(ErrorBody::new(ErrorCode::AgentAway, message)).await;
    };
    if opened.welcome().await.is_err() {
        return;
    }
    wait(&presence.parked, &presence.gone, opened.reader, opened.writer, PARKED_PING).await;
}

/// Waits with the connection; every way out but a claim drops it.
pub(super) async fn wait(
    parked: &Parked,
    gone: &CancellationToken,
    mut reader: FrameReader<ReadHalf<Link>>,
    mut writer: WriteHalf<Link>,
    every: Duration,
) {
    let (claim, mut claimed) = oneshot::channel();
    if !parked.push(claim) {
        return tracing::debug!("an agent parks more connections than it may");
    }
    loop {
        tokio::select! {
            claimed = &mut claimed => {
                if let Ok(give) = claimed {
                    // Where the taker has given up waiting, the link is dropped and the agent parks another.
                    let _ = give.send(reader.into_inner().unsplit(writer));
                }
                return;
            }
            // A parked agent speaks only when it is asked: this is its end, or a mistake.
            _ = reader.next::<FromParked>() => return,
            () = gone.cancelled() => return,
            () = tokio::time::sleep(every) => {
                if !matches!(gone.run_until_cancelled(ping(&mut reader, &mut writer, every)).await, Some(Ok(()))) {
                    return;
                }
            }
        }
    }
}

async fn ping(
    reader: &mut FrameReader<ReadHalf<Link>>,
    writer: &mut WriteHalf<Link>,
    limit: Duration,
) -> Result<(), FrameError> {
    let ping = frame::write(writer, &ToParked::Ping, FRAME_LIMIT);
    tokio::time::timeout(limit, ping).await.map_err(|_| FrameError::Timeout(limit))??;
    match reader.next_within(limit).await? {
        FromParked::Pong => Ok(()),
        FromParked::Ready => Err(FrameError::Closed),
    }
}

/// Makes a taken link the link of a session; what follows on it is SSH.
pub(in crate::broker) async fn start(link: Link, header: LinkHeader) -> Result<Link, FrameError> {
    let (reader, mut writer) = tokio::io::split(link);
    let start = async {
        frame::write(&mut writer, &ToParked::Start(header), FRAME_LIMIT).await?;
        let mut reader = FrameReader::new(reader, FRAME_LIMIT);
        match reader.next().await? {
            FromParked::Ready => Ok(reader.into_inner()),
            FromParked::Pong => Err(FrameError::Closed),
        }
    };
    let reader = tokio::time::timeout(START, start).await.map_err(|_| FrameError::Timeout(START))??;
    Ok(reader.unsplit(writer))
}

/// The most connections that one agent may park; one more is closed.
const LIMIT: usize = 8;

/// How long a session waits for a connection: an agent that has none dials one at once, which takes a round trip or three.
const TAKE: Duration = Duration::from_secs(5);

/// How long a parked connection may take to be handed over before the next is tried.
const HAND_OVER: Duration = Duration::from_secs(1);

/// How long the agent may take to make ready: it waits itself so long for the announcement.
const START: Duration = Duration::from_secs(6);
