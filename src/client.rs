//! What the client can do without a dialogue: the broker's API, the login, the tokens at rest, the session and the terminal.
//!
//! Nothing in here prints, reads the environment or looks for a home directory: [`cli`](crate::cli) passes all that in.

pub mod api;
pub mod ca_pin;
pub mod config;
pub mod copy;
pub mod credential;
pub mod dpop;
#[cfg(fuzzing)]
pub mod fuzzing;
pub mod guardian;
pub mod http;
pub mod identity_agent;
pub mod names;
pub mod oauth;
pub mod paths;
pub mod private;
pub mod process;
pub mod resolve;
pub mod select;
pub mod session;
pub mod signals;
pub mod stdio;
pub mod terminal;
pub mod tokens;
pub mod trace;
