//! The CA set: the public keys that clients and agents pin, and the statements by which it changes.
//!
//! Who has pinned a set follows to the next one by a [`Statement`] that the set's own keys have signed, and by nothing else. What is
//! here is data; who believes which statement is decided in [`ssh::statement`](crate::ssh::statement).

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The broker's certificate authorities as OpenSSH public key lines (`ssh-ed25519 AAAA…`), sorted, at least one of each.
///
/// Two authorities, so that a key which vouches for users can never vouch for hosts. More than one line each only while a
/// rotation is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaSet {
    /// Sign user certificates: agents trust these.
    pub user: Vec<String>,
    /// Sign host certificates: clients trust these.
    pub host: Vec<String>,
}

/// A set that is trusted, and how far its holder has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedCa {
    /// The number of the statement that it is from; 0 before the first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub sequence: u64,
    /// The set.
    #[serde(flatten)]
    pub set: CaSet,
}

/// That one set follows another: what the keys of the one say about the other.
///
/// A field that is not known here would not be under the signatures, so there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// Each is higher than the one before.
    pub sequence: u64,
    /// The [`fingerprint`](CaSet::fingerprint) of the set before, whose keys have signed.
    pub previous: String,
    /// The set from now on.
    pub set: CaSet,
    /// The SSHSIG in PEM, namespace [`STATEMENT_NAMESPACE`], by a user authority of the set before over [`Statement::signed_bytes`].
    pub user_signature: String,
    /// The same by a host authority: nobody who has only one of the two keys can change whom either of them vouches for.
    pub host_signature: String,
}

/// The statements that there are, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chain {
    /// The set before the first of them.
    pub base: PinnedCa,
    /// Each is about the set after the one before it. At most [`STATEMENTS`].
    #[serde(default)]
    pub statements: Vec<Statement>,
}

/// The answer of `GET /v1/ca`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaOffer {
    /// The set for clients that know no statements: the one before, as long as its keys are in use.
    #[serde(flatten)]
    pub plain: CaSet,
    /// How the set of today came about. Nothing where it never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<Chain>,
}

impl CaSet {
    /// SHA-256 over the whole set, as `SHA256:` and 64 hexadecimal digits: what a join token carries.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for (role, keys) in [("user", &self.user), ("host", &self.host)] {
            for key in keys {
                hash.update(role);
                hash.update([b' ']);
                hash.update(key);
                hash.update([b'\n']);
            }
        }
        hash.finalize().iter().fold("SHA256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
    }
}

impl From<CaSet> for PinnedCa {
    /// A set that was never rotated.
    fn from(set: CaSet) -> Self {
        Self { sequence: 0, set }
    }
}

impl Statement {
    /// What is signed: a first line that says what it is, then all that it says, a line each. The key lines must be known to be such.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let mut text = format!("ztctl ca statement 1\nsequence {}\nprevious {}\n", self.sequence, self.previous);
        for (role, keys) in [("user", &self.set.user), ("host", &self.set.host)] {
            for key in keys {
                text += &format!("{role} {key}\n");
            }
        }
        text.into_bytes()
    }

    /// The set from now on, and its place.
    pub fn pinned(&self) -> PinnedCa {
        PinnedCa { sequence: self.sequence, set: self.set.clone() }
    }
}

impl Chain {
    /// A set that never changed.
    pub fn new(base: PinnedCa) -> Self {
        Self { base, statements: Vec::new() }
    }

    /// The set of today.
    pub fn newest(&self) -> PinnedCa {
        self.statements.last().map_or_else(|| self.base.clone(), Statement::pinned)
    }

    /// The newest number.
    pub fn sequence(&self) -> u64 {
        self.statements.last().map_or(self.base.sequence, |statement| statement.sequence)
    }

    /// Every set in it, the oldest first.
    pub fn sets(&self) -> impl Iterator<Item = (u64, &CaSet)> {
        let base = std::iter::once((self.base.sequence, &self.base.set));
        base.chain(self.statements.iter().map(|statement| (statement.sequence, &statement.set)))
    }

    /// The set with this fingerprint.
    pub fn set_of(&self, fingerprint: &str) -> Option<&CaSet> {
        self.sets().map(|(_, set)| set).find(|set| set.fingerprint() == fingerprint)
    }

    /// What leads on from the set with this fingerprint; nothing where it is not in the chain.
    #[must_use]
    pub fn from(&self, fingerprint: &str) -> Option<Self> {
        let (index, (sequence, set)) = self.sets().enumerate().find(|(_, (_, set))| set.fingerprint() == fingerprint)?;
        let base = PinnedCa { sequence, set: set.clone() };
        Some(Self { base, statements: self.statements.get(index..)?.to_vec() })
    }
}

impl CaOffer {
    /// What it offers to whoever knows statements.
    pub fn into_chain(self) -> Chain {
        self.chain.unwrap_or_else(|| Chain::new(self.plain.into()))
    }
}

/// The SSHSIG namespace of a statement's signatures.
pub const STATEMENT_NAMESPACE: &str = "ca-statement@ztctl";

/// The most statements of a chain: sixteen rotations, each with its beginning and its end. One has some 1300 bytes.
pub const STATEMENTS: usize = 32;

/// The most keys of one role: two while a rotation is under way.
pub const KEYS: usize = 4;

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(name: &str) -> CaSet {
        CaSet { user: vec![format!("u{name}")], host: vec![format!("h{name}")] }
    }

    fn chain() -> Chain {
        let mut chain = Chain::new(set("0").into());
        for name in ["1", "2"] {
            let before = chain.newest();
            chain.statements.push(Statement {
                sequence: before.sequence + 1,
                previous: before.set.fingerprint(),
                set: set(name),
                user_signature: String::new(),
                host_signature: String::new(),
            });
        }
        chain
    }

    #[test]
    fn a_chain_leads_on_from_each_of_its_sets() {
        let chain = chain();
        assert_eq!((chain.sequence(), chain.newest().set), (2, set("2")));
        assert_eq!(chain.from(&set("0").fingerprint()).unwrap(), chain);
        let rest = chain.from(&set("1").fingerprint()).unwrap();
        assert_eq!((rest.base.sequence, &rest.base.set, rest.statements.len()), (1, &set("1"), 1));
        assert!(chain.from(&set("2").fingerprint()).unwrap().statements.is_empty());
        assert_eq!(chain.from("SHA256:0"), None);
    }

    #[test]
    fn who_knows_no_statements_reads_the_plain_set_and_a_plain_set_is_read_too() {
        let offer = CaOffer { plain: set("1"), chain: Some(chain()) };
        let text = serde_json::to_string(&offer).unwrap();
        assert_eq!(serde_json::from_str::<CaSet>(&text).unwrap(), set("1"));
        assert_eq!(serde_json::from_str::<CaOffer>(&text).unwrap(), offer);
        let plain: CaOffer = serde_json::from_str(&serde_json::to_string(&set("0")).unwrap()).unwrap();
        assert_eq!(plain.into_chain(), Chain::new(set("0").into()));
        let pinned = serde_json::to_string(&PinnedCa::from(set("0"))).unwrap();
        assert_eq!(pinned, serde_json::to_string(&set("0")).unwrap(), "as it was before there were statements");
    }

    #[test]
    fn what_is_not_signed_is_not_read() {
        let statement = serde_json::to_value(&chain().statements[0]).unwrap();
        let mut more = statement.clone();
        more["expires"] = 1.into();
        assert!(serde_json::from_value::<Statement>(statement).is_ok());
        assert!(serde_json::from_value::<Statement>(more).is_err());
    }
}
