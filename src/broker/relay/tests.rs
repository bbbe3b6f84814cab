//! Sessions end when they should, with the right outcome and the right figures.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::task::JoinHandle;

use super::*;

const NOW: u64 = 1_800_000_000;

struct World {
    sessions: Arc<Sessions>,
    session: SessionId,
    agent_id: AgentId,
    client: DuplexStream,
    agent: DuplexStream,
    finished: JoinHandle<(Finished, Option<String>)>,
}

fn world(deadline: u64) -> World {
    let sessions = Arc::new(Sessions::default());
    let (session, basis) = (SessionId::random(), Basis::example("web"));
    let agent_id = basis.container.agent;
    let seat = sessions.admit(session, basis, deadline, None);
    let ((client, client_far), (agent, agent_far)) = (duplex(8), duplex(8));
    let finished = tokio::spawn(async move {
        let (mut client, mut agent): (Link, Link) = (Box::new(client_far), Box::new(agent_far));
        let mut told = None;
        let finished = seat.carry(&mut client, &mut agent, &Clock::from_fn(|| NOW), async |reason| told = Some(reason)).await;
        (finished, told)
    });
    World { sessions, session, agent_id, client, agent, finished }
}

#[tokio::test]
async fn bytes_cross_and_are_counted_and_the_agents_word_is_the_outcome() {
    let mut world = world(NOW + 60);
    world.client.write_all(b"question, long").await.unwrap();
    let mut question = [0; 14];
    world.agent.read_exact(&mut question).await.unwrap();
    world.agent.write_all(b"answer").await.unwrap();
    let live = world.sessions.of_agent(world.agent_id, world.session).unwrap();
    live.report(Outcome::Exited { status: 3 });
    live.report(Outcome::Disconnected);
    drop(world.agent);
    let mut answer = String::new();
    world.client.read_to_string(&mut answer).await.unwrap();
    drop(world.client);
    let (finished, told) = world.finished.await.unwrap();
    assert_eq!(answer, "answer");
    assert_eq!(finished, Finished { outcome: Outcome::Exited { status: 3 }, bytes_in: 14, bytes_out: 6, why: None });
    assert_eq!((told, world.sessions.count()), (None, 0));
}

#[tokio::test]
async fn a_cut_tells_the_agent_and_ends_even_if_nobody_obeys() {
    let mut world = world(NOW + 60);
    world.client.write_all(b"some").await.unwrap();
    let mut some = [0; 4];
    world.agent.read_exact(&mut some).await.unwrap();
    assert!(world.sessions.cut(world.session, "the shift is over"));
    assert!(!world.sessions.cut(SessionId::random(), "nobody"));
    let (finished, told) = world.finished.await.unwrap();
    let why = Some("the shift is over".to_owned());
    assert_eq!(finished, Finished { outcome: Outcome::Cut, bytes_in: 4, bytes_out: 0, why });
    assert_eq!(told.as_deref(), Some("the shift is over"));
    assert_eq!(world.client.read(&mut some).await.unwrap(), 0, "the streams are dropped");
}

#[tokio::test]
async fn the_deadline_ends_a_session() {
    let world = world(NOW);
    let (finished, told) = world.finished.await.unwrap();
    assert_eq!(finished.outcome, Outcome::Deadline);
    assert!(told.is_some());
}

#[tokio::test]
async fn a_deadline_comes_forward_and_never_moves_back() {
    let world = world(NOW + 600);
    let live = world.sessions.of_agent(world.agent_id, world.session).unwrap();
    live.shorten(NOW + 900);
    assert_eq!(live.deadline(), NOW + 600);
    live.shorten(NOW);
    let (finished, told) = tokio::time::timeout(Duration::from_secs(20), world.finished).await.unwrap().unwrap();
    assert_eq!((finished.outcome, finished.why, live.deadline()), (Outcome::Deadline, told, NOW));
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_cannot_be_told_holds_nothing_up() {
    let (client, agent) = (duplex(8), duplex(8));
    let sessions = Arc::new(Sessions::default());
    let seat = sessions.admit(SessionId::random(), Basis::example("web"), NOW + 60, None);
    assert!(seat.live().cut("locked") && !seat.live().cut("again"));
    let (mut near, mut far): (Link, Link) = (Box::new(client.0), Box::new(agent.0));
    let begun = tokio::time::Instant::now();
    let finished = seat.carry(&mut near, &mut far, &Clock::from_fn(|| NOW), async |_| std::future::pending().await).await;
    assert!(finished.outcome == Outcome::Cut && begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn other_agents_have_no_say_and_the_last_end_is_waited_for() {
    let world = world(NOW + 60);
    assert!(world.sessions.of_agent(AgentId::of_key(b"other"), world.session).is_none());
    world.sessions.cut_all("the broker stops");
    world.sessions.drained(Duration::from_secs(20)).await;
    assert_eq!(world.sessions.count(), 0);
    drop((world.client, world.agent));
    assert_eq!(world.finished.await.unwrap().0.outcome, Outcome::Cut);
}

#[test]
fn those_that_begin_in_one_second_are_listed_as_they_came() {
    let sessions = Arc::new(Sessions::default());
    let seats: Vec<Seat> = (0..20).map(|_| sessions.admit(SessionId::random(), Basis::example("web"), NOW, None)).collect();
    let came: Vec<SessionId> = seats.iter().map(|seat| seat.live().session).collect();
    assert_eq!(sessions.all().iter().map(|live| live.session).collect::<Vec<_>>(), came);
}
