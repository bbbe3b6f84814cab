//! This process's own streams: [`Input`] is standard input as raw bytes, [`Writer`] standard output or standard error.
//!
//! They are shared with whoever started us, so nothing about them is changed.

#[cfg(any(windows, test, fuzzing))]
pub(super) mod text;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use system::{Input, Writer, is_hang_up};
#[cfg(windows)]
pub(crate) use windows::{Console, is_console};

/// The most bytes of one read: one SSH packet of ours, two of the usual size.
const CHUNK: usize = 64 * 1024;
