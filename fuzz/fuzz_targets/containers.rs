//! What containers and what runs them say to an agent: streams in frames, answers of shells, files, an engine's and a cluster's objects.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ztctl::agent::fuzzing as agent;
use ztctl::broker::fuzzing::rows;
use ztctl_fuzz::{run, split};

fuzz_target!(|bytes: &[u8]| {
    let (choice, bytes) = split(bytes);
    match choice % 8 {
        0 => {
            let (size, stream) = split(bytes);
            assert_eq!(agent::docker_frames(stream, size.into()), agent::docker_frames(stream, usize::MAX));
        }
        1 => {
            let (size, stream) = split(bytes);
            agent::log_lines(stream, size.into());
        }
        2 => run(agent::cluster_streams(bytes, false)),
        3 => run(agent::cluster_streams(bytes, true)),
        4 => run(agent::first_line(bytes)),
        5 => drop(rows(agent::docker_report(bytes))),
        6 => drop(rows(agent::pod_reports(bytes))),
        _ => agent::answers(bytes),
    }
});
