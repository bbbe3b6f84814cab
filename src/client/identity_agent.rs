//! An SSH agent for one stock `ssh`: it offers one certificate, and makes one signature with a key that is in this process's memory and
//! nowhere else.
//!
//! OpenSSH reads identities from files before its `ProxyCommand` runs, but asks its agent only after the key exchange: so the command is
//! the agent. One name in the file system serves all connections of a person, however many run at one time. The process that started last
//! has it, and passes on whoever is another's: the kernel says which process calls, and that is the `ssh` whose command we are.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{EXISTS, IdentityAgent};

/// The name that `IdentityAgent` of the configuration has.
pub const NAME: &str = "agent";
