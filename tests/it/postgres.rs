//! A broker whose database is PostgreSQL: everything that is kept there, once.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use ztctl::broker::{LockSpec, LockWish};
use ztctl::proto::Secret;

use crate::login::age;
use crate::mfa::enrol;
use crate::peer;
use crate::world::World;

/// A server of its own, which ends with it.
struct Postgres {
    folder: TempDir,
    programs: std::path::PathBuf,
    port: u16,
}

impl Postgres {
    /// Nothing where there is no PostgreSQL, or nobody to run it as: it refuses to run as root.
    fn start() -> Option<Self> {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let programs = versions.map(|version| version.path().join("bin")).find(|programs| programs.join("initdb").is_file());
        let present = programs.is_some() && rustix::process::geteuid().is_root();
        if !peer::present("postgres", present) {
            return None;
        }
        let mut server = Self { folder: tempfile::tempdir().unwrap(), programs: programs?, port: 0 };
        let folder = server.folder.path().to_owned();
        assert!(Command::new("chown").arg("postgres").arg(&folder).status().unwrap().success());
        server.run("initdb", &format!("-D {}/data -A trust -U zt", folder.display()));
        // Free a moment ago, and not the whole of `initdb` ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        server.port = port;
        // Without the syncs of a real one, which this is not the test of.
        let options = format!("-p {port} -k {} -c listen_addresses=127.0.0.1 -c fsync=off", folder.display());
        server.run("pg_ctl", &format!("-D {0}/data -l {0}/log -w -o '{options}' start", folder.display()));
        Some(server)
    }

    fn run(&self, program: &str, arguments: &str) {
        let program = self.programs.join(program);
        let line = format!("{} {arguments}", program.display());
        let said = Command::new("su").args(["postgres", "-s", "/bin/sh", "-c", &line]).current_dir("/").output().unwrap();
        assert!(said.status.success(), "{line}: {}", String::from_utf8_lossy(&said.stderr));
    }

    fn url(&self) -> String {
        format!("postgres://zt@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data: &Path = &self.folder.path().join("data");
        self.run("pg_ctl", &format!("-D {} -m immediate stop", data.display()));
    }
}

const POLICY: &str = r#"
    permit (principal, action == Action::"list", resource);
    @approval("leads") permit (principal, action == Action::"exec", resource);
    @mfa("15m") permit (principal, action == Action::"logs", resource);
    permit (principal, action == Action::"copy", resource);
"#;

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_kept() {
    let Some(postgres) = Postgres::start() else { return };
    let world = World::configured("127.0.0.1", POLICY, |config| config.database = Some(Secret::new(postgres.url()))).await;
    let _agent = world.agent("web").await;
    let (ada, bob) = (world.person("ada", &["dev"]).await, world.person("bob", &["leads"]).await);
    let name = ada.names(1).await.remove(0);
    // A login and its next tokens.
    age(&ada);
    assert_eq!(ada.run(&["status"]).await.code, 0);
    // A request, its answer, the session that stands on it, and its end.
    let exec = async || ada.run(&["exec", &name, "--", "true"]).await.code;
    assert_eq!(exec().await, 255);
    let asked = ada.run(&["request", &name, "--action", "exec", "--reason", "ticket 7", "--no-wait"]).await;
    assert_eq!(asked.code, 0, "{}", asked.stderr);
    let id = asked.stdout.trim();
    assert!(bob.run(&["requests"]).await.stdout.contains("ticket 7"));
    let approved = bob.run(&["approve", "--yes", id]).await;
    assert_eq!((approved.code, exec().await), (0, 0), "{}", approved.stderr);
    assert_eq!((bob.run(&["deny", id]).await.code, exec().await), (0, 255));
    // A lock, until it is taken away.
    let wish = LockWish::User("ada".parse().unwrap());
    let copy = async || {
        let to = world.state().join("copy").display().to_string();
        ada.run(&["cp", "--quiet", &format!("{name}:/etc/hostname"), &to]).await.code
    };
    assert_eq!(copy().await, 0);
    let made = world.admin.add_lock(LockSpec { wish, lasts: Some(Duration::from_secs(600)), until: None, reason: None }).await;
    assert_eq!(copy().await, 4);
    world.admin.remove_lock(&made.unwrap().lock.id).await.unwrap();
    assert_eq!(copy().await, 0);
    // A second factor, with a recovery code used up.
    let (_, codes) = enrol(&ada);
    let said = ada.run(&["totp", "status"]).await;
    assert!(said.code == 0 && said.stdout.contains("10 recovery codes"), "{}{}", said.stdout, said.stderr);
    assert_eq!(codes.len(), 10);
    // Whoever is removed goes with all of that.
    world.admin.remove_user(&"ada".parse().unwrap()).await.unwrap();
    assert_eq!(ada.run(&["ls"]).await.code, 3);
}
