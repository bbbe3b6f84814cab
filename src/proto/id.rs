//! Ids: 128 bits as 32 lower-case hexadecimal digits, one type per noun so that none is taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The text was not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 32 lower-case hexadecimal digits are expected")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new id: 128 bits of the operating system's randomness, so that a collision or a guess is out of reach.
            pub fn random() -> Self {
                Self(rand::random())
            }

            /// The id that `parts` always have, and no others: a SHA-256 over them, each with its length before it.
            pub fn derived(parts: &[&[u8]]) -> Self {
                let mut hash = Sha256::new();
                for part in parts {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
                let mut id = [0; 16];
                id.copy_from_slice(&hash.finalize()[..16]);
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let digits = text.as_bytes();
                if digits.len() != 32 {
                    return Err(InvalidId);
                }
                let mut id = [0; 16];
                for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
                    let [high, low] = [pair[0], pair[1]].map(nibble);
                    *byte = high.ok_or(InvalidId)? << 4 | low.ok_or(InvalidId)?;
                }
                Ok(Self(id))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

id! {
    /// One request for an approval.
    RequestId
}
id! {
    /// One container as the registry knows it: derived from its agent and the runtime's own id, so that an agent cannot claim
    /// another agent's container.
    ContainerId
}
id! {
    /// One enrolled agent: derived from its key, or from the account that it runs as.
    AgentId
}
id! {
    /// One authorised connection of one user to one container.
    SessionId
}

impl ContainerId {
    /// The id of the container that `agent` calls `runtime_id`.
    pub fn of(agent: AgentId, runtime_id: &str) -> Self {
        Self::derived(&[b"container", &agent.0, runtime_id.as_bytes()])
    }

    /// The digits that short names are cut from: the first twelve.
    pub fn short(&self) -> String {
        let mut digits = self.to_string();
        digits.truncate(12);
        digits
    }
}

impl AgentId {
    /// The id of the agent with this key (the public key in SSH wire form).
    pub fn of_key(key: &[u8]) -> Self {
        Self::derived(&[b"agent", key])
    }

    /// The id of the agent that runs as this service account of a cluster, whatever its key is.
    pub fn of_workload(cluster: &str, namespace: &str, service_account: &str) -> Self {
        Self::derived(&[b"workload", cluster.as_bytes(), namespace.as_bytes(), service_account.as_bytes()])
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_back_what_it_prints() {
        let id = SessionId::random();
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn refuses_other_lengths_cases_and_letters() {
        for text in ["", "00", &"0".repeat(31), &"0".repeat(33), &"A".repeat(32), &"g".repeat(32), &"é".repeat(16)] {
            assert_eq!(text.parse::<ContainerId>(), Err(InvalidId), "{text}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(ContainerId::derived(&[b"ab", b"c"]), ContainerId::derived(&[b"a", b"bc"]));
    }
}
