//! Where tokens are kept, with the real keeper: gnome-keyring under a message bus of its own, unlocked and locked, and without one.

use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;

use crate::peer;
use crate::world::{Person, RunningAgent, Said, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_desktops_keyring_is_used_where_one_answers() {
    let Some((world, _agent, ada)) = scene().await else { return };
    let said = desktop(
        &world,
        &ada,
        "unlock\n\
         ztctl login $URL --device --ca $ROOT || exit 10\n\
         ztctl ls --output name || exit 11\n\
         ztctl status || exit 12\n\
         secret-tool search --all service ztctl 2>&1 | grep -c '^secret' || exit 13\n\
         ztctl logout || exit 14\n\
         secret-tool search --all service ztctl 2>&1 | grep -c '^secret'; exit 0\n",
    )
    .await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.stdout.contains("web-"), "{}", said.stdout);
    assert!(said.stdout.to_lowercase().contains("keyring") || said.stdout.contains("Secret Service"), "{}", said.stdout);
    let counts: Vec<&str> = said.stdout.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
    assert_eq!(counts, ["1", "0"], "{said:?}");
    assert!(!holds(&ada.home(), "refresh_token"), "nothing of the tokens in the home");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_keyring_is_passed_over_at_login_and_named_afterwards() {
    let Some((world, _agent, ada)) = scene().await else { return };
    // Locked while the tokens are in it: no verb hangs at a dialogue that nobody sees, and nothing is lost.
    let said = desktop(
        &world,
        &ada,
        "unlock\n\
         ztctl login $URL --device --ca $ROOT || exit 10\n\
         lock\n\
         ztctl ls --output name; echo \"code $?\"\n\
         ztctl status; echo \"code $?\"\n\
         unlock\n\
         ztctl ls --output name || exit 12\n",
    )
    .await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.stdout.matches("code 1\n").count(), 2, "{said:?}");
    assert_eq!(said.stderr.matches("ztctl: the keyring is locked").count(), 2, "{said:?}");
    assert!(said.stderr.contains("hint: unlock it at your desktop") && said.stderr.contains("--store file"), "{said:?}");
    // Locked from the start: the login goes to the next place.
    let eve = world.account("eve", &[]).await;
    let said = desktop(
        &world,
        &eve,
        "unlock\n\
         lock\n\
         ztctl login $URL --device --ca $ROOT || exit 10\n\
         ztctl ls --output name || exit 11\n\
         ztctl status || exit 12\n\
         ztctl logout || exit 14\n",
    )
    .await;
    assert_eq!(said.code, 0, "{said:?}");
    let (kernel, file) = (said.stdout.contains("kernel's keyring"), said.stdout.contains("file that can be copied"));
    assert!(said.stdout.contains("web-") && (kernel || file), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_keyring_there_is_still_a_place_and_status_says_which() {
    let world = World::start().await;
    let ada = world.account("ada", &[]).await;
    let said = ada.log_in_with(&world, &[]).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    let status = ada.run(&["status"]).await;
    assert!(status.stdout.contains("kernel") || status.stdout.contains("file that can be copied"), "{}", status.stdout);
    assert_eq!(ada.run(&["ls"]).await.code, 0);
    assert_eq!(ada.run(&["logout"]).await.code, 0);
}

/// Somebody with an account and a container to see, where there is a keyring.
async fn scene() -> Option<(World, RunningAgent, Person)> {
    let programs = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool", "dbus-send"];
    if !peer::present("secret-service", programs.iter().all(|name| peer::program(name).is_some())) {
        return None;
    }
    let world = World::start().await;
    let (agent, ada) = (world.agent("web").await, world.account("ada", &[]).await);
    Some((world, agent, ada))
}

/// What `script` says as `person` in a session of a desktop of its own. It has `$URL`, `$ROOT`, `ztctl`, and `unlock` and `lock` for the
/// keyring; the first login that asks for it is approved.
async fn desktop(world: &World, person: &Person, script: &str) -> Said {
    let folder = tempfile::tempdir().unwrap();
    // One session of the bus for all of it: the daemon forgets what it unlocked with its end.
    let script = format!(
        "ztctl() {{ {0} \"$@\"; }}\n\
         unlock() {{\n\
           printf 'keyring password\\n' | gnome-keyring-daemon --replace --unlock --components=secrets --daemonize >/dev/null 2>&1\n\
           for _ in $(seq 50); do secret-tool search none none 2>/dev/null; [ $? -le 1 ] && break; sleep 0.1; done\n\
         }}\n\
         lock() {{ dbus-send --print-reply=literal --dest=org.freedesktop.secrets /org/freedesktop/secrets \
           org.freedesktop.Secret.Service.Lock array:objpath:/org/freedesktop/secrets/collection/login || exit 20; }}\n\
         {script}",
        env!("CARGO_BIN_EXE_ztctl"),
    );
    let mut session = Command::new("dbus-run-session");
    session.args(["--", "sh", "-c", &script]).env_clear().envs(person.environment()).stdin(Stdio::null());
    session.env("URL", &world.url).env("ROOT", world.root()).env("XDG_RUNTIME_DIR", folder.path());
    person.approved(world, &mut session).await
}

fn holds(folder: &Path, text: &str) -> bool {
    let found = std::process::Command::new("grep").args(["-r", text]).arg(folder).output().unwrap();
    !found.stdout.is_empty()
}
