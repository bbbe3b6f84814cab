//! The machine that the agent runs on: sessions are logins of its users, made by the system's own `runuser -l`, so that groups, limits,
//! home, shell and environment are those that the machine's administrator gives them.
//!
//! Where there is no `runuser` (or the agent is not root, and can only be who it is) the agent makes the login itself, without PAM.

use std::collections::{BTreeMap, HashSet};
use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;

use tokio::sync::watch;

use super::{Connector, Containers, Request, StartError};
use crate::agent::args::HostArgs;
use crate::agent::environment::{self, Variables};
use crate::agent::passwd::{Account, LoginError, account, is_executable, parse_account};
use crate::agent::process::Process;
use crate::agent::program::{Asked, Program};
use crate::agent::reaper::{Orphans, Reaper};
use crate::agent::serve;
use crate::agent::spawn::Launch;
use crate::agent::sweep::{self, Leader};
use crate::agent::trampoline::Specification;
use crate::log::LogLevel;
use crate::proto::agent::{Capabilities, ContainerReport, Facts, RUNNING};
use crate::proto::name::{Login, app_name};
use crate::proto::{Action, SessionId};

/// `ztagent host`.
pub(in crate::agent) fn run(args: HostArgs, log_level: LogLevel) -> ExitCode {
    let HostArgs { join, app, labels, default_login } = args;
    serve::run(
        log_level,
        || serve::settings(&join),
        async move |config| {
            let (name, started_at, labels) = (config.name.clone(), config.clock.now(), labels.into_iter().collect());
            Ok::<_, Infallible>(Connector::host(HostConnector::new(HostSettings {
                name,
                app,
                labels,
                default_login,
                started_at,
            })))
        },
    )
}

/// Serves the machine that the agent runs on.
#[derive(Debug)]
pub struct HostConnector {
    runtime_id: String,
    /// Who a session is that names nobody.
    default_login: Option<Login>,
    runuser: Option<PathBuf>,
    reaper: Reaper,
    containers: watch::Sender<Containers>,
}

/// What the machine is called.
#[derive(Debug, Clone, Default)]
pub struct HostSettings {
    /// Its name.
    pub name: String,
    /// What it is one of; its name where it is one of a kind.
    pub app: Option<String>,
    /// The labels that policies can match.
    pub labels: BTreeMap<String, String>,
    /// Who a session is that names nobody. Without one such a session is refused, unless the agent can only be who it is.
    pub default_login: Option<Login>,
    /// When the agent started, in seconds since 1970.
    pub started_at: u64,
}

impl HostConnector {
    /// This machine.
    pub fn new(settings: HostSettings) -> Self {
        let HostSettings { name, app, labels, default_login, started_at } = settings;
        let root = rustix::process::geteuid().is_root();
        let runuser = RUNUSER.iter().map(PathBuf::from).find(|file| root && is_executable(file));
        if root && runuser.is_none() {
            tracing::warn!("there is no runuser on this machine: sessions get the limits of this agent, and nothing of PAM");
        }
        let report = ContainerReport {
            runtime_id: machine_id().unwrap_or_else(|| "host".to_owned()),
            app: app_name(app.as_deref().unwrap_or_else(|| name.split('.').next().unwrap_or_default())),
            image: system_name(),
            location: name.clone(),
            name,
            runtime: "host".to_owned(),
            state: RUNNING.to_owned(),
            started_at,
            labels,
            namespace: None,
            instance: None,
            facts: Facts::default(),
            capabilities: Capabilities {
                login_switch: root,
                default_login: !root || default_login.is_some(),
                ..Capabilities::of([Action::List, Action::Shell, Action::Exec, Action::Copy, Action::Forward])
            },
        };
        let runtime_id = report.runtime_id.clone();
        let containers = watch::Sender::new(Arc::new(BTreeMap::from([(runtime_id.clone(), report)])));
        Self { runtime_id, default_login, runuser, reaper: Reaper::new(Orphans::Leave), containers }
    }

    pub(super) fn containers(&self) -> watch::Receiver<Containers> {
        self.containers.subscribe()
    }

    pub(super) async fn sweep(&self, session: SessionId, leaders: &[Leader]) {
        sweep::sweep(session, leaders, &|_, _| HashSet::new()).await;
    }

    pub(super) fn kill(&self, session: SessionId, leaders: &[Leader]) {
        sweep::kill(session, leaders, &|_, _| HashSet::new());
    }

    pub(super) fn start(&self, runtime_id: &str, request: &Request<'_>) -> Result<Process, StartError> {
        if runtime_id != self.runtime_id {
            return Err(StartError::Gone);
        }
        let login = if request.login.is_default() { self.default_login.as_ref() } else { Some(request.login) };
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let account = match login {
            Some(login) => find(login, uid, gid)?,
            // Only who the agent is: as root it has refused such a session before anything was signed.
            None if uid != 0 => account(Path::new("/"), request.login, uid, gid)?,
            None => return Err(StartError::NoDefault),
        };
        let base = Variables::from([("PATH".into(), environment::PATH.into())]);
        let variables = environment::compose(&base, &account, request.session, request.user, &request.variables);
        let new_session = request.terminal.is_none();
        let specification = match &self.runuser {
            Some(runuser) if *request.asked != Asked::Files => {
                let program = by_runuser(runuser, &account, request.asked, &variables, &request.variables);
                // runuser is what becomes the user, and goes home.
                let own = Account { uid, gid, groups: Vec::new(), ..account };
                Specification::new(&program, &own, Path::new("/"), uid, new_session).encode()
            }
            _ => {
                let program = Program::of(request.asked, &account, OsStr::new(environment::PATH))?;
                Specification::new(&program, &account, &account.home, uid, new_session).encode()
            }
        };
        let launch = Launch { trampoline: request.trampoline, specification, variables: &variables };
        Ok(match request.terminal {
            Some(size) => launch.on_terminal(&self.reaper, size)?,
            None => launch.on_pipes(&self.reaper)?,
        })
    }
}

/// `runuser -l NAME`, which keeps of the environment what tells of the session and of the client's terminal, and what else the client
/// was granted to set.
fn by_runuser(runuser: &Path, account: &Account, asked: &Asked, variables: &Variables, client: &Variables) -> Program {
    let own = ["HOME", "USER", "LOGNAME", "SHELL", "PATH"].map(OsStr::new);
    let kept: Vec<&OsStr> =
        variables.keys().map(OsString::as_os_str).filter(|name| !own.contains(name) || client.contains_key(*name)).collect();
    let mut arguments: Vec<OsString> = vec![
        "runuser".into(),
        "--login".into(),
        "--whitelist-environment".into(),
        kept.join(OsStr::new(",")),
        account.name.clone().into(),
    ];
    if let Asked::Command(line) = asked {
        // Unlike --command it leaves the session to us, and with it the terminal.
        arguments.extend(["--session-command".into(), OsString::from_vec(line.clone())]);
    }
    Program { file: runuser.to_owned(), arguments }
}

/// The account of a user of this machine, wherever its name service has it.
fn find(login: &Login, uid: u32, gid: u32) -> Result<Account, LoginError> {
    match account(Path::new("/"), login, uid, gid) {
        Err(LoginError::Unknown(_)) if uid == 0 => {
            let asked =
                Command::new("getent").args(["passwd", login.as_str()]).stdin(Stdio::null()).stderr(Stdio::null()).output();
            let line = asked.ok().filter(|output| output.status.success()).map(|output| output.stdout).unwrap_or_default();
            let line = String::from_utf8_lossy(&line).into_owned();
            let found = line.lines().next().and_then(|line| parse_account(Path::new("/"), line));
            found.filter(|account| account.name == login.as_str()).ok_or_else(|| LoginError::Unknown(login.clone()))
        }
        known => known,
    }
}

/// What the system calls itself: `Debian GNU/Linux 12 (bookworm)`.
fn system_name() -> String {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map(|name| name.trim_matches('"').to_owned()).unwrap_or_default()
}

/// The machine's own id, by which a host that is enrolled anew is recognised by nobody but the agent of the same key.
fn machine_id() -> Option<String> {
    let id = std::fs::read("/etc/machine-id").ok()?;
    let id = id.trim_ascii();
    (id.len() == 32 && id.iter().all(u8::is_ascii_hexdigit)).then(|| String::from_utf8_lossy(id).into_owned())
}

/// Where distributions put it.
const RUNUSER: [&str; 4] = ["/usr/sbin/runuser", "/sbin/runuser", "/usr/bin/runuser", "/bin/runuser"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runuser_gets_the_login_the_command_and_what_tells_of_the_session() {
        let account = Account::test("ada", 1000, "/home/ada", Some("/bin/bash"));
        let base = Variables::from([("PATH".into(), "/bin".into())]);
        let mut client = Variables::from([("LANG".into(), "C".into()), ("TERM".into(), "xterm".into())]);
        let session = SessionId::random();
        let variables = environment::compose(&base, &account, session, "ada@local", &client);
        let shell = by_runuser(Path::new("/sbin/runuser"), &account, &Asked::Shell, &variables, &client);
        let words: Vec<&str> = shell.arguments.iter().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words, ["runuser", "--login", "--whitelist-environment", "LANG,TERM,ZTCTL_SESSION,ZTCTL_USER", "ada"]);
        let command = by_runuser(Path::new("/sbin/runuser"), &account, &Asked::Command(b"'id'".to_vec()), &variables, &client);
        assert_eq!(command.arguments[5..], ["--session-command", "'id'"]);
        // What policy lets the client set is kept, its own path as well.
        client.extend([("APP_MODE".into(), "x".into()), ("PATH".into(), "/opt/bin".into())]);
        let variables = environment::compose(&base, &account, session, "ada@local", &client);
        let shell = by_runuser(Path::new("/sbin/runuser"), &account, &Asked::Shell, &variables, &client);
        assert_eq!(shell.arguments[3], "APP_MODE,LANG,PATH,TERM,ZTCTL_SESSION,ZTCTL_USER");
    }

    #[test]
    fn a_host_says_what_it_is() {
        let connector = HostConnector::new(HostSettings { name: "Web-1.example.com".into(), ..HostSettings::default() });
        let containers = connector.containers().borrow().clone();
        let report = containers.values().next().unwrap();
        assert_eq!(
            (report.app.as_str(), report.runtime.as_str(), report.name.as_str()),
            ("web-1", "host", "Web-1.example.com")
        );
        assert_eq!(
            report.capabilities.default_login,
            !rustix::process::geteuid().is_root(),
            "root is not who one is by accident"
        );
    }
}
