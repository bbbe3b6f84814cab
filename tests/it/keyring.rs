//! Where tokens are kept, with the real keeper: gnome-keyring under a message bus of its own, then without one.

use tokio::process::Command;

use crate::peer;
use crate::world::{Said, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_desktops_keyring_is_used_where_one_answers() {
    let programs = ["dbus-run-session", "gnome-keyring-daemon", "secret-tool"];
    if !peer::present("secret-service", programs.iter().all(|name| peer::program(name).is_some())) {
        return;
    }
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.account("ada", &[]).await;
    let folder = tempfile::tempdir().unwrap();
    let runtime = folder.path().join("run");
    std::fs::create_dir(&runtime).unwrap();
    // One session of the bus for all of it: the daemon forgets what it unlocked with its end.
    let script = format!(
        "printf 'keyring password\\n' | gnome-keyring-daemon --unlock --components=secrets --daemonize >/dev/null 2>&1\n\
         for _ in $(seq 50); do secret-tool search none none 2>/dev/null; [ $? -le 1 ] && break; sleep 0.1; done\n\
         {0} login {1} --device --ca {2} || exit 10\n\
         {0} ls --output name || exit 11\n\
         {0} status || exit 12\n\
         secret-tool search --all service ztctl 2>&1 | grep -c '^secret' || exit 13\n\
         {0} logout || exit 14\n\
         secret-tool search --all service ztctl 2>&1 | grep -c '^secret'; exit 0\n",
        env!("CARGO_BIN_EXE_ztctl"),
        world.url,
        world.root().display()
    );
    let mut child = Command::new("dbus-run-session")
        .args(["--", "sh", "-c", &script])
        .env_clear()
        .envs(ada.environment())
        .env("XDG_RUNTIME_DIR", &runtime)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(child.stderr.take().unwrap()));
    let mut stderr = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if let Some(code) = crate::stack::user_code(&line).filter(|_| !stderr.contains("approved")) {
            world.admin.approve_device(&code, &"ada".parse().unwrap()).await.unwrap();
            stderr.push_str("approved\n");
        }
        stderr.push_str(&line);
        stderr.push('\n');
    }
    let said = Said::from(child.wait_with_output().await.unwrap());
    assert_eq!(said.code, 0, "{stderr}{}", said.stdout);
    assert!(said.stdout.contains("web-"), "{}", said.stdout);
    assert!(said.stdout.to_lowercase().contains("keyring") || said.stdout.contains("Secret Service"), "{}", said.stdout);
    let counts: Vec<&str> = said.stdout.lines().filter(|line| line.parse::<u32>().is_ok()).collect();
    assert_eq!(counts, ["1", "0"], "{}{stderr}", said.stdout);
    // Nothing of the tokens in the home.
    let found = std::process::Command::new("grep").args(["-r", "refresh_token"]).arg(ada.home()).output().unwrap();
    assert!(found.stdout.is_empty(), "{}", String::from_utf8_lossy(&found.stdout));
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
