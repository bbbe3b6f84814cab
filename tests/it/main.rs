//! The stories, one file each, over a [`world`] in one process or a [`stack`] of three; and the real peers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs, unreachable_pub)]

mod attacks;
mod browser;
mod cluster;
mod copying;
mod demo;
mod deployed;
mod dock;
mod docker;
mod failures;
mod forwarding;
mod generated;
mod host;
mod impostor;
mod keyring;
mod kubernetes;
mod layering;
mod listing;
mod login;
mod nginx;
mod openssh;
mod peer;
mod pty;
mod same;
mod screen;
mod secrets;
mod serving;
mod sessions;
mod stack;
mod standing;
mod stock;
mod surroundings;
mod tomcat;
mod workload;
mod world;
