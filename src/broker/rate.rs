//! How often something may be tried: a bucket of tokens for each key, so that guessing is slow and people are not hindered.
//!
//! Memory is bounded: buckets that are full again are forgotten, and when too many are in use newcomers share one.
//!
//! The buckets are this process's: brokers that share a database count each for itself, and a restart empties them. So with n brokers
//! behind one name a guesser has n times as many tries, which the rates have room for; what is guessed at (passwords by argon2id, codes
//! for minutes) is the same at each.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Mutex;

/// What is limited, each with buckets of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Limit {
    /// Passwords for one account, from wherever.
    Account,
    /// Passwords from one address, for whomever.
    Address,
    /// Second factors for one account, from wherever.
    SecondFactor,
    /// User codes from one address.
    UserCode,
    /// Device logins that one address begins.
    Device,
    /// Questions at the token endpoint from one address: a hundred developers behind one router refresh and poll.
    Token,
    /// Ways to a provider and back from one address.
    SignIn,
    /// Requests for approvals of one person.
    Asking,
    /// Refusals of agents at one address that are written down.
    Refusal,
    /// Tokens without their key from one address that are written down.
    Misuse,
    /// Connects of one person that were refused, each of which is written down.
    Denial,
}

/// Whom an attempt from `address` is counted for: in IPv6 the network, as whoever has one address there has the 2^64 of a /64.
pub(crate) fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{}/64", Ipv6Addr::from_bits(address.to_bits() & (u128::MAX << 64))),
    }
}

/// Too many attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many attempts: try again in {seconds} s")]
pub(crate) struct TooMany {
    /// When the next one may come.
    pub(crate) seconds: u64,
}

/// The buckets of this broker.
#[derive(Debug, Default)]
pub(crate) struct Limits {
    buckets: Mutex<HashMap<(Limit, String), Bucket>>,
}

/// How many seconds' worth of attempts are used up, as it was at a time. It drains one second each second.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    used: u64,
    at: u64,
}

impl Limits {
    /// Counts one attempt of `key`.
    ///
    /// # Errors
    /// [`TooMany`] when it may not be made; it is not counted then.
    pub(crate) fn attempt(&self, limit: Limit, key: &str, now: u64) -> Result<(), TooMany> {
        let (burst, pause) = limit.rate();
        // A lock that a panic poisoned still holds counts: the worst is one attempt counted twice.
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut key = (limit, key.to_owned());
        if !buckets.contains_key(&key) && buckets.len() >= BUCKETS {
            buckets.retain(|_, bucket| bucket.drained(now) > 0);
            if buckets.len() >= BUCKETS {
                key.1 = String::new();
            }
        }
        let bucket = buckets.entry(key).or_insert(Bucket { used: 0, at: now });
        let used = bucket.drained(now) + pause;
        if used > burst * pause {
            return Err(TooMany { seconds: used - burst * pause });
        }
        *bucket = Bucket { used, at: now };
        Ok(())
    }

    /// Whether `key` may make an attempt; it is not counted.
    ///
    /// # Errors
    /// [`TooMany`] when it may not.
    pub(crate) fn check(&self, limit: Limit, key: &str, now: u64) -> Result<(), TooMany> {
        let (burst, pause) = limit.rate();
        let buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let used = buckets.get(&(limit, key.to_owned())).map_or(0, |bucket| bucket.drained(now)) + pause;
        if used > burst * pause { Err(TooMany { seconds: used - burst * pause }) } else { Ok(()) }
    }

    /// Forgets the attempts of `key`: the last one was right.
    pub(crate) fn forget(&self, limit: Limit, key: &str) {
        let mut buckets = self.buckets.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        buckets.remove(&(limit, key.to_owned()));
    }
}

impl Bucket {
    fn drained(self, now: u64) -> u64 {
        self.used.saturating_sub(now.saturating_sub(self.at))
    }
}

impl Limit {
    /// How many at once, and the seconds until one more.
    fn rate(self) -> (u64, u64) {
        match self {
            // 10 at once and then 120 an hour: a dictionary of a million words takes a year.
            Self::Account => (10, 30),
            // Three codes of a million are right at a time: at 6 and then 12 an hour, a guesser who knows the password needs years.
            Self::SecondFactor => (6, 300),
            Self::Address => (30, 5),
            // 20^8 codes: at 10 and then 2 a minute, against 1000 waiting devices, a hit takes one address some 25 years.
            Self::UserCode => (10, 30),
            Self::Device => (30, 5),
            Self::SignIn => (100, 1),
            Self::Token => (600, 1),
            // Each may wake people; a script that asks for a dozen containers is none the worse.
            Self::Asking => (30, 10),
            // Each is a line of the journal for good: 17,000 a day at the most, some 5 MB.
            Self::Refusal => (100, 5),
            // The same; but the first ones say it all: 1,500 a day.
            Self::Misuse => (100, 60),
            // A command for all containers of which many are closed is one thing; 86,000 lines of the journal a day are some 40 MB.
            Self::Denial => (1000, 1),
        }
    }
}

/// Some 10 MB at the most.
const BUCKETS: usize = 50_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_one_a_while() {
        let limits = Limits::default();
        for _ in 0..10 {
            assert_eq!(limits.attempt(Limit::Account, "ada", 1000), Ok(()));
        }
        assert_eq!(limits.attempt(Limit::Account, "ada", 1000), Err(TooMany { seconds: 30 }));
        assert_eq!(limits.check(Limit::Account, "ada", 1000), Err(TooMany { seconds: 30 }));
        assert_eq!(limits.check(Limit::Account, "bob", 1000), Ok(()));
        assert_eq!(limits.attempt(Limit::Account, "bob", 1000), Ok(()));
        assert_eq!(limits.attempt(Limit::Address, "ada", 1000), Ok(()));
        assert!(limits.attempt(Limit::Account, "ada", 1029).is_err());
        assert_eq!(limits.attempt(Limit::Account, "ada", 1030), Ok(()));
        limits.forget(Limit::Account, "ada");
        assert_eq!(limits.attempt(Limit::Account, "ada", 1030), Ok(()));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one() {
        let of = |address: &str| network(address.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
    }

    #[test]
    fn memory_is_bounded() {
        let limits = Limits::default();
        for index in 0..BUCKETS + 100 {
            let _ = limits.attempt(Limit::Address, &index.to_string(), 1000);
        }
        assert!(limits.buckets.lock().unwrap().len() <= BUCKETS + 1);
        // Newcomers share one bucket, which is empty by now; those who were there keep theirs.
        assert!(limits.attempt(Limit::Address, "newcomer", 1000).is_err());
        assert!(limits.attempt(Limit::Address, "0", 1000).is_ok());
        // Once the others have been quiet there is room again.
        assert!(limits.attempt(Limit::Address, "newcomer", 9000).is_ok());
    }
}
