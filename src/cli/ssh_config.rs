//! `ztctl ssh-config`: lets stock `ssh`, and whatever runs on it, reach containers as `NAME.zt`.
//!
//! Three files: a configuration that `~/.ssh/config` includes, the authority that hosts are accepted by, and the folder of the sockets that
//! [`super::proxy`] serves. Each is replaced as a whole; nothing else of `~/.ssh` is touched but the one line that includes.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::SshConfigArgs;
use super::failure::{Failure, Kind};
use crate::client::ca_pin::{SUFFIX, known_hosts};
use crate::client::identity_agent::{self, NAME};
use crate::client::private::{self, Guard};

/// Writes the files, or prints the configuration.
pub(super) async fn run(context: &mut Context, args: SshConfigArgs) -> Result<ExitCode, Failure> {
    if !identity_agent::EXISTS {
        return Err(Failure::no_identity_agent());
    }
    let access = Access::open(context).await?;
    let paths = context.paths()?;
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(Kind::Failed, "system", format!("cannot find ztctl itself: {error}")))?;
    let files = Files { config: paths.ssh_config(), known_hosts: paths.known_hosts(), sockets: paths.ssh_agents() };
    let said = context.flags.broker.is_some() || context.flags.profile.is_some();
    let broker = said.then(|| access.api.http().url().to_string());
    let text = files.configuration(&program, broker.as_deref())?;
    if args.print {
        context.ui.lines(&text.lines().collect::<Vec<_>>())?;
        return Ok(ExitCode::SUCCESS);
    }
    let authorities = known_hosts(&access.ca.current().set);
    private::make_folder(&files.sockets, Guard::Secret)?;
    private::write(&files.known_hosts, Guard::Trusted, authorities.as_bytes())?;
    private::write(&files.config, Guard::Trusted, text.as_bytes())?;
    context.ui.note(&format!("wrote {}", files.config.display()));
    let line = format!("Include {}", quoted(&files.config)?);
    match context.environment.home.as_ref().map(|home| home.join(".ssh/config")) {
        Some(own) if !args.no_include => match include(&own, &line) {
            Ok(true) => context.ui.note(&format!("{} includes it from its first line on", own.display())),
            Ok(false) => context.ui.note(&format!("{} includes it already", own.display())),
            Err(error) => {
                let message = format!("{} was left as it is: {error}", own.display());
                return Err(
                    Failure::new(Kind::Failed, "ssh_config", message).hint(format!("put this line before all others: {line}"))
                );
            }
        },
        _ => context.ui.note(&format!("put this line before all others of your ssh configuration: {line}")),
    }
    context.ui.note(&format!("now: ssh NAME{SUFFIX}, with a name of `ztctl ls`; scp, sftp, rsync and git as well"));
    Ok(ExitCode::SUCCESS)
}

struct Files {
    config: PathBuf,
    known_hosts: PathBuf,
    sockets: PathBuf,
}

impl Files {
    fn configuration(&self, program: &Path, broker: Option<&str>) -> Result<String, Failure> {
        let socket = self.sockets.join(NAME);
        if socket.as_os_str().len() > SOCKET_PATH {
            let message = format!("{} is too long for a socket's path", socket.display());
            return Err(Failure::new(Kind::Failed, "ssh_config", message).hint("ZTCTL_STATE_DIR=/shorter ztctl ssh-config"));
        }
        let broker = broker.map(|url| format!(" --broker {url}")).unwrap_or_default();
        // OpenSSH has the command run by a shell, after it has filled in its tokens.
        let command = format!("{} proxy{broker} --identity-agent {} --user %r %n", shell(program)?, shell(&self.sockets)?);
        Ok(format!(
            "# Written by `ztctl ssh-config`, which replaces it as a whole.\n\
             Host *{SUFFIX}\n    \
             ProxyCommand {command}\n    \
             User default\n    \
             IdentityAgent {}\n    \
             IdentitiesOnly no\n    \
             IdentityFile none\n    \
             PreferredAuthentications publickey\n    \
             HostKeyAlgorithms ssh-ed25519-cert-v01@openssh.com\n    \
             StrictHostKeyChecking yes\n    \
             UserKnownHostsFile {}\n    \
             GlobalKnownHostsFile /dev/null\n    \
             CheckHostIP no\n    \
             UpdateHostKeys no\n    \
             ServerAliveInterval 15\n",
            quoted(&socket)?,
            quoted(&self.known_hosts)?,
        ))
    }
}

/// A path as OpenSSH's configuration takes it. `%` and `$` begin its tokens and variables.
fn quoted(path: &Path) -> Result<String, Failure> {
    match path.to_str().filter(|text| !text.contains(['"', '\n', '$', '\\'])) {
        Some(text) => Ok(format!("\"{}\"", text.replace('%', "%%"))),
        None => Err(unspeakable(path)),
    }
}

/// A path as the shell takes it that OpenSSH runs the command with.
fn shell(path: &Path) -> Result<String, Failure> {
    match path.to_str().filter(|text| !text.contains(['\'', '"', '\n', '\\'])) {
        Some(text) => Ok(format!("'{}'", text.replace('%', "%%"))),
        None => Err(unspeakable(path)),
    }
}

fn unspeakable(path: &Path) -> Failure {
    let message = format!("{} has characters that cannot stand in an ssh configuration", path.display());
    Failure::new(Kind::Failed, "ssh_config", message).hint("ZTCTL_CONFIG_DIR and ZTCTL_STATE_DIR name other folders")
}

/// Puts `line` in front of the file, unless it stands there already. Where the file is a link, what it points to is replaced.
fn include(own: &Path, line: &str) -> io::Result<bool> {
    let (text, permissions) = match fs::metadata(own) {
        Ok(metadata) => (fs::read(own)?, Some(metadata.permissions())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (Vec::new(), None),
        Err(error) => return Err(error),
    };
    if text.split(|byte| *byte == b'\n').any(|have| have.trim_ascii() == line.as_bytes()) {
        return Ok(false);
    }
    let target = fs::canonicalize(own).unwrap_or_else(|_| own.to_owned());
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let new = folder.join(format!(".config.{:08x}", rand::random::<u32>()));
    let mut whole = format!("{line}\n\n").into_bytes();
    whole.extend(&text);
    let written = private::create_new(&new).and_then(|mut file| {
        file.write_all(&whole)?;
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.sync_all()?;
        fs::rename(&new, &target)
    });
    written.inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })?;
    Ok(true)
}

/// The most bytes of a socket's path on the systems that there are, less what a new one's name is longer by for a moment.
const SOCKET_PATH: usize = 94;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_line_is_put_first_once_and_the_rest_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (own, real) = (folder.path().join("config"), folder.path().join("dotfiles"));
        fs::write(&real, "Host *\n  User x\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&real, &own).unwrap();
        assert!(include(&own, "Include \"/z\"").unwrap());
        assert!(!include(&own, "Include \"/z\"").unwrap());
        assert_eq!(fs::read_to_string(&real).unwrap(), "Include \"/z\"\n\nHost *\n  User x\n");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(own.is_symlink());
    }

    #[test]
    fn paths_are_quoted_for_whom_they_are_for() {
        assert_eq!(quoted(Path::new("/a b/100%")).unwrap(), "\"/a b/100%%\"");
        assert_eq!(shell(Path::new("/a b/$(id)")).unwrap(), "'/a b/$(id)'");
        assert!(quoted(Path::new("/a\"b")).is_err() && shell(Path::new("/it's")).is_err());
    }
}
