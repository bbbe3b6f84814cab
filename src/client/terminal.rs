//! This machine's terminal: its modes saved, raw while a session has it, and given back as it was, whatever happens.
//!
//! | module | owns |
//! | --- | --- |
//! | [`tty`] | the device: line modes, size, suspending |
//! | [`raw`] | raw mode as a guard: drop and panic give the terminal back, the guardian does it after a SIGKILL |
//! | [`modes`] | what the remote output switched on (alternate screen, mouse, paste …) and what undoes it |
//! | [`escape`] | `~.` and its kin, for a session that answers no more |

pub mod escape;
pub mod modes;
pub mod raw;
pub mod tty;

#[cfg(test)]
mod tests;
