//! What the fuzz targets in `fuzz/` reach of the agent's parsers: what containers, runtimes and clients say. Built for fuzzing only, with
//! every connector.

use std::path::Path;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::connector::docker::report::Surroundings;
use super::connector::docker::stream::{Demultiplexer, Source};
use super::connector::inside::{Start, files, swept};
use super::connector::kubernetes::cluster::Rights;
use super::connector::kubernetes::exec::{self, Ends};
use super::connector::selection::Selection;
use super::connector::{docker, kubernetes, logs};
use super::program::Asked;
use super::{environment, own_container, passwd, sftp, sweep};
use crate::proto::VariableNames;
use crate::proto::agent::ContainerReport;

/// Both outputs in the engine's frames, read in pieces of at most `size` bytes.
pub fn docker_frames(stream: &[u8], size: usize) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut frames, mut out, mut err) = (Demultiplexer::default(), Vec::new(), Vec::new());
    for piece in stream.chunks(size.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some((source, bytes)) = frames.next(&mut piece).ok()? {
            if source == Source::Stdout { &mut out } else { &mut err }.extend_from_slice(&bytes);
        }
    }
    Some((out, err))
}

/// Logs in lines, read in pieces of at most `size` bytes: nothing is lost.
pub fn log_lines(stream: &[u8], size: usize) {
    let (mut lines, mut read) = (logs::Lines::default(), Vec::new());
    for piece in stream.chunks(size.max(1)) {
        let mut piece = Bytes::copy_from_slice(piece);
        while let Some(line) = lines.next(&mut piece) {
            let _ = logs::split(&line);
            read.extend_from_slice(&line);
        }
    }
    read.extend_from_slice(&lines.rest());
    assert_eq!(read, stream);
}

/// What an engine says of a container, as JSON.
pub fn docker_report(json: &[u8]) -> Vec<ContainerReport> {
    let container = serde_json::from_slice(json).ok();
    container.and_then(|container| docker::report::of(&container, "host", &Surroundings::default())).into_iter().collect()
}

/// What a cluster says of a pod, as JSON.
pub fn pod_reports(json: &[u8]) -> Vec<ContainerReport> {
    let Ok(pod) = serde_json::from_slice(json) else { return Vec::new() };
    let reports = kubernetes::report::of(&pod, &Selection::default(), Rights { exec: true, logs: true });
    reports.into_iter().map(|(report, _)| report).collect()
}

/// A command's streams as a cluster sends them, by the new protocol or the old one.
pub async fn cluster_streams(stream: &[u8], new: bool) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    let (stdout, near_stdout) = tokio::io::duplex(1024);
    let (stderr, near_stderr) = tokio::io::duplex(1024);
    let ends = Ends { stdin: None, stdout: near_stdout, stderr: near_stderr, sizes: None };
    let status = async { if new { exec::websocket::carry(near, ends).await } else { exec::spdy::carry(near, ends).await } };
    let server = async {
        let _ = far.write_all(stream).await;
        let _ = far.shutdown().await;
        drain(&mut far).await;
    };
    let (status, (), (), ()) = tokio::join!(status, server, into_nothing(stdout), into_nothing(stderr));
    if let Ok(status) = status {
        let _ = exec::read_status(status);
    }
}

async fn into_nothing(mut stream: DuplexStream) {
    drain(&mut stream).await;
}

async fn drain(stream: &mut DuplexStream) {
    let mut bytes = [0; 4096];
    while let Ok(1..) = stream.read(&mut bytes).await {}
}

/// What a container's shell says of a session's first process.
pub async fn first_line(said: &[u8]) {
    if let Ok(start) = Start::new(&Asked::Shell, &Default::default(), false) {
        let own = [start.nonce.as_bytes(), said].concat();
        let _ = start.first_line(&mut own.as_slice()).await;
        let _ = start.first_line(&mut &said[..]).await;
    }
}

/// What programs and files in a container say.
pub fn answers(said: &[u8]) {
    let text = String::from_utf8_lossy(said);
    let _ = (swept(said), files::read_attributes(said), files::complaint(said), sftp::text(&mut &said[..]));
    let word = files::escaped(&text);
    assert!(!word.is_empty() && !word.starts_with('-') && !word.contains([' ', '\n', '\'', '"', '$', '`']), "{word}");
    let _ = (own_container::from_cgroup(&text), own_container::from_mounts(&text), sweep::Process::parse(1, said));
    let _ = passwd::groups_of(&text, "ada", 1);
    let account = text.lines().find_map(|line| passwd::parse_account(Path::new("/nonexistent"), line));
    assert!(account.is_none_or(|account| account.uid != u32::MAX && account.gid != u32::MAX));
}

/// A variable that a client wants to set.
pub fn variable(name: &str, value: &str, granted: &VariableNames) {
    let mut variables = environment::Variables::new();
    if environment::take(&mut variables, name, value, granted) {
        assert!(!name.is_empty() && !name.contains(['=', '\0']) && !value.contains('\0'), "{name}={value}");
        assert!(!name.starts_with("LD_") && !name.starts_with("ZTAGENT_") && name != "ZTCTL_SESSION", "{name}");
    }
}
