//! A Docker engine's containers for tests, and the real `ztagent docker` beside them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::peer;
use crate::serving::Serving;
use crate::world::World;

/// A container of the engine.
pub struct Container {
    /// The engine's id.
    pub id: String,
    /// Whether it is removed with this.
    owned: bool,
}

impl Container {
    /// `docker run --detach ARGUMENTS`.
    pub fn run(arguments: &[&str]) -> Self {
        let id = docker(&[&["run", "--detach"], arguments].concat());
        Self { id: id.trim().to_owned(), owned: true }
    }

    /// One that somebody else has started and will remove.
    pub fn of(id: &str) -> Self {
        Self { id: id.to_owned(), owned: false }
    }

    /// Its address on the engine's bridge.
    pub fn address(&self) -> String {
        docker(&["inspect", "--format", "{{.NetworkSettings.IPAddress}}", &self.id]).trim().to_owned()
    }

    /// The output of `docker exec` in it.
    pub fn exec(&self, command: &[&str]) -> String {
        docker(&[&["exec", &self.id], command].concat())
    }

    /// How many of its processes have `text` in their command line, as the engine's machine sees them.
    pub fn processes(&self, text: &str) -> usize {
        let top = Command::new("docker").args(["top", &self.id, "-eo", "pid,args"]).output().unwrap();
        String::from_utf8_lossy(&top.stdout).lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until so many of its processes have `text` in their command line.
    pub fn wait_for_processes(&self, text: &str, count: usize, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.processes(text) != count {
            assert!(Instant::now() < deadline, "{} of {count} processes {text:?} after {limit:?}", self.processes(text));
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// What it has written.
    pub fn logs(&self) -> String {
        let output = Command::new("docker").args(["logs", &self.id]).output().unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.id]).output();
    }
}

/// What `docker ARGUMENTS` prints; it has to succeed.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A container of the engine's own interface, started.
pub fn create(body: &str) -> Container {
    let mut socket = UnixStream::connect("/var/run/docker.sock").unwrap();
    let head = "POST /containers/create HTTP/1.0\r\nContent-Type: application/json";
    write!(socket, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (_, json) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let id = json["Id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
    docker(&["start", &id]);
    Container { id, owned: true }
}

/// The engine's bridge, at this machine: where its containers can reach a server of ours.
pub fn bridge() -> String {
    let output = Command::new("ip").args(["-4", "-oneline", "address", "show", "docker0"]).output().unwrap();
    let line = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = line.split_whitespace().skip_while(|word| *word != "inet");
    let address = words.nth(1).unwrap_or_else(|| panic!("no address in {line:?}"));
    address.split('/').next().unwrap().to_owned()
}

/// Builds the image `name` from files and a Dockerfile.
pub fn build(name: &str, files: &[(&Path, &str)], dockerfile: &str) {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in files {
        std::fs::copy(from, folder.path().join(to)).unwrap();
    }
    std::fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    docker(&["build", "--quiet", "--tag", name, &folder.path().display().to_string()]);
}

/// An image with a shell and its small programs and nothing else, if there are an engine and a static busybox.
pub fn busybox() -> Option<&'static str> {
    static BUILT: OnceLock<()> = OnceLock::new();
    let file = Path::new("/bin/busybox");
    if !peer::docker() || !peer::present("busybox", file.is_file()) {
        return None;
    }
    BUILT.get_or_init(|| {
        let accounts = "root:x:0:0:root:/root:/bin/sh\\napp:x:1000:1000::/home/app:/sbin/nologin\\n";
        let dockerfile = format!(
            "FROM scratch\nCOPY busybox /bin/busybox\nRUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]\n\
             RUN [\"/bin/sh\", \"-c\", \"mkdir -p /etc /tmp /root /srv && chmod 1777 /tmp && printf '{accounts}' >/etc/passwd\"]\n\
             WORKDIR /srv\nENV IMAGE=yes\nEXPOSE 8080\nCMD [\"/bin/sleep\", \"600\"]\n"
        );
        build(BUSYBOX, &[(file, "busybox")], &dockerfile);
    });
    Some(BUSYBOX)
}

/// An image that is two programs: no shell, no user, no library.
pub fn shell_less() -> Option<&'static str> {
    static BUILT: OnceLock<()> = OnceLock::new();
    busybox()?;
    BUILT.get_or_init(|| {
        let file = Path::new("/bin/busybox");
        build(
            SHELL_LESS,
            &[(file, "sleep"), (file, "id")],
            "FROM scratch\nCOPY sleep id /\nENTRYPOINT [\"/sleep\", \"600\"]\n",
        );
    });
    Some(SHELL_LESS)
}

/// The `ztagent docker` of one test, which serves that test's containers and no others.
pub struct NodeAgent {
    /// The agent.
    pub process: Serving,
    tag: String,
}

impl NodeAgent {
    /// An agent that sees the engine's processes, as one on the host does.
    pub async fn start(world: &World) -> Self {
        Self::with(world, false, &[]).await
    }

    /// The same with more arguments, and blind if so wished.
    pub async fn with(world: &World, blind: bool, more: &[&str]) -> Self {
        let tag = format!("{:08x}", rand::random::<u32>());
        let only = format!("label=ztctl-test={tag}");
        let process = Serving::start(world, blind, &[&["docker", "--only", &only], more].concat()).await;
        Self { process, tag }
    }

    /// The argument of `docker run` by which this agent serves a container.
    pub fn label(&self) -> String {
        format!("--label=ztctl-test={}", self.tag)
    }

    /// A container that this agent serves.
    pub fn container(&self, arguments: &[&str]) -> Container {
        Container::run(&[&[self.label().as_str()], arguments].concat())
    }
}

const BUSYBOX: &str = "ztctl-test-busybox";
const SHELL_LESS: &str = "ztctl-test-shell-less";
