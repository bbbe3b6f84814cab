//! The agent by itself, against a broker that is thirty lines long and does what each test wants.

mod broker;
mod init;
mod sessions;
