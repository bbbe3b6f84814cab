//! The protocol's version, and what a mismatch says.
//!
//! Version n works with n − 1: a side states the newest that it speaks, the other answers with the newest that both do.

/// The newest version that this program speaks.
pub const PROTOCOL: u32 = 1;

/// The oldest version that this program still speaks.
pub const OLDEST: u32 = 1;

/// This program's own version, for people.
pub const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The `Upgrade` token of a client's connect.
pub const CONNECT_UPGRADE: &str = "ztctl/1";

/// The `Upgrade` token of an agent's connections.
pub const AGENT_UPGRADE: &str = "ztctl-agent/1";

/// The sub-protocol that goes with `Upgrade: websocket` for either.
pub const WEBSOCKET_PROTOCOL: &str = "ztctl.v1";

/// The two sides have no version in common.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("protocol {theirs} is spoken there, {OLDEST} to {PROTOCOL} here (ztctl {PROGRAM}): upgrade the older side")]
pub struct Mismatch {
    /// The newest version of the other side.
    pub theirs: u32,
}

/// The version that both sides speak when the other's newest is `theirs`.
///
/// # Errors
/// [`Mismatch`] when the other side is too old, or says a version that there never was.
pub fn negotiate(theirs: u32) -> Result<u32, Mismatch> {
    let version = theirs.min(PROTOCOL);
    if version < OLDEST { Err(Mismatch { theirs }) } else { Ok(version) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newer_sides_come_down_and_older_ones_are_named() {
        assert_eq!(negotiate(PROTOCOL + 1), Ok(PROTOCOL));
        assert_eq!(negotiate(PROTOCOL), Ok(PROTOCOL));
        let refused = negotiate(OLDEST - 1).unwrap_err().to_string();
        assert!(refused.contains("protocol 0") && refused.contains("1 to 1"), "{refused}");
    }
}
