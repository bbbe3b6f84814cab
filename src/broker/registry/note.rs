//! What has been worked out about a container, kept with it: where it is found fastest, and gone when the container is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Which kind of container it is to one policy set, and its JSON. Nothing that the container is: two that differ in it are the same, and a
/// copy, which may be changed, has none.
#[derive(Debug, Default)]
pub struct Note {
    kind: AtomicU64,
    json: OnceLock<Box<str>>,
}

impl Note {
    /// The number of the kind, if it is of this set.
    pub(in crate::broker) fn kind(&self, set: u32) -> Option<u32> {
        let [high, low] = halves(self.kind.load(Relaxed));
        (high == set).then_some(low)
    }

    /// Keeps it instead of another set's.
    pub(in crate::broker) fn keep_kind(&self, set: u32, kind: u32) {
        self.kind.store(u64::from(set) << 32 | u64::from(kind), Relaxed);
    }

    /// The part of its JSON that is kept, `made` the first time.
    pub(super) fn json(&self, made: impl FnOnce() -> serde_json::Result<Box<str>>) -> serde_json::Result<&str> {
        if let Some(json) = self.json.get() {
            return Ok(json);
        }
        let made = made()?;
        Ok(self.json.get_or_init(|| made))
    }
}

impl Clone for Note {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Note {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Note {}

fn halves(number: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, g, h])]
}
