//! The three programs as processes, as an operator and a developer run them: for what one process cannot show (a broker that is
//! killed, containers that reach it over a network), and for the benchmark.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running `ztbroker`, one person who is logged in, and everything below one temporary folder.
pub struct Stack {
    folder: TempDir,
    url: String,
    broker: Child,
}

impl Stack {
    /// A broker on `address` with a free port, under which everybody may do everything, and `ada` logged in.
    pub fn start_at(address: &str) -> Self {
        Self::start_with(tempfile::tempdir().unwrap(), address)
    }

    /// The same below `folder`.
    pub fn start_with(folder: TempDir, address: &str) -> Self {
        let port = TcpListener::bind((address, 0)).unwrap().local_addr().unwrap().port();
        let url = format!("https://{address}:{port}");
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("policy.cedar"), "permit (principal, action, resource);").unwrap();
        let config = format!(
            "version = 1\nlisten = \"{address}:{port}\"\npublic_url = \"{url}\"\nstate = \"{}\"\npolicy = \"{}\"\n",
            at("state"),
            at("policy.cedar")
        );
        std::fs::write(at("ztbroker.toml"), config).unwrap();
        let broker = serve(folder.path());
        let stack = Self { folder, url, broker };
        stack.admin_with_input(&["user", "add", "ada", "--group", "developers"], "correct horse battery staple\n");
        stack.log_in();
        stack
    }

    /// The folder that all of it lives in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where people find it.
    #[allow(dead_code, reason = "the benchmark asks nobody else")]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The broker's process.
    #[allow(dead_code, reason = "the benchmark looks at its memory, the tests do not")]
    pub fn broker(&self) -> u32 {
        self.broker.id()
    }

    /// `ztbroker ARGUMENTS` at this broker; what it prints.
    pub fn admin(&self, arguments: &[&str]) -> String {
        self.admin_with_input(arguments, "")
    }

    fn admin_with_input(&self, arguments: &[&str], input: &str) -> String {
        let mut child = Command::new(env!("CARGO_BIN_EXE_ztbroker"))
            .args(arguments)
            .args(["--config", &self.folder().join("ztbroker.toml").display().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "ztbroker {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A file with a join token that many agents may use.
    pub fn join_token(&self) -> PathBuf {
        let token = self.admin(&["token", "create", "--join", "--uses", "100"]);
        let line = token.lines().find(|line| line.starts_with("ztj1.")).unwrap_or_else(|| panic!("no token in: {token}"));
        let file = self.folder().join("join");
        std::fs::write(&file, line).unwrap();
        file
    }

    /// `ztctl` as the person who is logged in.
    pub fn ztctl(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztctl"));
        command.env_clear().envs(self.environment());
        command
    }

    /// What `ztctl` needs to find its home.
    pub fn environment(&self) -> Vec<(String, String)> {
        let home = self.folder().join("home").display().to_string();
        let path = std::env::var("PATH").unwrap_or_default();
        [("HOME", home), ("PATH", path), ("TERM", "xterm-256color".to_owned()), ("LANG", "C.UTF-8".to_owned())]
            .map(|(name, value)| (name.to_owned(), value))
            .to_vec()
    }

    /// The output of `COMMAND` in the container `name`.
    pub fn run(&self, name: &str, command: &[&str]) -> String {
        let output = self.ztctl().args(["exec", name, "--"]).args(command).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success(), "{command:?} in {name}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The names in the list, once there are `count` of them.
    pub fn names(&self, count: usize, limit: Duration) -> Vec<String> {
        let deadline = Instant::now() + limit;
        loop {
            let output = self.ztctl().args(["ls", "--output", "name"]).output().unwrap();
            let names: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect();
            if names.len() == count {
                return names;
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(Instant::now() < deadline, "{names:?} instead of {count} names; {said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`.
    pub fn kill_broker(&mut self) {
        self.broker.kill().unwrap();
        self.broker.wait().unwrap();
    }

    /// The same broker again: same port, same state.
    pub fn restart_broker(&mut self) {
        self.broker = serve(self.folder.path());
    }

    /// Logs `ada` in by a code, which the operator's socket approves in place of the page in the browser.
    fn log_in(&self) {
        std::fs::create_dir_all(self.folder().join("home")).unwrap();
        let root = self.folder().join("state/tls/root.pem").display().to_string();
        let mut login = self
            .ztctl()
            .args(["login", &self.url, "--device", "--store", "file", "--ca", &root])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(login.stderr.take().unwrap()).lines().map_while(Result::ok);
        let code = said.find_map(|line| user_code(&line)).expect("ztctl login prints a code");
        self.approve(&code);
        let rest: Vec<String> = said.collect();
        assert!(login.wait().unwrap().success(), "{rest:?}");
    }

    fn approve(&self, code: &str) {
        let mut socket = UnixStream::connect(self.folder().join("state/admin.sock")).unwrap();
        let body = format!(r#"{{"user_code":"{code}","user":"ada"}}"#);
        let request = format!(
            "POST /device/approve HTTP/1.1\r\nHost: admin\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 2"), "{answer}");
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let _ = self.broker.kill();
        let _ = self.broker.wait();
    }
}

/// The code in a line such as `… enter the code ABCD-EFGH`.
pub fn user_code(line: &str) -> Option<String> {
    line.split_whitespace().map(|word| word.trim_matches(|letter: char| !letter.is_ascii_alphanumeric())).find_map(|word| {
        let (left, right) = word.split_once('-')?;
        let four = |half: &str| half.len() == 4 && half.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        (four(left) && four(right)).then(|| word.to_owned())
    })
}

/// Starts the broker of `folder` and waits until it answers.
fn serve(folder: &Path) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("broker.log")).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_ztbroker"))
        .args(["serve", "--config", &folder.join("ztbroker.toml").display().to_string()])
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let (socket, deadline) = (folder.join("state/admin.sock"), Instant::now() + Duration::from_secs(20));
    while UnixStream::connect(&socket).is_err() {
        let log = std::fs::read_to_string(folder.join("broker.log")).unwrap_or_default();
        assert!(Instant::now() < deadline, "the broker does not answer: {log}");
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
