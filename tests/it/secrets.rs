//! No token, password or private key in a log, in the journal, in the database, on a command line, or in a file that others can read.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::stack::Stack;

#[test]
fn secrets_stay_where_they_belong() {
    let stack = Stack::start_at("127.0.0.1");
    let token = stack.join_token();
    let log = stack.folder().join("agent.log");
    let mut agent = Command::new(env!("CARGO_BIN_EXE_ztagent"))
        .args(["--log-level", "debug", "run", "--app", "web", "--join-token-file", &token.display().to_string()])
        .args(["--", "sh", "-c", "env >&2; exec sleep 600"])
        .env("ZTAGENT_JOIN_TOKEN_FILE", &token)
        .stdin(Stdio::null())
        .stderr(std::fs::File::create(&log).unwrap())
        .spawn()
        .unwrap();
    let name = stack.names(1, Duration::from_secs(10)).remove(0);
    let environment = stack.run(&name, &["env"]);
    assert!(!environment.contains("ZTAGENT") && !environment.contains("ztj1."), "{environment}");
    let machine = stack.admin(&["token", "create", "--user", "ada"]);
    let machine = machine.lines().last().unwrap().trim().to_owned();
    let command_lines = command_lines();
    agent.kill().unwrap();
    agent.wait().unwrap();

    let line = std::fs::read_to_string(&token).unwrap();
    let join: serde_json::Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(line.trim().trim_start_matches("ztj1.")).unwrap()).unwrap();
    let credential = files_below(&stack.folder().join("home"))
        .into_iter()
        .find_map(|file| {
            serde_json::from_slice::<serde_json::Value>(&std::fs::read(file).ok()?)
                .ok()
                .filter(|json| json["refresh_token"].is_string())
        })
        .expect("a file with the tokens");
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let secrets = [
        ("the join token's secret", text(&join["s"])),
        ("the access token", text(&credential["access_token"])),
        ("the refresh token", text(&credential["refresh_token"])),
        ("the machine's token", machine),
        ("the password", "correct horse battery staple".to_owned()),
    ];
    let mut places = files_below(&stack.folder().join("state"));
    places.extend([stack.folder().join("broker.log"), log]);
    for (what, secret) in &secrets {
        assert!(secret.len() >= 20, "{what} is too short to be looked for");
        for place in &places {
            let content = std::fs::read(place).unwrap_or_default();
            assert!(!contains(&content, secret.as_bytes()), "{what} is in {}", place.display());
        }
        assert!(!contains(&command_lines, secret.as_bytes()), "{what} is on a command line");
    }
    for file in files_below(&stack.folder().join("state")) {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        let public = file.ends_with("tls/root.pem");
        assert!(mode & 0o077 == 0 || public, "{} has mode {mode:o}", file.display());
    }
}

fn command_lines() -> Vec<u8> {
    let entries = std::fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path().join("cmdline")));
    entries.filter_map(|file| std::fs::read(file).ok()).flatten().collect()
}

fn contains(content: &[u8], secret: &[u8]) -> bool {
    content.windows(secret.len()).any(|window| window == secret)
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path))
        } else if path.is_file() {
            files.push(path)
        }
    }
    files
}
