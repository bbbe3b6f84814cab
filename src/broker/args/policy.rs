//! The words of `ztbroker policy`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Listing;
use crate::proto::Action;
use crate::proto::name::{Account, Login};

#[derive(Debug, Subcommand)]
pub(in crate::broker) enum Policy {
    /// Look through policies without a broker: mistakes, and what may not be meant
    Check(Check),
    /// Hold policies against a file of expected decisions, without a broker
    #[command(after_help = TEST_HELP)]
    Test(Test),
    /// Tell what the broker's policies say of a person, a container and an action, and which of them decide
    Explain(Explain),
    /// Load the policies again, at once; a mistake in them changes nothing
    Reload,
}

#[derive(Debug, Args)]
pub(in crate::broker) struct Check {
    /// The policy file, or the folder of policies [default: the one of the configuration]
    pub(in crate::broker) path: Option<PathBuf>,
    /// Fail where something may not be meant as well
    #[arg(long)]
    pub(in crate::broker) deny_warnings: bool,
}

#[derive(Debug, Args)]
pub(in crate::broker) struct Test {
    /// The file of cases
    pub(in crate::broker) file: PathBuf,
    /// The policy file, or the folder of policies [default: the one of the configuration]
    #[arg(long, value_name = "PATH")]
    pub(in crate::broker) policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::broker) struct Explain {
    /// A person of the directory, or `name@idp` of an identity provider or a job
    pub(in crate::broker) user: Account,
    /// A container that is here: its name or its id
    pub(in crate::broker) container: String,
    /// What to do: list, shell, exec, logs, copy or forward
    pub(in crate::broker) action: Action,
    /// In this group, and no other that is not said [default: the directory's, or those of the last login]
    #[arg(long = "group", value_name = "NAME")]
    pub(in crate::broker) groups: Vec<Account>,
    /// As this Unix user; `default` is the container's own
    #[arg(long, value_name = "LOGIN", default_value = "default")]
    pub(in crate::broker) login: Login,
    /// With this reason
    #[arg(long, value_name = "TEXT")]
    pub(in crate::broker) reason: Option<String>,
    /// With a second factor that has just been shown
    #[arg(long)]
    pub(in crate::broker) mfa: bool,
    /// With this as the one command
    #[arg(long, value_name = "LINE")]
    pub(in crate::broker) command: Option<String>,
    /// From this address [default: 127.0.0.1]
    #[arg(long, value_name = "IP")]
    pub(in crate::broker) address: Option<IpAddr>,
    #[command(flatten)]
    pub(in crate::broker) listing: Listing,
}

pub(super) const POLICY_HELP: &str = "\
Examples:
  ztbroker policy check deploy/policy.cedar
  ztbroker policy test policy.toml --policy deploy/policy.cedar
  ztbroker policy explain ada tomcat-7f9 shell --login root
  ztbroker policy explain bob@corp tomcat-7f9 exec --group sre
  ztbroker policy reload

A broker looks at its policy files by itself: a change is in force a second after the last write.";

const TEST_HELP: &str = "\
A file of cases, in TOML:

  [[case]]
  name = \"developers stay out of production\"
  user = \"ada\"
  groups = [\"developers\"]
  action = \"shell\"
  container = { app = \"tomcat\", labels = { env = \"production\" } }
  expect = \"deny\"

  [[case]]
  name = \"those on call say why, for an hour\"
  user = \"bob\"
  groups = [\"on-call\"]
  action = \"shell\"
  reason = \"ticket 7\"
  container = { app = \"tomcat\", labels = { env = \"production\" } }
  expect = \"allow\"
  policies = [\"on-call-enters\"]
  obligations = { max_session = \"1h\", reason = true }

expect is allow, deny, reason-required, mfa-required or approval-required. policies and obligations are held against what decides where they are
said, and are then all of it; obligations are max_session, idle, reason, mfa, env, approval (a list) and break_glass. A case may have login,
command, reason, approved_by (the groups of those who have), break_glass, address, time and mfa_age (how long ago a second factor was shown) as
well, a container every attribute that policies know. The status is 1 where a case is decided otherwise.";
