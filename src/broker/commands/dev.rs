//! `ztbroker dev`: a broker for trying things out, ready in one command, and what to type next.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::failure::Failure;
use super::print::Printer;
use super::serve::{Signals, bind, until_signalled};
use crate::broker::admin::{AdminError, JoinTokenSpec};
use crate::broker::args::{Dev, Place};
use crate::broker::enrolment::Assertions;
use crate::broker::{Admin, Broker, Config};
use crate::clock::Clock;
use crate::log;
use crate::proto::name::Account;
use crate::proto::{Secret, SessionId};

pub(super) async fn run(place: &Place, args: Dev, printer: Printer) -> Result<(), Failure> {
    log::start(args.log_level);
    let signals = Signals::new()?;
    let folder = Folder::make(place.state.as_deref())
        .map_err(|error| Failure::new(format!("the state folder cannot be made: {error}")))?;
    let policy = match args.policy {
        Some(policy) => policy,
        None => folder.policy().map_err(|error| Failure::new(format!("the policy cannot be written: {error}")))?,
    };
    let listener = bind(args.listen).await?;
    let address = listener.local_addr().map_err(|error| Failure::new(format!("the broker's address is unknown: {error}")))?;
    let config = Config::dev(folder.path.clone(), address, policy);
    let url = config.public_url.as_str().trim_end_matches('/').to_owned();
    let broker = Broker::open(config, Clock::system()).await?;
    let admin = broker.admin();
    let password = add_user(&admin, &args.user).await?;
    let join = folder.join_token(&admin).await?;
    let (root, join) = (folder.path.join("tls/root.pem"), join.display().to_string());
    let password = match &password {
        Some(password) => format!("password {}", password.expose()),
        None => "password as before; ztbroker user passwd changes it".to_owned(),
    };
    let lines = [
        format!("a broker for trying things out is at {url}, its state in {}", folder.path.display()),
        String::new(),
        format!("log in (user {}, {password}):", args.user),
        format!("  ztctl login {url} --ca {}", quoted(&root)),
        "serve a container, or here any command:".to_owned(),
        format!("  ztagent run --join-token-file {} -- sleep infinity", quoted(Path::new(&join))),
        "administer it:".to_owned(),
        format!("  ztbroker audit --follow --state {}", quoted(&folder.path)),
        String::new(),
        "Ctrl-C ends it".to_owned(),
    ];
    printer.lines(lines.iter().map(String::as_str))?;
    until_signalled(broker, listener, signals).await
}

/// Makes the user, and returns the password; `None` when there is one of that name from an earlier time.
async fn add_user(admin: &Admin, user: &Account) -> Result<Option<Secret<String>>, Failure> {
    let groups: Vec<Account> = "developers".parse().into_iter().collect();
    // 128 random bits.
    let password = Secret::new(SessionId::random().to_string());
    match admin.add_user(user, &groups, password.clone()).await {
        Ok(()) => Ok(Some(password)),
        Err(AdminError::UserExists(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Where everything is; a temporary one is removed when this is dropped.
struct Folder {
    path: PathBuf,
    temporary: bool,
}

impl Folder {
    fn make(wanted: Option<&Path>) -> io::Result<Self> {
        let mut builder = DirBuilder::new();
        builder.mode(0o700);
        match wanted {
            Some(path) => {
                builder.recursive(true).create(path)?;
                // Absolute, so that the lines to paste are good in any folder.
                Ok(Self { path: path.canonicalize()?, temporary: false })
            }
            None => {
                // An unguessable name, and an error where it exists: nobody can have prepared it.
                let path = std::env::temp_dir().join(format!("ztbroker-dev-{}", SessionId::random()));
                builder.create(&path)?;
                Ok(Self { path, temporary: true })
            }
        }
    }

    /// The policy for trying things out; one that is there already stays.
    fn policy(&self) -> io::Result<PathBuf> {
        let path = self.path.join("policy.cedar");
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Ok(mut file) => file.write_all(POLICY.as_bytes()).map(|()| path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(path),
            Err(error) => Err(error),
        }
    }

    /// A file with a join token.
    async fn join_token(&self, admin: &Admin) -> Result<PathBuf, Failure> {
        let spec = JoinTokenSpec { uses: JOIN_USES, ttl: JOIN_WITHIN, asserts: Assertions::default() };
        let token = admin.create_join_token(spec).await?;
        let path = self.path.join("join");
        let written =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).and_then(|mut file| {
                file.write_all(token.expose().as_bytes())?;
                file.write_all(b"\n")
            });
        written.map_err(|error| Failure::new(format!("the join token cannot be written: {error}")))?;
        Ok(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed is in the system's folder for such things.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// `path` as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-+@%:,".contains(character);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

const POLICY: &str = "\
// Everybody may do everything: for trying things out, not for more.
@id(\"everybody\")
permit (principal, action, resource);
";

/// As many agents as one tries things out with.
const JOIN_USES: u32 = 100;

const JOIN_WITHIN: Duration = Duration::from_secs(24 * 3600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word() {
        assert_eq!(quoted(Path::new("/tmp/zt-1")), "/tmp/zt-1");
        assert_eq!(quoted(Path::new("/tmp/it's here")), r"'/tmp/it'\''s here'");
    }

    #[test]
    fn a_temporary_folder_is_private_and_leaves_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let folder = Folder::make(None).unwrap();
        folder.policy().unwrap();
        let path = folder.path.clone();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(folder);
        assert!(!path.exists());
    }
}
