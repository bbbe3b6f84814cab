//! Nonces that say the time to whoever has none: a slot of half a minute and a MAC, so that nothing is kept of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::broker::identity::token::{derive, equal};
use crate::proto::Secret;

/// The nonces of all brokers that share a database.
pub(super) struct Nonces {
    key: Secret<[u8; 32]>,
}

impl Nonces {
    pub(super) fn new(key: &Secret<[u8; 32]>) -> Self {
        Self { key: key.clone() }
    }

    /// The nonce of now.
    pub(super) fn at(&self, now: u64) -> String {
        self.of(now / SLOT)
    }

    /// Whether `nonce` was given out by a broker whose clock is not far from ours, a minute ago at most.
    pub(super) fn is_good(&self, nonce: &str, now: u64) -> bool {
        let here = now / SLOT;
        let slot = URL_SAFE_NO_PAD.decode(nonce.get(..SLOT_TEXT).unwrap_or_default()).ok();
        let slot = slot.and_then(|bytes| bytes.try_into().ok()).map(u64::from_be_bytes);
        slot.is_some_and(|slot| {
            (here.saturating_sub(BEHIND)..=here.saturating_add(AHEAD)).contains(&slot) && equal(&self.of(slot), nonce)
        })
    }

    fn of(&self, slot: u64) -> String {
        let slot = URL_SAFE_NO_PAD.encode(slot.to_be_bytes());
        let mac = derive(&self.key, "dpop nonce", &[&slot]);
        format!("{slot}{}", mac.get(..MAC_TEXT).unwrap_or_default())
    }
}

/// Seconds.
const SLOT: u64 = 30;

/// Slots that a nonce may be old.
const BEHIND: u64 = 2;

/// Slots that it may be ahead: another broker's clock. In all a nonce is good for four slots, which is as long as proofs are remembered.
const AHEAD: u64 = 1;

const _: () = assert!((BEHIND + AHEAD + 1) * SLOT <= super::MEMORY);

/// Characters of eight bytes.
const SLOT_TEXT: usize = 11;

/// 126 bits.
const MAC_TEXT: usize = 21;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_good_for_a_minute_and_nobody_elses() {
        let nonces = Nonces::new(&Secret::new([1; 32]));
        let now = 1_800_000_000;
        let nonce = nonces.at(now);
        assert_eq!(nonce.len(), SLOT_TEXT + MAC_TEXT);
        for (at, good) in [(now, true), (now + 60, true), (now + 90, false), (now - 30, true), (now - 31, false), (0, false)] {
            assert_eq!(nonces.is_good(&nonce, at), good, "{at}");
        }
        let other = Nonces::new(&Secret::new([2; 32]));
        assert!(!other.is_good(&nonce, now) && !nonces.is_good(&other.at(now), now));
        let later = nonces.at(now + 30);
        let mixed = format!("{}{}", &later[..SLOT_TEXT], &nonce[SLOT_TEXT..]);
        for forged in ["", "a", "ä", &nonce[..20], &format!("{nonce}A"), &mixed, &"é".repeat(11)] {
            assert!(!nonces.is_good(forged, now), "{forged}");
        }
    }
}
