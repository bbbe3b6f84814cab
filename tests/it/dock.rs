//! A Docker engine's containers for tests, and the real `ztagent docker` beside them.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::peer;
use crate::world::World;

/// A container of the engine, removed with this.
pub struct Container {
    /// The engine's id.
    pub id: String,
}

impl Container {
    /// `docker run --detach ARGUMENTS`.
    pub fn run(arguments: &[&str]) -> Self {
        let id = docker(&[&["run", "--detach"], arguments].concat());
        Self { id: id.trim().to_owned() }
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
        let _ = Command::new("docker").args(["rm", "--force", "--volumes", &self.id]).output();
    }
}

/// What `docker ARGUMENTS` prints; it has to succeed.
pub fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "docker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
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
    child: Child,
    tag: String,
    folder: PathBuf,
    more: Vec<String>,
    blind: bool,
}

impl NodeAgent {
    /// An agent that sees the engine's processes, as one on the host does.
    pub async fn start(world: &World) -> Self {
        Self::with(world, false, &[]).await
    }

    /// The same with more arguments; a blind one is in a PID namespace of its own and sees none of the engine's processes, as in a
    /// container without the host's process ids.
    pub async fn with(world: &World, blind: bool, more: &[&str]) -> Self {
        let token = world.join_token(1).await.encode();
        let tag = format!("{:08x}", rand::random::<u32>());
        let folder = world.state().parent().unwrap().join(format!("node-{tag}"));
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("join"), token.expose()).unwrap();
        let more: Vec<String> = more.iter().map(|word| (*word).to_owned()).collect();
        let child = spawn(&folder, &tag, blind, &more);
        Self { child, tag, folder, more, blind }
    }

    /// The argument of `docker run` by which this agent serves a container.
    pub fn label(&self) -> String {
        format!("--label=ztctl-test={}", self.tag)
    }

    /// A container that this agent serves.
    pub fn container(&self, arguments: &[&str]) -> Container {
        Container::run(&[&[self.label().as_str()], arguments].concat())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // The process that made the namespace takes the agent along.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same agent again: same key.
    pub fn restart(&mut self) {
        self.child = spawn(&self.folder, &self.tag, self.blind, &self.more);
    }

    /// Ends it in order.
    pub fn stop(&mut self) {
        let (own, mut pid) = (self.child.id(), self.child.id());
        if self.blind {
            // The process that made the namespace passes no signals on.
            let children = std::fs::read_to_string(format!("/proc/{own}/task/{own}/children")).unwrap();
            pid = children.trim().parse().unwrap();
        }
        assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
        self.child.wait().unwrap();
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for NodeAgent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("the agent's log:\n{}", self.log());
        }
    }
}

fn spawn(folder: &Path, tag: &str, blind: bool, more: &[String]) -> Child {
    let agent = env!("CARGO_BIN_EXE_ztagent");
    let mut command = match blind {
        true => {
            let mut command = Command::new("unshare");
            command.args(["--pid", "--fork", "--kill-child", "--mount-proc", agent]);
            command
        }
        false => Command::new(agent),
    };
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
    command
        .args(["docker", "--only", &format!("label=ztctl-test={tag}"), "--join-token-file"])
        .arg(folder.join("join"))
        .arg("--state")
        .arg(folder.join("state"))
        .args(more)
        .env_remove("DOCKER_HOST")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}

const BUSYBOX: &str = "ztctl-test-busybox";
const SHELL_LESS: &str = "ztctl-test-shell-less";
