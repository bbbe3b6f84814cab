//! Which proofs were used: two generations of hashes, the older of which is forgotten as a whole once none in it could be in time.
//!
//! Only proofs by a login's own key come here, so that a stranger fills nothing. One key has a share of the room, and where there is
//! none left the proof is refused: one that is forgotten could be used again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::{MEMORY, ProofError};

/// The used proofs of this broker.
#[derive(Debug, Default)]
pub(super) struct Replays(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    current: Generation,
    before: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// In seconds since 1970.
    began: u64,
    used: HashSet<u128>,
    /// How many of them are of which key.
    by_key: HashMap<u128, usize>,
}

impl Replays {
    /// Notes the proof `jti` of `key`.
    ///
    /// # Errors
    /// [`ProofError::Used`] when it is not the first time; [`ProofError::TooMany`] when it cannot be noted.
    pub(super) fn first(&self, key: &str, jti: &str, now: u64) -> Result<(), ProofError> {
        let (proof, key) = (short(&[key, jti]), short(&[key]));
        // Whatever a panic left behind, what is in the sets was used.
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.turn(now);
        if generations.before.used.contains(&proof) || generations.current.used.contains(&proof) {
            return Err(ProofError::Used);
        }
        let current = &mut generations.current;
        let of_key = current.by_key.get(&key).copied().unwrap_or_default();
        if of_key >= OF_ONE_KEY || current.used.len() >= IN_ALL {
            return Err(ProofError::TooMany);
        }
        current.by_key.insert(key, of_key + 1);
        current.used.insert(proof);
        Ok(())
    }
}

impl Generations {
    fn turn(&mut self, now: u64) {
        // By a clock that may be set back.
        let age = now.abs_diff(self.current.began);
        if age >= MEMORY {
            let next = Generation { began: now, ..Generation::default() };
            let last = std::mem::replace(&mut self.current, next);
            self.before = if age < 2 * MEMORY { last } else { Generation::default() };
        }
    }
}

fn short(parts: &[&str]) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hash.finalize()[..16]);
    u128::from_be_bytes(first)
}

/// The most requests by one login in a generation: 1,600 a second for two minutes.
const OF_ONE_KEY: usize = 200_000;

/// The most of all: two generations take some 40 MB then.
const IN_ALL: usize = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_used_once_for_as_long_as_it_is_in_time() {
        let (replays, now) = (Replays::default(), 1_800_000_000);
        assert_eq!(replays.first("k", "1", now), Ok(()));
        assert_eq!(replays.first("k", "1", now), Err(ProofError::Used));
        assert_eq!(replays.first("l", "1", now), Ok(()), "another key's");
        assert_eq!(replays.first("k1", "", now), Ok(()), "no mix-up of the parts");
        for later in [now + MEMORY - 1, now + MEMORY, now + 2 * MEMORY - 1] {
            assert_eq!(replays.first("k", "1", later), Err(ProofError::Used), "{}", later - now);
        }
        assert_eq!(replays.first("k", "2", now + 2 * MEMORY), Ok(()));
        assert_eq!(replays.first("k", "2", now + MEMORY + 1), Err(ProofError::Used), "a clock that is set back");
        assert_eq!(replays.first("k", "1", now + 4 * MEMORY), Ok(()), "far too late by then");
    }

    #[test]
    fn memory_is_bounded_and_one_key_has_a_share() {
        let (replays, now) = (Replays::default(), 1_800_000_000);
        for number in 0..OF_ONE_KEY {
            replays.first("greedy", &number.to_string(), now).unwrap();
        }
        assert_eq!(replays.first("greedy", "more", now), Err(ProofError::TooMany));
        assert_eq!(replays.first("other", "1", now), Ok(()));
        assert_eq!(replays.first("greedy", "more", now + MEMORY), Ok(()));
        assert_eq!(replays.first("greedy", "1", now + MEMORY), Err(ProofError::Used));
    }
}
