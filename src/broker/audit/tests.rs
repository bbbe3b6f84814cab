//! The journal on a real disk: durable, chained, repaired, refused.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::proto::SessionId;

fn clock() -> Clock {
    Clock::from_fn(|| 1_800_000_000)
}

fn verify(journal: &Journal) -> Report {
    let file = std::io::BufReader::new(std::fs::File::open(&*journal.path).unwrap());
    let keys = Keys::parse(journal.signer().public_line()).unwrap();
    Inspection::new(Some(&keys)).read(file).unwrap()
}

fn logout(user: &str) -> Event {
    Event::Logout { user: user.into() }
}

#[tokio::test]
async fn many_at_once_are_all_written_in_one_chain() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Pace::default(), clock()).unwrap();
    let appends = (0..50).map(|n| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(logout(&format!("u{n}@local"))).await.unwrap() })
    });
    let mut numbers: Vec<u64> = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        numbers.push(append.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    assert_eq!(verify(&journal).last, 50);
    let mode = std::fs::metadata(dir.path().join("journal.jsonl")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_query_filters_and_keeps_the_last() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Pace::default(), clock()).unwrap();
    let session = SessionId::random();
    for user in ["ada@local", "bob@local", "ada@local"] {
        journal.append(logout(user)).await.unwrap();
    }
    journal.append(Event::ChannelOpened { session, channel: crate::proto::agent::ChannelReport::Shell }).await.unwrap();
    let ask = |query: Query| async { journal.read(query).await.unwrap().iter().map(|r| r.seq).collect::<Vec<_>>() };
    assert_eq!(ask(Query::default()).await, [1, 2, 3, 4]);
    assert_eq!(ask(Query { user: Some("ada".into()), ..Query::default() }).await, [1, 3]);
    assert_eq!(ask(Query { user: Some("ad".into()), ..Query::default() }).await, Vec::<u64>::new());
    assert_eq!(ask(Query { session: Some(session.to_string().parse().unwrap()), ..Query::default() }).await, [4]);
    let beginning = session.to_string()[..12].parse().unwrap();
    assert_eq!(ask(Query { session: Some(beginning), ..Query::default() }).await, [4]);
    assert_eq!(ask(Query { limit: Some(2), ..Query::default() }).await, [3, 4]);
    assert_eq!(ask(Query { since: Some(1_800_000_001), ..Query::default() }).await, Vec::<u64>::new());
}

#[tokio::test]
async fn following_misses_nothing_and_begins_now() {
    let dir = tempfile::tempdir().unwrap();
    let journal = Journal::open(dir.path(), Pace::default(), clock()).unwrap();
    journal.append(logout("before")).await.unwrap();
    let mut follow = journal.follow();
    for user in ["one", "two"] {
        journal.append(logout(user)).await.unwrap();
    }
    let records = follow.next().await.unwrap();
    assert_eq!(records.iter().map(|record| record.seq).collect::<Vec<_>>(), [2, 3]);
    let later = tokio::spawn(async move { follow.next().await.unwrap() });
    journal.append(logout("three")).await.unwrap();
    assert_eq!(later.await.unwrap()[0].event, logout("three"));
}

#[tokio::test]
async fn a_torn_line_is_cut_off_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    Journal::open(dir.path(), Pace::default(), clock()).unwrap().append(logout("ada")).await.unwrap();
    let mut text = std::fs::read(&path).unwrap();
    text.extend_from_slice(b"{\"seq\":2,\"ti");
    std::fs::write(&path, &text).unwrap();
    let journal = Journal::open(dir.path(), Pace::default(), clock()).unwrap();
    assert_eq!(journal.append(logout("bob")).await.unwrap(), 3);
    assert_eq!(verify(&journal).last, 3);
    let records = journal.read(Query::default()).await.unwrap();
    assert_eq!(records[1].event, Event::JournalRepaired { removed_bytes: 12 });
}

#[tokio::test]
async fn a_changed_or_open_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    Journal::open(dir.path(), Pace::default(), clock()).unwrap().append(logout("ada")).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("ada", "eve")).unwrap();
    let refused = Journal::open(dir.path(), Pace::default(), clock()).unwrap_err();
    assert!(matches!(refused, JournalError::Chain { fault: Fault::Changed { seq: 1, line: 1 }, .. }), "{refused}");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let refused = Journal::open(dir.path(), Pace::default(), clock()).unwrap_err().to_string();
    assert!(refused.contains("chmod 600"), "{refused}");
}

#[tokio::test]
async fn checkpoints_are_signed_and_kept_and_an_end_that_is_cut_off_shows_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(JOURNAL);
    let pace = Pace { events: 2, seconds: 60 };
    let journal = Journal::open(dir.path(), pace, clock()).unwrap();
    for user in ["ada", "bob", "eve"] {
        journal.append(logout(user)).await.unwrap();
    }
    assert_eq!((verify(&journal).signed_through, verify(&journal).unsigned()), (3, 1));
    journal.checkpoint().await.unwrap();
    journal.checkpoint().await.unwrap();
    let report = verify(&journal);
    assert_eq!((report.last, report.checkpoints, report.unsigned()), (5, 2, 0), "{report:?}");
    assert_eq!(journal.durable().tip, report.tip());
    drop(journal);
    // What was signed before counts for the next: one more event is not yet enough for another.
    let journal = Journal::open(dir.path(), pace, clock()).unwrap();
    journal.append(logout("ada")).await.unwrap();
    assert_eq!(verify(&journal).unsigned(), 1);
    drop(journal);
    let text = std::fs::read_to_string(&path).unwrap();
    let kept = std::fs::read_to_string(dir.path().join(LAST_CHECKPOINT)).unwrap();
    assert_eq!(text.lines().nth(4), kept.lines().next());
    let cut: Vec<&str> = text.split_inclusive('\n').take(4).collect();
    std::fs::write(&path, cut.concat()).unwrap();
    let refused = Journal::open(dir.path(), pace, clock()).unwrap_err().to_string();
    assert!(refused.contains("the end is cut off") && refused.contains("event 5"), "{refused}");
}
