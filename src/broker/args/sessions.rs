//! The words of `ztbroker sessions`.

use clap::{Args, Subcommand};

use super::Listing;
use crate::proto::id::Beginning;

#[derive(Debug, Subcommand)]
pub(in crate::broker) enum Sessions {
    /// List who is where
    #[command(alias = "list")]
    Ls(Listing),
    /// End a session at once; a lock keeps its user from the next
    #[command(aliases = ["rm", "kill"])]
    End(EndArgs),
}

#[derive(Debug, Args)]
pub(in crate::broker) struct EndArgs {
    /// Its id, or how that begins, as `ztbroker sessions ls` shows it
    pub(in crate::broker) id: Beginning,
    /// Why: whose session it is reads it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::broker) reason: Option<String>,
}

pub(super) const SESSIONS_HELP: &str = "\
Examples:
  ztbroker sessions ls
  ztbroker sessions ls --output json | jq -r .user | sort | uniq -c
  ztbroker sessions end 7f9c01ab34de --reason 'the node restarts'

These are the sessions that this broker carries; where several brokers share a database, each has its own.";
