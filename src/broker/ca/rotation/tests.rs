//! Rotations, with a crash or a restart in each phase.

use std::path::Path;

use super::*;
use crate::broker::policy;
use crate::proto::SessionId;
use crate::proto::ca::PinnedCa;
use crate::ssh::cert::user::UserCertificate;
use crate::ssh::{Authorities, Certificate, new_key};

const NOW: u64 = 1_800_000_000;

const BOTH: Wish = Wish { user: true, host: true, overlap: Some(3600) };

async fn rotate(authority: &Authority, wish: Wish) {
    let turn = authority.turn().await.unwrap();
    let change = turn.rotate(wish, NOW).unwrap();
    turn.commit(change).unwrap();
}

async fn finish(authority: &Authority) {
    let turn = authority.turn().await.unwrap();
    let change = turn.finish().unwrap();
    turn.commit(change).unwrap();
}

fn files(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort_unstable();
    names
}

/// Whether a certificate of today for whoever trusts `trusted` is accepted by whoever trusts `set`.
fn is_accepted(authority: &Authority, trusted: &CaSet, set: &CaSet) -> bool {
    let (container, grant) = policy::example_grant(NOW);
    let (key, session) = (new_key().unwrap(), SessionId::random());
    let serial = authority.draw_serial();
    let line = authority.sign_user(&grant, session, serial, key.public_key(), NOW, &trusted.user).unwrap();
    let certificate = Certificate::from_openssh(&line).unwrap();
    UserCertificate::check(&certificate, &Authorities::of_users(set).unwrap(), "default", container, NOW).is_ok()
}

#[tokio::test]
async fn old_and_new_overlap_and_each_is_signed_for_by_what_it_trusts() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let old = authority.set();
    rotate(&authority, BOTH).await;
    let overlap = authority.set();
    assert_eq!((authority.sequence(), authority.until(), authority.plain_set()), (1, Some(NOW + 3600), old.clone()));
    assert!(overlap.user.len() == 2 && overlap.user.contains(&old.user[0]) && overlap.host.contains(&old.host[0]));
    // For whoever has not heard of it by the old key, for whoever has by the new one, which both would accept.
    assert!(is_accepted(&authority, &old, &old) && is_accepted(&authority, &overlap, &overlap));
    assert!(!is_accepted(&authority, &overlap, &old));
    assert_eq!((authority.hosts_of(None), authority.hosts_of(Some(0))), (old.host.clone(), old.host.clone()));
    assert_eq!((authority.hosts_of(Some(1)), authority.hosts_of(Some(9))), (overlap.host.clone(), overlap.host.clone()));
    let rows = authority.keys();
    assert_eq!(rows.iter().map(|row| row.until.is_some()).collect::<Vec<_>>(), [true, false, true, false]);
    assert!(matches!(authority.turn().await.unwrap().rotate(BOTH, NOW), Err(NoChange::UnderWay)));

    finish(&authority).await;
    let new = authority.set();
    assert_eq!((authority.sequence(), authority.until(), authority.plain_set()), (2, None, new.clone()));
    assert!(new.user.len() == 1 && overlap.user.contains(&new.user[0]) && new.user != old.user && new.host != old.host);
    assert!(!authority.has_user_key_of(&old.user) && authority.has_user_key_of(&overlap.user));
    assert_eq!(files(dir.path()), ["authorities.json", "host_ca.1", "user_ca.1"]);
    assert!(matches!(authority.turn().await.unwrap().finish(), Err(NoChange::None)));
    // Whoever was away all the time.
    let chain = authority.chain_from(&old.fingerprint());
    assert_eq!(statement::follow(&old.into(), &chain).unwrap(), PinnedCa { sequence: 2, set: new });
}

#[tokio::test]
async fn one_role_can_be_renewed_and_everything_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let old = authority.set();
    rotate(&authority, Wish { host: false, ..BOTH }).await;
    assert!(authority.set().host == old.host && authority.set().user.len() == 2);
    // In the middle of it somebody has stolen a key.
    rotate(&authority, Wish { user: true, host: true, overlap: None }).await;
    let new = authority.set();
    assert!(new.user.len() == 1 && new.host.len() == 1 && new.host != old.host && authority.until().is_none());
    assert_eq!(files(dir.path()), ["authorities.json", "host_ca.2", "user_ca.2"]);
    assert!(!authority.has_user_key_of(&old.user));
    assert_eq!(statement::follow(&old.into(), &authority.offer().into_chain()).unwrap().set, new);
}

#[tokio::test]
async fn a_restart_finds_each_phase_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let mut authority = Authority::open(dir.path()).unwrap();
    for _ in 0..3 {
        for phase in 0..2 {
            if phase == 0 {
                rotate(&authority, BOTH).await;
            } else {
                finish(&authority).await;
            }
            let again = Authority::open(dir.path()).unwrap();
            assert_eq!((again.offer(), again.keys(), again.until()), (authority.offer(), authority.keys(), authority.until()));
            authority = again;
        }
    }
    assert_eq!(authority.sequence(), 6);
}

#[tokio::test]
async fn a_crash_between_two_steps_is_a_rotation_that_was_done_or_was_not() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let old = authority.set();
    // New keys are written, the manifest is not.
    let turn = authority.turn().await.unwrap();
    let change = turn.rotate(BOTH, NOW).unwrap();
    change.fresh.iter().for_each(|key| key.write(dir.path()).unwrap());
    std::fs::write(dir.path().join("authorities.new"), "half").unwrap();
    std::fs::write(dir.path().join(".new-00"), "half").unwrap();
    drop(turn);
    // The same process tries again; another one finds nothing of it.
    let copy = tempfile::tempdir().unwrap();
    for name in files(dir.path()) {
        std::fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let restarted = Authority::open(copy.path()).unwrap();
    assert_eq!((restarted.set(), restarted.sequence()), (old.clone(), 0));
    assert_eq!(files(copy.path()), ["authorities.new", "host_ca", "user_ca"]);
    rotate(&authority, BOTH).await;
    assert_eq!(authority.sequence(), 1);
    // The manifest is without the old keys, and they are still there.
    let keep = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (user, host) = (keep("user_ca"), keep("host_ca"));
    finish(&authority).await;
    for (name, bytes) in [("user_ca", user), ("host_ca", host)] {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    let restarted = Authority::open(dir.path()).unwrap();
    assert_eq!((restarted.set(), restarted.sequence()), (authority.set(), 2));
    assert_eq!(files(dir.path()), ["authorities.json", "host_ca.1", "user_ca.1"], "the old keys are gone for good");
}

#[tokio::test]
async fn a_manifest_that_does_not_fit_its_keys_stops_the_broker_and_nothing_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    rotate(&authority, BOTH).await;
    let manifest = dir.path().join("authorities.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let refused = |text: &str| {
        std::fs::write(&manifest, text).unwrap();
        assert!(matches!(Authority::open(dir.path()), Err(CaError::Damaged { .. })), "{text}");
    };
    refused("");
    refused(&text.replace("\"user_ca.1\"", "\"user_ca\""));
    refused(&text.replace("\"user_ca.1\"", "\"../user_ca.1\""));
    refused(&text.replace("\"sequence\":1", "\"sequence\":2"));
    refused(&text.replace("\"version\":1", "\"version\":2"));
    std::fs::write(&manifest, &text).unwrap();
    std::fs::remove_file(dir.path().join("user_ca.1")).unwrap();
    assert!(matches!(Authority::open(dir.path()), Err(CaError::Io { .. })), "a lost key is not replaced");
}

#[tokio::test]
async fn a_broker_that_shares_the_folder_follows() {
    let dir = tempfile::tempdir().unwrap();
    let (first, second) = (Authority::open(dir.path()).unwrap(), Authority::open(dir.path()).unwrap());
    assert!(!second.refresh().await.unwrap());
    rotate(&first, BOTH).await;
    assert!(second.refresh().await.unwrap() && !second.refresh().await.unwrap());
    assert_eq!(second.offer(), first.offer());
    // It may end what the other has begun, and the other then sees that there is nothing to end.
    finish(&second).await;
    assert!(matches!(first.turn().await.unwrap().finish(), Err(NoChange::None)));
    assert_eq!(second.offer(), first.offer());
}

#[tokio::test]
async fn a_chain_does_not_grow_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open(dir.path()).unwrap();
    let first = authority.set();
    for _ in 0..=STATEMENTS / 2 {
        rotate(&authority, BOTH).await;
        finish(&authority).await;
    }
    let chain = authority.offer().into_chain();
    assert_eq!((chain.statements.len(), chain.base.sequence), (STATEMENTS, 2));
    assert!(statement::follow(&first.into(), &chain).is_err(), "who was away for longer has to log in again");
    let offer = serde_json::to_vec(&authority.offer()).unwrap();
    assert!(offer.len() < 60_000, "{}: clients read 64 KiB", offer.len());
    assert_eq!(Authority::open(dir.path()).unwrap().offer(), authority.offer());
}
