//! `ztbroker`: the trust point. All of it is in [`ztctl::broker`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ztctl::broker::commands::run(std::env::args_os())
}
