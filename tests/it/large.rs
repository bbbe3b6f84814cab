//! Gigabytes: `cp` both ways, killed in the middle and gone on with, and `exec` with random bytes in and out. `ZTCTL_TEST_LARGE` asks for
//! the whole size; without it a part of it is copied, and that is said.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use sha2::{Digest, Sha256};

use crate::world::{OPEN, Person, World};

/// Of so many mebibytes, or of a part of them.
fn mebibytes(whole: usize) -> usize {
    if std::env::var_os("ZTCTL_TEST_LARGE").is_some() {
        return whole;
    }
    let part = whole / 16;
    println!("{part} MiB instead of {whole}: ZTCTL_TEST_LARGE=1 copies all of them");
    part
}

/// A file of random bytes, and its digest.
fn random_file(path: &Path, mebibytes: usize) -> String {
    let mut random = std::fs::File::open("/dev/urandom").unwrap();
    let (mut file, mut digest) = (std::fs::File::create(path).unwrap(), Sha256::new());
    let mut bytes = vec![0; 1 << 20];
    for _ in 0..mebibytes {
        random.read_exact(&mut bytes).unwrap();
        file.write_all(&bytes).unwrap();
        digest.update(&bytes);
    }
    hex(&digest.finalize())
}

fn digest(mut from: impl Read) -> String {
    let (mut digest, mut bytes) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match from.read(&mut bytes).unwrap() {
            0 => return hex(&digest.finalize()),
            length => digest.update(&bytes[..length]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn std_command(person: &Person, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ztctl"));
    command.args(words).env_clear().envs(person.environment()).stdin(Stdio::null());
    command
}

/// Copies, kills it once a third is there, sees that nothing has the final name, and goes on.
fn killed_and_resumed(person: &Person, from: &str, to: &str, file: &Path, whole: u64) {
    let mut copying = std_command(person, &["cp", from, to]).spawn().unwrap();
    let folder = file.parent().unwrap();
    let begin = Instant::now();
    let there = || -> u64 {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|data| data.len()).sum()
    };
    while there() < whole / 3 {
        assert!(begin.elapsed() < Duration::from_secs(120) && copying.try_wait().unwrap().is_none(), "{} of {whole}", there());
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&copying), Signal::KILL).unwrap();
    copying.wait().unwrap();
    let begun = there();
    assert!(!file.exists() && begun < whole, "half a file under its final name, or a whole one already");
    let resumed = std_command(person, &["cp", "--resume", from, to]).output().unwrap();
    assert!(resumed.status.success(), "{}", String::from_utf8_lossy(&resumed.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn gigabytes_by_cp_both_ways_killed_and_gone_on_with() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let at = |name: &str| folder.path().join(name);
    let size = mebibytes(2048);
    let sent = random_file(&at("random"), size);
    std::fs::create_dir(at("there")).unwrap();
    std::fs::create_dir(at("back")).unwrap();
    let far = |path: &str| format!("{name}:{}", at(path).display());
    let whole = (size as u64) << 20;
    tokio::task::spawn_blocking({
        let (from, to, file) = (at("random").display().to_string(), far("there/random"), at("there/random"));
        let (back_from, back_to, back) = (far("there/random"), at("back/random").display().to_string(), at("back/random"));
        move || {
            killed_and_resumed(&ada, &from, &to, &file, whole);
            std::fs::remove_file(&from).unwrap();
            killed_and_resumed(&ada, &back_from, &back_to, &back, whole);
            assert_eq!(digest(std::fs::File::open(&file).unwrap()), sent);
            assert_eq!(digest(std::fs::File::open(&back).unwrap()), sent);
        }
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gigabyte_of_random_bytes_by_exec_in_and_out() {
    let world = World::with_policy(OPEN).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let size = mebibytes(1024);
    tokio::task::spawn_blocking(move || {
        let mut cat = std_command(&ada, &["exec", &name, "--", "cat"]);
        let mut cat = cat.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut stdin, stdout) = (cat.stdin.take().unwrap(), cat.stdout.take().unwrap());
        let writing = std::thread::spawn(move || {
            let mut random = std::fs::File::open("/dev/urandom").unwrap();
            let (mut bytes, mut digest) = (vec![0; 1 << 20], Sha256::new());
            for _ in 0..size {
                random.read_exact(&mut bytes).unwrap();
                digest.update(&bytes);
                stdin.write_all(&bytes).unwrap();
            }
            hex(&digest.finalize())
        });
        let came = digest(stdout);
        assert_eq!(came, writing.join().unwrap());
        assert!(cat.wait().unwrap().success());
    })
    .await
    .unwrap();
}
