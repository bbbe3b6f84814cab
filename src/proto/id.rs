//! Ids: 128 bits as 32 lower-case hexadecimal digits, one type per noun so that none is taken for another.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// The text was not 32 lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id: 32 lower-case hexadecimal digits are expected")]
pub struct InvalidId;

/// 32 lower-case hexadecimal digits, on the stack: lists have thousands of ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digits([u8; 32]);

impl Digits {
    fn of(id: [u8; 16]) -> Self {
        let mut digits = [0; 32];
        for (pair, byte) in digits.chunks_exact_mut(2).zip(id) {
            pair.copy_from_slice(&[byte >> 4, byte & 15].map(digit));
        }
        Self(digits)
    }

    /// The digits as text.
    pub fn as_str(&self) -> &str {
        // Digits are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// Reads an id out of a text that nobody copies.
struct Hexadecimal<T>(PhantomData<T>);

impl<T: FromStr<Err = InvalidId>> Visitor<'_> for Hexadecimal<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("32 lower-case hexadecimal digits")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

fn digit(nibble: u8) -> u8 {
    b"0123456789abcdef"[usize::from(nibble & 15)]
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

            /// The id's text.
            pub fn digits(&self) -> Digits {
                Digits::of(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.digits().as_str())
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

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.digits().as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str(Hexadecimal(PhantomData))
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

/// The first digits of an id, as tables show them: 8 to 32, so that a journal of many thousands has one that begins so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Beginning(String);

/// The text was no beginning of an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the beginning of an id: 8 to 32 lower-case hexadecimal digits are expected")]
pub struct InvalidBeginning;

impl Beginning {
    /// Whether an id with these digits begins so.
    pub fn begins(&self, digits: &Digits) -> bool {
        digits.as_str().starts_with(&self.0)
    }
}

impl FromStr for Beginning {
    type Err = InvalidBeginning;

    fn from_str(text: &str) -> Result<Self, InvalidBeginning> {
        let fits = (8..=32).contains(&text.len()) && text.bytes().all(|digit| nibble(digit).is_some());
        fits.then(|| Self(text.to_owned())).ok_or(InvalidBeginning)
    }
}

impl TryFrom<String> for Beginning {
    type Error = InvalidBeginning;

    fn try_from(text: String) -> Result<Self, InvalidBeginning> {
        text.parse()
    }
}

impl From<Beginning> for String {
    fn from(beginning: Beginning) -> Self {
        beginning.0
    }
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl ContainerId {
    /// The id of the container that `agent` calls `runtime_id`.
    pub fn of(agent: AgentId, runtime_id: &str) -> Self {
        Self::derived(&[b"container", &agent.0, runtime_id.as_bytes()])
    }

    /// With how many digits both begin.
    pub fn shared_digits(self, other: Self) -> usize {
        let differ = u128::from_be_bytes(self.0) ^ u128::from_be_bytes(other.0);
        differ.leading_zeros() as usize / 4
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
    fn digits_are_shared_from_the_beginning() {
        let shared = |a: &str, b: &str| {
            let [a, b] = [a, b].map(|digits| format!("{digits:0<32}").parse::<ContainerId>().unwrap());
            a.shared_digits(b)
        };
        assert_eq!([shared("7f9a", "7f9b"), shared("0", "8"), shared("1", "0"), shared("a1", "a1")], [3, 0, 0, 32]);
    }

    #[test]
    fn an_id_is_known_by_its_beginning() {
        let id: SessionId = "7f9c01ab".repeat(4).parse().unwrap();
        let begins = |text: &str| text.parse().map(|beginning: Beginning| beginning.begins(&id.digits()));
        assert_eq!([begins("7f9c01ab"), begins("7f9c01ab7f9c"), begins("7f9c01ac")], [Ok(true), Ok(true), Ok(false)]);
        assert_eq!(begins(id.digits().as_str()), Ok(true));
        for text in ["", "7f9c01a", "7F9C01AB", "7f9c01ag", &"0".repeat(33)] {
            assert_eq!(begins(text), Err(InvalidBeginning), "{text}");
        }
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(ContainerId::derived(&[b"ab", b"c"]), ContainerId::derived(&[b"a", b"bc"]));
    }
}
