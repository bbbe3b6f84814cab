//! What has been worked out about a container, kept with it: where it is found fastest, and gone when the container is.

use std::borrow::Cow;
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

    /// The part of its JSON that is kept, `made` the first time; of a container that says very much, each time.
    pub(super) fn json(&self, made: impl FnOnce() -> serde_json::Result<String>) -> serde_json::Result<Cow<'_, str>> {
        if let Some(json) = self.json.get() {
            return Ok(json.as_ref().into());
        }
        let made = made()?;
        if made.len() > MOST {
            return Ok(made.into());
        }
        Ok(self.json.get_or_init(|| made.into()).as_ref().into())
    }
}

/// The most bytes that are kept of one container: a usual one has half a kilobyte, one with all the labels that it may have a hundred.
const MOST: usize = 4096;

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
