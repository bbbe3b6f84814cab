//! What the figures are taken from: our own three programs and their peers.

pub mod ours;
pub mod peers;
#[path = "../../tests/it/stack.rs"]
#[allow(dead_code)]
mod stack;
