//! Journals that were tampered with, and where it shows.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;
use crate::broker::audit::{Event, Signer};

/// A journal of 300 events with a checkpoint as each tenth, its key, and its last checkpoint.
struct Journal {
    lines: Vec<Vec<u8>>,
    signer: Signer,
    keys: Keys,
    _folder: tempfile::TempDir,
}

impl Journal {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open(folder.path()).unwrap();
        let keys = Keys::parse(signer.public_line()).unwrap();
        let mut journal = Self { lines: Vec::new(), signer, keys, _folder: folder };
        journal.lines = journal.written(EVENTS, |_| None);
        journal
    }

    /// The lines of as many events, of which `other` may put others in their places.
    fn written(&self, events: u64, other: impl Fn(u64) -> Option<Event>) -> Vec<Vec<u8>> {
        let (mut tip, mut lines) = (Tip::genesis(), Vec::new());
        for seq in 1..=events {
            let time = 1_800_000_000 + seq;
            let event = match other(seq) {
                Some(event) => event,
                None if seq % 10 == 0 => Event::Checkpoint(Checkpoint::sign(&self.signer, &tip, time)),
                None => Event::Logout { user: format!("user{seq}@local") },
            };
            let mut line = Vec::new();
            tip.push(time, &event, &mut line).unwrap();
            lines.push(line);
        }
        lines
    }

    fn checkpoint(&self) -> Tip {
        serde_json::from_slice(self.lines.last().unwrap()).unwrap()
    }

    /// What somebody finds who has the key and the last checkpoint.
    fn verify(&self, lines: &[Vec<u8>]) -> Report {
        let mut inspection = Inspection::new(Some(&self.keys));
        inspection.must_hold(self.checkpoint(), "the checkpoint");
        inspection.read(lines.concat().as_slice()).unwrap()
    }

    fn export(&self, first: u64, last: u64) -> Vec<Vec<u8>> {
        let end: Tip = serde_json::from_slice(&self.lines[last as usize - 1]).unwrap();
        let statement = Statement {
            export: 1,
            first,
            last,
            chain: end.hash,
            since: Some(7),
            until: None,
            time: 8,
            key: String::new(),
            signature: String::new(),
        };
        let mut line = serde_json::to_vec(&statement.signed(&self.signer)).unwrap();
        line.push(b'\n');
        [vec![line], self.lines[first as usize - 1..last as usize].to_vec()].concat()
    }

    /// What somebody finds who has the public key alone.
    fn verify_export(&self, lines: &[Vec<u8>]) -> Report {
        Inspection::new(Some(&self.keys)).read(lines.concat().as_slice()).unwrap()
    }
}

const EVENTS: u64 = 300;

#[test]
fn what_was_written_verifies() {
    let journal = Journal::new();
    let report = journal.verify(&journal.lines);
    assert_eq!((report.events, report.checkpoints, report.signed_through, report.unsigned()), (300, 30, 300, 0));
    assert_eq!(report.faults, []);
    let part = Inspection::of_part(Some(&journal.keys)).read(journal.lines[95..298].concat().as_slice()).unwrap();
    assert_eq!((part.first, part.last, part.signed_through, part.unsigned(), part.faults), (96, 298, 290, 8, vec![]));
    let empty = Inspection::new(None).read([].as_slice()).unwrap();
    assert_eq!((empty.events, empty.tip(), empty.unsigned()), (0, Tip::genesis(), 0));
}

/// One bit anywhere, newlines and hashes and signatures included: a hundred journals with one each, and where it is told.
#[test]
fn each_of_a_hundred_flipped_bits_is_found() {
    let journal = Journal::new();
    let (mut random, whole) = (StdRng::seed_from_u64(5), journal.lines.concat());
    for round in 0..100 {
        let (mut bytes, at, bit) = (whole.clone(), random.random_range(0..whole.len()), random.random_range(0..8));
        let line = 1 + whole[..at].iter().filter(|byte| **byte == b'\n').count() as u64;
        bytes[at] ^= 1 << bit;
        let report = journal.verify(&[bytes]);
        let told = report.faults.first().unwrap_or_else(|| panic!("round {round}: bit {bit} of byte {at} is not found"));
        let place = match told {
            Fault::Changed { seq, line: place } | Fault::Unreadable { seq, line: place } | Fault::Torn { seq, line: place } => {
                assert_eq!(seq, place, "round {round}: {told}");
                *place
            }
            other => panic!("round {round}: {other}"),
        };
        assert_eq!(place, line, "round {round}: {told}");
    }
}

/// A hundred of them in one journal, each in another line: each told with its line.
#[test]
fn a_hundred_flipped_bits_in_one_journal_are_all_told() {
    let mut journal = Journal::new();
    let (mut random, good) = (StdRng::seed_from_u64(6), journal.lines.clone());
    let mut hit: Vec<u64> = Vec::new();
    while hit.len() < 100 {
        let line: usize = random.random_range(0..good.len());
        if hit.contains(&(line as u64 + 1)) {
            continue;
        }
        // Not the line's end: that would make one line of two.
        let at = random.random_range(0..good[line].len() - 1);
        let flipped = good[line][at] ^ 1 << random.random_range(0..8);
        if flipped != b'\n' {
            journal.lines[line][at] = flipped;
            hit.push(line as u64 + 1);
        }
    }
    hit.sort_unstable();
    let report = Inspection::new(Some(&journal.keys)).read(journal.lines.concat().as_slice()).unwrap();
    let told: Vec<u64> = report
        .faults
        .iter()
        .map(|fault| match fault {
            Fault::Changed { seq, line } | Fault::Unreadable { seq, line } if seq == line => *line,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(told, hit);
}

/// One event dropped, swapped with another or repeated, in the journal and in an export: each told by its number.
#[test]
fn each_of_a_hundred_dropped_swapped_or_repeated_events_is_found() {
    let journal = Journal::new();
    let mut random = StdRng::seed_from_u64(7);
    let exported = journal.export(41, 260);
    for round in 0..100 {
        for (lines, first) in [(&journal.lines, 1), (&exported, 41)] {
            let head = usize::from(first > 1);
            let (mut bad, at) = (lines.clone(), random.random_range(head..lines.len()));
            let event = |index: usize| first + (index - head) as u64;
            let (seq, last) = (event(at), event(lines.len() - 1));
            let wanted = match round % 3 {
                0 => {
                    bad.remove(at);
                    if seq == last { vec!["is cut off".to_owned()] } else { vec![format!("event {seq} is missing")] }
                }
                1 => {
                    let to = (at + 1 + random.random_range(0..lines.len() - head - 1) - head) % (lines.len() - head) + head;
                    bad.swap(at, to);
                    // Whichever came early, all that it jumped over now comes late, or the end is not the end.
                    vec!["out of order".to_owned()]
                }
                _ => {
                    let to = random.random_range(at..lines.len()) + 1;
                    bad.insert(to, lines[at].clone());
                    vec![format!("event {seq} is in line {} once more", to + 1)]
                }
            };
            let report = if first == 1 { journal.verify(&bad) } else { journal.verify_export(&bad) };
            let told: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
            for wanted in wanted {
                assert!(told.iter().any(|told| told.contains(&wanted)), "round {round}, event {seq}: {wanted}: {told:?}");
            }
        }
    }
}

#[test]
fn a_hundred_events_dropped_from_one_journal_are_all_told() {
    let journal = Journal::new();
    let mut random = StdRng::seed_from_u64(8);
    let (mut lines, mut dropped) = (journal.lines.clone(), Vec::new());
    while dropped.len() < 100 {
        let at = random.random_range(0..lines.len() - 1);
        let tip: Tip = serde_json::from_slice(&lines.remove(at)).unwrap();
        dropped.push(tip.seq);
    }
    dropped.sort_unstable();
    let missing = |fault: &Fault| match fault {
        Fault::Missing { first, last, .. } => (*first..=*last).collect::<Vec<u64>>(),
        other => panic!("{other}"),
    };
    assert_eq!(journal.verify(&lines).faults.iter().flat_map(missing).collect::<Vec<u64>>(), dropped);
}

#[test]
fn two_neighbours_that_changed_places_are_one_fault() {
    let journal = Journal::new();
    let mut lines = journal.lines.clone();
    lines.swap(4, 5);
    assert_eq!(journal.verify(&lines).faults, [Fault::OutOfOrder { seq: 5, line: 6 }]);
}

#[test]
fn a_cut_end_shows_to_whoever_has_a_later_checkpoint() {
    let journal = Journal::new();
    for kept in [0, 1, 150, 299] {
        let faults = journal.verify(&journal.lines[..kept]).faults;
        assert!(matches!(faults.as_slice(), [Fault::Cut { last, expected: 300, .. }] if *last == kept as u64), "{faults:?}");
    }
    let mut torn = journal.lines.concat();
    torn.truncate(torn.len() - 1);
    assert_eq!(journal.verify(&[torn]).faults, [Fault::Torn { line: 300, seq: 300 }]);
}

/// Whoever can write the file but has no key makes a chain that holds, and cannot sign it.
#[test]
fn a_chain_that_was_made_anew_does_not_have_the_signatures() {
    let journal = Journal::new();
    let forged = |seq| (seq == 15).then(|| Event::Logout { user: "somebody else".into() });
    // The old checkpoints sign other hashes, wherever they are put.
    let old = |seq: u64| {
        forged(seq).or_else(|| {
            let checkpoint = || serde_json::from_slice::<Checkpoint>(&journal.lines[seq as usize - 1]).unwrap();
            seq.is_multiple_of(10).then(|| Event::Checkpoint(checkpoint()))
        })
    };
    let lines = journal.written(EVENTS, old);
    let report = journal.verify(&lines);
    assert_eq!((report.signed_through, report.checkpoints), (10, 1));
    assert!(matches!(report.faults.first(), Some(Fault::BadSignature { line: 20, .. })), "{:?}", report.faults.first());
    assert!(report.faults.iter().any(|fault| matches!(fault, Fault::Replaced { seq: 300, .. })));
    // Those of another key are by nobody.
    let other = Journal::new();
    let report = journal.verify_export(&other.lines);
    assert!(matches!(report.faults.first(), Some(Fault::UnknownKey { line: 10, .. })));
    // An event in whose place another stands, with a hash that is right.
    let mut lines = journal.lines.clone();
    lines[14] = journal.written(15, forged).remove(14);
    assert_eq!(journal.verify(&lines).faults, [Fault::Unlinked { seq: 16, line: 16 }]);
}

#[test]
fn an_export_verifies_by_the_public_key_alone() {
    let journal = Journal::new();
    let lines = journal.export(41, 263);
    let report = journal.verify_export(&lines);
    assert_eq!((report.first, report.last, report.unsigned(), report.faults), (41, 263, 0, vec![]));
    for (lines, wanted) in [
        (lines[..lines.len() - 1].to_vec(), Fault::Cut { last: 262, expected: 263, by: "the export's first line".into() }),
        ([&lines[..1], &lines[2..]].concat(), Fault::Missing { first: 41, last: 41, line: 2 }),
        ([&lines[..], &journal.lines[263..264]].concat(), Fault::Surplus { seq: 264, line: 225 }),
    ] {
        assert_eq!(journal.verify_export(&lines).faults, [wanted]);
    }
    // Its first line says what it says, and says it as it was signed.
    let mut random = StdRng::seed_from_u64(9);
    for round in 0..100 {
        let mut bad = lines.clone();
        let (at, bit) = (random.random_range(0..bad[0].len()), random.random_range(0..8));
        bad[0][at] ^= 1 << bit;
        assert_ne!(journal.verify_export(&bad).faults, [], "round {round}: bit {bit} of byte {at}");
    }
}

#[test]
fn nothing_that_can_be_in_a_file_is_a_panic() {
    let journal = Journal::new();
    let mut random = StdRng::seed_from_u64(10);
    let zero = Line::read(journal.lines[0].strip_suffix(b"\n").unwrap());
    assert!(matches!(zero, Line::Whole(_)));
    for statement in
        [r#"{"export":1}"#, r#"{"export":2,"first":1}"#, r#"{"export":1,"first":0,"last":0,"chain":"","time":0,"key":""}"#]
    {
        let report = journal.verify_export(&[format!("{statement}\n").into_bytes()]);
        assert_eq!(report.faults, [Fault::Unreadable { line: 1, seq: 1 }], "{statement}");
    }
    for _ in 0..200 {
        let mut bytes = journal.lines[..20].concat();
        for _ in 0..random.random_range(1..40) {
            let at = random.random_range(0..bytes.len());
            bytes[at] = random.random();
        }
        assert_ne!(journal.verify(&[bytes]).faults, []);
    }
}
