//! The identity half as its peers see it: a broker on a port, asked over HTTP by a program and by a browser without scripts.
//!
//! Nothing here looks inside: each test would hold for any other making of the same protocol. The clock stands still unless a test
//! moves it.

mod browser;
mod device;
mod login;
mod mfa;
mod opening;
mod possession;
mod site;
mod tokens;
