//! The real programs that some tests talk to, and what happens where one is missing: the test says so and is skipped, unless
//! `ZTCTL_TEST_REQUIRE` (names with commas between them) has its name; then that is a failure.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Whether the peer called `name` is there, as `found` sees it. A test that gets `false` returns at once.
pub fn present(name: &str, found: bool) -> bool {
    let required = std::env::var("ZTCTL_TEST_REQUIRE").unwrap_or_default();
    if !found {
        assert!(!required.split(',').any(|peer| peer == name), "{name} is missing, and ZTCTL_TEST_REQUIRE wants it");
        // Past the capture of the test harness: a skipped test must not look like a passed one. What is in a file already stays there.
        let said = format!("SKIPPED: {} needs {name}\n", std::thread::current().name().unwrap_or("a test"));
        if let Ok(mut stderr) = std::fs::OpenOptions::new().append(true).open("/dev/stderr") {
            let _ = stderr.write_all(said.as_bytes());
        }
    }
    found
}

/// The first of `programs` that is on `PATH` or in the folders of servers.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Whether `command` can be run and succeeds.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// A Docker engine that answers.
pub fn docker() -> bool {
    present("docker", succeeds(Command::new("docker").arg("info")))
}

/// The image of a real Tomcat that `../shared/tools/tomcat-image` makes.
pub fn tomcat() -> bool {
    present("tomcat", succeeds(Command::new("docker").args(["image", "inspect", "tomcat:local"])))
}

/// The agent that needs no library: built by `.ci/run`, named by `ZTCTL_TEST_STATIC_AGENT`.
pub fn static_agent() -> Option<PathBuf> {
    let agent = std::env::var_os("ZTCTL_TEST_STATIC_AGENT").map(PathBuf::from).filter(|file| file.is_file());
    present("static-agent", agent.is_some());
    agent
}

/// User, mount and PID namespaces for whoever runs the tests.
pub fn namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    present(
        "namespaces",
        succeeds(unshare.args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"])),
    )
}

/// Waits until `holds`.
pub fn within(limit: std::time::Duration, what: &str, holds: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + limit;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "no {what} within {limit:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
