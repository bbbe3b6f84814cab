//! Whether this machine stood still, so that a limit of a second is one of the product and not of a busy host.

use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Watches from now on: a thread that wakes up every ten milliseconds knows when it did not.
pub fn watch() {
    static WATCHING: Once = Once::new();
    WATCHING.call_once(|| {
        std::thread::spawn(|| {
            loop {
                let asleep = Instant::now();
                std::thread::sleep(WAKES);
                let late = asleep.elapsed().saturating_sub(WAKES);
                if late > WAKES {
                    STALLS.lock().unwrap().push((Instant::now(), late));
                }
            }
        });
    });
}

/// For how long the machine stood still since then.
pub fn during(since: Instant) -> Duration {
    STALLS.lock().unwrap().iter().filter(|(end, _)| *end > since).map(|(end, late)| (*late).min(*end - since)).sum()
}

const WAKES: Duration = Duration::from_millis(10);
