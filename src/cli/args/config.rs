//! Arguments of `ztctl config`.

use clap::{Args, Subcommand, ValueEnum};

use super::DataOutput;
use crate::client::config::ProfileName;

/// Arguments of `ztctl config`.
#[derive(Debug, Clone, Args)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

/// What can be done with the configuration.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigVerb {
    /// Show every setting, its value, and where that comes from
    #[command(after_help = "EXAMPLES\n  ztctl config show\n  ztctl config show --output json")]
    Show {
        /// How to print
        #[arg(long, short, value_enum, default_value_t)]
        output: DataOutput,
    },
    /// List the profiles: the brokers that this machine knows
    #[command(after_help = "EXAMPLES\n  ztctl config profiles\n  ztctl config profiles --output json")]
    Profiles {
        /// How to print
        #[arg(long, short, value_enum, default_value_t)]
        output: DataOutput,
    },
    /// Mean this profile whenever none is named
    #[command(after_help = "EXAMPLES\n  ztctl config use prod")]
    Use {
        /// The profile
        #[arg(value_name = "PROFILE")]
        name: ProfileName,
    },
    /// Write a setting into the configuration
    #[command(after_help = "EXAMPLES\n  ztctl config set escape none\n  ztctl config set color never")]
    Set {
        /// The setting
        #[arg(value_enum)]
        key: SettingKey,
        /// Its value
        value: String,
    },
    /// Take a setting out of the configuration
    #[command(after_help = "EXAMPLES\n  ztctl config unset escape")]
    Unset {
        /// The setting
        #[arg(value_enum)]
        key: SettingKey,
    },
    /// Give a profile another name
    #[command(after_help = "EXAMPLES\n  ztctl config rename broker.example.com prod")]
    Rename {
        /// The profile
        #[arg(value_name = "PROFILE")]
        old: ProfileName,
        /// Its new name
        #[arg(value_name = "NAME")]
        new: ProfileName,
    },
    /// Forget a broker at which there is no login any more
    #[command(after_help = "EXAMPLES\n  ztctl config remove old")]
    Remove {
        /// The profile
        #[arg(value_name = "PROFILE")]
        name: ProfileName,
    },
}

/// The settings that the configuration can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SettingKey {
    /// The profile that is meant when none is named
    Profile,
    /// When to use colour: auto, always, never
    Color,
    /// The key that begins an escape in a session, or none
    Escape,
    /// Where a login keeps its tokens: keyring, kernel, file
    Store,
    /// Whether to log in with a code also where there is a browser: true, false
    Device,
}
