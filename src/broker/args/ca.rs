//! The words of `ztbroker ca`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::Listing;
use crate::moment;

#[derive(Debug, Subcommand)]
pub(in crate::broker) enum Ca {
    /// Show the keys: whom they vouch for, since when, until when
    Show(Listing),
    /// Make new keys; the old ones stay beside them until agents and people have followed
    Rotate(RotateCa),
    /// End the rotation that is under way now: the old keys are deleted and count no more
    Finish,
}

#[derive(Debug, Args)]
pub(in crate::broker) struct RotateCa {
    /// For how long the old keys stay beside the new ones: 90m, 8h, 30d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = moment::duration)]
    pub(in crate::broker) overlap: Duration,
    /// Only the key that vouches for users
    #[arg(long, conflicts_with = "host")]
    pub(in crate::broker) user: bool,
    /// Only the key that vouches for hosts
    #[arg(long)]
    pub(in crate::broker) host: bool,
    /// Delete the old keys at once: they may have been stolen. A rotation that is under way ends with it
    #[arg(long, conflicts_with = "overlap")]
    pub(in crate::broker) now: bool,
}

pub(super) const CA_HELP: &str = "\
Examples:
  ztbroker ca show
  ztbroker ca rotate --overlap 7d
  ztbroker ca rotate --now
  ztbroker ca finish

A change is a statement that the keys in use have signed. Agents that are connected follow at once, others and people when they come
next: nobody has to join or log in again. The end of the overlap comes by itself. Agents and clients of versions that know no
statements go on by the old keys until then; afterwards they join and log in again.";
