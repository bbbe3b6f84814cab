//! ztctl: a shell in one container, for those who may, by a certificate that lives for minutes.
//!
//! The map of the house. Three thin binaries (`src/main.rs`, `src/bin/`) call into this library; each of them needs only its
//! own feature. `client`, `broker` and `agent` never import each other: what they share is up here, and it is small.
//!
//! | module | what lives there |
//! | --- | --- |
//! | [`proto`] | what travels between the programs: bodies, error codes, ids, frames, secrets |
//! | [`ssh`] | what a ztctl certificate is: how it is built, how it is checked, which algorithms |
//! | [`transport`] | the way to the broker: TLS roots, WebSocket as a byte stream |
//! | `job` | which job has the terminal |
//! | [`pipe`] | copying both ways, half-close kept |
//! | [`harmless`] | text from elsewhere, fit for a terminal |
//! | [`glob`] | patterns for names |
//! | [`moment`] | times as text |
//! | `log` | what an operator reads on stderr |
//! | [`clock`] | the time, and the seam where a test puts its own |
//! | [`client`], [`cli`] | what the developer's program can do, and its verbs |
//! | [`broker`] | identity, policy, certificate authority, registry, relay, audit |
//! | [`agent`] | sessions beside or inside the containers |
//! | [`demo`] | all three together, on one machine |

pub mod clock;
pub mod glob;
pub mod harmless;
#[cfg(all(unix, any(feature = "client", feature = "agent")))]
mod job;
#[cfg(any(feature = "broker", feature = "agent"))]
pub mod log;
pub mod moment;
pub mod pipe;
pub mod proto;
pub mod ssh;
pub mod transport;

#[cfg(feature = "agent")]
pub mod agent;
#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "client")]
pub mod cli;
#[cfg(feature = "client")]
pub mod client;
#[cfg(feature = "demo")]
pub mod demo;

/// Runs the part of the program that it starts of itself again, if this process is one: the client's guardian, the agent's
/// trampoline, a demo container. Every `main` asks this first, before a thread or a runtime exists.
pub fn hidden_entry() -> Option<std::process::ExitCode> {
    let entry = std::env::args_os().nth(1)?;
    #[cfg(feature = "client")]
    if entry == client::guardian::ENTRY {
        return Some(client::guardian::main());
    }
    #[cfg(feature = "agent")]
    if entry == agent::trampoline::ENTRY {
        return Some(agent::trampoline::main());
    }
    #[cfg(feature = "demo")]
    if entry == demo::container::ENTRY {
        return Some(demo::container::main());
    }
    let _ = entry;
    None
}
