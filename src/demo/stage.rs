//! What the demo plays on: the temporary folder, the broker, the containers, and their orderly removal.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::container::Container;
use super::engine::EngineAgent;
use crate::broker::audit::Event;
use crate::broker::enrolment::Assertions;
use crate::broker::{Admin, AuditQuery, AuditRecord, Broker, Config, JoinTokenSpec};
use crate::cli::access::Access;
use crate::cli::failure::{Failure, Kind};
use crate::client::api::Api;
use crate::client::ca_pin::Pin;
use crate::client::credential::MemoryStore;
use crate::client::http::{Http, ProxySettings, Server, Trust};
use crate::client::oauth::device::DeviceCode;
use crate::client::oauth::{Dialogue, device, discovery};
use crate::client::tokens::Tokens;
use crate::clock::Clock;
use crate::proto::Secret;
use crate::proto::ca::CaSet;
use crate::proto::name::Account;
use crate::transport::tls::Roots;

/// The demo's user.
pub(super) const USER: &str = "demo@local";

/// What the two containers call themselves.
pub(super) const HOSTNAMES: [&str; 2] = ["shop-1", "shop-2"];

/// The stage as it stands. [`Stage::clear`] removes it; dropped, it removes what needs no waiting.
pub(super) struct Stage {
    /// First, so that they are gone before the broker and the folder are.
    containers: Vec<Container>,
    /// What serves the containers of the machine's engine.
    engine: Option<EngineAgent>,
    url: String,
    root: Roots,
    ca: CaSet,
    admin: Admin,
    stop: CancellationToken,
    broker: JoinHandle<()>,
    /// The broker's state and the policy.
    folder: PathBuf,
}

impl Stage {
    /// A broker that serves in `folder`, and nothing else yet.
    pub(super) async fn set(folder: PathBuf) -> Result<Self, Failure> {
        let policy = folder.join("policy.cedar");
        std::fs::write(&policy, POLICY).map_err(|error| broken("the temporary folder", &error))?;
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(|error| broken("a loopback port", &error))?;
        let address = listener.local_addr().map_err(|error| broken("a loopback port", &error))?;
        let config = Config::dev(folder.join("state"), address, policy);
        let broker = Broker::open(config, Clock::system()).await.map_err(|error| broken("the broker", &error))?;
        let pem = broker.tls_root_pem().unwrap_or_default();
        let root = Roots::from_pem(pem.as_bytes()).map_err(|error| broken("the broker's TLS root", &error))?;
        let (admin, ca, stop) = (broker.admin(), broker.ca_set(), CancellationToken::new());
        let serve = broker.serve(listener, stop.clone());
        let broker = tokio::spawn(async move {
            // Its end is seen by everybody who talks to it; there is nobody else to tell.
            let _ = serve.await;
        });
        Ok(Self {
            containers: Vec::new(),
            engine: None,
            url: format!("https://{address}"),
            root,
            ca,
            admin,
            stop,
            broker,
            folder,
        })
    }

    /// The broker's address.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Why the containers have no namespaces, if they have none.
    pub(super) fn why_plain(&self) -> Option<&str> {
        self.containers.iter().find_map(|container| container.plain.as_deref())
    }

    /// Starts the two containers with a join token for two.
    pub(super) async fn start_containers(&mut self) -> Result<(), Failure> {
        let spec = JoinTokenSpec { uses: HOSTNAMES.len() as u32, ttl: JOIN_WITHIN, asserts: Assertions::default() };
        let token = self.admin.create_join_token(spec).await.map_err(|error| broken("a join token", &error))?;
        for hostname in HOSTNAMES {
            let log = File::options().create(true).append(true).open(self.log());
            let container = log.and_then(|log| Container::start(hostname, &token, log));
            self.containers.push(container.map_err(|error| broken("a demo container", &error))?);
        }
        Ok(())
    }

    /// Starts an agent for the containers of the engine at `socket`.
    pub(super) async fn start_engine(&mut self, socket: &Path) -> Result<(), Failure> {
        let asserts = Assertions { runtime: Some("docker".to_owned()), ..Assertions::default() };
        let spec = JoinTokenSpec { uses: 1, ttl: JOIN_WITHIN, asserts };
        let token = self.admin.create_join_token(spec).await.map_err(|error| broken("a join token", &error))?;
        let log = File::options().create(true).append(true).open(self.log());
        let agent = log.and_then(|log| EngineAgent::start(socket, &token, &self.folder.join("engine"), log));
        self.engine = Some(agent.map_err(|error| broken("an agent for the Docker engine", &error))?);
        Ok(())
    }

    /// The last thing that an agent of the containers called an error or a warning.
    pub(super) fn complaint(&self) -> Option<String> {
        last_complaint(&std::fs::read_to_string(self.log()).ok()?).map(str::to_owned)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("agents.log")
    }

    /// Logs the demo's user in: a real device login, approved by the operator's hand instead of a page.
    pub(super) async fn log_in(&self) -> Result<Access, Failure> {
        let (name, group) = (account("demo")?, account("developers")?);
        let password = Secret::new(crate::proto::SessionId::random().to_string());
        self.admin.add_user(&name, &[group], password).await.map_err(|error| broken("the demo's user", &error))?;
        let url = self.url.parse().map_err(|error| broken("the broker's address", &error))?;
        let server = Server { url, trust: Trust::Roots(self.root.clone()), proxy: ProxySettings::default() };
        let http = Http::new(&server, Clock::system()).map_err(|error| broken("the client", &error))?;
        let metadata = discovery::discover(&http).await.map_err(|error| broken("the login", &error))?;
        let operator = Operator { admin: self.admin.clone(), user: name };
        let credential =
            device::login(&http, &metadata, &operator, false).await.map_err(|error| broken("the login", &error))?;
        let tokens = Tokens::kept(Box::new(MemoryStore::new(credential)), self.folder.join("token.lock"));
        let api = Api::over(http, tokens);
        Ok(Access {
            api,
            ca: Pin::new(self.ca.clone().into(), None),
            user: Some(USER.to_owned()),
            kept: "memory".to_owned(),
            copyable: false,
            picked: None,
            names: None,
        })
    }

    /// What the journal has of the demo's user, the ends of the sessions included.
    pub(super) async fn audit(&self) -> Result<Vec<AuditRecord>, Failure> {
        let deadline = tokio::time::Instant::now() + ENDS_WITHIN;
        loop {
            let query = AuditQuery { user: Some(USER.to_owned()), ..AuditQuery::default() };
            let records = self.admin.audit(query).await.map_err(|error| broken("the audit journal", &error))?;
            let count = |wanted: fn(&Event) -> bool| records.iter().filter(|record| wanted(&record.event)).count();
            let begun = count(|event| matches!(event, Event::SessionAuthorised { .. }));
            let ended = count(|event| matches!(event, Event::SessionEnded { .. }));
            // An end is written down when both sides have said theirs, which may be after our client has gone.
            if ended >= begun || tokio::time::Instant::now() >= deadline {
                return Ok(records);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends containers and broker.
    pub(super) async fn clear(self) {
        let Self { containers, engine, stop, mut broker, .. } = self;
        drop(containers);
        // It may take its time, in which the broker writes down what it says.
        let _ = tokio::task::spawn_blocking(move || drop(engine)).await;
        stop.cancel();
        if tokio::time::timeout(STOP_WITHIN, &mut broker).await.is_err() {
            broker.abort();
        }
    }
}

/// The temporary folder that a stage is set in, which only this user can open.
pub(super) fn folder() -> Result<TempDir, Failure> {
    tempfile::Builder::new().prefix("ztctl-demo-").tempdir().map_err(|error| broken("a temporary folder", &error))
}

/// Approves the code that the client is shown.
struct Operator {
    admin: Admin,
    user: Account,
}

impl Dialogue for Operator {
    fn page(&self, _: &url::Url) {}

    fn code(&self, code: &DeviceCode) {
        let (admin, user, code) = (self.admin.clone(), self.user.clone(), code.user_code.clone());
        // Before the client first asks; it goes on waiting should this fail, and says so in the end.
        let approve = async move { admin.approve_device(&code, &user).await };
        let _ = tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(approve));
    }
}

fn last_complaint(log: &str) -> Option<&str> {
    log.lines().rev().find_map(|line| Some(line.split_once(" ERROR ").or_else(|| line.split_once(" WARN "))?.1))
}

fn account(name: &str) -> Result<Account, Failure> {
    name.parse().map_err(|error| broken("the demo's user", &error))
}

fn broken(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Kind::Failed, "demo", format!("the demo cannot have {what}: {error}"))
}

/// Who may do what, for a reader who sees a policy for the first time.
const POLICY: &str = include_str!("policy.cedar");

const JOIN_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const STOP_WITHIN: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::last_complaint;

    #[test]
    fn the_last_complaint_is_what_is_told() {
        let log = "2026-01-31T09:30:00Z  WARN first\n2026-01-31T09:30:01Z ERROR second\n2026-01-31T09:30:02Z  INFO third\n";
        assert_eq!(last_complaint(log), Some("second"));
        assert_eq!(last_complaint("2026-01-31T09:30:02Z  INFO third\n"), None);
    }
}
