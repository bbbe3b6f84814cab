use std::io::Read;
use std::process::{Command, Stdio};

use super::*;

/// The shells of this machine that containers have too, as words.
fn shells() -> Vec<Vec<&'static str>> {
    let all: [(&str, &[&str]); 4] = [
        ("/bin/dash", &["/bin/dash"]),
        ("/bin/bash", &["/bin/bash"]),
        ("/bin/busybox", &["/bin/busybox", "sh"]),
        ("/usr/bin/mksh", &["/usr/bin/mksh"]),
    ];
    all.iter().filter(|(file, _)| std::path::Path::new(file).is_file()).map(|(_, words)| words.to_vec()).collect()
}

fn start(shell: &[&str], asked: &Asked, exports: &[(&str, &str)]) -> (i32, String, String) {
    let exports = exports.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let start = Start::new(asked, &exports, false).unwrap();
    let words = start.words(shell);
    let output = Command::new(&words[0]).args(&words[1..]).stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (first, rest) = stdout.split_once('\n').unwrap_or((&stdout, ""));
    assert!(first.starts_with(&start.nonce), "{shell:?}: {first}");
    (output.status.code().unwrap(), rest.to_owned(), String::from_utf8(output.stderr).unwrap())
}

fn command_line(line: &str) -> Asked {
    Asked::Command(line.as_bytes().to_vec())
}

#[test]
fn words_arrive_as_given_and_lines_go_to_a_shell() {
    for shell in shells() {
        let words = command::quote(["printf", "%s|", "a b", "it's", "", "x\ny", "$HOME", "*"]);
        let (code, stdout, stderr) = start(&shell, &Asked::Command(words), &[]);
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "a b|it's||x\ny|$HOME|*|", ""), "{shell:?}");
        let (code, stdout, _) = start(&shell, &command_line("echo $((6 * 7)); exit 7"), &[]);
        assert_eq!((code, stdout.as_str()), (7, "42\n"), "{shell:?}");
        // What is no program may be something that the shell itself knows.
        let (code, ..) = start(&shell, &command_line("'cd' '/'"), &[]);
        assert_eq!(code, 0, "{shell:?}");
        let (code, _, stderr) = start(&shell, &command_line("'no-such-program' 'x'"), &[]);
        assert!(code == 127 && stderr.contains("no-such-program"), "{shell:?}: {code} {stderr}");
    }
}

#[test]
fn variables_and_the_account_are_there_and_nothing_of_the_script_is() {
    for shell in shells() {
        let exports = [("TERM", "xterm"), ("ZTCTL_USER", "ada@local"), ("ODD", "a'b \"c\" $d")];
        let (_, stdout, _) = start(&shell, &command_line("'env'"), &exports);
        let has = |line: &str| stdout.lines().any(|found| found == line);
        assert!(has("TERM=xterm") && has("ZTCTL_USER=ada@local") && has("ODD=a'b \"c\" $d"), "{shell:?}: {stdout}");
        let name = if rustix::process::geteuid().is_root() { "USER=root" } else { "USER=" };
        assert!(
            stdout.lines().any(|line| line.starts_with(name)) && stdout.lines().any(|line| line.starts_with("SHELL=/")),
            "{shell:?}: {stdout}"
        );
        assert!(!stdout.contains("_zt_"), "{shell:?}: {stdout}");
    }
}

#[tokio::test]
async fn the_gate_holds_until_a_line_comes() {
    for shell in shells() {
        let start = Start::new(&command_line("'cat'"), &Variables::new(), true).unwrap();
        let words = start.words(&shell);
        let mut child = tokio::process::Command::new(&words[0])
            .args(&words[1..])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let ready = start.ready(&mut stdout).await.unwrap();
        assert_eq!(ready.leader.pid, i32::try_from(child.id().unwrap()).unwrap(), "{shell:?}");
        let mut stdin = child.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, b"\nall of it").await.unwrap();
        drop(stdin);
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "all of it", "{shell:?}");
        child.wait().await.unwrap();
    }
}

#[tokio::test]
async fn what_an_engine_says_instead_is_told() {
    let start = Start::new(&Asked::Shell, &Variables::new(), false).unwrap();
    let failed = b"OCI runtime exec failed: exec: \"sh\": executable file not found in $PATH: unknown\r\n";
    match start.ready(&mut &failed[..]).await {
        Err(NotReady::Said(said)) => assert!(said.starts_with("OCI runtime") && said.ends_with("unknown"), "{said}"),
        other => panic!("{other:?}"),
    }
    let own = format!("{} x y\n", start.nonce);
    assert!(matches!(start.ready(&mut own.as_bytes()).await, Err(NotReady::Said(_))));
    assert!(matches!(start.ready(&mut &b""[..]).await, Err(NotReady::Said(said)) if said.is_empty()));
    let endless = start.nonce.clone() + &" ".repeat(10_000);
    assert!(matches!(start.ready(&mut endless.as_bytes()).await, Err(NotReady::Said(_))));
}

#[test]
fn what_is_no_text_is_refused_before_anything_starts() {
    let refused = Start::new(&Asked::Command(b"'a\xff'".to_vec()), &Variables::new(), false);
    assert!(matches!(refused, Err(NotStarted::NotText)));
}

#[test]
fn a_sweep_finds_a_sessions_processes_however_they_hide() {
    for shell in shells() {
        let session = SessionId::random();
        let script =
            "setsid sleep 600 & (trap '' HUP; env -i setsid sleep 600) & (trap '' HUP; while :; do sleep 600; done) & wait";
        // Whoever runs the tests may be deaf to it.
        let mut child = Command::new("env");
        child.args(["--default-signal=HUP", "setsid", "-w", "sh", "-c", script]).env(MARKER, session.to_string());
        let mut child = child.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let sweep = |signal: &str, known: &[Leader]| {
            let words = sweep_words(session, signal, known);
            let output = Command::new(shell[0]).args(&shell[1..]).args(words).output().unwrap();
            let found = swept(&output.stdout);
            found.unwrap_or_else(|| panic!("{shell:?}: {output:?}"))
        };
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while sweep("0", &[]).len() < 5 {
            assert!(std::time::Instant::now() < deadline, "{shell:?}: {:?}", sweep("0", &[]));
            std::thread::sleep(Duration::from_millis(20));
        }
        let first = sweep("HUP", &[]);
        assert!(first.len() >= 5, "{shell:?}: {first:?}");
        child.wait().unwrap();
        // The one without a marker has no parent any more by which it could be known, but it was seen before.
        let left = sweep("0", &first);
        assert!(left.len() >= 2, "{shell:?}: {left:?}");
        // Again and again, as the agent does: what is started meanwhile may be passed by.
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        while !sweep("KILL", &first).is_empty() {
            assert!(std::time::Instant::now() < deadline, "{shell:?}: {:?}", sweep("0", &first));
        }
        // A number that was used again is somebody else's.
        let own = inside(i32::try_from(std::process::id()).unwrap(), 1);
        assert!(sweep("0", &[own]).is_empty(), "{shell:?}");
    }
}

#[test]
fn a_signal_reaches_the_process_and_its_group() {
    for shell in shells() {
        let mut child =
            Command::new("setsid").args(["sh", "-c", "echo; sleep 600 & wait"]).stdout(Stdio::piped()).spawn().unwrap();
        // Before that it has the terminal of whoever runs the tests, whose group would be meant.
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut [0]).unwrap(), 1, "{shell:?}");
        let leader = inside(i32::try_from(child.id()).unwrap(), 0);
        let words = signal_words(leader, "TERM");
        assert!(Command::new(shell[0]).args(&shell[1..]).args(words).status().unwrap().success(), "{shell:?}");
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(child.wait().unwrap().signal(), Some(15), "{shell:?}");
    }
}

#[test]
fn an_answer_that_is_none_is_not_taken_for_an_empty_one() {
    assert_eq!(swept(b"found\n"), Some(vec![]));
    assert_eq!(swept(b"motd\r\nfound 7:11 8:12\r\n"), Some(vec![inside(7, 11), inside(8, 12)]));
    for answer in [&b""[..], b"3\n", b"found x\n", b"OCI runtime exec failed", b"found 1:2:3\n", b"\xff"] {
        assert_eq!(swept(answer), None, "{answer:?}");
    }
}
