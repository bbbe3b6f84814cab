//! What travels between client, broker and agent, and nothing else: this module imports none of our others.
//!
//! Two protocols: the client's ([`api`]: JSON bodies over HTTP and one upgrade) and the agent's ([`agent`]: frames on two
//! kinds of connections that the agent opens). Both are versioned together: see [`version`].

pub mod action;
pub mod agent;
pub mod api;
pub mod asking;
pub mod ca;
pub mod command;
pub mod container;
pub mod dpop;
pub mod error;
pub mod frame;
pub mod id;
pub mod join;
pub mod logs;
pub mod name;
pub mod secret;
pub mod text;
pub mod variables;
pub mod version;

pub use action::{Action, Actions};
pub use error::{ErrorBody, ErrorCode};
pub use id::{AgentId, ContainerId, RequestId, SessionId};
pub use secret::Secret;
pub use text::{Text, Textual};
pub use variables::VariableNames;
