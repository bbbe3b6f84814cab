//! The command line of `ztctl`: its verbs, their arguments and their help.
//!
//! Names are parsed here, so that an impossible one is a usage error before anything is asked of the broker.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

mod asking;
mod config;
mod help;
mod listing;
mod ports;
mod sessions;
mod totp;
mod variable;

pub use asking::{ApproveArgs, DenyArgs, RequestArgs, RequestsArgs, RequestsVerb};
pub use config::{ConfigArgs, ConfigVerb, SettingKey};
use help::*;
pub use listing::{LsArgs, LsOutput, SortKey};
pub use ports::{Back, Port};
pub use sessions::{CpArgs, EntryArgs, ExecArgs, ForwardArgs, LogsArgs, SessionArgs, ShellArgs};
pub use totp::{TotpArgs, TotpVerb};
pub use variable::Variable;

use crate::client::config::{Colour, ProfileName};
use crate::client::credential::StoreKind;
use crate::proto::name::{Login, Target};

/// A shell in one container, by a certificate that lives for minutes
#[derive(Debug, Clone, Parser)]
#[command(name = "ztctl", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP)]
pub struct Arguments {
    /// What all verbs understand.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What all verbs understand.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Talk to this broker, where there are logins at several [env: ZTCTL_BROKER]
    #[arg(long, global = true, value_name = "URL", conflicts_with = "profile")]
    pub broker: Option<String>,
    /// Talk to the broker of this name: see `ztctl config profiles` [env: ZTCTL_PROFILE]
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<ProfileName>,
    /// When to use colour [env: ZTCTL_COLOR, NO_COLOR]
    #[arg(long, global = true, value_enum, value_name = "WHEN", hide_possible_values = true)]
    pub color: Option<Colour>,
    /// Say what happens on the wire; -vv with the headers of requests. Secrets are never shown
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The verbs.
#[derive(Debug, Clone, Subcommand)]
pub enum Verb {
    /// Log in at a broker, in the browser or with a code
    #[command(after_help = LOGIN_HELP)]
    Login(LoginArgs),
    /// End the login and remove what it left on this machine
    #[command(after_help = LOGOUT_HELP)]
    Logout,
    /// Show the broker, the user, when the login ends and where the tokens are
    #[command(after_help = STATUS_HELP)]
    Status(StatusArgs),
    /// List the containers that you may reach
    #[command(after_help = LS_HELP)]
    Ls(LsArgs),
    /// Open a shell in a container
    #[command(after_help = SHELL_HELP)]
    Shell(ShellArgs),
    /// Run one command in a container, without a terminal unless -t asks for one
    #[command(after_help = EXEC_HELP)]
    Exec(ExecArgs),
    /// Show what a container has written to its outputs
    #[command(after_help = LOGS_HELP)]
    Logs(LogsArgs),
    /// Copy files and folders from a container or to it
    #[command(after_help = CP_HELP)]
    Cp(CpArgs),
    /// Connect to ports inside a container, or let it connect to ports here
    #[command(after_help = FORWARD_HELP)]
    Forward(ForwardArgs),
    /// Show what you may do in a container, by which policies, or why not
    #[command(after_help = WHY_HELP)]
    Why(WhyArgs),
    /// Ask for an approval, and wait for it
    #[command(after_help = REQUEST_HELP)]
    Request(RequestArgs),
    /// List your requests and those that you are asked to answer, or take one back
    #[command(after_help = REQUESTS_HELP)]
    Requests(RequestsArgs),
    /// Approve somebody's request
    #[command(after_help = APPROVE_HELP)]
    Approve(ApproveArgs),
    /// Deny somebody's request, or take an approval back
    #[command(after_help = DENY_HELP)]
    Deny(DenyArgs),
    /// List your live sessions, or end one
    #[command(after_help = SESSIONS_HELP)]
    Sessions(SessionsArgs),
    /// Set up, show or take away your second factor: the codes of an authenticator app
    #[command(after_help = TOTP_HELP)]
    Totp(TotpArgs),
    /// Let stock ssh, scp, sftp, rsync, git and what runs on them reach containers as NAME.zt
    #[command(after_help = SSH_CONFIG_HELP)]
    SshConfig(SshConfigArgs),
    /// Connect stock ssh to a container: its ProxyCommand, which `ztctl ssh-config` sets
    #[command(after_help = PROXY_HELP)]
    Proxy(ProxyArgs),
    /// Show the settings and where they come from, and the profiles, or change them
    #[command(after_help = CONFIG_HELP)]
    Config(ConfigArgs),
    /// Print what a shell reads so that TAB completes: verbs, containers, labels, paths in containers
    #[command(after_help = COMPLETIONS_HELP)]
    Completions(CompletionsArgs),
    /// Answer a shell that asks what comes next
    #[command(hide = true)]
    Complete(CompleteArgs),
    /// Show the version of this program and of its protocol
    #[command(after_help = VERSION_HELP)]
    Version(VersionArgs),
    /// Try it: a broker, two containers and a shell, on this machine alone
    #[cfg(feature = "demo")]
    #[command(after_help = "EXAMPLES\n  ztctl demo\n  ztctl demo -- id")]
    Demo(DemoArgs),
}

/// Arguments of `ztctl login`.
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// The broker, such as https://broker.example.com, or the name of a profile; without it, the last one
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// Trust this private TLS root: a PEM file, or sha256: and its fingerprint [env: ZTCTL_CA]
    #[arg(long, value_name = "FILE|sha256:HEX")]
    pub ca: Option<String>,
    /// Log in with a code that is entered in a browser elsewhere [env: ZTCTL_DEVICE]
    #[arg(long)]
    pub device: bool,
    /// Log in as a CI job, by the OpenID token that its platform gives it: a file, or - for stdin
    #[arg(long, value_name = "FILE", conflicts_with = "device")]
    pub id_token: Option<PathBuf>,
    /// Show a second factor anew, even where the identity provider would not ask
    #[arg(long)]
    pub mfa: bool,
    /// Keep the tokens here, instead of in the first of these that works [env: ZTCTL_STORE]
    #[arg(long, value_enum)]
    pub store: Option<StoreKind>,
}

/// Arguments of `ztctl status`.
#[derive(Debug, Clone, Args)]
pub struct StatusArgs {
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: StatusOutput,
}

/// How `ztctl status` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    /// For people
    #[default]
    Text,
    /// For programs; errors too
    Json,
}

/// Arguments of `ztctl why`.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// As this Unix user inside, instead of the container's own
    #[arg(long, short, value_name = "NAME")]
    pub user: Option<Login>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: DataOutput,
}

/// Arguments of `ztctl sessions`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SessionsArgs {
    /// What to do with them, instead of listing them
    #[command(subcommand)]
    pub verb: Option<SessionsVerb>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: DataOutput,
}

/// What can be done with a session.
#[derive(Debug, Clone, Subcommand)]
pub enum SessionsVerb {
    /// End a session, from wherever it was opened
    #[command(after_help = SESSIONS_END_HELP)]
    End {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// How a verb prints data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum DataOutput {
    /// For people
    #[default]
    Table,
    /// For programs; errors too
    Json,
}

/// Arguments of `ztctl version`.
#[derive(Debug, Clone, Args)]
pub struct VersionArgs {
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: DataOutput,
}

/// Arguments of `ztctl completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// Which shell
    #[arg(value_enum)]
    pub shell: ShellKind,
}

/// The shells that completions are made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ShellKind {
    /// source <(ztctl completions bash)
    Bash,
    /// source <(ztctl completions zsh), after compinit
    Zsh,
    /// ztctl completions fish | source
    Fish,
    /// ztctl completions powershell | Out-String | Invoke-Expression
    #[value(name = "powershell")]
    PowerShell,
    /// eval (ztctl completions elvish | slurp)
    Elvish,
}

/// Arguments of `ztctl complete`.
#[derive(Debug, Clone, Args)]
pub struct CompleteArgs {
    /// Which of the words is completed, from 0
    #[arg(long, default_value_t = 0)]
    pub index: usize,
    /// Refresh the list of names instead
    #[arg(long)]
    pub refresh: bool,
    /// The words so far, the program's name first
    #[arg(last = true)]
    pub words: Vec<OsString>,
}

/// Arguments of `ztctl ssh-config`.
#[derive(Debug, Clone, Args)]
pub struct SshConfigArgs {
    /// Print the configuration and change no file
    #[arg(long)]
    pub print: bool,
    /// Leave ~/.ssh/config as it is
    #[arg(long)]
    pub no_include: bool,
}

/// Arguments of `ztctl proxy`.
#[derive(Debug, Clone, Args)]
pub struct ProxyArgs {
    /// The container: a name of `ztctl ls`, with .zt after it or without
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Serve the certificate, and one signature, at the socket `agent` in this folder to the ssh that started this
    #[arg(long, value_name = "DIR")]
    pub identity_agent: PathBuf,
    /// Be this Unix user inside, instead of the container's own
    #[arg(long, short, value_name = "NAME")]
    pub user: Option<Login>,
    /// Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Arguments of `ztctl demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Run this in the first container and leave with its status, instead of opening a shell
    #[arg(value_name = "CMD", last = true)]
    pub command: Vec<OsString>,
}

impl Arguments {
    /// Whether errors are to be JSON: whoever asks for JSON reads both streams with a program.
    pub(crate) fn wants_json(&self) -> bool {
        match &self.verb {
            Verb::Ls(args) => args.output == LsOutput::Json,
            Verb::Status(args) => args.output == StatusOutput::Json,
            Verb::Why(args) => args.output == DataOutput::Json,
            Verb::Sessions(args) => args.output == DataOutput::Json,
            Verb::Totp(TotpArgs { verb: TotpVerb::Status { output } }) => *output == DataOutput::Json,
            Verb::Request(args) => args.output == DataOutput::Json,
            Verb::Requests(args) => args.output == DataOutput::Json,
            Verb::Version(args) => args.output == DataOutput::Json,
            Verb::Config(ConfigArgs { verb: ConfigVerb::Show { output } | ConfigVerb::Profiles { output } }) => {
                *output == DataOutput::Json
            }
            _ => false,
        }
    }

    /// Whether the time of each part of the way is to be shown.
    pub(crate) fn wants_timing(&self) -> bool {
        match &self.verb {
            Verb::Shell(args) => args.session.timing,
            Verb::Exec(args) => args.session.timing,
            _ => false,
        }
    }

    /// Whether the verb opens a session, whose exit status is the remote one.
    pub(crate) fn opens_session(&self) -> bool {
        match self.verb {
            Verb::Shell(_) | Verb::Exec(_) => true,
            #[cfg(feature = "demo")]
            Verb::Demo(_) => true,
            _ => false,
        }
    }
}

/// The whole command line, for man pages and completions.
pub fn command() -> clap::Command {
    Arguments::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["ztctl"], words].concat())
    }

    #[test]
    fn the_definition_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn what_follows_the_dashes_is_left_alone() {
        let parsed = parse(&["exec", "web-7f9", "--", "ls", "--output", "json", "--", "-x"]).unwrap();
        let Verb::Exec(args) = parsed.verb else { panic!("not exec") };
        assert_eq!(args.command, ["ls", "--output", "json", "--", "-x"]);
    }

    #[test]
    fn impossible_names_are_usage_errors() {
        assert!(parse(&["shell", "--", "-x"]).is_err());
        assert!(parse(&["shell", "../etc"]).is_err());
        assert!(parse(&["shell", "web-7f9", "--user", "-o"]).is_err());
        assert!(parse(&["exec", "web-7f9"]).is_err(), "a command is required");
    }
}
