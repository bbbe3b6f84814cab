//! Arguments of the verbs that ask for approvals and answer: `request`, `requests`, `approve`, `deny`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{DataOutput, REQUESTS_WITHDRAW_HELP};
use crate::moment;
use crate::proto::Action;
use crate::proto::name::{Login, Target};

/// Arguments of `ztctl request`.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// The container: a name of `ztctl ls`, an id, or the beginning of one
    #[arg(value_name = "NAME")]
    pub name: Target,
    /// What you want to do there: shell (without this), exec, logs, copy, forward; several with commas between them
    #[arg(long = "action", value_name = "ACTIONS", value_delimiter = ',')]
    pub actions: Vec<Action>,
    /// Be this Unix user inside, instead of the container's own
    #[arg(long, short, value_name = "NAME")]
    pub user: Option<Login>,
    /// Say why, to those who approve and to the audit [env: ZTCTL_REASON]
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// For how long from the approval on: 30m, 8h; at most 24h
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = moment::duration)]
    pub lasts: Duration,
    /// Ask for all containers of its owner (its Deployment, its Compose service), also those to come
    #[arg(long)]
    pub replicas: bool,
    /// Do not wait for the answer: print the request's id
    #[arg(long)]
    pub no_wait: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: DataOutput,
}

/// Arguments of `ztctl requests`.
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RequestsArgs {
    /// What to do with them, instead of listing them
    #[command(subcommand)]
    pub verb: Option<RequestsVerb>,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: DataOutput,
}

/// What can be done with a request of one's own.
#[derive(Debug, Clone, Subcommand)]
pub enum RequestsVerb {
    /// Take back your request, or the approval that it was given; sessions that stand on it end
    #[command(after_help = REQUESTS_WITHDRAW_HELP)]
    Withdraw {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Arguments of `ztctl approve`.
#[derive(Debug, Clone, Args)]
pub struct ApproveArgs {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,
    /// For at most this time, instead of what was asked for
    #[arg(long = "for", value_name = "TIME", value_parser = moment::duration)]
    pub lasts: Option<Duration>,
    /// Approve without showing it and asking
    #[arg(long, short)]
    pub yes: bool,
}

/// Arguments of `ztctl deny`.
#[derive(Debug, Clone, Args)]
pub struct DenyArgs {
    /// The request: its id, or the beginning of it
    #[arg(value_name = "ID")]
    pub id: String,
    /// Say why, to who asks and to the audit
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}
