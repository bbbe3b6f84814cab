//! Which shell a container has, found out by trying and remembered for as long as the container is there.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::agent::connector::Containers;

/// What is known about the shells of containers, by the runtime's ids.
#[derive(Debug, Default)]
pub(in crate::agent) struct Shells(Mutex<HashMap<String, usize>>);

impl Shells {
    /// The shells to try in a container, each as the words that start it, with the number that it is known by.
    pub(in crate::agent) fn to_try(&self, container: &str) -> Vec<(usize, &'static [&'static str])> {
        let known = self.lock().get(container).copied();
        let all = ALL.iter().copied().enumerate();
        // A shell that was there may be gone: the others stay behind it.
        let (mut first, rest): (Vec<_>, Vec<_>) = all.partition(|(index, _)| Some(*index) == known);
        first.extend(rest);
        first
    }

    /// The shell that was found in a container.
    pub(in crate::agent) fn known(&self, container: &str) -> Option<&'static [&'static str]> {
        self.lock().get(container).and_then(|index| ALL.get(*index)).copied()
    }

    /// This one is there.
    pub(in crate::agent) fn found(&self, container: &str, index: usize) {
        let mut known = self.lock();
        if known.get(container) != Some(&index) {
            known.insert(container.to_owned(), index);
        }
    }

    /// None is there.
    pub(in crate::agent) fn none(&self, container: &str) {
        self.lock().remove(container);
    }

    /// Forgets containers that are not there any more.
    pub(in crate::agent) fn retain(&self, containers: &Containers) {
        self.lock().retain(|id, _| containers.contains_key(id));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a shell is looked for, the likeliest first. A first word without a slash is looked up in the container's `PATH`.
const ALL: [&[&str]; 6] =
    [&["sh"], &["/bin/sh"], &["bash"], &["busybox", "sh"], &["/bin/busybox", "sh"], &["/busybox/busybox", "sh"]];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_is_tried_first_and_never_alone() {
        let shells = Shells::default();
        let first = |container| shells.to_try(container)[0].1;
        assert_eq!(first("a"), ["sh"]);
        shells.found("a", 2);
        assert_eq!((first("a"), shells.to_try("a").len(), first("b")), (&["bash"][..], ALL.len(), &["sh"][..]));
        assert_eq!(shells.known("a"), Some(&["bash"][..]));
        shells.retain(&Containers::default());
        assert_eq!(shells.known("a"), None);
    }
}
