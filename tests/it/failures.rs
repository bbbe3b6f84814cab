//! Wrong input, each with a message that says what to do.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::login::age;
use crate::peer;
use crate::world::{Person, Said, World};

/// What every message of ours looks like: `ztctl: …`, no panic, and something to do.
fn assert_message(said: &Said, code: i32, parts: &[&str]) {
    assert_eq!(said.code, code, "{}", said.stderr);
    assert!(said.stderr.starts_with("ztctl: "), "{}", said.stderr);
    assert!(!said.stderr.contains("panicked"), "{}", said.stderr);
    for part in parts {
        assert!(said.stderr.contains(part), "no {part:?} in: {}", said.stderr);
    }
}

async fn logged_in() -> (World, Person) {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    (world, ada)
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_logged_in() {
    let world = World::start().await;
    let stranger = world.stranger("eve");
    assert_message(&stranger.run(&["ls"]).await, 3, &["ztctl login"]);
    assert_message(&stranger.run(&["login"]).await, 2, &["ztctl login URL"]);
    assert_message(&stranger.run(&["exec", "web", "--", "true"]).await, 255, &["ztctl login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_broker_is_down() {
    let (mut world, ada) = logged_in().await;
    world.stop().await;
    assert_message(&ada.run(&["ls"]).await, 1, &["cannot reach", "nothing listens"]);
    assert_message(&ada.run(&["exec", "web", "--", "true"]).await, 255, &["cannot reach"]);
    let elsewhere = ada.run(&["login", "https://no-such-host.invalid"]).await;
    assert_message(&elsewhere, 1, &["no-such-host.invalid"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tls_root_is_unknown_or_wrong() {
    let world = World::start().await;
    let eve = world.stranger("eve");
    assert_message(&eve.run(&["login", &world.url, "--device"]).await, 1, &["--ca"]);
    let other = World::start().await;
    let root = other.root().display().to_string();
    assert_message(&eve.run(&["login", &world.url, "--device", "--ca", &root]).await, 1, &["--ca"]);
    assert_message(&eve.run(&["login", &world.url, "--ca", "/no/such/file"]).await, 2, &["/no/such/file"]);
    let other = format!("sha256:{}", "0f".repeat(32));
    assert_message(
        &eve.run(&["login", &world.url, "--device", "--ca", &other]).await,
        1,
        &["none of the certificates", "fingerprint"],
    );
    assert_message(&eve.run(&["login", "http://broker.example.com"]).await, 2, &["https://"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_authority_has_changed() {
    let (world, ada) = logged_in().await;
    let config = ada.home().join(".config/ztctl/config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let other = ztctl::ssh::new_key().unwrap().public_key().to_openssh().unwrap();
    assert!(text.contains(world.ca.host[0].trim()), "{text}");
    std::fs::write(&config, text.replace(world.ca.host[0].trim(), other.trim())).unwrap();
    let root = world.root().display().to_string();
    assert_message(
        &ada.run(&["login", &world.url, "--device", "--ca", &root]).await,
        1,
        &["HAVE CHANGED", "ask your platform team"],
    );
    // And what it signs is not believed.
    let _agent = world.agent("web").await;
    let name = ada.names(1).await.remove(0);
    assert_message(&ada.run(&["exec", &name, "--", "true"]).await, 255, &["not proven"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_has_ended() {
    let (world, ada) = logged_in().await;
    world.admin.remove_user(&"ada".parse().unwrap()).await.unwrap();
    assert_message(&ada.run(&["ls"]).await, 3, &["ztctl login"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_brokers_and_no_word_which() {
    let (world, ada) = logged_in().await;
    let other = World::start().await;
    other.admin.add_user(&"ada".parse().unwrap(), &[], crate::world::PASSWORD.to_owned().into()).await.unwrap();
    let root = other.root().display().to_string();
    let mut login = ada.ztctl(&["login", &other.url, "--device", "--store", "file", "--ca", &root]);
    let mut login = login.stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(login.stderr.take().unwrap()));
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(code) = crate::stack::user_code(&line) {
            other.admin.approve_device(&code, &"ada".parse().unwrap()).await.unwrap();
        }
    }
    assert!(login.wait().await.unwrap().success());
    assert_message(&ada.run(&["ls"]).await, 2, &["--profile", &world.url, &other.url]);
    assert_eq!(ada.run(&["ls", "--broker", &other.url]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_cannot_be_read_or_is_newer() {
    let (_world, ada) = logged_in().await;
    let config = ada.home().join(".config/ztctl/config.toml");
    let good = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, good.replacen("version = 1", "version = 99", 1)).unwrap();
    assert_message(&ada.run(&["ls"]).await, 1, &["config.toml", "99"]);
    std::fs::write(&config, format!("{good}\nthis is no TOML\n")).unwrap();
    assert_message(&ada.run(&["ls"]).await, 1, &["config.toml", "line"]);
    std::fs::write(&config, &good).unwrap();
    if !rustix::process::geteuid().is_root() {
        std::fs::set_permissions(&config, PermissionsExt::from_mode(0o000)).unwrap();
        assert_message(&ada.run(&["ls"]).await, 1, &["config.toml"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_disk_is_full() {
    if !peer::namespaces() {
        return;
    }
    let world = World::start().await;
    let ada = world.account("ada", &[]).await;
    let root = world.root().display().to_string();
    let login = ["login", &world.url, "--device", "--store", "file", "--ca", &root];
    // A home of one page that is taken: nobody is asked for a password that would be typed for nothing.
    let full =
        "mount -t tmpfs -o size=4k tmpfs \"$HOME\" && { head -c 8192 /dev/zero >\"$HOME/full\" 2>/dev/null; exec \"$@\"; }";
    assert_message(&in_a_home(&ada, full, &login).await, 1, &["No space left", "free some space"]);
    // A token is not spent where the next one cannot be kept.
    ada.log_in(&world).await;
    age(&ada);
    let full = "cp -a \"$HOME\" \"$HOME.copy\" && mount -t tmpfs -o size=64k tmpfs \"$HOME\" && cp -a \"$HOME.copy/.\" \"$HOME\" && \
                { head -c 99999 /dev/zero >\"$HOME/full\" 2>/dev/null; exec \"$@\"; }";
    assert_message(&in_a_home(&ada, full, &["ls"]).await, 1, &["No space left", "what was there is still there"]);
    assert_eq!(ada.run(&["ls"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_home_is_read_only() {
    if !peer::namespaces() {
        return;
    }
    const READ_ONLY: &str = "mount --bind \"$HOME\" \"$HOME\" && mount -o remount,bind,ro \"$HOME\" && exec \"$@\"";
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.account("ada", &[]).await;
    let root = world.root().display().to_string();
    let login = ["login", &world.url, "--device", "--store", "file", "--ca", &root];
    assert_message(&in_a_home(&ada, READ_ONLY, &login).await, 1, &["Read-only file system", "ZTCTL_CONFIG_DIR"]);
    // What needs no writing works.
    ada.log_in(&world).await;
    let name = ada.names(1).await.remove(0);
    let said = in_a_home(&ada, READ_ONLY, &["exec", &name, "--", "echo", "inside"]).await;
    assert_eq!((said.code, &*said.stdout), (0, "inside\n"), "{}", said.stderr);
    assert_eq!(in_a_home(&ada, READ_ONLY, &["ls"]).await.code, 0);
    age(&ada);
    assert_message(&in_a_home(&ada, READ_ONLY, &["ls"]).await, 1, &["Read-only file system", "ZTCTL_STATE_DIR"]);
    assert_eq!(ada.run(&["ls"]).await.code, 0, "nothing was lost");
}

/// What `ztctl ARGUMENTS` says in namespaces where `script` has made the home something else, before it runs its arguments.
async fn in_a_home(person: &Person, script: &str, arguments: &[&str]) -> Said {
    let mut unshare = tokio::process::Command::new("unshare");
    unshare
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", env!("CARGO_BIN_EXE_ztctl")])
        .args(arguments)
        .env_clear()
        .envs(person.environment())
        .stdin(std::process::Stdio::null());
    let output = tokio::time::timeout(Duration::from_secs(60), unshare.output()).await;
    Said::from(output.expect("ztctl asks nobody").unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_words() {
    let world = World::start().await;
    let eve = world.stranger("eve");
    for (arguments, part) in [
        (&["frobnicate"][..], "frobnicate"),
        (&["exec", "web"], "CMD"),
        (&["exec", "web", "true"], "the command stands behind --"),
        (&["cp", "-r", "web:/etc", "."], "without -r"),
        (&["ls", "-l", "team in (shop)"], "KEY=VALUE"),
        (&["exec", "--", "true"], "NAME"),
        (&["shell", "-oProxyCommand=x"], "-o"),
        (&["shell", "../../etc"], "container name"),
        (&["exec", "web", "--user=-root", "--", "true"], "login"),
        (&["ls", "--output", "xml"], "table"),
    ] {
        let said = eve.run(arguments).await;
        assert_eq!(said.code, 2, "{arguments:?}: {}", said.stderr);
        assert!(said.stderr.contains(part), "{arguments:?}: {}", said.stderr);
    }
}
