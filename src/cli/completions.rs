//! `ztctl completions`: what a shell reads so that TAB completes `ztctl`'s words.
//!
//! The scripts are those in `completions/`, which a package installs. They are short and written by hand: they give the words to
//! `ztctl complete`, which knows the rest.

use std::process::ExitCode;

use super::args::ShellKind;
use super::failure::Failure;
use super::ui::Ui;

/// Prints the script.
pub(super) fn run(ui: &Ui, shell: ShellKind) -> Result<ExitCode, Failure> {
    ui.lines(&shell.script().lines().collect::<Vec<_>>())?;
    Ok(ExitCode::SUCCESS)
}

impl ShellKind {
    /// What this shell reads.
    pub fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../completions/ztctl.bash"),
            Self::Zsh => include_str!("../../completions/_ztctl"),
            Self::Fish => include_str!("../../completions/ztctl.fish"),
            Self::PowerShell => include_str!("../../completions/_ztctl.ps1"),
            Self::Elvish => include_str!("../../completions/ztctl.elv"),
        }
    }
}
