//! Places that strangers may take, and how many of them one address may have: nobody alone keeps the others out.
//!
//! An address of IPv6 counts with its network, as everywhere ([`network`]). Memory is bounded by the places.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::rate::network;

/// The places.
#[derive(Debug)]
pub(crate) struct Crowd {
    /// Who takes them, for the log.
    what: &'static str,
    places: Arc<Semaphore>,
    /// The most that one address may have.
    share: usize,
    taken: Mutex<Taken>,
}

/// How many places each network has, and when the log was last told of one that wanted more.
#[derive(Debug, Default)]
struct Taken {
    by: HashMap<String, usize>,
    said: Option<Instant>,
}

/// One place of the whole crowd, not yet somebody's.
#[derive(Debug)]
pub(crate) struct Vacancy {
    _permit: OwnedSemaphorePermit,
}

/// One place that is taken, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    crowd: Arc<Crowd>,
    network: Option<String>,
    _vacancy: Vacancy,
}

impl Crowd {
    /// As many `places` for `what`, of which one address may have `share`.
    pub(crate) fn new(what: &'static str, places: usize, share: usize) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(places));
        Arc::new(Self { what, places, share, taken: Mutex::default() })
    }

    /// Waits until there is room for one more.
    pub(crate) async fn vacancy(&self) -> Vacancy {
        match Arc::clone(&self.places).acquire_owned().await {
            Ok(permit) => Vacancy { _permit: permit },
            // The semaphore is never closed.
            Err(_) => std::future::pending().await,
        }
    }

    /// Room for one more, if there is any now.
    pub(crate) fn vacancy_now(&self) -> Option<Vacancy> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(|permit| Vacancy { _permit: permit })
    }

    /// Gives the place to `address`, or to nobody in particular: a proxy that speaks for many. None where the address has its share.
    pub(crate) fn seat(self: &Arc<Self>, vacancy: Vacancy, address: Option<IpAddr>) -> Option<Place> {
        let network = address.map(network);
        if let Some(network) = &network {
            let mut taken = self.lock();
            let count = taken.by.entry(network.clone()).or_default();
            if *count >= self.share {
                if taken.said.is_none_or(|said| said.elapsed() >= QUIET) {
                    taken.said = Some(Instant::now());
                    tracing::warn!(address = %network, share = self.share, "one address has all the {} that it may have", self.what);
                }
                return None;
            }
            *count += 1;
        }
        Some(Place { crowd: Arc::clone(self), network, _vacancy: vacancy })
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = &self.network else { return };
        let mut taken = self.crowd.lock();
        if let Some(count) = taken.by.get_mut(network) {
            *count -= 1;
            if *count == 0 {
                taken.by.remove(network);
            }
        }
    }
}

/// How long the log is spared the same again: it is written for people.
const QUIET: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_address_has_its_share_and_the_others_have_room() {
        let crowd = Crowd::new("places", 6, 2);
        let enter = |who: Option<IpAddr>| crowd.vacancy_now().and_then(|vacancy| crowd.seat(vacancy, who));
        let first = enter(address("192.0.2.1")).unwrap();
        let _second = enter(address("192.0.2.1")).unwrap();
        assert!(enter(address("192.0.2.1")).is_none());
        assert!(enter(address("::ffff:192.0.2.1")).is_none(), "the same in other letters");
        let _other = enter(address("192.0.2.2")).unwrap();
        // In IPv6 it is the network.
        let _six = [enter(address("2001:db8::1")).unwrap(), enter(address("2001:db8::2")).unwrap()];
        assert!(enter(address("2001:db8::3")).is_none());
        drop(first);
        let again = enter(address("192.0.2.1")).unwrap();
        // A proxy speaks for many, and the whole is still bounded.
        let _proxy = enter(None).unwrap();
        assert!(enter(None).is_none());
        drop(again);
        assert!(enter(None).is_some());
        assert_eq!(crowd.lock().by.len(), 3, "whoever has left is forgotten");
    }
}
