//! `ztctl`: the developer's client. All of it is in [`ztctl::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ztctl::hidden_entry().unwrap_or_else(|| ztctl::cli::run(std::env::args_os()))
}
