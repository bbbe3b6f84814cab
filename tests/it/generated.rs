//! `completions/` and `man/` are what the programs' own definitions make of them. `ZTCTL_BLESS=1 cargo test --all-features
//! generated` writes them anew.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap_complete::Shell;
use ztctl::cli::args::ShellKind;

use crate::peer;

/// Everything generated, by its path from the package's root.
fn files() -> BTreeMap<PathBuf, Vec<u8>> {
    let programs = [ztctl::cli::args::command(), ztctl::broker::args::command(), ztctl::agent::args::command()]
        .map(without_the_width_of_this_terminal);
    let mut files = BTreeMap::new();
    for mut program in programs {
        let name = program.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
            let script = match name.as_str() {
                // It asks itself, so that names of containers complete as well.
                "ztctl" => asking(shell).script().as_bytes().to_vec(),
                _ => {
                    let mut script = Vec::new();
                    clap_complete::generate(shell, &mut program, &name, &mut script);
                    script
                }
            };
            let file = match shell {
                Shell::Zsh => format!("_{name}"),
                Shell::Bash => format!("{name}.bash"),
                Shell::Fish => format!("{name}.fish"),
                Shell::Elvish => format!("{name}.elv"),
                _ => format!("_{name}.ps1"),
            };
            files.insert(Path::new("completions").join(file), script);
        }
        program.build();
        pages(&program, &mut files);
    }
    files
}

fn asking(shell: Shell) -> ShellKind {
    match shell {
        Shell::Bash => ShellKind::Bash,
        Shell::Zsh => ShellKind::Zsh,
        Shell::Fish => ShellKind::Fish,
        Shell::Elvish => ShellKind::Elvish,
        _ => ShellKind::PowerShell,
    }
}

/// The manual page of `command`, and those of its verbs.
fn pages(command: &clap::Command, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let mut page = Vec::new();
    let manual = clap_mangen::Man::new(command.clone()).title(name.to_uppercase()).date(DATE).manual("ztctl");
    manual.render(&mut page).unwrap();
    files.insert(Path::new("man").join(format!("{name}.1")), quiet(&page));
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).for_each(|verb| pages(verb, files));
}

/// The page without the line breaks beside vertical space, which mean nothing and which mandoc complains about.
fn quiet(page: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(page.to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let is_space = |line: &&str| line.is_empty() || line.starts_with(".sp");
    let space = |index: Option<usize>| index.and_then(|index| lines.get(index)).is_some_and(is_space);
    let kept = lines
        .iter()
        .enumerate()
        .filter(|(index, line)| **line != ".br" || !(space(index.checked_sub(1)) || space(Some(index + 1))));
    kept.map(|(_, line)| format!("{line}\n")).collect::<String>().into_bytes()
}

/// When the manual was last changed by hand: pages must not change with the day they are made on.
const DATE: &str = "2026-11-23";

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
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("man")).unwrap();
    let pages: BTreeMap<PathBuf, Vec<u8>> = files().into_iter().filter(|(path, _)| path.starts_with("man")).collect();
    pages.iter().for_each(|(path, page)| std::fs::write(folder.path().join(path), page).unwrap());
    let lint = Command::new(mandoc)
        .current_dir(folder.path())
        .args(["-T", "lint", "-W", "warning"])
        .args(pages.keys())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&lint.stdout);
    assert!(lint.status.success(), "{said}");
}
