//! Which statement about the certificate authorities is believed: one that the keys of the pinned set have signed, for the set that
//! comes after it, and no other.
//!
//! Each statement names the set before by its fingerprint, so that none can be left out, swapped or taken back; the numbers tell a set
//! that was taken back from one that nothing leads to.

use russh::keys::ssh_key::{HashAlg, LineEnding, SshSig};

use super::{PrivateKey, public_key, public_line};
use crate::proto::ca::{CaSet, Chain, KEYS, PinnedCa, STATEMENT_NAMESPACE, Statement};

/// Why the pinned set stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotFollowed {
    /// What is offered is older than what is pinned.
    #[error("what is offered (statement {offered}) is older than what is trusted here (statement {pinned})")]
    Rollback {
        /// The number here.
        pinned: u64,
        /// The number there.
        offered: u64,
    },
    /// The pinned set is not among those that it tells of.
    #[error("no statement leads to them from the authorities that are trusted here")]
    NoWay,
    /// A statement is not about the set after the one before it.
    #[error("its statement {0} is out of order")]
    Order(u64),
    /// A statement's set is not one of two sorts of keys.
    #[error("its statement {0} has no usable set of keys")]
    Set(u64),
    /// A statement is not signed by both authorities of the set before.
    #[error("its statement {0} is not signed by both of the authorities before it")]
    Signature(u64),
}

/// The statement that `set` comes after `before`, signed by a user authority and a host authority of `before`.
///
/// # Errors
/// [`NotFollowed`] when nobody would follow it: the keys are not those of `before`, or `set` is none.
pub fn sign(before: &PinnedCa, set: CaSet, user: &PrivateKey, host: &PrivateKey) -> Result<Statement, NotFollowed> {
    let (user_signature, host_signature) = (String::new(), String::new());
    let sequence = before.sequence.saturating_add(1);
    let mut statement = Statement { sequence, previous: before.set.fingerprint(), set, user_signature, host_signature };
    let bytes = statement.signed_bytes();
    let by = |key: &PrivateKey| {
        key.sign(STATEMENT_NAMESPACE, HashAlg::Sha512, &bytes)
            .and_then(|signature| signature.to_pem(LineEnding::LF))
            .map_err(|_| NotFollowed::Signature(sequence))
    };
    (statement.user_signature, statement.host_signature) = (by(user)?, by(host)?);
    step(before, &statement)?;
    Ok(statement)
}

/// Where `chain` leads to from `pinned`: the same set where there is nothing newer.
///
/// # Errors
/// [`NotFollowed`]: `pinned` stays.
pub fn follow(pinned: &PinnedCa, chain: &Chain) -> Result<PinnedCa, NotFollowed> {
    let way = chain.from(&pinned.set.fingerprint()).ok_or_else(|| match chain.sequence() {
        offered if offered < pinned.sequence => NotFollowed::Rollback { pinned: pinned.sequence, offered },
        _ => NotFollowed::NoWay,
    })?;
    way.statements.iter().try_fold(pinned.clone(), |at, statement| step(&at, statement))
}

/// The same from the set of which only the fingerprint is pinned. What the chain says about that set's number is not believed: only a
/// signed number counts.
///
/// # Errors
/// [`NotFollowed`].
pub fn follow_from(fingerprint: &str, chain: &Chain) -> Result<PinnedCa, NotFollowed> {
    let set = chain.set_of(fingerprint).ok_or(NotFollowed::NoWay)?;
    check_set(set).ok_or(NotFollowed::Set(0))?;
    follow(&set.clone().into(), chain)
}

fn step(before: &PinnedCa, statement: &Statement) -> Result<PinnedCa, NotFollowed> {
    let number = statement.sequence;
    if number <= before.sequence || statement.previous != before.set.fingerprint() {
        return Err(NotFollowed::Order(number));
    }
    check_set(&statement.set).ok_or(NotFollowed::Set(number))?;
    let bytes = statement.signed_bytes();
    let signed = is_signed(&before.set.user, &bytes, &statement.user_signature)
        && is_signed(&before.set.host, &bytes, &statement.host_signature);
    if signed { Ok(statement.pinned()) } else { Err(NotFollowed::Signature(number)) }
}

/// Sorted lines of keys in their one form, some of each role and none of both.
fn check_set(set: &CaSet) -> Option<()> {
    for lines in [&set.user, &set.host] {
        let sorted = lines.is_sorted_by(|one, next| one < next);
        if lines.is_empty() || lines.len() > KEYS || !sorted {
            return None;
        }
        for line in lines {
            let plain = public_line(&public_key(line).ok()?).ok()?;
            (plain == *line).then_some(())?;
        }
    }
    (!set.user.iter().any(|line| set.host.contains(line))).then_some(())
}

fn is_signed(keys: &[String], bytes: &[u8], signature: &str) -> bool {
    let Ok(signature) = SshSig::from_pem(signature) else { return false };
    let keys = keys.iter().filter_map(|line| public_key(line).ok());
    keys.into_iter().any(|key| key.verify(STATEMENT_NAMESPACE, bytes, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh::new_key;

    struct Keys {
        user: PrivateKey,
        host: PrivateKey,
    }

    impl Keys {
        fn new() -> Self {
            Self { user: new_key().unwrap(), host: new_key().unwrap() }
        }
    }

    fn set_of(keys: &[&Keys]) -> CaSet {
        let lines = |role: fn(&Keys) -> &PrivateKey| {
            let mut lines: Vec<String> = keys.iter().map(|keys| public_line(role(keys).public_key()).unwrap()).collect();
            lines.sort_unstable();
            lines
        };
        CaSet { user: lines(|keys| &keys.user), host: lines(|keys| &keys.host) }
    }

    /// A chain of two rotations, and the keys of its sets: old, old and new, new, new and newest, newest.
    fn history() -> (Chain, [Keys; 3]) {
        let keys = [Keys::new(), Keys::new(), Keys::new()];
        let mut chain = Chain::new(set_of(&[&keys[0]]).into());
        for (signer, sets) in [(0, &[0, 1][..]), (1, &[1]), (1, &[1, 2]), (2, &[2])] {
            let set = set_of(&sets.iter().map(|index| &keys[*index]).collect::<Vec<_>>());
            let by = &keys[signer];
            chain.statements.push(sign(&chain.newest(), set, &by.user, &by.host).unwrap());
        }
        (chain, keys)
    }

    #[test]
    fn a_chain_is_followed_from_wherever_one_is() {
        let (chain, keys) = history();
        for (sequence, set) in chain.sets() {
            let pinned = PinnedCa { sequence, set: set.clone() };
            assert_eq!(follow(&pinned, &chain).unwrap(), chain.newest());
            // By the fingerprint alone, but a number that nobody signed is not believed.
            let reached = follow_from(&set.fingerprint(), &chain).unwrap();
            assert_eq!(reached.set, chain.newest().set);
            assert_eq!(reached.sequence, if sequence == 4 { 0 } else { 4 });
        }
        assert_eq!(chain.newest(), PinnedCa { sequence: 4, set: set_of(&[&keys[2]]) });
    }

    #[test]
    fn what_is_older_or_from_elsewhere_is_refused() {
        let ((chain, _), (other, _)) = (history(), history());
        let mut old = chain.clone();
        old.statements.truncate(1);
        assert_eq!(follow(&chain.newest(), &old), Err(NotFollowed::Rollback { pinned: 4, offered: 1 }));
        assert_eq!(follow(&chain.newest(), &other), Err(NotFollowed::NoWay));
        assert_eq!(follow_from(&chain.newest().set.fingerprint(), &other), Err(NotFollowed::NoWay));
        // One's own set at the beginning of somebody else's chain.
        let mut grafted = Chain::new(chain.newest());
        grafted.statements.push(Statement {
            previous: chain.newest().set.fingerprint(),
            sequence: 5,
            ..other.statements[0].clone()
        });
        assert_eq!(follow(&chain.newest(), &grafted), Err(NotFollowed::Signature(5)));
    }

    #[test]
    fn statements_that_are_swapped_left_out_or_repeated_are_refused() {
        let (chain, _) = history();
        let changed = |change: fn(&mut Vec<Statement>)| {
            let mut chain = chain.clone();
            change(&mut chain.statements);
            follow(&chain.base.clone(), &chain).unwrap_err()
        };
        assert_eq!(changed(|all| all.swap(0, 1)), NotFollowed::Order(2));
        assert_eq!(changed(|all| drop(all.remove(1))), NotFollowed::Order(3));
        assert_eq!(changed(|all| all.insert(1, all[0].clone())), NotFollowed::Order(1));
        assert_eq!(changed(|all| all[0].sequence = 0), NotFollowed::Order(0));
        assert_eq!(changed(|all| all[0].sequence = 7), NotFollowed::Signature(7), "the number is signed");
    }

    #[test]
    fn a_forged_statement_is_refused() {
        let (chain, keys) = history();
        let (pinned, thief) = (chain.newest(), Keys::new());
        let theirs = set_of(&[&thief]);
        let [old, _, newest] = &keys;
        // Whoever has one of the two keys, the keys of before, or none of them.
        for (user, host) in [
            (&newest.user, &thief.host),
            (&thief.user, &newest.host),
            (&thief.user, &thief.host),
            (&old.user, &old.host),
            (&newest.host, &newest.user),
            (&newest.user, &newest.user),
        ] {
            assert_eq!(sign(&pinned, theirs.clone(), user, host), Err(NotFollowed::Signature(5)));
        }
        let good = sign(&pinned, theirs, &newest.user, &newest.host).unwrap();
        let refused = |change: &dyn Fn(&mut Statement)| {
            let mut statement = good.clone();
            change(&mut statement);
            follow(&pinned, &Chain { base: pinned.clone(), statements: vec![statement] }).unwrap_err()
        };
        let mine = set_of(&[&Keys::new()]);
        assert_eq!(refused(&|it| it.set = mine.clone()), NotFollowed::Signature(5));
        assert_eq!(refused(&|it| std::mem::swap(&mut it.user_signature, &mut it.host_signature)), NotFollowed::Signature(5));
        assert_eq!(refused(&|it| it.user_signature = "garbage".into()), NotFollowed::Signature(5));
        // A signature of the same keys over something else, even over the same bytes.
        let bytes = good.signed_bytes();
        let other = newest.user.sign("agent@ztctl", HashAlg::Sha512, &bytes).unwrap().to_pem(LineEnding::LF).unwrap();
        assert_eq!(refused(&|it| it.user_signature.clone_from(&other)), NotFollowed::Signature(5));
    }

    #[test]
    fn a_set_that_mixes_the_roles_or_is_none_is_refused_whoever_signed_it() {
        let (before, next) = (Keys::new(), Keys::new());
        let pinned = PinnedCa::from(set_of(&[&before]));
        let good = set_of(&[&next]);
        let refused = |change: &dyn Fn(&mut CaSet)| {
            let mut set = good.clone();
            change(&mut set);
            assert_eq!(sign(&pinned, set, &before.user, &before.host), Err(NotFollowed::Set(1)));
        };
        refused(&|set| set.host.clone_from(&set.user));
        refused(&|set| set.user.clear());
        refused(&|set| set.user.push(set.user[0].clone()));
        refused(&|set| set.user[0] += " comment");
        refused(&|set| set.user[0] += "\nhost x");
        refused(&|set| set.user = vec!["ssh-rsa AAAA".into()]);
        refused(&|set| set.user = (0..=KEYS).map(|_| public_line(new_key().unwrap().public_key()).unwrap()).collect());
        sign(&pinned, good.clone(), &before.user, &before.host).unwrap();
    }
}
