//! `completions/` and `man/` are what the programs' own definitions make of them. `ZTCTL_BLESS=1 cargo test --all-features
//! generated` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::Shell;

use crate::peer;

/// Everything generated, by its path from the package's root.
fn files() -> BTreeMap<PathBuf, Vec<u8>> {
    let programs = [ztctl::cli::args::command(), ztctl::broker::args::command(), ztctl::agent::args::command()]
        .map(without_the_width_of_this_terminal);
    let mut files = BTreeMap::new();
    for mut program in programs {
        let name = program.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut program, &name, &mut script);
            let file = match shell {
                Shell::Zsh => format!("_{name}"),
                Shell::Bash => format!("{name}.bash"),
                Shell::Fish => format!("{name}.fish"),
                Shell::Elvish => format!("{name}.elv"),
                _ => format!("_{name}.ps1"),
            };
            files.insert(Path::new("completions").join(file), script);
        }
        let folder = tempfile::tempdir().unwrap();
        clap_mangen::generate_to(program, folder.path()).unwrap();
        for page in std::fs::read_dir(folder.path()).unwrap() {
            let page = page.unwrap();
            files.insert(Path::new("man").join(page.file_name()), std::fs::read(page.path()).unwrap());
        }
    }
    files
}

fn without_the_width_of_this_terminal(command: clap::Command) -> clap::Command {
    command.term_width(100)
}

#[test]
fn completions_and_manual_are_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = files();
    if std::env::var_os("ZTCTL_BLESS").is_some() {
        for folder in ["completions", "man"] {
            let _ = std::fs::remove_dir_all(root.join(folder));
            std::fs::create_dir(root.join(folder)).unwrap();
        }
        for (path, content) in &files {
            std::fs::write(root.join(path), content).unwrap();
        }
    }
    for (path, content) in &files {
        let found = std::fs::read(root.join(path)).unwrap_or_default();
        assert!(found == *content, "{} is stale: ZTCTL_BLESS=1 cargo test --all-features generated", path.display());
    }
    for folder in ["completions", "man"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = Path::new(folder).join(file.unwrap().file_name());
            assert!(files.contains_key(&path), "{} belongs to no verb any more", path.display());
        }
    }
}

#[test]
fn manual_pages_have_no_fault() {
    let mandoc = peer::program("mandoc");
    peer::present("mandoc", mandoc.is_some());
    let Some(mandoc) = mandoc else { return };
    let pages: Vec<PathBuf> = files().into_keys().filter(|path| path.starts_with("man")).collect();
    let lint = Command::new(mandoc)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["-T", "lint", "-W", "warning"])
        .args(&pages)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&lint.stdout);
    assert!(lint.status.success(), "{said}");
}
