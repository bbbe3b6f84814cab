//! What is the same in every connector: the streams of a session, its terminal, and that nothing of it is left.

use std::process::Stdio;
use std::time::Duration;

use crate::dock::Container;
use crate::screen::Screen;
use crate::serving::Serving;
use crate::world::{Person, World};

/// Everything is allowed, and commands may be given some variables.
pub const WITH_VARIABLES: &str = r#"
permit (principal, action, resource);
@env("APP_*") permit (principal, action == Action::"exec", resource);
"#;

/// Statuses, streams, arguments, the image's environment and working directory, and half-close, in a container of the busybox image.
pub async fn streams(ada: &Person, name: &str, container: &Container) {
    let exec = |words: &[&str]| {
        let arguments: Vec<String> = [&["exec", name, "--"], words].concat().iter().map(|word| (*word).to_owned()).collect();
        async move { ada.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    // Statuses, streams, arguments, the image's environment, its working directory.
    for (script, status) in [("exit 0", 0), ("exit 42", 42), ("exit 255", 255), ("kill -TERM $$", 143), ("kill -KILL $$", 137)]
    {
        assert_eq!(exec(&["sh", "-c", script]).await.code, status, "{script}");
    }
    let apart = exec(&["sh", "-c", "echo out; echo err >&2; pwd"]).await;
    assert_eq!((apart.stdout.as_str(), apart.stderr.as_str()), ("out\n/srv\n", "err\n"));
    let words = ["", "two words", "it's", "$HOME", "a\nb", "*", "--", "ü"];
    let expected: String = words.iter().map(|word| format!("<{word}>")).collect();
    assert_eq!(exec(&[&["printf", "<%s>"], &words[..]].concat()).await.stdout, expected);
    assert_eq!(exec(&["sh", "-c", "echo $IMAGE $USER $ZTCTL_USER"]).await.stdout, "yes root ada@local\n");
    assert_eq!(exec(&["cd", "/"]).await.code, 0, "what only a shell knows");
    // Variables that the policy names arrive as they are, and a command without one that it does not name does not run.
    let print = ["--", "sh", "-c", "printf '<%s>' \"$APP_ODD\" \"$APP_EMPTY\"; env | grep -c ^APP_"];
    let given = ada.run(&[&["exec", "-e", "APP_ODD=it's $(id)\n two", "-e", "APP_EMPTY=", name], &print[..]].concat()).await;
    assert_eq!((given.code, given.stdout.as_str()), (0, "<it's $(id)\n two><>2\n"), "{}", given.stderr);
    let withheld = ada.run(&["exec", "-e", "OTHER=x", name, "--", "echo", "ran"]).await;
    assert!(withheld.code == 255 && withheld.stderr.contains("refused the variable OTHER"), "{}", withheld.stderr);
    assert_eq!(withheld.stdout, "");
    let missing = exec(&["no-such-program"]).await;
    assert!(missing.code == 127 && missing.stderr.contains("no-such-program"), "{} {}", missing.code, missing.stderr);
    // A megabyte of every byte there and back, and `cat` ends because its input does.
    let sent: Vec<u8> = (0..1 << 20).map(|n: u32| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let back = ada.run_with(&["exec", name, "--", "cat"], &sent).await;
    assert!(back.code == 0 && back.bytes == sent, "{} bytes of {}: {}", back.bytes.len(), sent.len(), back.stderr);
    // An archive there and back.
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), &sent).unwrap();
    let tar = std::process::Command::new("tar").arg("c").arg("-C").arg(folder.path()).arg("data").output().unwrap().stdout;
    let put = ada.run_with(&["exec", name, "--", "tar", "x", "-C", "/tmp"], &tar).await;
    assert_eq!(put.code, 0, "{}", put.stderr);
    let got = exec(&["tar", "c", "-C", "/tmp", "data"]).await;
    assert!(got.bytes.windows(1 << 16).any(|window| window == &sent[..1 << 16]), "{}", got.stderr);
    // The tail of standard error is not lost behind a fast exit, and much output is whole.
    let tail = exec(&["sh", "-c", "seq 20000 >&2; exit 3"]).await;
    assert_eq!((tail.code, tail.stderr.lines().last()), (3, Some("20000")));
    assert_eq!(exec(&["head", "-c", "20000000", "/dev/zero"]).await.bytes.len(), 20_000_000);
    // Ctrl-C takes the command along.
    let mut interrupted = ada.ztctl(&["exec", name, "--", "sleep", "4711"]).stdin(Stdio::piped()).spawn().unwrap();
    container.wait_for_processes("sleep 4711", 1, Duration::from_secs(10));
    let pid = rustix::process::Pid::from_raw(i32::try_from(interrupted.id().unwrap()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let status = tokio::time::timeout(Duration::from_secs(10), interrupted.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(130));
    container.wait_for_processes("sleep 4711", 0, Duration::from_secs(5));
}

/// A terminal's size, its keys and its bytes.
pub fn terminal(ada: &Person, name: &str) {
    let mut screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", name], &ada.environment(), 31, 97);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    let is = |size: &str, said: &str| format!("until [ \"$(stty size)\" = '{size}' ]; do sleep 0.05; done; echo {said}\r");
    screen.type_keys(&is("31 97", "'fit'ting"));
    screen.wait_for("fitting");
    screen.resize(40, 120);
    screen.type_keys(&is("40 120", "'fol'lowed"));
    screen.wait_for("followed");
    // Ctrl-P is the shell's, and comes at once: the engine would hold it back.
    screen.type_keys("echo 'remem'bered\r");
    screen.wait_for("remembered");
    screen.type_keys("clear\r");
    screen.wait_until("a clear screen", |screen| !screen.contents().contains("remembered"));
    screen.type_keys("\x10\x10");
    screen.wait_for("echo 'remem'bered");
    screen.type_keys("\x15");
    // Bytes that look like the engine's own framing.
    screen.type_keys("printf '\\001\\000\\000\\000\\377\\377\\377\\377through\\n'\r");
    screen.wait_for("through\n");
    screen.type_keys("exit 3\r");
    assert_eq!(screen.wait_exit(), 3);
    screen.wait_as_before();
}

/// A shell with a prompt.
pub fn shell(person: &Person, name: &str) -> Screen {
    let screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", name], &person.environment(), 30, 100);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen
}

/// What a session leaves behind, each in its own way of hiding: in the background, without a terminal, in a Unix session of its own,
/// deaf to the hang-up, and without the environment that it was started with.
const STRAYS: &str = "sleep 4721 & nohup sleep 4721 >/dev/null 2>&1 & setsid sleep 4721 & \
    (trap '' HUP TERM; sleep 4721) & (trap '' HUP; exec env -i /bin/sleep 4721) & (setsid sleep 4721 &) ; exec sleep 4721";
/// How many they are.
pub const COUNT: usize = 6;

/// A session with all of [`STRAYS`] running.
pub async fn with_strays(ada: &Person, container: &Container, name: &str) -> tokio::process::Child {
    let mut command = ada.ztctl(&["exec", name, "--", "sh", "-c", STRAYS]);
    let child = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    container.wait_for_processes("sleep 4721", COUNT, Duration::from_secs(10));
    child
}

pub fn gone(container: &Container) {
    // Five seconds by the book, and one for a machine that is busy.
    container.wait_for_processes("sleep 4721", 0, Duration::from_secs(6));
}

/// The policy under which [`every_end`] can be.
pub const ENDS: &str = r#"
    @max_session("10s") permit (principal in Group::"hasty", action, resource);
    permit (principal in Group::"patient", action, resource);
"#;

/// Each way in which a session can end. `ada` is one of the patient.
pub async fn every_end(world: &World, agent: &mut Serving, ada: &Person, container: &Container, name: &str) {
    // The command itself ends.
    let script = STRAYS.replace("exec sleep 4721", "exit 3");
    let said = ada.run(&["exec", name, "--", "sh", "-c", &script]).await;
    assert_eq!(said.code, 3, "{}", said.stderr);
    gone(container);
    // The client is killed.
    let mut child = with_strays(ada, container, name).await;
    child.kill().await.unwrap();
    gone(container);
    // A shell whose terminal is closed.
    let mut screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", name], &ada.environment(), 30, 100);
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys(&format!("{STRAYS}\r"));
    container.wait_for_processes("sleep 4721", COUNT, Duration::from_secs(10));
    screen.signal(rustix::process::Signal::KILL);
    gone(container);
    drop(screen);
    // The deadline.
    let hasty = world.person("hal", &["hasty"]).await;
    let child = with_strays(&hasty, container, name).await;
    let output = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("time is over"), "{said}");
    gone(container);
    // Cut by the broker, which removes the person.
    let bob = world.person("bob", &["patient"]).await;
    let child = with_strays(&bob, container, name).await;
    world.admin.remove_user(&"bob".parse().unwrap()).await.unwrap();
    let output = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(255) && said.contains("ended"), "{said}");
    gone(container);
    // The agent leaves in order.
    let mut child = with_strays(ada, container, name).await;
    agent.stop();
    let _ = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.unwrap();
    gone(container);
    agent.restart();
    ada.names(1).await;
    // The agent is killed, and comes back: it is told what it left behind.
    let mut child = with_strays(ada, container, name).await;
    agent.kill();
    let status = tokio::time::timeout(Duration::from_secs(20), child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(255));
    container.wait_for_processes("sleep 4721", COUNT, Duration::from_secs(1));
    agent.restart();
    container.wait_for_processes("sleep 4721", 0, Duration::from_secs(15));
}

/// A tree to the container and back, its modes and times, what is resumed, and what cannot be.
pub async fn files(ada: &Person, name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let path = |path: &str| folder.path().join(path).display().to_string();
    let content = |count: u32| (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect::<Vec<u8>>();
    std::fs::create_dir_all(at("tree/deep")).unwrap();
    for (file, bytes) in [("empty", 0), ("deep/a file", 1_500_001), ("it's\na name; $(id)", 7), ("ümlaut", 4096)] {
        std::fs::write(at("tree").join(file), content(bytes)).unwrap();
    }
    std::os::unix::fs::symlink("deep/a file", at("tree/link")).unwrap();
    let old = std::process::Command::new("touch").args(["-d", "2020-02-29T12:00:00Z"]).arg(at("tree/ümlaut")).status();
    assert!(old.unwrap().success());
    std::fs::set_permissions(at("tree/ümlaut"), std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
    let cp = |words: &[&str]| {
        let words: Vec<String> = [&["cp"], words].concat().iter().map(|word| (*word).to_owned()).collect();
        async move { ada.run(&words.iter().map(String::as_str).collect::<Vec<_>>()).await }
    };
    let there = |path: &str| format!("{name}:/tmp/{path}");
    let sent = cp(&["-p", &path("tree"), &there("tree")]).await;
    assert_eq!((sent.code, sent.stderr.as_str()), (0, ""));
    let fetched = cp(&["-p", &there("tree"), &path("back")]).await;
    assert_eq!((fetched.code, fetched.stderr.as_str()), (0, ""));
    let diff =
        std::process::Command::new("diff").args(["-r", "--no-dereference"]).args([at("tree"), at("back")]).output().unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
    let stat = std::process::Command::new("stat").args(["-c", "%a %Y"]).arg(at("back/ümlaut")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&stat.stdout).trim(), "640 1582977600");
    // Gone on with: what is there of it stays.
    let begun = ada.run_with(&["exec", name, "--", "sh", "-c", "cat >/tmp/.whole.ztctl-part"], &content(1_000_000)).await;
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    assert_eq!(cp(&["--resume", &path("tree/deep/a file"), &there("whole")]).await.code, 0);
    assert!(ada.run(&["exec", name, "--", "cat", "/tmp/whole"]).await.bytes == content(1_500_001));
    assert_eq!(cp(&[&format!("{name}:/proc/1/status"), &path("status")]).await.code, 0);
    assert!(std::fs::read_to_string(at("status")).unwrap().contains("Pid:"));
    for (words, told) in [
        ([there("absent"), path("x")], "no such file"),
        ([path("tree/empty"), there("no/folder")], "no such file"),
        ([path("tree/empty"), format!("{name}:/proc/x")], "/proc/"),
        ([format!("{name}:/dev/null"), path("x")], "neither a file nor a folder"),
    ] {
        let said = cp(&[&words[0], &words[1]]).await;
        assert!(said.code == 1 && said.stderr.contains(told), "{words:?}: {} {}", said.code, said.stderr);
    }
}
