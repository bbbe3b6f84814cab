//! What the other side's modes and links are on this system.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub(super) use system::{
    create_new, link, link_target, make_folder, mode, open, open_folder, resemble, set_mode, write_protect,
};

/// A mode by which the group may do no more than everybody.
pub(super) fn without_group(mode: u32) -> u32 {
    mode & 0o707 | (mode & 0o007) << 3
}
