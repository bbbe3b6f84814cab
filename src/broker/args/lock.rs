//! The words of `ztbroker lock`.

use std::time::Duration;

use clap::{ArgGroup, Args, Subcommand};

use super::Listing;
use crate::broker::admin::LockWish;
use crate::broker::locks::LockId;
use crate::moment;
use crate::proto::AgentId;
use crate::proto::name::{Account, Login};

#[derive(Debug, Subcommand)]
pub(in crate::broker) enum Lock {
    /// Lock something: its open sessions end within a second, and none begins
    Add(AddLock),
    /// List what is locked
    #[command(alias = "list")]
    Ls(Listing),
    /// Remove a lock; what it ended does not come back by itself
    #[command(aliases = ["remove", "revoke"])]
    Rm {
        /// Its id, as `ztbroker lock ls` shows it
        id: LockId,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["user", "login", "container", "agent", "everything"]))]
pub(in crate::broker) struct AddLock {
    /// Every session of a person: a name of the directory, or NAME@IDP
    #[arg(long, value_name = "NAME")]
    user: Option<Account>,
    /// Every session as this Unix user; `default` is a container's own, which in most images is root
    #[arg(long, value_name = "LOGIN")]
    login: Option<Login>,
    /// Every session in a container: its name, its id, or a pattern for apps and full names with `*` for any letters
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Every session in the containers of an agent: its id, as `ztbroker agents ls` shows it
    #[arg(long, value_name = "ID")]
    agent: Option<AgentId>,
    /// Every session
    #[arg(long)]
    everything: bool,
    /// For how long: 90s, 5m, 8h, 30d [default: until it is removed]
    #[arg(long = "for", value_name = "TIME", value_parser = moment::duration)]
    pub(in crate::broker) lasts: Option<Duration>,
    /// Until when, in UTC: 2026-01-31 or 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::at, conflicts_with = "lasts")]
    pub(in crate::broker) until: Option<u64>,
    /// Why: whoever is cut off or refused reads it
    #[arg(long, value_name = "TEXT")]
    pub(in crate::broker) reason: Option<String>,
}

impl AddLock {
    /// What is to be locked: the one of them that is there.
    pub(in crate::broker) fn wish(&self) -> LockWish {
        let person = self.user.clone().map(LockWish::User).or_else(|| self.login.clone().map(LockWish::Login));
        let place = || self.container.clone().map(LockWish::Container).or_else(|| self.agent.map(LockWish::Agent));
        // The group lets no command line through that has none of the five.
        person.or_else(place).unwrap_or(LockWish::Everything)
    }
}

pub(super) const LOCK_HELP: &str = "\
Examples:
  ztbroker lock add --user ada --reason 'laptop stolen'
  ztbroker lock add --container 'postgres-*' --for 2h --reason 'migration runs, ask #db'
  ztbroker lock add --everything --until 2026-01-31T09:30:00Z
  ztbroker lock ls
  ztbroker lock rm 0123456789abcdef

Locks stand above the policies and outlive the broker. Each is on one thing; what several locks are on is open when all are gone.";
