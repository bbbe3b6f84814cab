//! The shape of the house: who may know whom, where features are told apart, and what no binary may link.

use std::path::{Path, PathBuf};
use std::process::Command;

fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut pending = vec![root.join(folder), root.join(format!("{folder}.rs"))];
    let mut files = Vec::new();
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            files.push((path, code.join("\n")));
        }
    }
    assert!(!files.is_empty(), "no sources in {folder}");
    files
}

#[test]
fn the_three_programs_do_not_know_each_other() {
    for (folder, banned) in [
        ("client", &["crate::broker", "crate::agent", "crate::cli::", "crate::demo"][..]),
        ("cli", &["crate::broker", "crate::agent"]),
        ("broker", &["crate::client::", "crate::cli::", "crate::agent", "crate::demo"]),
        ("agent", &["crate::client::", "crate::cli::", "crate::broker", "crate::demo"]),
        ("ssh", &["crate::client::", "crate::cli::", "crate::broker", "crate::agent", "crate::demo", "crate::transport"]),
        ("transport", &["crate::client::", "crate::cli::", "crate::broker", "crate::agent", "crate::demo", "crate::ssh"]),
        (
            "proto",
            &[
                "crate::client::",
                "crate::cli::",
                "crate::broker",
                "crate::agent",
                "crate::demo",
                "crate::ssh",
                "crate::transport",
            ],
        ),
    ] {
        for (path, text) in sources(folder) {
            for name in banned {
                assert!(!text.contains(name), "{} must not know {name}", path.display());
            }
        }
    }
}

#[test]
fn features_are_told_apart_in_three_places_only() {
    let allowed = ["src/lib.rs", "src/cli.rs", "src/cli/args.rs", "src/agent/args.rs", "src/agent/connector.rs"];
    for (path, text) in sources("") {
        let known = allowed.iter().any(|file| path.ends_with(file));
        assert!(known || !text.contains("feature = "), "{} tells features apart", path.display());
    }
}

#[test]
fn the_client_library_reads_no_environment_and_prints_nothing() {
    for (path, text) in sources("client") {
        for name in ["std::env::var", "env::home_dir", "println!", "eprintln!", "dialoguer"] {
            assert!(!text.contains(name), "{} uses {name}", path.display());
        }
    }
}

/// Of every thing that systems do differently there is one file for each of them, and the rest of the client knows none.
#[test]
fn the_client_calls_one_system_in_that_systems_files_only() {
    let unix = [
        "client/copy/local/unix.rs",
        "client/guardian/unix.rs",
        "client/identity_agent/unix.rs",
        "client/private/unix.rs",
        "client/process/unix.rs",
        "client/signals/unix.rs",
        "client/stdio/unix.rs",
        "client/terminal/tty/unix.rs",
    ];
    let windows = unix.map(|file| file.replace("unix.rs", "windows.rs"));
    let mut windows: Vec<&str> = windows.iter().map(String::as_str).collect();
    windows.push("client/stdio/windows/console.rs");
    let cases: [(&[&str], &[&str]); 3] = [
        (
            &unix,
            &[
                "std::os::unix",
                "std::os::fd",
                "std::os::linux",
                "std::os::macos",
                "rustix::",
                "libc::",
                "UnixListener",
                "UnixStream",
                "tokio::io::unix",
                "tokio::signal::unix",
            ],
        ),
        (&windows, &["std::os::windows", "windows_sys", "tokio::signal::windows", "tokio::net::windows"]),
        (&["client/credential/kernel.rs"], &["linux_keyutils"]),
    ];
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    assert!(unix.iter().chain(&windows).all(|file| folder.join(file).is_file()), "a file of one system has gone");
    for (path, text) in sources("client").into_iter().chain(sources("cli")) {
        // The tests run on Linux.
        let code = if path.ends_with("tests.rs") { "" } else { text.split("#[cfg(test)]\nmod tests {").next().unwrap() };
        for (files, calls) in cases {
            for call in calls.iter().filter(|_| !files.iter().any(|file| path.ends_with(file))) {
                assert!(!code.contains(call), "{} uses {call}", path.display());
            }
        }
    }
}

/// What a binary must not link, and why.
#[test]
fn each_binary_links_only_what_it_needs() {
    let everywhere = [
        ("openssl-sys", "one TLS, and no C library to patch"),
        ("native-tls", "one TLS"),
        ("aws-lc-sys", "one cryptography provider: ring"),
        ("libdbus-sys", "no C library that a machine may lack"),
    ];
    let cases: [(&str, &[(&str, &str)]); 3] = [
        (
            "client",
            &[
                ("sqlx", "the broker's"),
                ("cedar-policy", "the broker's"),
                ("axum", "the broker's"),
                ("rsa", "Ed25519 only, and RUSTSEC-2023-0071"),
                ("portable-pty", "the agent's"),
            ],
        ),
        (
            "agent",
            &[
                ("reqwest", "size"),
                ("rsa", "Ed25519 only, and RUSTSEC-2023-0071"),
                ("keyring", "it keeps no tokens"),
                ("sqlx", "the broker's"),
                ("dialoguer", "it asks nobody"),
            ],
        ),
        // It has `rsa` for the signatures of OpenID Providers: public keys alone, which RUSTSEC-2023-0071 is not about.
        ("broker", &[("portable-pty", "it runs no sessions"), ("keyring", "it keeps no tokens of its own")]),
    ];
    for (feature, banned) in cases {
        let tree = Command::new(env!("CARGO"))
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .args([
                "tree",
                "--offline",
                "--no-default-features",
                "--features",
                feature,
                "--edges",
                "normal",
                "--prefix",
                "none",
            ])
            .output()
            .unwrap();
        assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
        let tree = String::from_utf8_lossy(&tree.stdout).into_owned();
        for (name, why) in everywhere.iter().chain(banned) {
            let found = tree.lines().any(|line| line.split(' ').next() == Some(name));
            assert!(!found, "{feature} links {name}: {why}");
        }
    }
}
