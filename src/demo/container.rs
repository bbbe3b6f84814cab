//! A demo container: the agent as PID 1 of its own user, mount, PID and UTS namespaces, with a small app under it.
//!
//! The program starts itself again twice. The first process makes the namespaces and stays outside as the container's parent; the
//! second is born into the PID namespace, makes the inside look like a container and becomes `ztagent run -- APP`. Where the
//! kernel does not allow namespaces, it is a plain child, and the first line of the first process's output says so.
//!
//! The file system is the machine's own, read-only but for `/tmp`, `/var/log` and `/root`, which are empty and the container's.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
use rustix::process::{Signal, getgid, getuid, set_parent_process_death_signal};
use rustix::thread::UnshareFlags;

use super::engine::{self, ENGINE};
use crate::proto::Secret;

/// The hidden verb that the demo's processes are started with.
pub const ENTRY: &str = "__container";

/// What the demo's containers are replicas of.
pub const APP: &str = "shop";

/// A running demo container. Dropping it ends it, and all that runs in it.
#[derive(Debug)]
pub struct Container {
    parent: Child,
    /// Kept open for as long as the container is wanted: a closed one tells it that nobody is there.
    _wanted: ChildStdout,
    /// Why it has no namespaces of its own, if it has none.
    pub plain: Option<String>,
}

impl Container {
    /// Starts the container that calls itself `hostname` and joins with `token`; its agent complains in `log`.
    ///
    /// # Errors
    /// When the program cannot be started again, or the container ends before it has said how it is isolated.
    pub fn start(hostname: &str, token: &Secret<String>, log: File) -> io::Result<Self> {
        let mut command = itself();
        command.args([ENTRY, OUTSIDE, hostname]);
        // Of the caller's environment nothing but what any container has.
        command.env_clear().env("PATH", PATH).env("LANG", "C.UTF-8").env("HOME", "/root");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        let mut parent = command.spawn()?;
        let (Some(mut stdin), Some(stdout)) = (parent.stdin.take(), parent.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut container = Self { parent, _wanted: stdout, plain: None };
        // On standard input, where no `ps` and no `/proc/PID/environ` inside the container shows it.
        stdin.write_all(token.expose().as_bytes())?;
        drop(stdin);
        let mut line = String::new();
        BufReader::new(&mut container._wanted).read_line(&mut line)?;
        match line.trim_end().split_once(' ') {
            Some((ISOLATED, _)) => {}
            Some((PLAIN, why)) => container.plain = Some(why.to_owned()),
            _ => return Err(io::Error::other("the demo container ended at its start")),
        }
        Ok(container)
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        // The outer process dies with its child and takes it along: see `set_parent_process_death_signal` in both.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}

/// What the program does when it was started as [`ENTRY`].
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(2).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [OUTSIDE, hostname] => outside(hostname),
        [INSIDE, hostname] => inside(hostname, true),
        [UNCONFINED, hostname] => inside(hostname, false),
        [ENGINE, socket, state] => engine::main(socket, state),
        _ => Err(io::Error::other("not for people")),
    };
    result.unwrap_or(ExitCode::FAILURE)
}

/// The container's parent: makes the namespaces, says whether there are any, and ends with the inner process.
fn outside(hostname: &str) -> io::Result<ExitCode> {
    die_with_the_parent(Signal::KILL)?;
    // A session of its own: the terminal is not the container's, and a Ctrl-C there is the demo's to handle.
    rustix::process::setsid()?;
    let (isolation, stage) = match make_namespaces() {
        Ok(()) => (format!("{ISOLATED} yes"), INSIDE),
        Err(error) => (format!("{PLAIN} {error}"), UNCONFINED),
    };
    let mut command = itself();
    command.args([ENTRY, stage, hostname]).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdout = io::stdout();
    writeln!(stdout, "{isolation}").and_then(|()| stdout.flush()).or_else(|gone| child.kill().and(Err(gone)))?;
    // Its output stays open, unread, until it ends: see `die_with_the_parent`.
    let status = child.wait()?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Sees to it that the kernel sends `signal` to this process when its parent ends. A parent that was gone before it could be asked has closed
/// the pipe at our standard output; in a PID namespace of one's own there is no other way to tell.
pub(super) fn die_with_the_parent(signal: Signal) -> io::Result<()> {
    set_parent_process_death_signal(Some(signal))?;
    let stdout = rustix::stdio::stdout();
    let mut poll = [PollFd::new(&stdout, PollFlags::OUT)];
    rustix::event::poll(&mut poll, Some(&Timespec::default()))?;
    if poll[0].revents().contains(PollFlags::ERR) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
}

/// New user, mount, PID and UTS namespaces, this user as root in them.
fn make_namespaces() -> io::Result<()> {
    let (uid, gid) = (getuid().as_raw(), getgid().as_raw());
    let flags = UnshareFlags::NEWUSER | UnshareFlags::NEWNS | UnshareFlags::NEWPID | UnshareFlags::NEWUTS;
    // SAFETY: this process has one thread, and shares no file descriptor table or memory with another.
    unsafe { rustix::thread::unshare_unsafe(flags) }?;
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("0 {uid} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("0 {gid} 1"))
}

/// The container's first process: sets the scene where it may, then is the agent.
fn inside(hostname: &str, isolated: bool) -> io::Result<ExitCode> {
    die_with_the_parent(Signal::KILL)?;
    rustix::stdio::dup2_stdout(File::options().write(true).open("/dev/null")?)?;
    if isolated {
        set_the_scene(hostname)?;
        // Where the app runs, and the sessions beside it; not where the demo was started.
        std::env::set_current_dir("/root").or_else(|_| std::env::set_current_dir("/"))?;
    }
    let log = if isolated { "/var/log/shop.log" } else { "/dev/null" };
    let app = format!("log={log}; {WORKLOAD}");
    let arguments = [
        "ztagent",
        "run",
        "--join-token-file",
        "/dev/stdin",
        "--name",
        hostname,
        "--app",
        APP,
        "--label",
        "tier=demo",
        "--",
        "/bin/sh",
        "-c",
        &app,
    ];
    Ok(crate::agent::args::run(arguments.iter().map(Into::into)))
}

/// Host name, `/proc` of the new PID namespace, the file system read-only but for three empty folders.
fn set_the_scene(hostname: &str) -> io::Result<()> {
    rustix::system::sethostname(hostname.as_bytes())?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    mount("proc", "/proc", "proc", MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC, None)?;
    // Kernels keep flags that the outer namespace locked; where those are others than these, the root stays writable.
    let _ = mount_remount("/", MountFlags::BIND | MountFlags::RDONLY | MountFlags::RELATIME, "");
    let program = std::env::current_exe()?;
    let file = File::open(&program)?;
    for folder in ["/tmp", "/var/log", "/root"] {
        if Path::new(folder).is_dir() {
            mount("tmpfs", folder, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, None)?;
            if program.starts_with(folder) {
                put_back(&program, &file)?;
            }
        }
    }
    Ok(())
}

/// Makes the running program visible again below an empty folder: sessions start it by its path, and it may well be in root's home.
fn put_back(program: &Path, file: &File) -> io::Result<()> {
    program.parent().map_or(Ok(()), std::fs::create_dir_all)?;
    File::create(program)?;
    Ok(mount_bind(format!("/proc/self/fd/{}", file.as_raw_fd()), program)?)
}

/// The running program, also where its path is hidden or replaced.
pub(super) fn itself() -> Command {
    Command::new("/proc/self/exe")
}

const OUTSIDE: &str = "outside";
const INSIDE: &str = "inside";
const UNCONFINED: &str = "unconfined";
const ISOLATED: &str = "isolated";
const PLAIN: &str = "plain";
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The app: serves nobody, and writes a log worth collecting.
const WORKLOAD: &str = r#"n=0; while :; do n=$((n+1)); echo "$(date -u +%FT%TZ) order $n accepted" >>"$log"; sleep 1; done"#;
