//! Arguments of `ztctl totp`.

use clap::{Args, Subcommand};

use super::DataOutput;

/// Arguments of `ztctl totp`.
#[derive(Debug, Clone, Args)]
pub struct TotpArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: TotpVerb,
}

/// What can be done about a second factor.
#[derive(Debug, Clone, Subcommand)]
pub enum TotpVerb {
    /// Set up a second factor: a QR code for an authenticator app, and recovery codes
    #[command(alias = "enrol")]
    Enroll,
    /// Show whether there is one, and how many recovery codes are left
    Status {
        /// How to print
        #[arg(long, short, value_enum, default_value_t)]
        output: DataOutput,
    },
    /// Show a second factor now, before a policy asks for it
    Verify,
    /// Make new recovery codes, in place of those that are left
    RecoveryCodes,
    /// Take the second factor away
    Remove,
}
