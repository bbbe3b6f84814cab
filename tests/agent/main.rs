//! The agent by itself, against a broker that is thirty lines long and does what each test wants.

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod broker;
mod init;
mod sessions;
mod uplink;
