//! None: OpenSSH for Windows asks its agent by a named pipe, which every user of the machine may make first, and knows no names in a folder.

use std::io;
use std::path::Path;

use russh::keys::ssh_key::Certificate;

use crate::ssh::PrivateKey;

/// Whether there is one on this system.
pub const EXISTS: bool = false;

/// There is none.
#[derive(Debug)]
pub enum IdentityAgent {}

impl IdentityAgent {
    /// None.
    ///
    /// # Errors
    /// Always, `Unsupported`.
    pub fn of_parent(_folder: &Path, _key: PrivateKey, _certificate: &Certificate) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called, as there is none.
    pub async fn serve(self, _ended: impl Future<Output = ()>) {
        match self {}
    }
}
