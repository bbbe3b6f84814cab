//! The words of `ztagent`: what can be typed, and nothing of what it does.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::agent::Url;
use crate::log::LogLevel;
use crate::proto::name::Login;

/// `ztagent`'s command line, for man pages and completions.
pub fn command() -> clap::Command {
    Ztagent::command()
}

/// The whole program.
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    match Ztagent::try_parse_from(args) {
        // The table of verbs.
        Ok(Ztagent { log_level, verb }) => match verb {
            Verb::Run(run) => crate::agent::run::run(run, log_level),
            Verb::Host(args) => crate::agent::connector::host::run(args, log_level),
            #[cfg(feature = "docker")]
            Verb::Docker(args) => crate::agent::connector::docker::run(args, log_level),
            #[cfg(feature = "kubernetes")]
            Verb::Kubernetes(args) => crate::agent::connector::kubernetes::run(args, log_level),
        },
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
    #[command(after_help = RUN_HELP)]
    Run(RunArgs),
    /// Serve this machine, with the logins that the policy allows
    ///
    /// A session is a login of that user as `runuser -l` makes it: with the user's groups, limits, home and environment.
    #[command(after_help = HOST_HELP)]
    Host(HostArgs),
    /// Serve every container of the Docker engine on this machine
    ///
    /// Containers come into the list when they start and leave it when they stop. Nothing is added to them, and no image has to change.
    #[cfg(feature = "docker")]
    #[command(after_help = super::connector::docker::args::HELP)]
    Docker(super::connector::docker::args::DockerArgs),
    /// Serve the pods of a Kubernetes cluster, in the namespaces that are named
    ///
    /// Containers come into the list when they run and leave it when they end. Nothing is added to them, and no image has to change.
    #[cfg(feature = "kubernetes")]
    #[command(after_help = super::connector::kubernetes::args::HELP)]
    Kubernetes(super::connector::kubernetes::args::KubernetesArgs),
}

/// How an agent finds, trusts and enters its broker.
#[derive(Debug, Args)]
pub(super) struct JoinArgs {
    /// Read the join token from FILE, as `ztbroker token create` printed it
    #[arg(long, value_name = "FILE", env = "ZTAGENT_JOIN_TOKEN_FILE")]
    pub(super) join_token_file: Option<PathBuf>,
    /// Use the broker at URL instead of the one that the token names
    #[arg(long, value_name = "URL", env = "ZTAGENT_BROKER")]
    pub(super) broker: Option<Url>,
    /// Trust only this TLS root: a PEM file, or sha256:… of the certificate
    #[arg(long, value_name = "FILE|sha256:…", env = "ZTAGENT_CA")]
    pub(super) ca: Option<OsString>,
    /// Call this agent NAME instead of by its host name
    #[arg(long, value_name = "NAME", env = "ZTAGENT_NAME")]
    pub(super) name: Option<String>,
    /// Keep the agent's key in DIR, so that a restart is the same agent and needs no token
    #[arg(long, value_name = "DIR", env = "ZTAGENT_STATE")]
    pub(super) state: Option<PathBuf>,
}

/// `ztagent run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) join: JoinArgs,
    /// Say what this container is a replica of [default: CMD's name]
    #[arg(long, value_name = "APP", env = "ZTAGENT_APP")]
    pub(super) app: Option<String>,
    /// Say which image this is
    #[arg(long, value_name = "IMAGE", env = "ZTAGENT_IMAGE", default_value = "", hide_default_value = true)]
    pub(super) image: String,
    /// Add a label, which policies can match
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    labels: Vec<(String, String)>,
    /// The command, and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(super) command: Vec<OsString>,
}

/// `ztagent host`.
#[derive(Debug, Args)]
pub(super) struct HostArgs {
    #[command(flatten)]
    pub(super) join: JoinArgs,
    /// Say what this machine is one of [default: its name]
    #[arg(long, value_name = "APP", env = "ZTAGENT_APP")]
    pub(super) app: Option<String>,
    /// Add a label, which policies can match
    #[arg(long = "label", value_name = "K=V", value_parser = label)]
    pub(super) labels: Vec<(String, String)>,
    /// Be USER where nobody is named; without this, sessions have to name somebody
    #[arg(long, value_name = "USER")]
    pub(super) default_login: Option<Login>,
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

const RUN_HELP: &str = "\
Examples:
  ztagent run --join-token-file /run/secrets/ztctl-join -- catalina.sh run
  ztagent run --app web --label tier=front -- nginx -g 'daemon off;'

In an image:
  COPY ztagent /
  ENTRYPOINT [\"/ztagent\", \"run\", \"--join-token-file\", \"/run/secrets/ztctl-join\", \"--\", \"catalina.sh\", \"run\"]

The token may also be in ZTAGENT_JOIN_TOKEN. No variable whose name begins with ZTAGENT_ reaches CMD or a session.";

const HOST_HELP: &str = "\
Examples:
  ztagent host --join-token-file /etc/ztagent/join
  ztagent host --label tier=front --default-login deploy

People say who they want to be: ztctl shell web-1-7f9 --user deploy. Which logins they may have is for the policy to say
(context.login). The agent keeps its key in /var/lib/ztagent unless --state says otherwise; it needs the token only once.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<RunArgs, clap::Error> {
        Ztagent::try_parse_from(words).map(|parsed| match parsed.verb {
            Verb::Run(run) => run,
            other => panic!("{other:?}"),
        })
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
