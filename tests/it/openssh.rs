//! Stock OpenSSH against our agent: a certificate of ours opens the door, `@cert-authority` proves the host.

use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::Command;
use ztctl::pipe::{self, Counts};
use ztctl::proto::Action;

use crate::peer;
use crate::world::{World, connect};

#[tokio::test(flavor = "multi_thread")]
async fn ssh_runs_a_command_and_gets_its_status() {
    let Some(ssh) = peer::program("ssh").filter(|_| peer::present("openssh", peer::program("ssh").is_some())) else { return };
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let person = world.person("ada", &["developers"]).await;
    let name = person.names(1).await.remove(0);
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();

    for (remote, status, stdout) in [("echo out; echo err >&2; exit 5", 5, "out\n"), ("cat", 0, "through standard input")] {
        let opened = connect(&world.api("ada").await, &name, &[Action::Exec]).await.unwrap();
        opened.key.write_openssh_file(std::path::Path::new(&at("id")), Default::default()).unwrap();
        std::fs::write(at("id-cert.pub"), &opened.reply.certificate).unwrap();
        let host_ca = &world.ca.host[0];
        std::fs::write(at("known_hosts"), format!("@cert-authority {name}.zt {host_ca}\n")).unwrap();
        // The link behind a port, for a client that knows nothing of links.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let mut link = opened.link;
        let piped = tokio::spawn(async move {
            let (mut tcp, _) = listener.accept().await.unwrap();
            pipe::join(&mut tcp, &mut link, &Counts::default()).await
        });
        let known = format!("UserKnownHostsFile={}", at("known_hosts"));
        let alias = format!("HostKeyAlias={name}.zt");
        let mut child = Command::new(&ssh)
            .args([
                "-F",
                "/dev/null",
                "-o",
                &known,
                "-o",
                "StrictHostKeyChecking=yes",
                "-o",
                "IdentitiesOnly=yes",
                "-o",
                &alias,
            ])
            .args(["-i", &at("id"), "-l", "default", "-p", &port, "127.0.0.1", remote])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A command that does not read may have ended before.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, b"through standard input").await;
        drop(stdin);
        let output = tokio::time::timeout(Duration::from_secs(20), child.wait_with_output()).await.unwrap().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), stdout, "{stderr}");
        // Whether ssh or the agent leaves first is theirs to settle.
        let _ = piped.await.unwrap();
    }
}
