//! A real `ztagent` that serves what is beside it, as a process of one test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::world::World;

/// The agent of one test; it is killed with this, and a test that fails has its log.
pub struct Serving {
    child: Child,
    folder: PathBuf,
    words: Vec<String>,
    blind: bool,
}

impl Serving {
    /// `ztagent WORDS` with a join token and a state of its own. A blind one is in a PID namespace of its own and sees none of the
    /// machine's processes, as in a container without the host's process ids.
    pub async fn start(world: &World, blind: bool, words: &[&str]) -> Self {
        let token = world.join_token(1).await.encode();
        let folder = folder(world);
        std::fs::write(folder.join("join"), token.expose()).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        let (join, state) = (at("join"), at("state"));
        Self::spawned(folder, blind, &[words, &["--join-token-file", &join, "--state", &state]].concat())
    }

    /// `ztagent WORDS` and nothing more.
    pub fn with(world: &World, words: &[&str]) -> Self {
        Self::spawned(folder(world), false, words)
    }

    fn spawned(folder: PathBuf, blind: bool, words: &[&str]) -> Self {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        Self { child: spawn(&folder, blind, &words), folder, words, blind }
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        // The process that made the namespace takes the agent along.
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The same agent again: same key.
    pub fn restart(&mut self) {
        self.child = spawn(&self.folder, self.blind, &self.words);
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

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("the agent's log:\n{}", self.log());
        }
    }
}

/// A new folder for an agent, which goes with the world.
fn folder(world: &World) -> PathBuf {
    let folder = world.state().parent().unwrap().join(format!("agent-{:08x}", rand::random::<u32>()));
    std::fs::create_dir(&folder).unwrap();
    folder
}

fn spawn(folder: &Path, blind: bool, words: &[String]) -> Child {
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
        .args(words)
        .env_remove("DOCKER_HOST")
        .env_remove("KUBECONFIG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .unwrap()
}
