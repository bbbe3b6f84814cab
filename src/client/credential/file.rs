//! Tokens in a file: 0600 in a 0700 folder, replaced as a whole.

use std::path::PathBuf;

use super::{Credential, CredentialStore, LIMIT, StoreError, decode, encode};
use crate::client::private::{self, Guard};
use crate::proto::Secret;

/// The last resort: a file.
#[derive(Debug, Clone)]
pub struct FileStore {
    path: PathBuf,
}

impl FileStore {
    /// The file at `path`.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl CredentialStore for FileStore {
    fn load(&self) -> Result<Option<Credential>, StoreError> {
        let Some(text) = private::read(&self.path, Guard::Secret, LIMIT as u64)?.map(Secret::new) else { return Ok(None) };
        decode(text.expose(), &self.path.display().to_string()).map(Some)
    }

    fn ready(&self) -> Result<(), StoreError> {
        Ok(private::try_write(&self.path, Guard::Secret)?)
    }

    fn store(&self, credential: &Credential) -> Result<(), StoreError> {
        Ok(private::write(&self.path, Guard::Secret, encode(credential)?.expose())?)
    }

    fn delete(&self) -> Result<(), StoreError> {
        Ok(private::remove(&self.path)?)
    }

    fn describe(&self) -> String {
        format!("a file that can be copied: {}", self.path.display())
    }
}
