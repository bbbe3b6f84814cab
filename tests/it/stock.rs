//! Stock clients through `ztctl ssh-config`: ssh, scp, sftp, rsync and git as they are installed, with nothing of ours in their command
//! lines but the name of the container.

use std::any::Any;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::cluster::Namespace;
use crate::dock::{self, NodeAgent};
use crate::peer;
use crate::world::{OPEN, Person, World};

/// A person whose `ssh` knows the containers, and one container.
struct Desk {
    _world: World,
    /// What serves the container.
    _agent: Box<dyn Any>,
    home: PathBuf,
    environment: Vec<(String, String)>,
    name: String,
}

impl Desk {
    async fn new() -> Option<Self> {
        if !peer::present("openssh", peer::program("ssh").is_some() && peer::program("sshd").is_some()) {
            return None;
        }
        let world = World::start().await;
        let agent = world.agent("web").await;
        let ada = world.person("ada", &[]).await;
        let name = ada.names(1).await.remove(0);
        Some(Self::with(world, agent, ada, name).await)
    }

    async fn with(world: World, agent: impl Any, ada: Person, name: String) -> Self {
        let home = ada.home();
        std::fs::create_dir_all(home.join(".ssh")).unwrap();
        std::fs::write(home.join(".ssh/config"), "Host *\n    User nobody-of-that-name\n    LogLevel ERROR\n").unwrap();
        let said = ada.run(&["ssh-config"]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
        let environment = ada.environment();
        Self { _world: world, _agent: Box::new(agent), home, environment, name: format!("{name}.zt") }
    }

    /// A program of this machine as the person runs it. OpenSSH takes the home from the accounts and not from the environment, so
    /// that it is told where the configuration is.
    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().envs(self.environment.clone()).stdin(Stdio::null());
        if matches!(name, "ssh" | "scp" | "sftp") {
            command.arg("-F").arg(self.home.join(".ssh/config"));
        }
        command
    }

    /// `ssh -N` that forwards.
    fn forward(&self, words: &[&str]) -> Running {
        let mut command = self.program("ssh");
        command.args(["-N", "-o", "ExitOnForwardFailure=yes"]).args(words).arg(&self.name);
        Running(command.spawn().unwrap())
    }

    fn ssh(&self, words: &[&str]) -> Output {
        self.program("ssh").arg(&self.name).args(words).output().unwrap()
    }

    /// `ssh` as rsync and git start it.
    fn transport(&self) -> String {
        format!("ssh -F {}", self.home.join(".ssh/config").display())
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}: {}", output.status, text(output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A child that ends with this.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A server that answers each connection with what it was sent, in capitals, once the sender has ended.
fn shouting() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || {
                let mut stream = stream.unwrap();
                let mut said = Vec::new();
                stream.read_to_end(&mut said).unwrap();
                stream.write_all(&said.to_ascii_uppercase()).unwrap();
            });
        }
    });
    port
}

fn connect(port: u16) -> TcpStream {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(stream) => return stream,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What comes back for `said`, half-closed.
fn shout(mut stream: TcpStream, said: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let bytes = said.to_vec();
    let writing = std::thread::spawn(move || {
        writer.write_all(&bytes).unwrap();
        writer.shutdown(std::net::Shutdown::Write).unwrap();
    });
    let mut back = Vec::new();
    stream.read_to_end(&mut back).unwrap();
    writing.join().unwrap();
    back
}

fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_runs_commands_side_by_side_and_leaves_no_key() {
    let Some(desk) = Desk::new().await else { return };
    assert_eq!(succeeds(&desk.ssh(&["echo", "in"])), "in\n");
    assert_eq!(desk.ssh(&["exit", "7"]).status.code(), Some(7));
    let sent = bytes(1 << 20);
    let mut cat = desk.program("ssh").arg(&desk.name).arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, copy) = (cat.stdin.take().unwrap(), sent.clone());
    std::thread::spawn(move || stdin.write_all(&copy).unwrap());
    assert!(cat.wait_with_output().unwrap().stdout == sent);
    // Ten at a time share the socket's name, and each gets its own certificate.
    let all: Vec<Child> = (0..10)
        .map(|n| {
            desk.program("ssh")
                .arg(&desk.name)
                .arg(format!("echo {n}"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for (n, child) in all.into_iter().enumerate() {
        assert_eq!(succeeds(&child.wait_with_output().unwrap()).trim(), n.to_string());
    }
    // Names that mean nothing, users that are not there: refused with a sentence.
    let absent = desk.program("ssh").args(["nothing.zt", "true"]).output().unwrap();
    assert!(absent.status.code() == Some(255) && text(&absent).contains("no container nothing"), "{}", text(&absent));
    let stranger = desk.program("ssh").args([&format!("no-such-user@{}", desk.name), "true"]).output().unwrap();
    assert!(!stranger.status.success() && text(&stranger).contains("no-such-user"), "{}", text(&stranger));
    // Nothing but configuration is left: no key, no socket.
    let sockets = || succeeds(&Command::new("find").arg(&desk.home).args(["-type", "s"]).output().unwrap());
    peer::within(Duration::from_secs(5), "folder without a socket", || sockets().is_empty());
    let secrets = Command::new("grep").args(["-rl", "PRIVATE KEY"]).arg(&desk.home).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&secrets.stdout), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn scp_and_sftp_copy_files_with_their_modes_and_times() {
    let Some(desk) = Desk::new().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let sent = bytes(3_000_000);
    std::fs::write(at("a file"), &sent).unwrap();
    succeeds(&Command::new("touch").args(["-d", "2020-02-29T12:00:00Z"]).arg(at("a file")).output().unwrap());
    succeeds(&Command::new("chmod").arg("640").arg(at("a file")).output().unwrap());
    let there = at("there");
    std::fs::create_dir(&there).unwrap();
    let remote = |path: &Path| format!("{}:{}", desk.name, path.display());
    succeeds(&desk.program("scp").args(["-p"]).arg(at("a file")).arg(remote(&there)).output().unwrap());
    succeeds(&desk.program("scp").args(["-p"]).arg(remote(&there.join("a file"))).arg(at("back")).output().unwrap());
    assert!(std::fs::read(at("back")).unwrap() == sent);
    let stat = succeeds(&Command::new("stat").args(["-c", "%a %Y"]).arg(at("back")).output().unwrap());
    assert_eq!(stat.trim(), "640 1582977600");
    // A tree, both ways.
    std::fs::create_dir_all(at("tree/deep")).unwrap();
    for n in 0..20 {
        std::fs::write(at(&format!("tree/deep/{n}")), n.to_string()).unwrap();
    }
    succeeds(&desk.program("scp").args(["-r"]).arg(at("tree")).arg(remote(&there)).output().unwrap());
    succeeds(&desk.program("scp").args(["-r"]).arg(remote(&there.join("tree"))).arg(at("tree2")).output().unwrap());
    succeeds(&Command::new("diff").arg("-r").arg(at("tree")).arg(at("tree2")).output().unwrap());
    // What a person types into sftp.
    let batch = format!(
        "cd {0}\nmkdir made\nput \"{1}\" made/x\nrename made/x made/y\nchmod 600 made/y\nsymlink y made/link\nls -l made\nrm made/link\nrm made/y\nrmdir made\ndf {0}\n",
        there.display(),
        at("a file").display()
    );
    let mut sftp = desk
        .program("sftp")
        .args(["-b", "-", &desk.name])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    sftp.stdin.take().unwrap().write_all(batch.as_bytes()).unwrap();
    let said = succeeds(&sftp.wait_with_output().unwrap());
    assert!(said.contains("-rw-------") && said.contains("lrwxrwxrwx") && !there.join("made").exists(), "{said}");
    let missing = desk.program("scp").arg(remote(Path::new("/nowhere/x"))).arg(at("y")).output().unwrap();
    assert!(!missing.status.success() && text(&missing).contains("No such file"), "{}", text(&missing));
}

#[tokio::test(flavor = "multi_thread")]
async fn ansible_pings_and_copies_with_twenty_forks() {
    let ansible = peer::program("ansible");
    if !peer::present("ansible", ansible.is_some())
        || !peer::present("openssh", peer::program("ssh").is_some() && peer::program("sshd").is_some())
    {
        return;
    }
    let world = World::with_policy(OPEN).await;
    let mut agents = Vec::new();
    for _ in 0..20 {
        agents.push(world.agent("web").await);
    }
    let ada = world.person("ada", &[]).await;
    let names = ada.names_within(20, Duration::from_secs(60)).await;
    let desk = Desk::with(world, agents, ada, names[0].clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let inventory: String = names.iter().map(|name| format!("{name}.zt\n")).collect();
    std::fs::write(folder.path().join("hosts"), inventory).unwrap();
    std::fs::write(folder.path().join("config.txt"), bytes(100_000)).unwrap();
    let play = |module: &str, arguments: &str| {
        let mut command = desk.program(ansible.as_ref().unwrap().to_str().unwrap());
        command.env("ANSIBLE_SSH_ARGS", format!("-F {}", desk.home.join(".ssh/config").display()));
        command.env("ANSIBLE_HOME", desk.home.join("ansible")).env("ANSIBLE_NOCOLOR", "1");
        // Twenty programs that are not optimised begin at once.
        command.env("ANSIBLE_TIMEOUT", "60");
        command.env("ANSIBLE_PYTHON_INTERPRETER", "/usr/bin/python3");
        // Each of these containers is this machine: they must not share a place for what is on its way.
        command.env("ANSIBLE_REMOTE_TMP", folder.path().join("tmp"));
        command.args(["all", "-i"]).arg(folder.path().join("hosts")).args(["-f", "20", "-m", module, "-a", arguments]);
        succeeds(&command.output().unwrap())
    };
    let pinged = play("ping", "");
    assert_eq!(pinged.matches("\"pong\"").count(), 20, "{pinged}");
    let to = folder.path().join("copied-{{ inventory_hostname }}");
    let copied = play("copy", &format!("src={}/config.txt dest={} mode=0640", folder.path().display(), to.display()));
    assert_eq!(copied.matches("CHANGED").count(), 20, "{copied}");
    for name in &names {
        let copy = std::fs::read(folder.path().join(format!("copied-{name}.zt"))).unwrap();
        assert!(copy == bytes(100_000), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rsync_of_ten_thousand_files_and_git_clone() {
    let Some(desk) = Desk::new().await else { return };
    if !peer::present("rsync", peer::program("rsync").is_some()) || !peer::present("git", peer::program("git").is_some()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for n in 0..10_000 {
        if n % 100 == 0 {
            std::fs::create_dir_all(at(&format!("many/{}", n / 100))).unwrap();
        }
        std::fs::write(at(&format!("many/{}/{n}", n / 100)), n.to_string()).unwrap();
    }
    let rsync = |from: &str, to: &str| {
        succeeds(&desk.program("rsync").args(["-a", "-e", &desk.transport(), from, to]).output().unwrap())
    };
    rsync(&format!("{}/", at("many").display()), &format!("{}:{}/", desk.name, at("there").display()));
    rsync(&format!("{}:{}/", desk.name, at("there").display()), &format!("{}/", at("back").display()));
    succeeds(&Command::new("diff").arg("-r").arg(at("many")).arg(at("back")).output().unwrap());
    let git = |words: &[&str]| {
        let mut command = desk.program("git");
        command.env("GIT_SSH_COMMAND", desk.transport()).env("GIT_CONFIG_GLOBAL", "/dev/null").current_dir(folder.path());
        succeeds(&command.args(words).output().unwrap())
    };
    git(&["init", "-q", "origin"]);
    git(&["-C", "origin", "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "first"]);
    git(&["clone", "-q", &format!("{}:{}", desk.name, at("origin").display()), "cloned"]);
    assert!(git(&["-C", "cloned", "log", "--oneline"]).contains("first"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ssh_forwards_to_and_from_the_inside() {
    let Some(desk) = Desk::new().await else { return };
    let (inside, local, dead) = (shouting(), free_port(), free_port());
    // To the inside: many at one time, half-closed, and a port at which nobody answers.
    let running =
        desk.forward(&["-L", &format!("{local}:localhost:{inside}"), "-L", &format!("{dead}:localhost:{}", free_port())]);
    connect(local);
    let all: Vec<_> = (0..20)
        .map(|n| std::thread::spawn(move || assert_eq!(shout(connect(local), &[b'a' + n; 100_000]), [b'A' + n; 100_000])))
        .collect();
    all.into_iter().for_each(|one| one.join().unwrap());
    let mut nobody = connect(dead);
    assert!(matches!(nobody.read(&mut [0]), Ok(0) | Err(_)));
    drop(running);
    // By SOCKS, where the container says what a name is.
    let socks = free_port();
    let running = desk.forward(&["-D", &socks.to_string()]);
    let mut stream = connect(socks);
    stream.write_all(&[5, 1, 0]).unwrap();
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).unwrap();
    let mut request = vec![5, 1, 0, 3, 9];
    request.extend(b"localhost");
    request.extend(inside.to_be_bytes());
    stream.write_all(&request).unwrap();
    let mut answer = [0; 10];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[1], 0);
    assert_eq!(shout(stream, b"by socks"), b"BY SOCKS");
    drop(running);
    // From the inside.
    let remote = free_port();
    let _running = desk.forward(&["-R", &format!("{remote}:localhost:{inside}")]);
    assert_eq!(shout(connect(remote), b"backwards"), b"BACKWARDS");
}

/// A server inside a container, through `ssh -L`: `name` is what the container calls itself there.
fn reaches(desk: &Desk, name: &str) {
    let local = free_port();
    let _running = desk.forward(&["-L", &format!("{local}:{name}:7777")]);
    let back = shout(connect(local), &bytes(300_000));
    assert!(back == bytes(300_000), "{} bytes through {name}", back.len());
}

/// Echoes what it is sent.
const ECHO: [&str; 3] = ["sh", "-c", "exec nc -ll -p 7777 -e cat"];

#[tokio::test(flavor = "multi_thread")]
async fn connections_and_files_reach_the_inside_of_docker_containers() {
    let Some(busybox) = dock::busybox() else { return };
    // An agent that can enter the container's network, and one that has to ask the container to open the connection.
    for blind in [false, true] {
        let world = World::start().await;
        let agent = NodeAgent::with(&world, blind, &[]).await;
        let container = agent.container(&[&["--network=none", busybox], &ECHO[..]].concat());
        let ada = world.person("ada", &[]).await;
        let name = ada.names(1).await.remove(0);
        let desk = Desk::with(world, agent, ada, name).await;
        reaches(&desk, "127.0.0.1");
        reaches(&desk, "localhost");
        // Files by stock clients, through a shell and what the image has.
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("sent"), bytes(1_000_000)).unwrap();
        succeeds(&desk.program("scp").args(["-p"]).arg(at("sent")).arg(format!("{}:/tmp/", desk.name)).output().unwrap());
        succeeds(&desk.program("scp").arg(format!("{}:/tmp/sent", desk.name)).arg(at("back")).output().unwrap());
        assert!(std::fs::read(at("back")).unwrap() == bytes(1_000_000));
        // Nothing of it stays in the container.
        container.wait_for_processes("nc 127.0.0.1", 0, Duration::from_secs(6));
        assert!(!desk.forward(&["-R", "7778:localhost:1"]).0.wait().unwrap().success(), "nobody listens inside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_reach_the_inside_of_a_tomcat_by_what_it_has() {
    if !peer::docker() || !peer::tomcat() {
        return;
    }
    let world = World::start().await;
    let agent = NodeAgent::with(&world, true, &[]).await;
    let _tomcat = agent.container(&["--network=none", "tomcat:local"]);
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let desk = Desk::with(world, agent, ada, name).await;
    let local = free_port();
    let _running = desk.forward(&["-L", &format!("{local}:localhost:8080")]);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let mut stream = connect(local);
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        let read = stream.read_to_string(&mut answer);
        if read.is_ok() && answer.starts_with("HTTP/1.1 ") {
            return;
        }
        assert!(Instant::now() < deadline, "{answer}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_reach_the_inside_of_pods() {
    let Some(busybox) = dock::busybox() else { return };
    let Some(namespace) = Namespace::create() else { return };
    let world = World::start().await;
    let agent = namespace.agent(&world, &[]).await;
    namespace.pod("echo", busybox, &ECHO, &serde_json::json!({}), &serde_json::json!({}));
    namespace.container("echo");
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let desk = Desk::with(world, (agent, namespace), ada, name).await;
    reaches(&desk, "127.0.0.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_policy_does_not_grant_stock_clients_do_not_get() {
    if !peer::present("openssh", peer::program("ssh").is_some()) {
        return;
    }
    let policy = format!(
        "{OPEN} forbid (principal, action in [Action::\"copy\", Action::\"forward\"], resource);
         @require(\"reason\") permit (principal, action == Action::\"shell\", resource);"
    );
    let world = World::with_policy(&policy).await;
    let agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let desk = Desk::with(world, agent, ada, name).await;
    assert_eq!(succeeds(&desk.ssh(&["echo", "in"])), "in\n");
    let copied = desk.program("scp").arg(format!("{}:/etc/hostname", desk.name)).arg("/dev/null").output().unwrap();
    assert!(!copied.status.success());
    let local = free_port();
    let _running = desk.forward(&["-L", &format!("{local}:localhost:{}", shouting())]);
    assert!(matches!(connect(local).read(&mut [0]), Ok(0) | Err(_)));
    assert!(!desk.forward(&["-R", "0:localhost:1"]).0.wait().unwrap().success());
}
