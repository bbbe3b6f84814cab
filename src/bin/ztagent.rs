//! `ztagent`: sessions beside or inside the containers. All of it is in [`ztctl::agent`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ztctl::hidden_entry().unwrap_or_else(|| ztctl::agent::args::run(std::env::args_os()))
}
