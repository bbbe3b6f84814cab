//! The words of `ztbroker`: what can be typed, and nothing of what it does.

pub(super) mod audit;
pub(super) mod ca;
pub(super) mod lock;
pub(super) mod policy;
pub(super) mod sessions;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, CommandFactory, Parser, Subcommand, ValueEnum};
use url::Url;

use super::admin::TokenId;
use super::enrolment::RUNTIMES;
use super::kept::Part;
use crate::log::LogLevel;
use crate::moment;
use crate::proto::name::Account;
use crate::proto::{Action, AgentId};

/// `ztbroker`'s command line, for man pages and completions.
pub fn command() -> clap::Command {
    Ztbroker::command()
}

/// Decide who may enter which container, and carry the sessions
#[derive(Debug, Parser)]
#[command(name = "ztbroker", version, max_term_width = 100, disable_help_subcommand = true, after_help = AFTER_HELP)]
pub(super) struct Ztbroker {
    #[command(flatten)]
    pub(super) place: Place,
    #[command(subcommand)]
    pub(super) verb: Verb,
}

/// Where the broker is, which all verbs understand.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The broker's configuration [default: /etc/ztbroker/ztbroker.toml]
    #[arg(long, global = true, value_name = "FILE", env = "ZTBROKER_CONFIG", hide_env_values = true)]
    pub(super) config: Option<PathBuf>,
    /// The broker's state folder, instead of the one that the configuration names
    #[arg(long, global = true, value_name = "DIR", env = "ZTBROKER_STATE", hide_env_values = true)]
    pub(super) state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Run the broker
    #[command(after_help = SERVE_HELP)]
    Serve(Serve),
    /// Run a broker for trying things out, with a user and a join token, and say what to type next
    #[command(after_help = DEV_HELP)]
    Dev(Dev),
    /// Add, list and remove the people of the broker's own directory
    #[command(subcommand, after_help = USER_HELP)]
    User(User),
    /// Make, list and revoke tokens for agents and for machines
    #[command(subcommand, after_help = TOKEN_HELP)]
    Token(Token),
    /// Show what happened, prove it, hand it out
    #[command(after_help = audit::AUDIT_HELP, args_conflicts_with_subcommands = true)]
    Audit(audit::Audit),
    /// Show who is in which container now, and end a session
    #[command(subcommand, after_help = sessions::SESSIONS_HELP)]
    Sessions(sessions::Sessions),
    /// List and remove the agents that joined
    #[command(subcommand, after_help = AGENTS_HELP)]
    Agents(Agents),
    /// Show the Kubernetes clusters of the configuration, and what their agents have to be told
    #[command(subcommand, after_help = CLUSTER_HELP)]
    Cluster(Cluster),
    /// Lock people, logins, containers, agents or everything, at once and whatever the policies allow
    #[command(subcommand, after_help = lock::LOCK_HELP)]
    Lock(lock::Lock),
    /// Show and renew the keys of the certificate authorities
    #[command(subcommand, after_help = ca::CA_HELP)]
    Ca(ca::Ca),
    /// Check, test and explain policies, and put changed ones in force
    #[command(subcommand, after_help = policy::POLICY_HELP)]
    Policy(policy::Policy),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Listen at ADDR instead of where the configuration says
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) listen: Option<SocketAddr>,
    /// Be called URL by people and agents
    #[arg(long, value_name = "URL")]
    pub(super) public_url: Option<Url>,
    /// Use the policy file, or the folder of policies, at PATH
    #[arg(long, value_name = "PATH")]
    pub(super) policy: Option<PathBuf>,
    /// What is written to stderr
    #[arg(long = "log", value_enum, value_name = "LEVEL")]
    pub(super) log_level: Option<LogLevel>,
    /// Make WHAT anew although this broker has served with it: it is lost for good
    #[arg(long, value_enum, value_name = "WHAT")]
    pub(super) anew: Vec<Anew>,
}

/// What `--anew` takes; the journal's key is made anew wherever it is moved away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Anew {
    /// The keys of the certificate authorities: every agent has to join and everybody to log in again
    Ca,
    /// The database: people, tokens, locks, logins and enrolled agents
    Database,
}

impl From<Anew> for Part {
    fn from(anew: Anew) -> Self {
        match anew {
            Anew::Ca => Self::Ca,
            Anew::Database => Self::Database,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Dev {
    /// Listen at ADDR; with port 0 at any that is free
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:8443")]
    pub(super) listen: SocketAddr,
    /// Use the policy file, or the folder of policies, at PATH [default: everybody may do everything]
    #[arg(long, value_name = "PATH")]
    pub(super) policy: Option<PathBuf>,
    /// The user that is made
    #[arg(long, value_name = "NAME", default_value = "dev")]
    pub(super) user: Account,
    /// What is written to stderr
    #[arg(long = "log", value_enum, value_name = "LEVEL", default_value_t = LogLevel::Warn)]
    pub(super) log_level: LogLevel,
}

#[derive(Debug, Subcommand)]
pub(super) enum User {
    /// Add a person; the password is asked for, or read as one line from stdin
    Add {
        /// The name
        name: Account,
        /// Put the person into GROUP, which policies can name
        #[arg(long = "group", value_name = "GROUP")]
        groups: Vec<Account>,
    },
    /// List the people and their groups
    #[command(alias = "list")]
    Ls(Listing),
    /// Remove a person, with every login and session
    #[command(aliases = ["remove", "revoke"])]
    Rm {
        /// The name
        name: Account,
    },
    /// Put a person into other groups, in place of those before: logins go on, open sessions at this broker end
    Groups {
        /// The name
        name: Account,
        /// Be in GROUP from now on
        #[arg(long = "group", value_name = "GROUP", required_unless_present = "none")]
        groups: Vec<Account>,
        /// Be in no group
        #[arg(long, conflicts_with = "groups")]
        none: bool,
    },
    /// Give a person another password, which ends their logins; open sessions go on (`ztbroker lock add --user` ends them)
    Passwd {
        /// The name
        name: Account,
    },
    /// Handle the second factors of people
    #[command(subcommand)]
    Totp(Totp),
}

#[derive(Debug, Subcommand)]
pub(super) enum Totp {
    /// Take away the second factor of a person whose app and recovery codes are lost
    Reset {
        /// The name
        name: Account,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Make a token and print it, once
    Create(CreateToken),
    /// List the tokens, without their secrets
    #[command(alias = "list")]
    Ls(Listing),
    /// Revoke a token
    #[command(aliases = ["remove", "revoke"])]
    Rm {
        /// Its id, as `ztbroker token ls` shows it
        id: TokenId,
    },
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("kind").required(true).args(["join", "user"]))]
pub(super) struct CreateToken {
    /// For agents to join with
    #[arg(long)]
    pub(super) join: bool,
    /// For NAME to log in with on a machine, as ZTCTL_TOKEN
    #[arg(long, value_name = "NAME")]
    pub(super) user: Option<Account>,
    /// For how long it may be used: 90s, 5m, 8h, 30d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = moment::duration)]
    pub(super) ttl: Duration,
    /// How many agents may join
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "user")]
    pub(super) uses: u32,
    /// The cluster that the agents' containers are in, which policies can rely on
    #[arg(long, value_name = "NAME", conflicts_with = "user")]
    pub(super) cluster: Option<String>,
    /// A namespace that the agents' containers may be in, which policies can rely on; `*` for any letters
    #[arg(long = "namespace", value_name = "NAME", conflicts_with = "user")]
    pub(super) namespaces: Vec<String>,
    /// The only runtime that the agents may report: process, host, docker or kubernetes
    #[arg(long, value_name = "RUNTIME", conflicts_with = "user", value_parser = RUNTIMES)]
    pub(super) runtime: Option<String>,
    /// Allow only this action: list, shell, exec, logs, copy or forward
    #[arg(long = "action", value_name = "ACTION", conflicts_with = "join")]
    pub(super) actions: Vec<Action>,
    /// Allow only containers with such a name or app, `*` for any letters
    #[arg(long = "container", value_name = "PATTERN", conflicts_with = "join")]
    pub(super) containers: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Agents {
    /// List the agents
    #[command(alias = "list")]
    Ls(Listing),
    /// Remove an agent: it is cut off, and comes back only with a join token or, in a cluster, with its account
    #[command(aliases = ["remove", "revoke"])]
    Rm {
        /// Its id, as `ztbroker agents ls` shows it
        id: AgentId,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Cluster {
    /// List the clusters
    #[command(alias = "list")]
    Ls(Listing),
    /// Print what a cluster's agent needs to know, as variables for its environment
    Env {
        /// The cluster's name
        name: String,
    },
}

/// How a list is shown.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct Listing {
    /// For people, or for programs
    #[arg(long, short, value_enum, value_name = "FORM", default_value_t = Output::Table)]
    pub(super) output: Output,
}

/// The forms of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Columns
    Table,
    /// JSON, one object a line
    Json,
}

const AFTER_HELP: &str = "\
Examples:
  ztbroker dev
  ztbroker serve --config /etc/ztbroker/ztbroker.toml
  ztbroker user add ada --group developers
  ztbroker token create --join --uses 10 --ttl 1h

All verbs but serve, dev, policy check and policy test speak to the running broker, through a socket in its state folder.";

const SERVE_HELP: &str = "\
Examples:
  ztbroker serve --config /etc/ztbroker/ztbroker.toml
  ztbroker serve --config ztbroker.toml --log debug

SIGHUP loads the policies again, reads a renewed TLS certificate and opens the audit's files anew; what else is in the
configuration counts from the next start. SIGTERM ends the broker in order: sessions are told, the journal is complete.

GET /healthz says that it runs, GET /readyz that it can work: the database answers, the audit journal can be written.";

const DEV_HELP: &str = "\
Examples:
  ztbroker dev
  ztbroker dev --state ./state --listen 127.0.0.1:0

Without --state everything is in a temporary folder, which is removed at the end.";

const USER_HELP: &str = "\
Examples:
  ztbroker user add ada --group developers --group oncall
  printf '%s\\n' \"$PASSWORD\" | ztbroker user passwd ada
  ztbroker user totp reset ada
  ztbroker user ls
  ztbroker user rm ada";

const TOKEN_HELP: &str = "\
Examples:
  ztbroker token create --join --uses 10 --ttl 1h --cluster prod > join
  ztbroker token create --user ci --ttl 30d --action exec --container 'web-*'
  ztbroker token ls
  ztbroker token rm 0123456789abcdef";

const AGENTS_HELP: &str = "\
Examples:
  ztbroker agents ls
  ztbroker agents rm 0123456789abcdef0123456789abcdef";

const CLUSTER_HELP: &str = "\
Examples:
  ztbroker cluster ls
  ztbroker cluster env prod >deploy/kubernetes/example/ztagent.env

A cluster is a [[cluster]] of the configuration. Its agent joins by the token that the cluster makes for its service account, so that
no secret has to be handed out.";

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Ztbroker, clap::Error> {
        Ztbroker::try_parse_from(line.split(' '))
    }

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn the_broker_is_named_before_or_after_the_verb() {
        for line in ["ztbroker --config F user ls", "ztbroker user ls --config F"] {
            assert_eq!(parse(line).unwrap().place.config, Some("F".into()), "{line}");
        }
    }

    #[test]
    fn audit_shows_without_a_verb() {
        for line in
            ["ztbroker audit --since 1h", "ztbroker --state S audit verify", "ztbroker audit export --config F --until 1h"]
        {
            assert!(parse(line).is_ok(), "{line}");
        }
    }

    #[test]
    fn a_token_is_for_agents_or_for_a_user_and_a_lock_on_one_thing() {
        assert!(parse("ztbroker token create --join --uses 3 --ttl 5m").is_ok());
        for line in ["--user ada --for 1h", "--login root", "--container web-* --until 2030-01-01", "--everything --reason x"] {
            assert!(parse(&format!("ztbroker lock add {line}")).is_ok(), "{line}");
        }
        assert!(parse("ztbroker token create --user ci --action exec --container web-*").is_ok());
        for line in [
            "ztbroker token create",
            "ztbroker token create --join --user ci",
            "ztbroker token create --join --action exec",
            "ztbroker token create --user ci --cluster prod",
            "ztbroker token create --join --ttl soon",
            "ztbroker user add a/b",
            "ztbroker audit --follow verify",
            "ztbroker audit verify --part",
            "ztbroker lock add",
            "ztbroker lock add --user ada --everything",
            "ztbroker lock add --user ada --for 1h --until 2030-01-01",
            "ztbroker lock add --agent x",
            "ztbroker lock rm x",
            "ztbroker policy explain ada web moonwalk",
            "ztbroker policy test",
            "ztbroker ca rotate --now --overlap 1h",
            "ztbroker ca rotate --user --host",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
