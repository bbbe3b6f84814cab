//! The audit journal's verification: it reads whatever a file holds, and it finds every change to a journal that it has a checkpoint of.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ztctl::broker::audit::{Checkpoint, Keys, Tip};
use ztctl::broker::fuzzing::{journal, verify};
use ztctl_fuzz::{mutated, split, text};

static JOURNAL: LazyLock<(Vec<u8>, Keys, Tip)> = LazyLock::new(|| {
    let folder = std::env::temp_dir().join(format!("ztctl-fuzz-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (lines, keys) = journal(&folder).expect("a journal");
    let _ = std::fs::remove_dir_all(&folder);
    let tip = Checkpoint::last_in(&lines, &keys).expect("a checkpoint");
    (lines, keys, tip)
});

fuzz_target!(|bytes: &[u8]| {
    let (whole, keys, tip) = &*JOURNAL;
    let (choice, bytes) = split(bytes);
    match choice % 4 {
        0 => drop(verify(bytes, keys, Some(tip.clone()))),
        // Lines dropped, moved and repeated: each byte is the number of a line.
        1 => {
            let lines: Vec<&[u8]> = whole.split_inclusive(|byte| *byte == b'\n').collect();
            let chosen: Vec<&[u8]> = bytes.iter().take(64).map(|byte| lines[usize::from(*byte) % lines.len()]).collect();
            check(&chosen.concat());
        }
        2 => check(&mutated(whole, bytes)),
        _ => {
            let _ = Keys::parse(&text(bytes));
            let cut =
                bytes.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(7).wrapping_add((*byte).into())) % (whole.len() + 1);
            check(&whole[..cut]);
        }
    }
});

/// Whatever is not the journal has a fault.
fn check(changed: &[u8]) {
    let (whole, keys, tip) = &*JOURNAL;
    let report = verify(changed, keys, Some(tip.clone())).expect("memory can be read");
    assert_eq!(report.faults.is_empty(), changed == whole, "{report:?}");
}
