//! The words of `ztbroker audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Listing;
use crate::moment;
use crate::proto::id::Beginning;
use crate::proto::name::Account;

#[derive(Debug, Args)]
pub(in crate::broker) struct Audit {
    #[command(subcommand)]
    pub(in crate::broker) verb: Option<AuditVerb>,
    #[command(flatten)]
    pub(in crate::broker) show: ShowAudit,
}

#[derive(Debug, Subcommand)]
pub(in crate::broker) enum AuditVerb {
    /// Verify the journal, or a file with an export or a copy of it
    #[command(after_help = VERIFY_HELP)]
    Verify(VerifyAudit),
    /// Write events out for somebody who verifies them with the public key alone
    #[command(after_help = EXPORT_HELP)]
    Export {
        /// Only from this time on: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z
        #[arg(long, value_name = "TIME", value_parser = moment::since)]
        since: Option<moment::Since>,
        /// Only what happened before this time
        #[arg(long, value_name = "TIME", value_parser = moment::since)]
        until: Option<moment::Since>,
    },
    /// Print the public key that the journal's checkpoints and exports are signed with
    Key,
    /// List the places that get copies of the journal, and how far they are
    Sinks(Listing),
}

#[derive(Debug, Args)]
pub(in crate::broker) struct VerifyAudit {
    /// An export, or a copy that a sink wrote; - for stdin [default: the broker's own journal]
    #[arg(value_name = "FILE")]
    pub(in crate::broker) file: Option<PathBuf>,
    /// A file that has a checkpoint, of which the last counts: what it signs must be there
    #[arg(long, value_name = "FILE")]
    pub(in crate::broker) checkpoint: Option<PathBuf>,
    /// The public keys to trust, as a file or as the line itself [default: the broker's own]
    #[arg(long, value_name = "FILE|LINE")]
    pub(in crate::broker) key: Option<String>,
    /// The file begins in the middle, as a sink's does after it was rotated
    #[arg(long, requires = "file")]
    pub(in crate::broker) part: bool,
    /// The file has to be an export, whose signed first line says what follows: a copy may have lost its end
    #[arg(long, requires = "file", conflicts_with = "part")]
    pub(in crate::broker) export: bool,
    #[command(flatten)]
    pub(in crate::broker) listing: Listing,
}

#[derive(Debug, Args)]
pub(in crate::broker) struct ShowAudit {
    /// Go on with what happens from now on
    #[arg(long, short, conflicts_with_all = ["since", "limit"])]
    pub(in crate::broker) follow: bool,
    /// Only what happened since: 15m, 8h, 2d ago, or a date like 2026-01-31 or 2026-01-31T09:30:00Z
    #[arg(long, value_name = "TIME", value_parser = moment::since)]
    pub(in crate::broker) since: Option<moment::Since>,
    /// Only what is about this session: its id, or how that begins, as `ztctl sessions` shows it
    #[arg(long, value_name = "ID")]
    pub(in crate::broker) session: Option<Beginning>,
    /// Only what is about this user: a name, or NAME@IDP
    #[arg(long, value_name = "NAME")]
    pub(in crate::broker) user: Option<Account>,
    /// The last N that fit
    #[arg(long, value_name = "N")]
    pub(in crate::broker) limit: Option<usize>,
    #[command(flatten)]
    pub(in crate::broker) listing: Listing,
}

impl Audit {
    /// How the answer is shown.
    pub(in crate::broker) fn listing(&self) -> Listing {
        match &self.verb {
            Some(AuditVerb::Verify(verify)) => verify.listing,
            Some(AuditVerb::Sinks(listing)) => *listing,
            _ => self.show.listing,
        }
    }
}

pub(super) const AUDIT_HELP: &str = "\
Examples:
  ztbroker audit --since 1h
  ztbroker audit --user ada --output json
  ztbroker audit --follow
  ztbroker audit verify

What the events are and how they are signed is in deploy/audit.md.";

const VERIFY_HELP: &str = "\
Examples:
  ztbroker audit verify
  ztbroker audit verify --checkpoint /mnt/worm/audit.jsonl
  ztbroker audit verify --export --key audit-key.pub january.jsonl
  ztbroker audit verify --part --key audit-key.pub audit.jsonl.1

Exit status: 0 everything is as it was written, 1 something is wrong (each fault is told with its event and line), 2 it could not be
verified. A tail that was cut shows against a later checkpoint, which is why checkpoints are sent off the host; the broker's own journal is
held against the running broker as well, or against the last checkpoint in its state folder.";

const EXPORT_HELP: &str = "\
Examples:
  ztbroker audit export >audit.jsonl
  ztbroker audit export --since 2026-01-01 --until 2026-02-01 >january.jsonl
  ztbroker audit key >audit-key.pub

The first line says which events follow and is signed. Every line is the journal's own, byte for byte.";
