//! Host certificates: made for one connect, they prove that the agent's key speaks for the container that was asked for.

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::{Certificate, PublicKey};

use super::{BACKDATE, Refusal, check_common};
use crate::proto::ContainerId;
use crate::proto::name::Target;
use crate::ssh::Authorities;

/// Everything that a host certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostCertificate {
    /// The container.
    pub container: ContainerId,
    /// What the person typed for it; stock SSH clients know the host by this name.
    pub as_typed: Target,
}

impl HostCertificate {
    /// The certificate for the agent's `key`, unsigned; the window is the user certificate's.
    ///
    /// # Errors
    /// When a part cannot be encoded.
    pub fn to_builder(&self, key: &PublicKey, now: u64, lifetime: u64) -> russh::keys::ssh_key::Result<Builder> {
        let window = (now.saturating_sub(BACKDATE), now.saturating_add(lifetime));
        let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), key.key_data().clone(), window.0, window.1)?;
        builder
            .serial(rand::random::<u64>() >> 1)?
            .key_id(self.container.to_string())?
            .cert_type(CertType::Host)?
            .valid_principal(self.container.to_string())?
            .valid_principal(self.as_typed.host_name())?;
        Ok(builder)
    }

    /// Whether `certificate` proves the host that this describes, at `now`. There is no other way to accept a host.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn check(&self, certificate: &Certificate, authorities: &Authorities, now: u64) -> Result<(), Refusal> {
        check_common(certificate, CertType::Host, authorities, now)?;
        let (id, name) = (self.container.to_string(), self.as_typed.host_name());
        let principals = certificate.valid_principals();
        if !principals.contains(&id) || !principals.contains(&name) {
            return Err(Refusal::Principal);
        }
        match certificate.critical_options().keys().next() {
            Some(unknown) => Err(Refusal::UnknownOption(unknown.escape_default().to_string())),
            None => Ok(()),
        }
    }
}
