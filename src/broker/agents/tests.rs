//! The opening and the control loop over pipes of eight bytes, with honest and hostile agents.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex, split};
use tokio::task::JoinHandle;

use super::control::{Desk, End, Pace};
use super::opening::{NotOpened, Proved, challenge};
use super::*;
use crate::broker::audit::{self, Event, Journal, Query};
use crate::broker::ca::Authority;
use crate::broker::policy::Basis;
use crate::broker::registry::Registry;
use crate::broker::registry::tests::{asserted, report};
use crate::broker::relay::Sessions;
use crate::clock::Clock;
use crate::proto::agent::*;
use crate::proto::frame::{self, FrameError, FrameReader};
use crate::proto::{ContainerId, SessionId};
use crate::ssh::{PrivateKey, new_key, proof, public_line};

const NOW: u64 = 1_800_000_000;

fn open(far: DuplexStream, kind: Kind) -> JoinHandle<Result<Proved, NotOpened>> {
    tokio::spawn(async move {
        let (reader, mut writer) = split(far);
        challenge(&mut FrameReader::new(reader, HELLO_LIMIT), &mut writer, kind, NOW).await
    })
}

fn hello(key: &PrivateKey, kind: Kind, nonce: &str) -> Hello {
    Hello {
        protocol: 1,
        version: "0".into(),
        public_key: public_line(key.public_key()).unwrap(),
        signature: proof::sign(key, kind, nonce).unwrap(),
        name: "node".into(),
        time: NOW,
        join: None,
        workload: None,
        ca: None,
    }
}

/// Answers the challenge with what `answer` makes of its nonce.
async fn answered(kind: Kind, answer: impl FnOnce(String) -> Hello) -> Result<Proved, NotOpened> {
    let (near, far) = duplex(8);
    let opening = open(far, kind);
    let (reader, mut writer) = split(near);
    let challenge: Challenge = FrameReader::new(reader, HELLO_LIMIT).next().await.unwrap();
    assert_eq!((challenge.nonce.len(), challenge.time), (64, NOW));
    frame::write(&mut writer, &answer(challenge.nonce), HELLO_LIMIT).await.unwrap();
    opening.await.unwrap()
}

fn code(result: Result<Proved, NotOpened>) -> ErrorCode {
    match result.unwrap_err() {
        NotOpened::Refused(body) => body.code,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_agent_that_proves_its_key_is_known_by_it() {
    let key = new_key().unwrap();
    let proved = answered(Kind::Control, |nonce| hello(&key, Kind::Control, &nonce)).await.unwrap();
    assert_eq!(proved.agent, AgentId::of_key(&key.public_key().to_bytes().unwrap()));
}

#[tokio::test]
async fn proofs_for_something_else_are_refused() {
    let (key, other) = (new_key().unwrap(), new_key().unwrap());
    let data_on_control = answered(Kind::Control, |nonce| hello(&key, Kind::Data, &nonce)).await;
    assert_eq!(code(data_on_control), ErrorCode::JoinRefused);
    let replayed = answered(Kind::Control, |_| hello(&key, Kind::Control, &"0".repeat(64))).await;
    assert_eq!(code(replayed), ErrorCode::JoinRefused);
    let stolen = answered(Kind::Control, |nonce| Hello {
        public_key: public_line(other.public_key()).unwrap(),
        ..hello(&key, Kind::Control, &nonce)
    });
    assert_eq!(code(stolen.await), ErrorCode::JoinRefused);
    let old = answered(Kind::Control, |nonce| Hello { protocol: 0, ..hello(&key, Kind::Control, &nonce) }).await;
    assert_eq!(code(old), ErrorCode::VersionMismatch);
    let no_key = answered(Kind::Control, |nonce| Hello { public_key: "rsa".into(), ..hello(&key, Kind::Control, &nonce) });
    assert_eq!(code(no_key.await), ErrorCode::InvalidRequest);
}

#[tokio::test]
async fn hostile_openings_end_in_an_error() {
    for (bytes, expected) in [
        (vec![0xff, 0xff, 0xff, 0xff], "over the limit"),
        (vec![0, 0, 0, 9, b'{'], "in the middle"),
        (vec![], "closed"),
        (vec![0, 0, 0, 2, b'{', b'}'], "cannot be read"),
    ] {
        let (near, far) = duplex(8);
        let opening = open(far, Kind::Control);
        let (reader, mut writer) = split(near);
        let _: Challenge = FrameReader::new(reader, HELLO_LIMIT).next().await.unwrap();
        writer.write_all(&bytes).await.unwrap();
        writer.shutdown().await.unwrap();
        let error = opening.await.unwrap().unwrap_err().to_string();
        assert!(error.contains(expected), "{bytes:?}: {error}");
    }
}

/// A broker's desk with one agent at it.
struct World {
    dir: tempfile::TempDir,
    registry: Arc<Registry>,
    sessions: Arc<Sessions>,
    journal: Journal,
    presence: Arc<Presence>,
    served: JoinHandle<End>,
}

const QUICK: Pace = Pace { ping: Duration::from_millis(5), silence: Duration::from_millis(60) };

/// Long enough that only a hang reaches it.
fn trust() -> Trust {
    let dir = tempfile::tempdir().unwrap();
    Trust::new(&Authority::open(dir.path()).unwrap(), None)
}

const PATIENCE: Duration = Duration::from_secs(20);

fn world(pace: Pace) -> (World, FrameReader<ReadHalf<DuplexStream>>, WriteHalf<DuplexStream>) {
    let dir = tempfile::tempdir().unwrap();
    let clock = Clock::from_fn(|| NOW);
    let journal = Journal::open(dir.path(), audit::Pace::default(), clock.clone()).unwrap();
    let (registry, sessions) = (Arc::new(Registry::default()), Arc::new(Sessions::default()));
    let agent = asserted().agent;
    let key = new_key().unwrap().public_key().clone();
    let (presence, queue) = Presence::new(agent, "node-1".into(), key, 0, trust(), &CancellationToken::new());
    let presence = Arc::new(presence);
    let (near, far) = duplex(8);
    let served = {
        let (registry, sessions, journal, presence) =
            (Arc::clone(&registry), Arc::clone(&sessions), journal.clone(), Arc::clone(&presence));
        tokio::spawn(async move {
            let lease = registry.attach(asserted());
            let (reader, writer) = split(far);
            let desk = Desk {
                presence,
                lease,
                registry: &registry,
                sessions: &sessions,
                journal: &journal,
                clock: &clock,
                pace,
                swept: &|_| (),
                set_of: &|_| None,
                oversteps: Default::default(),
            };
            let end = desk.serve(FrameReader::new(reader, FRAME_LIMIT), writer, queue).await;
            registry.detach(&desk.lease);
            end
        })
    };
    let (reader, writer) = split(near);
    (World { dir, registry, sessions, journal, presence, served }, FrameReader::new(reader, FRAME_LIMIT), writer)
}

async fn say<W: AsyncWrite + Unpin>(writer: &mut W, frame: &FromAgent) {
    frame::write(writer, frame, FRAME_LIMIT).await.unwrap();
}

/// The next command that is no ping.
async fn command<R: AsyncRead + Unpin>(reader: &mut FrameReader<R>) -> FromBroker {
    loop {
        match reader.next_within(PATIENCE).await.unwrap() {
            FromBroker::Ping => {}
            other => return other,
        }
    }
}

async fn until(condition: impl Fn() -> bool) {
    tokio::time::timeout(PATIENCE, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn reports_arrive_and_leave_with_the_connection() {
    let minutes = Pace { ping: Duration::from_secs(60), silence: Duration::from_secs(180) };
    let (world, mut reader, mut writer) = world(minutes);
    assert!(matches!(reader.next_within(PATIENCE).await.unwrap(), FromBroker::Ping));
    say(&mut writer, &FromAgent::Pong { time: NOW + 300 }).await;
    say(&mut writer, &FromAgent::Snapshot { containers: vec![report("web", "a"), report("web", "b")], more: false }).await;
    say(&mut writer, &FromAgent::Remove { runtime_id: "a".into() }).await;
    until(|| world.registry.all().len() == 1 && world.presence.skew() == 300).await;
    writer.shutdown().await.unwrap();
    drop((reader, writer));
    assert!(matches!(world.served.await.unwrap(), End::Frame(FrameError::Closed)));
    assert!(world.registry.all().is_empty());
    drop(world.dir);
}

#[tokio::test]
async fn a_channel_runs_only_after_it_is_written_down_and_only_in_ones_own_session() {
    let (world, mut reader, mut writer) = world(Pace::default());
    let (mine, others) = (SessionId::random(), SessionId::random());
    let served_by = |agent| {
        let mut basis = Basis::example("web");
        Arc::make_mut(&mut basis.container).agent = agent;
        basis
    };
    let seat = world.sessions.admit(mine, served_by(world.presence.agent), NOW + 60, None);
    let _other = world.sessions.admit(others, served_by(AgentId::of_key(b"other")), NOW + 60, None);
    for (request, session, allowed) in [(1, mine, true), (2, others, false), (3, SessionId::random(), false)] {
        say(&mut writer, &FromAgent::Channel { request, session, channel: ChannelReport::Shell }).await;
        match command(&mut reader).await {
            FromBroker::Acknowledge { request: answered, refused } => {
                assert_eq!((answered, refused.is_none()), (request, allowed));
            }
            other => panic!("{other:?}"),
        }
    }
    let written = world.journal.read(Query::default()).await.unwrap();
    let channel = Event::ChannelOpened { session: mine, channel: ChannelReport::Shell };
    assert_eq!(written.into_iter().map(|record| record.event).collect::<Vec<_>>(), [channel]);
    drop(seat);
}

#[tokio::test]
async fn hostile_frames_end_the_connection() {
    for bytes in [&[0xff, 0xff, 0xff, 0xff][..], &[0, 0, 0, 2, b'{', b'}'], &[0, 0, 0, 5, b'{']] {
        let (world, reader, mut writer) = world(Pace::default());
        writer.write_all(bytes).await.unwrap();
        writer.shutdown().await.unwrap();
        drop((reader, writer));
        let end = tokio::time::timeout(PATIENCE, world.served).await.unwrap().unwrap();
        assert!(matches!(end, End::Frame(_)), "{bytes:?}: {end}");
    }
}

#[tokio::test]
async fn silence_and_a_frame_that_never_ends_are_given_up() {
    for begun in [&[][..], &[0, 0, 0, 9, b'{']] {
        let (world, mut reader, mut writer) = world(QUICK);
        writer.write_all(begun).await.unwrap();
        let listening = tokio::spawn(async move { while reader.next::<FromBroker>().await.is_ok() {} });
        let end = tokio::time::timeout(PATIENCE, world.served).await.unwrap().unwrap();
        assert!(matches!(end, End::Silent(_)), "{end}");
        listening.await.unwrap();
    }
}

#[tokio::test]
async fn an_agent_that_does_not_read_is_dropped() {
    let (world, _reader, _writer) = world(Pace::default());
    let mut told = 0;
    while world.presence.tell(FromBroker::Ping).is_ok() {
        told += 1;
        assert!(told < 10 * COMMANDS, "the queue has no bound");
        tokio::task::yield_now().await;
    }
    assert!(matches!(world.served.await.unwrap(), End::Ended));
}

#[tokio::test]
async fn a_newer_connection_ends_the_older() {
    let agents = Agents::default();
    let presence =
        |key: &PublicKey| Arc::new(Presence::new(asserted().agent, "node".into(), key.clone(), 0, trust(), &agents.closing).0);
    let [key, other] = [(); 2].map(|()| new_key().unwrap().public_key().clone());
    let (older, newer) = (presence(&key), presence(&key));
    agents.enter(Arc::clone(&older), || ()).unwrap();
    agents.enter(Arc::clone(&newer), || ()).unwrap();
    assert!(older.gone.is_cancelled());
    // One with another key, which only a pod of the same account can be, waits until the place is free.
    assert!(agents.is_taken(newer.agent, &other) && !agents.is_taken(newer.agent, &key));
    assert!(agents.enter(presence(&other), || panic!("nobody is let in")).is_none());
    assert_eq!((agents.of_key(&key), agents.of_key(&other)), (Some(newer.agent), None));
    agents.leave(&older);
    assert!(Arc::ptr_eq(&agents.present(asserted().agent).unwrap(), &newer));
    agents.shut_down();
    assert!(newer.gone.is_cancelled());
}

fn park(parked: &Arc<Parked>, gone: &CancellationToken, every: Duration) -> DuplexStream {
    let (near, far) = duplex(8);
    let (parked, gone) = (Arc::clone(parked), gone.clone());
    tokio::spawn(async move {
        let (reader, writer) = split(Box::new(far) as Link);
        parked::wait(&parked, &gone, FrameReader::new(reader, FRAME_LIMIT), writer, every).await;
    });
    near
}

#[tokio::test]
async fn a_parked_connection_becomes_a_link_and_a_dead_one_is_passed_over() {
    let (parked, gone) = (Arc::new(Parked::default()), CancellationToken::new());
    let every = Duration::from_secs(60);
    drop(park(&parked, &gone, every));
    let alive = park(&parked, &gone, every);
    let link = parked.take(&gone).await.unwrap();
    let header = LinkHeader {
        session: SessionId::random(),
        container: ContainerId::random(),
        host_certificate: "cert".into(),
        client_address: "127.0.0.1".into(),
    };
    let started = tokio::spawn(start(link, header.clone()));
    let (reader, mut writer) = split(alive);
    let mut reader = FrameReader::new(reader, FRAME_LIMIT);
    match reader.next().await.unwrap() {
        ToParked::Start(said) => assert_eq!(said, header),
        ToParked::Ping => panic!("a ping"),
    }
    frame::write(&mut writer, &FromParked::Ready, FRAME_LIMIT).await.unwrap();
    writer.write_all(b"SSH").await.unwrap();
    let mut link = started.await.unwrap().unwrap();
    let mut bytes = [0; 3];
    tokio::io::AsyncReadExt::read_exact(&mut link, &mut bytes).await.unwrap();
    assert_eq!(&bytes, b"SSH");
}

#[tokio::test(start_paused = true)]
async fn parked_connections_are_asked_and_must_answer() {
    let (parked, gone) = (Arc::new(Parked::default()), CancellationToken::new());
    let every = PATIENCE / 2;
    let (reader, mut writer) = split(park(&parked, &gone, every));
    let mut reader = FrameReader::new(reader, FRAME_LIMIT);
    assert!(matches!(reader.next_within(PATIENCE).await.unwrap(), ToParked::Ping));
    frame::write(&mut writer, &FromParked::Pong, FRAME_LIMIT).await.unwrap();
    assert!(matches!(reader.next_within(PATIENCE).await.unwrap(), ToParked::Ping), "it is kept");
    assert!(matches!(reader.next_within::<ToParked>(PATIENCE).await, Err(FrameError::Closed)), "no answer: dropped");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_being_asked_ends_with_the_agent_too() {
    let (parked, gone) = (Arc::new(Parked::default()), CancellationToken::new());
    let (reader, _writer) = split(park(&parked, &gone, Duration::from_secs(60)));
    let mut reader = FrameReader::new(reader, FRAME_LIMIT);
    assert!(matches!(reader.next_within(Duration::from_secs(90)).await.unwrap(), ToParked::Ping));
    gone.cancel();
    let begun = tokio::time::Instant::now();
    assert!(matches!(reader.next::<ToParked>().await, Err(FrameError::Closed)));
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn only_so_many_are_parked_and_all_end_with_the_agent() {
    let (parked, gone) = (Arc::new(Parked::default()), CancellationToken::new());
    let mut kept = Vec::new();
    for _ in 0..9 {
        let (reader, writer) = split(park(&parked, &gone, Duration::from_secs(60)));
        kept.push((FrameReader::new(reader, FRAME_LIMIT), writer));
        tokio::task::yield_now().await;
    }
    let (mut ninth, _writer) = kept.pop().unwrap();
    assert!(matches!(ninth.next_within::<ToParked>(PATIENCE).await, Err(FrameError::Closed)));
    gone.cancel();
    for (reader, _) in &mut kept {
        assert!(matches!(reader.next_within::<ToParked>(PATIENCE).await, Err(FrameError::Closed)));
    }
    assert!(parked.take(&gone).await.is_none());
}
