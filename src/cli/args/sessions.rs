//! Arguments of the verbs that open a session: `shell`, `exec`, `logs`, `cp`, `forward`.

use std::ffi::OsString;

use clap::Args;

use super::{Back, Port, Variable};
use crate::client::config::EscapeKey;
use crate::client::select::Selector;
use crate::moment;
use crate::proto::name::{Login, Target};

/// Arguments of `ztctl shell`.
#[derive(Debug, Clone, Args)]
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
    /// What the session is like.
    #[command(flatten)]
    pub session: SessionArgs,
}

/// Arguments of `ztctl exec`.
#[derive(Debug, Clone, Args)]
pub struct ExecArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one
    #[arg(value_name = "NAME", required_unless_present = "all")]
    pub name: Option<Target>,
    /// Run it in every container that you may reach, or in those of -l, after showing them
    #[arg(long, conflicts_with_all = ["name", "tty"])]
    pub all: bool,
    /// With --all: only where these labels are: app=tomcat,env!=prod
    #[arg(long, short = 'l', value_name = "CONDITIONS", requires = "all")]
    pub selector: Option<Selector>,
    /// With --all: run without asking
    #[arg(long, short, requires = "all")]
    pub yes: bool,
    /// With --all: how many at a time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100), requires = "all")]
    pub parallel: u8,
    /// Run it at this terminal: for vim, top and the like
    #[arg(long, short)]
    pub tty: bool,
    /// Leave standard input alone: the command finds none, and a loop that reads its lines keeps them
    #[arg(long, short = 'n', conflicts_with_all = ["tty", "all"])]
    pub no_stdin: bool,
    /// How to enter.
    #[command(flatten)]
    pub entry: EntryArgs,
    /// What the session is like.
    #[command(flatten)]
    pub session: SessionArgs,
    /// The command and its arguments, exactly as they are to arrive
    #[arg(value_name = "CMD", required = true, last = true)]
    pub command: Vec<OsString>,
}

/// Arguments of `ztctl logs`.
#[derive(Debug, Clone, Args)]
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
    /// Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// Arguments of `ztctl cp`.
#[derive(Debug, Clone, Args)]
pub struct CpArgs {
    /// What to copy, and last where to: NAME:PATH in a container, any other path on this machine
    #[arg(value_names = ["FROM", "TO"], required = true, num_args = 2..)]
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
#[derive(Debug, Clone, Args)]
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

/// What `shell` and `exec` share.
#[derive(Debug, Clone, Args)]
pub struct EntryArgs {
    /// Be this Unix user inside, instead of the container's own
    #[arg(long, short, value_name = "NAME")]
    pub user: Option<Login>,
    /// Say why, where the policy asks for it or the audit should have it [env: ZTCTL_REASON]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// In an emergency: begin without the approval that the policy asks for, where it allows that. It raises an alarm
    #[arg(long)]
    pub break_glass: bool,
}

/// What sessions of `shell` and `exec` share.
#[derive(Debug, Clone, Args)]
pub struct SessionArgs {
    /// Set a variable there, where the policy allows it; without =VALUE, to what it is here
    #[arg(long = "env", short = 'e', value_name = "KEY[=VALUE]")]
    pub variables: Vec<Variable>,
    /// The key that begins an escape such as ~. at the beginning of a line; `none` for none [env: ZTCTL_ESCAPE]
    #[arg(long, value_name = "KEY")]
    pub escape: Option<EscapeKey>,
    /// Show at the end where each millisecond of the way went
    #[arg(long)]
    pub timing: bool,
}
