//! `ztctl forward`: to ports inside, by SOCKS, from a port inside; what is refused is said.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::world::{Person, World};

/// A server that sends back what it was sent once the sender has ended; its port.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut said = Vec::new();
                stream.read_to_end(&mut said).unwrap();
                stream.write_all(&said).unwrap();
            });
        }
    });
    port
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What comes back for `said`, half-closed.
fn there_and_back(port: u16, said: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut writer, said) = (stream.try_clone().unwrap(), said.to_vec());
    let writing = std::thread::spawn(move || {
        writer.write_all(&said).unwrap();
        writer.shutdown(Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    writing.join().unwrap();
    back
}

/// A running `ztctl forward`, and what it says.
struct Forwarding {
    child: Child,
    said: std::io::Lines<BufReader<std::process::ChildStderr>>,
}

impl Forwarding {
    fn start(ada: &Person, words: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ztctl"))
            .arg("forward")
            .args(words)
            .env_clear()
            .envs(ada.environment())
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, said }
    }

    fn line(&mut self) -> String {
        self.said.next().expect("another line").unwrap()
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_where_they_were_said_to_be() {
    let world = World::start().await;
    let agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let (inside, local, nobody) = (echo(), free_port(), free_port());
    let mut forwarding = Forwarding::start(&ada, &[&name, &format!("{local}:{inside}"), &format!("0:127.0.0.1:{nobody}")]);
    assert_eq!(forwarding.line(), format!("127.0.0.1:{local} is localhost port {inside} in {name}"));
    let second = forwarding.line();
    let to_nobody: u16 = second.split([':', ' ']).nth(1).unwrap().parse().unwrap();
    let all: Vec<_> =
        (0..20).map(|n| std::thread::spawn(move || assert!(there_and_back(local, &[n; 300_000]) == [n; 300_000]))).collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    assert!(there_and_back(to_nobody, b"").is_empty());
    let failed = forwarding.line();
    assert_eq!(
        failed,
        format!(
            "ztctl: no connection to 127.0.0.1 port {nobody}: nobody answers there, or it cannot be reached from the container"
        )
    );
    // Each is in the audit.
    let audit = Command::new(env!("CARGO_BIN_EXE_ztbroker")).args(["audit", "--state"]).arg(world.state()).output().unwrap();
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.contains("forward") && audit.contains(&inside.to_string()), "{audit}");
    // A port that is taken, before anything is asked of the broker.
    let taken = ada.run(&["forward", &name, &local.to_string()]).await;
    assert!(taken.code == 1 && taken.stderr.contains("cannot listen on 127.0.0.1 port"), "{}", taken.stderr);
    // The container goes, and that is said.
    agent.stop().await;
    let rest: Vec<String> = forwarding.said.by_ref().map_while(Result::ok).collect();
    assert!(rest.iter().any(|line| line.contains("the container is stopping")), "{rest:?}");
    assert_eq!(forwarding.child.wait().unwrap().code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn socks_and_ports_inside() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let (here, socks, inside) = (echo(), free_port(), free_port());
    let mut forwarding = Forwarding::start(&ada, &[&name, "-D", &socks.to_string(), "-R", &format!("{inside}:{here}")]);
    assert_eq!(forwarding.line(), format!("SOCKS 5 at 127.0.0.1:{socks} connects from inside {name}"));
    assert_eq!(forwarding.line(), format!("port {inside} in {name} leads to localhost:{here} here"));
    assert_eq!(there_and_back(inside, b"from inside"), b"from inside");
    let taken = ada.run(&["forward", &name, "-R", &format!("{inside}:{here}")]).await;
    assert!(taken.code == 4 && taken.stderr.contains("something may listen there already"), "{}", taken.stderr);
    let mut stream = TcpStream::connect(("127.0.0.1", socks)).unwrap();
    stream.write_all(&[5, 2, 0, 2]).unwrap();
    stream.read_exact(&mut [0; 2]).unwrap();
    let mut request = vec![5, 1, 0, 3, 9];
    request.extend(b"localhost");
    request.extend(here.to_be_bytes());
    stream.write_all(&request).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[1], 0);
    stream.write_all(b"by name").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    assert_eq!(back, b"by name");
    // What is no SOCKS is told so and goes.
    let mut stream = TcpStream::connect(("127.0.0.1", socks)).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(12))).unwrap();
    let mut back = Vec::new();
    let _ = stream.read_to_end(&mut back);
    assert!(back.len() <= 2, "{back:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_is_told_so() {
    let world = World::with_policy("permit (principal, action in [Action::\"list\", Action::\"shell\"], resource);").await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let said = ada.run(&["forward", &name, &free_port().to_string()]).await;
    assert!(said.code == 4 && said.stderr.contains("policy does not allow you forward on"), "{} {}", said.code, said.stderr);
    assert_eq!(ada.run(&["forward", &name]).await.code, 2);
    assert_eq!(ada.run(&["forward", &name, "x:y"]).await.code, 2);
}
