//! The kinds of containers that a policy set tells apart, each by a number: a container is looked at once, and every list after that
//! reads a number.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use super::projection::Projection;
use crate::broker::registry::Container;

/// The kinds of one set.
#[derive(Debug)]
pub(super) struct Kinds {
    /// The set's own number: what is noted at a container is of one set.
    set: u32,
    /// What all its policies read, which is at least what those about any one person do.
    projection: Projection,
    known: Mutex<HashMap<Box<[u8]>, u32>>,
}

/// The number that is noted at a container, if it is of this set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted(Option<u32>);

impl Kinds {
    /// Those of a new set whose policies read `projection`.
    pub(super) fn new(projection: Projection) -> Self {
        // 0 is a note that nobody has written yet.
        static LAST: AtomicU32 = AtomicU32::new(1);
        Self { set: LAST.fetch_add(1, Relaxed), projection, known: Mutex::default() }
    }

    /// What is noted of the container.
    pub(super) fn noted(&self, container: &Container) -> Noted {
        Noted(container.note.kind(self.set))
    }

    /// The number of the container's kind. None where the policies read everything of it, or there are too many kinds to number.
    pub(super) fn of(&self, container: &Container, noted: Noted, key: &mut Vec<u8>) -> Option<usize> {
        let kind = noted.0.unwrap_or_else(|| {
            let kind = self.number(container, key).unwrap_or(NONE);
            container.note.keep_kind(self.set, kind);
            kind
        });
        usize::try_from(kind).ok().filter(|_| kind != NONE)
    }

    fn number(&self, container: &Container, key: &mut Vec<u8>) -> Option<u32> {
        if !self.projection.project(container, key) {
            return None;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = known.get(key.as_slice()) {
            return Some(*kind);
        }
        let kind = u32::try_from(known.len()).ok().filter(|_| known.len() < MOST)?;
        known.insert(key.clone().into_boxed_slice(), kind);
        Some(kind)
    }
}

/// What is noted of a container whose kind has no number.
const NONE: u32 = u32::MAX;

/// The most kinds of one set that have a number, some megabytes; the containers of further ones are looked at for each list.
const MOST: usize = 20_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::broker::policy::load::from_texts;
    use crate::broker::policy::{Basis, Circumstances, Set, listable};

    fn set(condition: &str) -> Set {
        let text = format!("permit(principal, action, resource) when {{ {condition} }};");
        from_texts(&[("p.cedar".into(), text)]).unwrap()
    }

    fn seen(set: &Set, containers: &[Arc<Container>]) -> Vec<String> {
        let circumstances = Circumstances { address: "10.0.0.1".parse().unwrap(), time: 1, reason: None, command: None };
        let listed = listable(set, &Basis::example("x").caller, containers.to_vec(), &circumstances);
        listed.iter().map(|container| container.app.clone()).collect()
    }

    #[test]
    fn each_set_has_its_own_kinds_and_a_copy_is_looked_at_anew() {
        let containers: Vec<Arc<Container>> =
            ["web", "db", "web"].into_iter().zip(1..).map(|(app, n)| Arc::new(Container::numbered(app, n))).collect();
        let (web, db) = (set(r#"resource.app == "web""#), set(r#"resource.app == "db""#));
        for _ in 0..2 {
            assert_eq!(seen(&web, &containers), ["web", "web"]);
            assert_eq!(seen(&db, &containers), ["db"]);
        }
        let mut key = Vec::new();
        let kinds: Vec<Option<usize>> =
            containers.iter().map(|container| db.kinds.of(container, db.kinds.noted(container), &mut key)).collect();
        assert!(kinds[0].is_some() && kinds[0] == kinds[2] && kinds[0] != kinds[1], "{kinds:?}");
        let changed = Container { app: "db".into(), ..Container::clone(&containers[0]) };
        assert_eq!(changed.note.kind(db.kinds.set), None);
        assert_eq!(seen(&db, &[Arc::new(changed), Arc::clone(&containers[0])]), ["db"]);
    }

    #[test]
    fn what_the_policies_read_wholly_of_has_no_number() {
        let one = set(&format!("resource == Container::\"{}\"", Container::numbered("web", 1).id));
        let web = Container::numbered("web", 1);
        assert_eq!(one.kinds.of(&web, one.kinds.noted(&web), &mut Vec::new()), None);
        let containers: Vec<Arc<Container>> = (1..5).map(|n| Arc::new(Container::numbered("web", n))).collect();
        assert_eq!(seen(&one, &containers).len(), 1);
    }
}
