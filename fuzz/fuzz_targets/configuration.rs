//! The broker's configuration and the client's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ztctl::{broker, client};
use ztctl_fuzz::{split, text};

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    let text = text(bytes);
    if choice % 2 == 0 { broker::fuzzing::config(&text) } else { client::fuzzing::config(&text) }
});
