//! The peers: a stock OpenSSH server that takes certificates of an authority, and a container of a Docker engine.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use portable_pty::CommandBuilder;

/// An `sshd` on loopback that lets this user in by certificate, and the key and certificate for it.
pub struct OpenSsh {
    folder: PathBuf,
    port: u16,
    server: Child,
}

impl OpenSsh {
    /// Starts it below `folder`, or nothing where it is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].map(Path::new).into_iter().find(|file| file.is_file())?;
        let folder = folder.join("openssh");
        std::fs::create_dir(&folder).unwrap();
        // The folder that sshd drops its privileges into; Debian's service makes it, and none runs here.
        let _ = std::fs::create_dir_all("/run/sshd");
        for key in ["ca", "host", "id"] {
            keygen(&folder, &["-q", "-t", "ed25519", "-N", "", "-f", key]);
        }
        let user = user();
        keygen(&folder, &["-q", "-s", "ca", "-I", "bench", "-n", &user, "-V", "+1d", "id.pub"]);
        keygen(&folder, &["-q", "-s", "ca", "-I", "host", "-h", "-n", "127.0.0.1", "-V", "+1d", "host.pub"]);
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = |name: &str| folder.join(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nHostCertificate {}\nTrustedUserCAKeys {}\nPidFile none\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPermitRootLogin yes\nAuthorizedKeysFile none\n",
            at("host"),
            at("host-cert.pub"),
            at("ca.pub"),
        );
        std::fs::write(folder.join("sshd_config"), config).unwrap();
        let authority = std::fs::read_to_string(folder.join("ca.pub")).unwrap();
        std::fs::write(folder.join("known_hosts"), format!("@cert-authority * {authority}")).unwrap();
        let server = Command::new(sshd)
            .args(["-D", "-e", "-f", &at("sshd_config")])
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(folder.join("log")).unwrap())
            .spawn()
            .unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < deadline, "sshd did not start: {}", std::fs::read_to_string(at("log")).unwrap());
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Self { folder, port, server })
    }

    /// `ssh` with nothing of this machine's configuration, running `remote`.
    pub fn command(&self, remote: &[&str]) -> Command {
        self.command_with(&[], remote)
    }

    /// The same with more `options`.
    pub fn command_with(&self, options: &[&str], remote: &[&str]) -> Command {
        let mut command = Command::new("ssh");
        command.args(self.arguments()).args(options).arg("127.0.0.1").args(remote);
        command
    }

    /// `ssh` with a terminal and the login shell.
    pub fn terminal(&self) -> CommandBuilder {
        let mut command = CommandBuilder::new("ssh");
        command.args(self.arguments());
        command.args(["-tt", "127.0.0.1", "sh"]);
        command
    }

    fn arguments(&self) -> Vec<String> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let known = format!("UserKnownHostsFile={}", at("known_hosts"));
        let (user, port, id) = (user(), self.port.to_string(), at("id"));
        [
            "-F",
            "/dev/null",
            "-o",
            &known,
            "-o",
            "StrictHostKeyChecking=yes",
            "-o",
            "IdentitiesOnly=yes",
            "-i",
            &id,
            "-l",
            &user,
            "-p",
            &port,
        ]
        .map(str::to_owned)
        .to_vec()
    }
}

impl Drop for OpenSsh {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A container of the local engine that sleeps.
pub struct Docker {
    container: String,
}

impl Docker {
    /// Starts one from the first local image that has a shell, or nothing where no engine answers or it has no image.
    pub fn start() -> Option<Self> {
        let images = output(Command::new("docker").args(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}"]))?;
        images.lines().filter(|image| !image.contains("<none>")).find_map(|image| {
            let run = ["run", "--rm", "--detach", "--entrypoint", "sleep", image, "3600"];
            output(Command::new("docker").args(run)).map(|id| Self { container: id.trim().to_owned() })
        })
    }

    /// `docker exec` of `remote`.
    pub fn command(&self, remote: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", &self.container]).args(remote);
        command
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let _ = output(Command::new("docker").args(["rm", "--force", &self.container]));
    }
}

fn keygen(folder: &Path, arguments: &[&str]) {
    let status = Command::new("ssh-keygen").current_dir(folder).args(arguments).stdout(Stdio::null()).status().unwrap();
    assert!(status.success(), "ssh-keygen {arguments:?}: {status}");
}

fn user() -> String {
    output(Command::new("id").arg("-un")).unwrap().trim().to_owned()
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}
