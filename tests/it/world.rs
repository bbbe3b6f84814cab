//! A whole world in one process: a broker on a port of its own with TLS, agents with the `process` connector, and the real `ztctl`
//! as a child, with a home of its own for each person.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use ztctl::agent::{Agent, AgentConfig, Connector, Description, Join, Pin, ProcessConnector, ProxySettings};
use ztctl::broker::enrolment::Assertions;
use ztctl::broker::{Admin, Broker, Config, JoinTokenSpec, UserTokenSpec};
use ztctl::client::api::{Api, ApiError, Link};
use ztctl::client::http::{self, Server, Trust};
use ztctl::client::tokens::Tokens;
use ztctl::clock::Clock;
use ztctl::proto::api::{ConnectReply, ConnectRequest, LINK_RAW};
use ztctl::proto::ca::CaSet;
use ztctl::proto::join::JoinToken;
use ztctl::proto::name::{Account, Login};
use ztctl::proto::{Action, Actions, Secret};
use ztctl::ssh::{PrivateKey, new_key, public_line};
use ztctl::transport::tls::Roots;

pub use crate::said::Said;
use crate::stack::user_code;

/// Everybody may do everything.
pub const OPEN: &str = "permit (principal, action, resource);";

/// The password of every person of a world.
pub const PASSWORD: &str = "correct horse battery staple";

/// A broker and what belongs to it.
pub struct World {
    /// The broker's address for people: `https://127.0.0.1:PORT`.
    pub url: String,
    /// What an operator may do.
    pub admin: Admin,
    /// The authorities that everybody pins.
    pub ca: CaSet,
    root_pem: String,
    address: SocketAddr,
    folder: TempDir,
    stop: CancellationToken,
    broker: Option<JoinHandle<()>>,
}

impl World {
    /// A broker under which everybody may do everything.
    pub async fn start() -> Self {
        Self::with_policy(OPEN).await
    }

    /// A broker with this policy.
    pub async fn with_policy(policy: &str) -> Self {
        Self::known_as(policy, None).await
    }

    /// A broker at this address of the machine, where containers can reach it.
    pub async fn at(address: &str) -> Self {
        Self::configured(address, OPEN, |_| ()).await
    }

    /// A broker with this policy that people reach at `public_url`, through something in front of it.
    pub async fn known_as(policy: &str, public_url: Option<&str>) -> Self {
        let known_as = |config: &mut Config| {
            if let Some(url) = public_url {
                config.public_url = url.parse().unwrap();
            }
        };
        Self::configured("127.0.0.1", policy, known_as).await
    }

    /// A broker at this address with this policy and whatever `change` changes.
    pub async fn configured(address: &str, policy: &str, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let file = folder.path().join("policy.cedar");
        std::fs::write(&file, policy).unwrap();
        let mut config = Config::dev(folder.path().join("state"), address, file);
        change(&mut config);
        let opened = Broker::open(config, Clock::system()).await.unwrap();
        let root_pem = opened.tls_root_pem().unwrap();
        std::fs::write(folder.path().join("root.pem"), &root_pem).unwrap();
        let (admin, ca) = (opened.admin(), opened.ca_set());
        let (stop, broker) = serve(opened, listener);
        Self { url: format!("https://{address}"), admin, ca, root_pem, address, folder, stop, broker: Some(broker) }
    }

    /// The file with the broker's private TLS root.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The broker's private TLS root, as clients and agents trust it.
    pub fn roots(&self) -> Roots {
        Roots::from_pem(self.root_pem.as_bytes()).unwrap()
    }

    /// The broker's state folder.
    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The file of the policies.
    pub fn policy(&self) -> PathBuf {
        self.folder.path().join("policy.cedar")
    }

    /// Ends the broker in order and starts it again, with the configuration of [`World::start`].
    pub async fn restart(&mut self) {
        self.stop().await;
        let opened = Broker::open(Config::dev(self.state(), self.address, self.policy()), Clock::system()).await.unwrap();
        self.admin = opened.admin();
        let (stop, broker) = serve(opened, TcpListener::bind(self.address).await.unwrap());
        (self.stop, self.broker) = (stop, Some(broker));
    }

    /// The user CA's key, for certificates that the broker would never sign.
    pub fn user_ca(&self) -> PrivateKey {
        PrivateKey::read_openssh_file(self.state().join("ca/user_ca")).unwrap()
    }

    /// A join token for `uses` agents.
    pub async fn join_token(&self, uses: u32) -> JoinToken {
        let spec = JoinTokenSpec { uses, ttl: Duration::from_secs(600), asserts: Assertions::default() };
        self.admin.create_join_token(spec).await.unwrap().expose().parse().unwrap()
    }

    /// An agent that serves this process's machine as a container of `app`.
    pub async fn agent(&self, app: &str) -> RunningAgent {
        let token = self.join_token(1).await;
        RunningAgent::start(self.agent_config(&token), app)
    }

    /// An agent's configuration with a new key.
    pub fn agent_config(&self, token: &JoinToken) -> AgentConfig {
        AgentConfig {
            broker: self.url.parse().unwrap(),
            roots: self.roots(),
            ca: Pin::Fingerprint(token.ca.clone()),
            join: Join::Token(token.secret.clone()),
            key: new_key().unwrap(),
            name: "testhost".to_owned(),
            trampoline: env!("CARGO_BIN_EXE_ztagent").into(),
            proxy: ProxySettings::none(),
            clock: Clock::system(),
            notes: None,
        }
    }

    /// The broker's clients, as reqwest has them, with no redirect followed and cookies left to the caller.
    pub fn http(&self) -> reqwest::Client {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let root = reqwest::Certificate::from_pem(self.root_pem.as_bytes()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([root]).no_proxy();
        builder.redirect(reqwest::redirect::Policy::none()).build().unwrap()
    }

    /// A person in `groups` who is logged in.
    pub async fn person(&self, name: &str, groups: &[&str]) -> Person {
        let person = self.account(name, groups).await;
        person.log_in(self).await;
        person
    }

    /// A person in `groups` who has not logged in yet.
    pub async fn account(&self, name: &str, groups: &[&str]) -> Person {
        let groups: Vec<Account> = groups.iter().map(|group| group.parse().unwrap()).collect();
        self.admin.add_user(&name.parse().unwrap(), &groups, Secret::new(PASSWORD.to_owned())).await.unwrap();
        self.stranger(name)
    }

    /// Somebody with a home and nothing in it.
    pub fn stranger(&self, name: &str) -> Person {
        let home = self.folder.path().join("home").join(name);
        std::fs::create_dir_all(&home).unwrap();
        Person { name: name.to_owned(), home, url: self.url.clone(), root: self.root() }
    }

    /// The client library with a token of `name`'s, for what the program never does.
    pub async fn api(&self, name: &str) -> Api {
        let spec =
            UserTokenSpec { user: name.parse().unwrap(), ttl: Duration::from_secs(600), actions: None, containers: Vec::new() };
        let token = self.admin.create_user_token(spec).await.unwrap();
        let url = self.url.parse().unwrap();
        let server = Server { url, trust: Trust::Roots(self.roots()), proxy: http::ProxySettings::default() };
        Api::new(&server, Tokens::fixed(token)).unwrap()
    }

    /// Everything that the broker answers to these bytes until it closes the connection.
    pub async fn raw(&self, bytes: &[u8]) -> String {
        let tls = tokio_rustls::TlsConnector::from(std::sync::Arc::new(self.roots().client_config().unwrap()));
        let exchange = async {
            let tcp = tokio::net::TcpStream::connect(self.address).await.unwrap();
            let mut stream = tls.connect("127.0.0.1".try_into().unwrap(), tcp).await.unwrap();
            let mut answer = Vec::new();
            // What is refused in the middle is not read to its end.
            let _ = stream.write_all(bytes).await;
            let _ = stream.read_to_end(&mut answer).await;
            String::from_utf8_lossy(&answer).into_owned()
        };
        tokio::time::timeout(Duration::from_secs(60), exchange).await.expect("an answer within a minute")
    }

    /// Ends the broker in order, and waits for it.
    pub async fn stop(&mut self) {
        self.stop.cancel();
        if let Some(broker) = self.broker.take() {
            tokio::time::timeout(Duration::from_secs(10), broker).await.expect("the broker stops within ten seconds").unwrap();
        }
    }
}

fn serve(broker: Broker, listener: TcpListener) -> (CancellationToken, JoinHandle<()>) {
    let stop = CancellationToken::new();
    let serving = broker.serve(listener, stop.clone());
    (stop, tokio::spawn(async move { serving.await.unwrap() }))
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// An agent in this process.
pub struct RunningAgent {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl RunningAgent {
    /// Starts it as the container of `app`.
    pub fn start(config: AgentConfig, app: &str) -> Self {
        // Its own id each time: two agents of one test are two containers.
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let description = Description {
            app: app.to_owned(),
            name: app.to_owned(),
            image: format!("registry.example/{app}:1"),
            location: "testhost".to_owned(),
            labels: [("tier".to_owned(), "test".to_owned())].into(),
            runtime_id: format!("{app}-{}", NEXT.fetch_add(1, Ordering::Relaxed)),
            instance: None,
            started_at: Clock::system().now(),
        };
        let environment = [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("CONTAINER", app)];
        let environment = environment.map(|(name, value)| (name.into(), value.into())).into_iter();
        let connector = Connector::process(ProcessConnector::new(description, environment));
        let stop = CancellationToken::new();
        let task = tokio::spawn(Agent::new(config, connector).run(stop.clone()));
        Self { stop, task }
    }

    /// Ends it in order.
    pub async fn stop(self) {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(10), self.task).await.expect("the agent stops within ten seconds").unwrap();
    }

    /// Ends it without a word.
    pub fn vanish(self) {
        self.task.abort();
    }
}

/// Somebody with a home directory and the real `ztctl`.
pub struct Person {
    name: String,
    home: PathBuf,
    url: String,
    root: PathBuf,
}

impl Person {
    /// The home.
    pub fn home(&self) -> PathBuf {
        self.home.clone()
    }

    /// The same person, who reaches the broker at `url`, behind the certificate in the file `root`.
    pub fn through(self, url: &str, root: &str) -> Self {
        Self { url: url.to_owned(), root: root.into(), ..self }
    }

    /// Everything that is in the environment of this person's `ztctl`.
    pub fn environment(&self) -> Vec<(String, String)> {
        let path = std::env::var("PATH").unwrap_or_default();
        [
            ("HOME", self.home.display().to_string()),
            ("PATH", path),
            ("TERM", "xterm-256color".to_owned()),
            ("LANG", "C.UTF-8".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// `ztctl ARGUMENTS`, not started yet.
    pub fn ztctl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztctl"));
        command.args(arguments).env_clear().envs(self.environment()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// What `ztctl ARGUMENTS` says and exits with.
    pub async fn run(&self, arguments: &[&str]) -> Said {
        let output = self.ztctl(arguments).output();
        Said::from(tokio::time::timeout(Duration::from_secs(60), output).await.expect("ztctl ends within a minute").unwrap())
    }

    /// The same with `input` on standard input.
    pub async fn run_with(&self, arguments: &[&str], input: &[u8]) -> Said {
        let mut child =
            self.ztctl(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        let writer = tokio::spawn(async move {
            let _ = stdin.write_all(&input).await;
        });
        let output = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
        writer.await.unwrap();
        Said::from(output.expect("ztctl ends within a minute").unwrap())
    }

    /// Logs in by a code that the operator approves.
    pub async fn log_in(&self, world: &World) {
        let said = self.log_in_with(world, &["--store", "file"]).await;
        assert_eq!(said.code, 0, "{}", said.stderr);
    }

    /// The same with more arguments.
    pub async fn log_in_with(&self, world: &World, more: &[&str]) -> Said {
        let root = self.root.display().to_string();
        let mut login = self.ztctl(&["login", &self.url, "--device", "--ca", &root]);
        self.approved(world, login.args(more)).await
    }

    /// What `command` says, in which this person logs in once by a code that the operator approves.
    pub async fn approved(&self, world: &World, command: &mut Command) -> Said {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (mut stderr, mut approved) = (String::new(), false);
        while let Some(line) = lines.next_line().await.unwrap() {
            stderr.push_str(&line);
            stderr.push('\n');
            if let Some(code) = user_code(&line).filter(|_| !approved) {
                world.admin.approve_device(&code, &self.name.parse().unwrap()).await.unwrap();
                approved = true;
            }
        }
        let output = child.wait_with_output().await.unwrap();
        Said { stderr, ..Said::from(output) }
    }

    /// The names in this person's list, once there are `count` of them.
    pub async fn names(&self, count: usize) -> Vec<String> {
        self.names_within(count, Duration::from_secs(10)).await
    }

    /// The same within `limit`.
    pub async fn names_within(&self, count: usize, limit: Duration) -> Vec<String> {
        let deadline = Instant::now() + limit;
        loop {
            let said = self.run(&["ls", "--output", "name"]).await;
            let names: Vec<String> = said.stdout.lines().map(str::to_owned).collect();
            if names.len() == count {
                return names;
            }
            assert!(Instant::now() < deadline, "{names:?} instead of {count} names: {}", said.stderr);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A link to a container's agent, and what the broker gave for it, before any SSH.
pub struct Opened {
    /// The key that was made for it.
    pub key: PrivateKey,
    /// What the broker answered.
    pub reply: ConnectReply,
    /// The bytes to the agent.
    pub link: Link,
}

/// The request with which `ztctl` would ask for `actions` in the container `name`.
pub fn request(name: &str, key: &PrivateKey, actions: &[Action]) -> ConnectRequest {
    ConnectRequest {
        as_typed: name.parse().unwrap(),
        container: None,
        login: Login::container_default(),
        public_key: public_line(key.public_key()).unwrap(),
        actions: actions.iter().copied().collect(),
        optional: Actions::default(),
        command: None,
        reason: None,
        break_glass: false,
        link: vec![LINK_RAW.to_owned()],
        ca: None,
    }
}

/// Connects as `ztctl` does, but leaves the SSH to the caller.
pub async fn connect(api: &Api, name: &str, actions: &[Action]) -> Result<Opened, ApiError> {
    let key = new_key().unwrap();
    let (reply, link) = api.connect(&request(name, &key, actions)).await?;
    Ok(Opened { key, reply, link })
}
