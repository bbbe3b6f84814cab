//! Tokens in the Linux kernel's persistent keyring: shared by all sessions of one user, never on a disk, gone at a restart or
//! three days after the last use.
//!
//! By direct calls: libraries add to the *session* keyring, which a root shell, cron and a container do not have.

use super::{Credential, CredentialStore, StoreError};

/// The kernel's persistent keyring.
#[derive(Debug, Clone)]
pub struct KernelStore {
    description: String,
}

impl KernelStore {
    /// The key of this name.
    pub fn new(entry: &str) -> Self {
        Self { description: format!("ztctl:{entry}") }
    }
}

impl CredentialStore for KernelStore {
    fn load(&self) -> Result<Option<Credential>, StoreError> {
        calls::load(&self.description)
    }

    fn store(&self, credential: &Credential) -> Result<(), StoreError> {
        calls::store(&self.description, credential)
    }

    fn delete(&self) -> Result<(), StoreError> {
        calls::delete(&self.description)
    }

    fn describe(&self) -> String {
        "the kernel's keyring (until a restart, or three days unused)".to_owned()
    }
}

#[cfg(target_os = "linux")]
mod calls {
    use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};

    use super::super::{LIMIT, decode, encode};
    use super::{Credential, StoreError};

    pub(super) fn load(description: &str) -> Result<Option<Credential>, StoreError> {
        let Some(key) = search(description)? else { return Ok(None) };
        let mut text = zeroize::Zeroizing::new(vec![0; LIMIT]);
        let length = key.read(&mut *text).map_err(unavailable)?;
        decode(text.get(..length).unwrap_or_default(), "the kernel's keyring").map(Some)
    }

    pub(super) fn store(description: &str, credential: &Credential) -> Result<(), StoreError> {
        let key = ring()?.add_key(description, encode(credential)?.expose()).map_err(unavailable)?;
        // The user's own processes may do all with it, whichever session they are of; others nothing.
        let permissions = KeyPermissionsBuilder::builder().posessor(Permission::ALL).user(Permission::ALL).build();
        key.set_perms(permissions).map_err(unavailable)
    }

    pub(super) fn delete(description: &str) -> Result<(), StoreError> {
        match search(description)? {
            Some(key) => key.invalidate().map_err(unavailable),
            None => Ok(()),
        }
    }

    fn search(description: &str) -> Result<Option<Key>, StoreError> {
        match ring()?.search(description) {
            Ok(key) => Ok(Some(key)),
            Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(None),
            Err(error) => Err(unavailable(error)),
        }
    }

    /// The user's persistent keyring, linked to this process's own so that it may be searched.
    fn ring() -> Result<KeyRing, StoreError> {
        KeyRing::from_special_id(KeyRingIdentifier::Process, true)
            .and_then(|_| KeyRing::get_persistent(KeyRingIdentifier::Process))
            .map_err(unavailable)
    }

    fn unavailable(error: KeyError) -> StoreError {
        StoreError::Unavailable(format!("the kernel's keyring cannot be used: {error}"))
    }
}

#[cfg(not(target_os = "linux"))]
mod calls {
    use super::{Credential, StoreError};

    pub(super) fn load(_: &str) -> Result<Option<Credential>, StoreError> {
        Err(only_linux())
    }

    pub(super) fn store(_: &str, _: &Credential) -> Result<(), StoreError> {
        Err(only_linux())
    }

    pub(super) fn delete(_: &str) -> Result<(), StoreError> {
        Err(only_linux())
    }

    fn only_linux() -> StoreError {
        StoreError::Unavailable("only Linux has a kernel keyring".to_owned())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::super::tests::credential;
    use super::*;

    #[test]
    fn what_the_kernel_takes_it_gives_back_and_forgets() {
        let store = KernelStore::new(&format!("https://{:016x}.example.com", rand::random::<u64>()));
        match store.store(&credential("a", "r", 7)) {
            // Under a container engine's seccomp there is none; then that is said, and nothing else happens.
            Err(StoreError::Unavailable(_)) => assert!(store.load().is_err()),
            result => {
                result.unwrap();
                assert_eq!(store.load().unwrap().unwrap().refresh_token.expose(), "r");
                store.store(&credential("a", "s", 7)).unwrap();
                assert_eq!(store.load().unwrap().unwrap().refresh_token.expose(), "s");
                store.delete().unwrap();
                assert!(store.load().unwrap().is_none());
            }
        }
    }
}
