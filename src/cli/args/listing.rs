//! Arguments of `ztctl ls`.

use clap::{Args, ValueEnum};

use crate::client::select::Selector;

/// Arguments of `ztctl ls`.
#[derive(Debug, Clone, Args)]
pub struct LsArgs {
    /// Only rows that contain all of these words
    #[arg(value_name = "WORD")]
    pub filter: Vec<String>,
    /// Only rows with these labels: app=tomcat,env!=prod,team,!canary
    #[arg(long, short = 'l', value_name = "CONDITIONS")]
    pub selector: Option<Selector>,
    /// Only rows of this namespace, or Compose project
    #[arg(long, short, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The order
    #[arg(long, value_enum, default_value_t, value_name = "KEY")]
    pub sort: SortKey,
    /// Show more columns, as wide as they need
    #[arg(long)]
    pub wide: bool,
    /// Go on showing what changes, until Ctrl-C
    #[arg(long, short, conflicts_with = "output")]
    pub watch: bool,
    /// How to print
    #[arg(long, short, value_enum, default_value_t)]
    pub output: LsOutput,
}

/// In which order `ztctl ls` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum SortKey {
    /// By name
    #[default]
    Name,
    /// By what it is a replica of
    App,
    /// The youngest first
    Age,
    /// By where it runs
    Where,
    /// By what the runtime says of it
    State,
}

/// How `ztctl ls` prints.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LsOutput {
    /// Columns that fit the terminal
    #[default]
    Table,
    /// For programs; errors too
    Json,
    /// One name a line
    Name,
}
