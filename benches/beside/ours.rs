//! Our own: a broker with TLS, policy and audit, an agent beside it, a person who is logged in.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;

use super::stack::Stack;

/// The three programs, running.
pub struct Ours {
    stack: Stack,
    agent: Child,
    name: String,
}

impl Ours {
    /// Starts them and waits until the container is in the list.
    pub fn start() -> Self {
        let stack = Stack::start_at("127.0.0.1");
        let agent = agent(&stack);
        let name = stack.names(1, Duration::from_secs(10)).remove(0);
        Self { stack, agent, name }
    }

    /// The folder that all of it lives in.
    pub fn folder(&self) -> &Path {
        self.stack.folder()
    }

    /// `ztctl exec` of `command`.
    pub fn exec(&self, command: &[&str]) -> Command {
        let mut ztctl = self.stack.ztctl();
        ztctl.args(["exec", &self.name, "--"]).args(command);
        ztctl
    }

    /// `ztctl shell`.
    pub fn shell(&self) -> CommandBuilder {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_ztctl"));
        command.args(["shell", &self.name]);
        command.env_clear();
        for (name, value) in self.stack.environment() {
            command.env(name, value);
        }
        command
    }

    /// How long it takes from the start of an agent's process until its container is in the list, and from its end until it
    /// is not; each includes a `ztctl ls` or two.
    pub fn come_and_go(&self) -> (Duration, Duration) {
        let started = Instant::now();
        let mut second = agent(&self.stack);
        self.stack.names(2, Duration::from_secs(10));
        let seen = started.elapsed();
        let ended = Instant::now();
        let _ = second.kill();
        let _ = second.wait();
        self.stack.names(1, Duration::from_secs(10));
        (seen, ended.elapsed())
    }

    /// A session that stays until it is dropped.
    pub fn sleeper(&self) -> Sleeper {
        let child = self.exec(&["cat"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(100));
        Sleeper(child)
    }

    /// The agent's process.
    pub fn agent(&self) -> u32 {
        self.agent.id()
    }

    /// The broker's process.
    pub fn broker(&self) -> u32 {
        self.stack.broker()
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.agent.kill();
        let _ = self.agent.wait();
    }
}

fn agent(stack: &Stack) -> Child {
    Command::new(env!("CARGO_BIN_EXE_ztagent"))
        .args(["run", "--app", "bench", "--join-token-file", &stack.join_token().display().to_string(), "--", "sleep", "86400"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// A live session.
pub struct Sleeper(Child);

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
