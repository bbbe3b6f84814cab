//! The command line of `ztctl`: its verbs, their arguments and their help.
//!
//! Names are parsed here, so that an impossible one is a usage error before anything is asked of the broker.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};

use super::environment::{BROKER, REASON};
use crate::client::credential::StoreKind;
use crate::client::select::Selector;
use crate::moment;
use crate::proto::name::{Login, Target};

/// A shell in one container, by a certificate that lives for minutes
#[derive(Debug, Parser)]
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
#[derive(Debug, Args)]
pub struct Global {
    /// Talk to this broker, where there are logins at several
    #[arg(long, global = true, value_name = "URL", env = BROKER, hide_env_values = true)]
    pub broker: Option<String>,
}

/// The verbs.
#[derive(Debug, Subcommand)]
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
    /// List your live sessions, or end one
    #[command(after_help = SESSIONS_HELP)]
    Sessions(SessionsArgs),
    /// Let stock ssh, scp, sftp, rsync, git and what runs on them reach containers as NAME.zt
    #[command(after_help = SSH_CONFIG_HELP)]
    SshConfig(SshConfigArgs),
    /// Connect stock ssh to a container: its ProxyCommand, which `ztctl ssh-config` sets
    #[command(after_help = PROXY_HELP)]
    Proxy(ProxyArgs),
    /// Show the version of this program and of its protocol
    #[command(after_help = VERSION_HELP)]
    Version,
    /// Try it: a broker, two containers and a shell, on this machine alone
    #[cfg(feature = "demo")]
    #[command(after_help = DEMO_HELP)]
    Demo(DemoArgs),
}

/// Arguments of `ztctl login`.
#[derive(Debug, Args)]
pub struct LoginArgs {
    /// The broker, such as https://broker.example.com; without it, the last one
    #[arg(value_name = "URL")]
    pub url: Option<String>,
    /// Trust this private TLS root: a PEM file, or sha256: and its fingerprint
    #[arg(long, value_name = "FILE|sha256:HEX")]
    pub ca: Option<String>,
    /// Log in with a code that is entered in a browser elsewhere
    #[arg(long)]
    pub device: bool,
    /// Keep the tokens here, instead of in the first of these that works
    #[arg(long, value_enum)]
    pub store: Option<StoreKind>,
}

/// Arguments of `ztctl status`.
#[derive(Debug, Args)]
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

/// Arguments of `ztctl ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// Only rows that contain all of these words
    #[arg(value_name = "WORD")]
    pub filter: Vec<String>,
    /// Only rows with these labels: app=tomcat,env!=prod,team,!canary
    #[arg(long, short = 'l', value_name = "CONDITIONS")]
    pub selector: Option<Selector>,
    /// Only rows of this namespace, or Compose project
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The order
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    pub sort: SortKey,
    /// Show more columns, as wide as they need
    #[arg(long)]
    pub wide: bool,
    /// Go on showing what changes, until Ctrl-C
    #[arg(long, short, conflicts_with = "output")]
    pub watch: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: LsOutput,
}

/// In which order `ztctl ls` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// By name
    #[default]
    Name,
    /// By what it is a replica of
    App,
    /// The youngest first
    Age,
    /// By where it runs
    Where,
    /// By what the runtime says of it
    State,
}

/// How `ztctl ls` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LsOutput {
    /// Columns that fit the terminal
    #[default]
    Table,
    /// For programs; errors too
    Json,
    /// One name a line
    Name,
}

/// Arguments of `ztctl shell`.
#[derive(Debug, Args)]
pub struct ShellArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one; or a word, to pick from what it fits; without it, pick from all
    #[arg(value_name = "NAME")]
    pub name: Option<Target>,
    /// Pick from those with these labels: app=tomcat,env!=prod
    #[arg(long, short = 'l', value_name = "CONDITIONS", conflicts_with = "name")]
    pub selector: Option<Selector>,
    /// How to enter.
    #[command(flatten)]
    pub entry: EntryArgs,
}

/// Arguments of `ztctl exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// Run it at this terminal: for vim, top and the like
    #[arg(long, short)]
    pub tty: bool,
    /// How to enter.
    #[command(flatten)]
    pub entry: EntryArgs,
    /// The command and its arguments, exactly as they are to arrive
    #[arg(value_name = "CMD", required = true, last = true)]
    pub command: Vec<OsString>,
}

/// Arguments of `ztctl logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// Go on with what is written from now on, also after the container was started again
    #[arg(long, short)]
    pub follow: bool,
    /// Only what was written since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::since)]
    pub since: Option<moment::Since>,
    /// Only the last N lines
    #[arg(long, short = 'n', value_name = "N")]
    pub tail: Option<u64>,
    /// Begin each line with the time at which it was written
    #[arg(long, short)]
    pub timestamps: bool,
    /// Say why, where the policy asks for it or the audit should have it
    #[arg(long, value_name = "TEXT", env = REASON, hide_env_values = true)]
    pub reason: Option<String>,
}

/// Arguments of `ztctl cp`.
#[derive(Debug, Args)]
pub struct CpArgs {
    /// What to copy, and last where to: NAME:PATH in a container, any other path on this machine
    #[arg(value_name = "FROM... TO", required = true, num_args = 2..)]
    pub paths: Vec<String>,
    /// Keep modes and times
    #[arg(long, short)]
    pub preserve: bool,
    /// Go on with what an interrupted copy has left
    #[arg(long)]
    pub resume: bool,
    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
    /// How to enter.
    #[command(flatten)]
    pub entry: EntryArgs,
}

/// Arguments of `ztctl forward`.
#[derive(Debug, Args)]
pub struct ForwardArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// A port inside, behind the same port here or another, or one of another host as the container sees it
    #[arg(value_name = "[LOCAL:][HOST:]PORT", required_unless_present_any = ["socks", "back"])]
    pub ports: Vec<Port>,
    /// Serve SOCKS 5 here: programs say themselves where they want to from inside
    #[arg(short = 'D', long = "socks", value_name = "PORT")]
    pub socks: Vec<u16>,
    /// Listen on a port inside, and connect from here to HOST (by default localhost) and LOCAL
    #[arg(short = 'R', long = "back", value_name = "PORT:[HOST:]LOCAL")]
    pub back: Vec<Back>,
    /// Listen on this address here
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    pub bind: std::net::IpAddr,
    /// How to enter.
    #[command(flatten)]
    pub entry: EntryArgs,
}

/// `[LOCAL:][HOST:]PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Here.
    pub local: u16,
    /// There.
    pub host: String,
    /// There.
    pub port: u16,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = number(port).filter(|port| *port > 0).ok_or("PORT is a number from 1 to 65535")?;
        let (local, host) = match rest.split_once(':') {
            _ if rest.is_empty() => (None, ""),
            // An address of version 6 has colons of its own and stands in brackets.
            Some((local, host)) if !local.is_empty() && !rest.starts_with('[') => (Some(local), host),
            _ if number(rest).is_some() => (Some(rest), ""),
            _ => (None, rest),
        };
        let local = match local {
            Some(local) => number(local).ok_or("LOCAL is a number from 0 to 65535")?,
            None => port,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { local, host: if host.is_empty() { "localhost" } else { host }.to_owned(), port })
    }
}

/// `PORT:[HOST:]LOCAL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// There; 0 for any.
    pub port: u16,
    /// Here.
    pub host: String,
    /// Here.
    pub local: u16,
}

impl FromStr for Back {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (port, rest) = text.split_once(':').unwrap_or((text, text));
        let port = number(port).ok_or("PORT is a number from 0 to 65535")?;
        let (host, local) = rest.rsplit_once(':').unwrap_or(("localhost", rest));
        let local = number(local).filter(|local| *local > 0).ok_or("LOCAL is a number from 1 to 65535")?;
        Ok(Self { port, host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), local })
    }
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Arguments of `ztctl why`.
#[derive(Debug, Args)]
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
#[derive(Debug, Args)]
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
#[derive(Debug, Subcommand)]
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

/// Arguments of `ztctl ssh-config`.
#[derive(Debug, Args)]
pub struct SshConfigArgs {
    /// Print the configuration and change no file
    #[arg(long)]
    pub print: bool,
    /// Leave ~/.ssh/config as it is
    #[arg(long)]
    pub no_include: bool,
}

/// Arguments of `ztctl proxy`.
#[derive(Debug, Args)]
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
    /// Say why, where the policy asks for it or the audit should have it
    #[arg(long, value_name = "TEXT", env = REASON, hide_env_values = true)]
    pub reason: Option<String>,
}

/// What `shell` and `exec` share.
#[derive(Debug, Args)]
pub struct EntryArgs {
    /// Be this Unix user inside, instead of the container's own
    #[arg(long, short, value_name = "NAME")]
    pub user: Option<Login>,
    /// Say why, where the policy asks for it or the audit should have it
    #[arg(long, value_name = "TEXT", env = REASON, hide_env_values = true)]
    pub reason: Option<String>,
}

/// Arguments of `ztctl demo`.
#[cfg(feature = "demo")]
#[derive(Debug, Args)]
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

const AFTER_HELP: &str = "\
EXAMPLES
  ztctl login https://broker.example.com
  ztctl ls
  ztctl shell tomcat-7f9
  ztctl exec tomcat-7f9 -- tail -n 100 /var/log/app.log

EXIT STATUS
  shell and exec: that of the remote command, 128+n when signal n ended it, 255 when ztctl or the link failed
  else: 0 done, 1 failed, 2 wrong usage, 3 not logged in, 4 not allowed or not found, 130 interrupted";

const LOGIN_HELP: &str = "\
EXAMPLES
  ztctl login https://broker.example.com
  ztctl login                                          at the last broker again
  ztctl login https://broker.internal --ca root.pem    its TLS certificate has a private root
  ztctl login --device                                 without a browser on this machine";

const LOGOUT_HELP: &str = "\
EXAMPLES
  ztctl logout
  ztctl logout --broker https://broker.example.com";

const STATUS_HELP: &str = "\
EXAMPLES
  ztctl status
  ztctl status --output json";

const LS_HELP: &str = "\
EXAMPLES
  ztctl ls
  ztctl ls tomcat prod           rows that contain both words
  ztctl ls -l app=tomcat,env!=prod
  ztctl ls --watch --sort age
  ztctl ls --output name         names only, one a line
  ztctl ls --output json";

const SHELL_HELP: &str = "\
EXAMPLES
  ztctl shell                    pick from a list
  ztctl shell -l team=shop       pick from those
  ztctl shell tomcat-7f9
  ztctl shell tomcat-7f9 --user app --reason 'ticket 4711'

ESCAPES, after Enter
  ~.   leave at once, also when nothing answers
  ~^Z  suspend ztctl
  ~?   show the escapes
  ~~   send one ~";

const EXEC_HELP: &str = "\
EXAMPLES
  ztctl exec tomcat-7f9 -- tail -n 100 /var/log/app.log
  ztctl exec tomcat-7f9 -- sh -c 'cd /srv && tar c .' > srv.tar
  ztctl exec tomcat-7f9 -- sh -c 'cat > /tmp/data' < data
  ztctl exec -t tomcat-7f9 -- top";

const LOGS_HELP: &str = "\
EXAMPLES
  ztctl logs tomcat-7f9
  ztctl logs tomcat-7f9 --follow --since 10m
  ztctl logs tomcat-7f9 --tail 100 --timestamps
  ztctl logs tomcat-7f9 2>/dev/null        what it wrote to its standard output only

Ctrl-C ends it.";

const FORWARD_HELP: &str = "\
EXAMPLES
  ztctl forward tomcat-7f9 8080                 http://localhost:8080 is its port 8080
  ztctl forward tomcat-7f9 9000:8080
  ztctl forward tomcat-7f9 5432:db.internal:5432
  ztctl forward tomcat-7f9 -D 1080              then: curl --socks5-hostname localhost:1080 http://db.internal/
  ztctl forward tomcat-7f9 -R 9000:3000         port 9000 inside is port 3000 here

Ctrl-C ends it.";

const CP_HELP: &str = "\
EXAMPLES
  ztctl cp tomcat-7f9:/var/lib/tomcat10/logs ./logs
  ztctl cp -p app.war conf/ tomcat-7f9:/tmp/
  ztctl cp --resume tomcat-7f9:/tmp/heap.hprof .

Folders are copied with all that is in them; links are made as links and never followed. A file has its name only when it is whole.";

const WHY_HELP: &str = "\
EXAMPLES
  ztctl why tomcat-7f9
  ztctl why tomcat-7f9 --user root
  ztctl why tomcat-7f9 --output json";

const SESSIONS_HELP: &str = "\
EXAMPLES
  ztctl sessions
  ztctl sessions end 3fa9
  ztctl sessions --output json";

const SESSIONS_END_HELP: &str = "\
EXAMPLES
  ztctl sessions end 3fa9";

const SSH_CONFIG_HELP: &str = "\
EXAMPLES
  ztctl ssh-config                         then: ssh tomcat-7f9.zt
  scp app.jar tomcat-7f9.zt:/tmp/
  rsync -a tomcat-7f9.zt:/var/log/ ./logs/
  ssh -L 8080:localhost:8080 root@tomcat-7f9.zt
  ZTCTL_REASON='ticket 4711' ssh tomcat-7f9.zt

It writes a file of its own and the one line of ~/.ssh/config that includes it. Certificates live for minutes and are made when ssh
connects; hosts are accepted by the broker's authority and in no other way.";

const PROXY_HELP: &str = "\
EXAMPLES
  ProxyCommand ztctl proxy --identity-agent ~/.local/state/ztctl/ssh --user %r %n
  IdentityAgent ~/.local/state/ztctl/ssh/agent";

const VERSION_HELP: &str = "\
EXAMPLES
  ztctl version";

#[cfg(feature = "demo")]
const DEMO_HELP: &str = "\
EXAMPLES
  ztctl demo
  ztctl demo -- id";

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
    fn ports_are_written_in_three_ways() {
        let port = |text: &str| text.parse::<Port>().map(|port| (port.local, port.host, port.port));
        let of = |local, host: &str, port| Ok((local, host.to_owned(), port));
        assert_eq!(port("8080"), of(8080, "localhost", 8080));
        assert_eq!(port("9000:8080"), of(9000, "localhost", 8080));
        assert_eq!(port("db:5432"), of(5432, "db", 5432));
        assert_eq!(port("0:db:5432"), of(0, "db", 5432));
        assert_eq!(port("[::1]:80"), of(80, "::1", 80));
        assert_eq!(port("1:[fe80::1]:80"), of(1, "fe80::1", 80));
        for text in ["", "0", "a", "70000", "a:b:1", "1:2:3:x", "+8080"] {
            assert!(port(text).is_err(), "{text}");
        }
        let back = |text: &str| text.parse::<Back>().map(|back| (back.port, back.host, back.local));
        assert_eq!(back("9000:3000"), of(9000, "localhost", 3000));
        assert_eq!(back("0:web:3000"), of(0, "web", 3000));
        assert!(back("x:1").is_err() && back("1:0").is_err());
    }

    #[test]
    fn impossible_names_are_usage_errors() {
        assert!(parse(&["shell", "--", "-x"]).is_err());
        assert!(parse(&["shell", "../etc"]).is_err());
        assert!(parse(&["shell", "web-7f9", "--user", "-o"]).is_err());
        assert!(parse(&["exec", "web-7f9"]).is_err(), "a command is required");
    }
}
