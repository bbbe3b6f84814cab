//! What a ztctl certificate is (DESIGN §6): the profile that the broker builds and the checks that both ends make.
//!
//! [`user`] opens one door for one person for one session; [`host`] proves which container is behind the door. Building is here,
//! signing is not: only the broker's CA signs, and only for a grant.

pub mod host;
pub mod user;

#[cfg(test)]
mod tests;

use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::{Algorithm, Certificate};

use super::Authorities;

/// How long before its making a certificate is valid: two clocks may differ by so much.
pub const BACKDATE: u64 = 30;

/// How long a certificate opens the door, unless the broker's configuration says otherwise: one round trip and the SSH
/// handshake need seconds, the rest is for clocks.
pub const LIFETIME: u64 = 120;

/// The longest that it may be configured to.
pub const MAX_LIFETIME: u64 = 300;

/// Why a certificate is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not signed by an authority that is trusted here, or changed after it was signed.
    #[error("it is not signed by the authority that is trusted here")]
    Authority,
    /// Before or after its window. `now` and the window are seconds since 1970.
    #[error("it is valid from {after} to {before} and the time here is {now}")]
    Window {
        /// The time here.
        now: u64,
        /// Its first second.
        after: u64,
        /// The first second after it.
        before: u64,
    },
    /// Valid for longer than any certificate of ours.
    #[error("it is valid for longer than {MAX_LIFETIME} seconds")]
    TooLong,
    /// A host certificate where a user's is needed, or the other way round.
    #[error("it is of the wrong type")]
    Type,
    /// A key or a signature that is not Ed25519.
    #[error("it does not use Ed25519")]
    Algorithm,
    /// It is for another login or another container, or for nobody in particular.
    #[error("it is for another login or container")]
    Principal,
    /// A restriction that this version does not know, so cannot enforce.
    #[error("it has a restriction that is not known here: {0}")]
    UnknownOption(String),
    /// A restriction that every ztctl certificate has and this one has not.
    #[error("it lacks {0}")]
    MissingOption(&'static str),
    /// A restriction that cannot be read.
    #[error("its {0} cannot be read")]
    MalformedOption(&'static str),
    /// The session's deadline has passed.
    #[error("its session is over")]
    Deadline,
}

/// The checks that both kinds share: the authority and its signature, the window, the type, the algorithms.
fn check_common(certificate: &Certificate, kind: CertType, authorities: &Authorities, now: u64) -> Result<(), Refusal> {
    if certificate.algorithm() != Algorithm::Ed25519 || certificate.signature_key().algorithm() != Algorithm::Ed25519 {
        return Err(Refusal::Algorithm);
    }
    if certificate.cert_type() != kind {
        return Err(Refusal::Type);
    }
    // The signature first and the window by ourselves, so that a wrong clock is told apart from a wrong authority. At
    // `valid_after` ssh-key sees a certificate inside its window, whatever the time is.
    let (after, before) = (certificate.valid_after(), certificate.valid_before());
    if before <= after {
        return Err(Refusal::Window { now, after, before });
    }
    certificate.validate_at(after, authorities.fingerprints()).map_err(|_| Refusal::Authority)?;
    if now < after || now >= before {
        return Err(Refusal::Window { now, after, before });
    }
    if before - after > MAX_LIFETIME + BACKDATE {
        return Err(Refusal::TooLong);
    }
    Ok(())
}
