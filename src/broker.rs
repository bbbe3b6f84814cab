//! The broker: the trust point. It knows the people, decides by policy, signs certificates for what was decided, and carries the
//! bytes of a session that it cannot read.
//!
//! This file owns the table of its parts, the state that they share, and the opening and serving of the whole.
//! Identity (`store`, `identity`, `oauth`, `pages`, `rate`) and access (`policy`, `ca`, `registry`, `agents`, `connect`, `relay`) meet
//! only in [`State`]; `http` is the table of routes.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;

mod admin;
mod agents;
pub mod args;
mod audit;
mod ca;
pub mod commands;
mod config;
mod connect;
mod http;
mod identity;
mod list;
mod oauth;
mod pages;
mod policy;
mod rate;
mod registry;
mod relay;
mod state_folder;
mod store;
mod tls;

pub use admin::Admin;
pub use config::{Config, ConfigError};

/// What the parts of the broker share. In an `Arc` everywhere.
pub(crate) struct State {
    pub(crate) config: Config,
    pub(crate) clock: Clock,
    pub(crate) store: store::Store,
    pub(crate) journal: audit::Journal,
    pub(crate) policies: policy::Policies,
    pub(crate) ca: ca::Authority,
    pub(crate) registry: registry::Registry,
    pub(crate) agents: agents::Agents,
    pub(crate) sessions: Arc<relay::Sessions>,
    pub(crate) directory: identity::Directory,
    pub(crate) limits: rate::Limits,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tls_root: Option<tls::Root>,
}
