//! The words of `ztagent`: what can be typed, and nothing of what it does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::agent::Url;

/// `ztagent`'s command line, for man pages and completions.
pub fn command() -> clap::Command {
    Ztagent::command()
}

/// The whole program.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    match Ztagent::try_parse_from(args) {
        Ok(Ztagent { log_level, verb: Verb::Run(run) }) => crate::agent::run::run(run, log_level),
        Err(error) => {
            // Help and version are errors to clap, with status 0 and on stdout; a closed pipe is no reason to complain.
            let _ = error.print();
            ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
        }
    }
}

/// Serve shells in this container to those whom the broker allows
#[derive(Debug, Parser)]
#[command(name = "ztagent", version, disable_help_subcommand = true)]
struct Ztagent {
    /// What is written to stderr
    #[arg(long, global = true, value_enum, default_value_t = LogLevel::Info, env = "ZTAGENT_LOG", value_name = "LEVEL")]
    log_level: LogLevel,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run a command as this container's first process, and serve sessions beside it
    ///
    /// CMD starts at once and runs on whether the broker can be reached or not; ztagent passes signals on to it, waits for orphans
    /// and exits with its status.
    #[command(after_help = EXAMPLES)]
    Run(RunArgs),
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum LogLevel {
    /// Only what needs somebody
    Error,
    /// And what may
    Warn,
    /// And each change of state, each session
    Info,
    /// And what helps to find a fault
    Debug,
}

/// `ztagent run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// Read the join token from FILE, as `ztbroker token create` printed it
    #[arg(long, value_name = "FILE", env = "ZTAGENT_JOIN_TOKEN_FILE")]
    pub(super) join_token_file: Option<PathBuf>,
    /// Use the broker at URL instead of the one that the token names
    #[arg(long, value_name = "URL", env = "ZTAGENT_BROKER")]
    pub(super) broker: Option<Url>,
    /// Trust only this TLS root: a PEM file, or sha256:… of the certificate
    #[arg(long, value_name = "FILE|sha256:…", env = "ZTAGENT_CA")]
    pub(super) ca: Option<OsString>,
    /// Call this container NAME instead of by its host name
    #[arg(long, value_name = "NAME", env = "ZTAGENT_NAME")]
    pub(super) name: Option<String>,
    /// Say what this container is a replica of [default: CMD's name]
    #[arg(long, value_name = "APP", env = "ZTAGENT_APP")]
    pub(super) app: Option<String>,
    /// Say which image this is
    #[arg(long, value_name = "IMAGE", env = "ZTAGENT_IMAGE", default_value = "", hide_default_value = true)]
    pub(super) image: String,
    /// Add a label, which policies can match
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    labels: Vec<(String, String)>,
    /// Keep the agent's key in DIR, so that a restart is the same agent and needs no token
    #[arg(long, value_name = "DIR", env = "ZTAGENT_STATE")]
    pub(super) state: Option<PathBuf>,
    /// The command, and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

impl RunArgs {
    /// The labels; of the same twice the later.
    pub(super) fn labels(&self) -> BTreeMap<String, String> {
        self.labels.iter().cloned().collect()
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a label is written NAME=VALUE".to_owned()),
    }
}

const EXAMPLES: &str = "\
Examples:
  ztagent run --join-token-file /run/secrets/ztctl-join -- catalina.sh run
  ztagent run --app web --label tier=front -- nginx -g 'daemon off;'

In an image:
  COPY ztagent /
  ENTRYPOINT [\"/ztagent\", \"run\", \"--join-token-file\", \"/run/secrets/ztctl-join\", \"--\", \"catalina.sh\", \"run\"]

The token may also be in ZTAGENT_JOIN_TOKEN. No variable whose name begins with ZTAGENT_ reaches CMD or a session.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<RunArgs, clap::Error> {
        Ztagent::try_parse_from(words).map(|Ztagent { verb: Verb::Run(run), .. }| run)
    }

    #[test]
    fn the_command_line_is_sound_and_cmd_keeps_its_dashes() {
        command().debug_assert();
        let run = parse(&["ztagent", "run", "--label", "a=b=c", "--label", "a=d", "--", "sh", "-c", "exit 3"]).unwrap();
        assert_eq!(run.command, ["sh", "-c", "exit 3"]);
        assert_eq!(run.labels(), [("a".to_owned(), "d".to_owned())].into());
        assert!(parse(&["ztagent", "run"]).is_err());
        assert!(parse(&["ztagent", "run", "--label", "=x", "--", "sh"]).is_err());
    }
}
