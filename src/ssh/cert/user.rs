//! User certificates: one person, one login, one container, one session.

use std::time::Duration;

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::{Certificate, PublicKey};

use super::{BACKDATE, Refusal, check_common};
use crate::proto::name::Login;
use crate::proto::{Action, Actions, ContainerId, SessionId, VariableNames};
use crate::ssh::Authorities;

/// Everything that a user certificate says.
///
/// What restricts is a critical option, so that any verifier that does not know it refuses the certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserCertificate {
    /// Who: `name@idp`. With the session it makes the key id, which servers log.
    pub user: String,
    /// The session that it opens.
    pub session: SessionId,
    /// The Unix user inside.
    pub login: Login,
    /// The container.
    pub container: ContainerId,
    /// What may be done.
    pub actions: Actions,
    /// The one command that may run, whatever the client then asks for.
    pub force_command: Option<String>,
    /// When the session ends, in seconds since 1970. The certificate itself only opens the door.
    pub deadline: u64,
    /// Whether the session must be recorded.
    pub record: bool,
    /// The environment variables that the client may set beside those of its terminal.
    pub env: VariableNames,
    /// After how long without anything happening the session ends: whole seconds.
    pub idle: Option<Duration>,
}

impl UserCertificate {
    /// The one principal: `LOGIN@CONTAINER`.
    pub fn principal(&self) -> String {
        format!("{}@{}", self.login, self.container)
    }

    /// The key id, which servers log: `USER/SESSION`.
    pub fn key_id(&self) -> String {
        format!("{}/{}", self.user, self.session)
    }

    /// The certificate for `key`, valid from [`BACKDATE`] seconds before `now` until `lifetime` seconds after it, unsigned.
    ///
    /// # Errors
    /// When a part cannot be encoded (a key id or a command of more than 4 GiB).
    pub fn to_builder(&self, key: &PublicKey, now: u64, lifetime: u64) -> russh::keys::ssh_key::Result<Builder> {
        self.to_builder_with_serial(new_serial(), key, now, lifetime)
    }

    /// [`UserCertificate::to_builder`] with a serial that was drawn, and written down, before.
    ///
    /// # Errors
    /// As there.
    pub fn to_builder_with_serial(
        &self,
        serial: u64,
        key: &PublicKey,
        now: u64,
        lifetime: u64,
    ) -> russh::keys::ssh_key::Result<Builder> {
        let window = (now.saturating_sub(BACKDATE), now.saturating_add(lifetime));
        let mut builder = Builder::new_with_random_nonce(&mut rand::rng(), key.key_data().clone(), window.0, window.1)?;
        builder
            .serial(serial)?
            .key_id(self.key_id())?
            .cert_type(CertType::User)?
            .valid_principal(self.principal())?
            .critical_option(SESSION, self.session.to_string())?
            .critical_option(DEADLINE, self.deadline.to_string())?
            .critical_option(ACTIONS, self.actions.to_string())?
            .critical_option(RECORD, if self.record { "required" } else { "off" })?;
        if let Some(command) = &self.force_command {
            builder.critical_option(FORCE_COMMAND, command.clone())?;
        }
        if !self.env.is_empty() {
            builder.critical_option(ENV, self.env.to_string())?;
        }
        if let Some(idle) = self.idle {
            builder.critical_option(IDLE, idle.as_secs().to_string())?;
        }
        // A command on a terminal is no more than a command.
        if self.actions.allow(Action::Shell) || self.actions.allow(Action::Exec) {
            builder.extension(PERMIT_PTY, "")?;
        }
        if self.actions.allow(Action::Forward) {
            builder.extension(PERMIT_PORT_FORWARDING, "")?;
        }
        Ok(builder)
    }

    /// What `certificate` says, if it opens `container` for `ssh_user` at `now`.
    ///
    /// `container` is the one that the link's header names; the certificate must be for the same. The caller still has to see that
    /// the session was announced and is used for the first time.
    ///
    /// # Errors
    /// The first [`Refusal`] that applies.
    pub fn check(
        certificate: &Certificate,
        authorities: &Authorities,
        ssh_user: &str,
        container: ContainerId,
        now: u64,
    ) -> Result<Self, Refusal> {
        check_common(certificate, CertType::User, authorities, now)?;
        let login: Login = ssh_user.parse().map_err(|_| Refusal::Principal)?;
        let [principal] = certificate.valid_principals() else {
            return Err(Refusal::Principal);
        };
        if *principal != format!("{login}@{container}") {
            return Err(Refusal::Principal);
        }
        let mut options = Options::default();
        for (name, value) in certificate.critical_options().iter() {
            options.take(name, value)?;
        }
        let session: SessionId = required(options.session, SESSION)?;
        let (user, key_id_session) = certificate.key_id().rsplit_once('/').ok_or(Refusal::MalformedOption("key id"))?;
        if key_id_session != session.to_string() {
            return Err(Refusal::MalformedOption("key id"));
        }
        let deadline = required(options.deadline, DEADLINE)?;
        if deadline <= now {
            return Err(Refusal::Deadline);
        }
        Ok(Self {
            user: user.to_owned(),
            session,
            login,
            container,
            actions: required(options.actions, ACTIONS)?,
            force_command: options.force_command,
            deadline,
            record: required(options.record, RECORD)?,
            env: options.env,
            idle: options.idle,
        })
    }

    /// Whether `certificate` lets its bearer have a terminal.
    pub fn permits_pty(certificate: &Certificate) -> bool {
        certificate.extensions().contains_key(PERMIT_PTY)
    }
}

#[cfg(test)]
impl UserCertificate {
    /// One for a shell, for tests.
    pub(crate) fn example() -> Self {
        Self {
            user: "ada@local".into(),
            session: SessionId::random(),
            login: Login::container_default(),
            container: ContainerId::random(),
            actions: [Action::Shell].into_iter().collect(),
            force_command: None,
            deadline: 2_000,
            record: false,
            env: VariableNames::default(),
            idle: None,
        }
    }
}

/// The critical options as they are read.
#[derive(Default)]
struct Options {
    session: Option<SessionId>,
    deadline: Option<u64>,
    actions: Option<Actions>,
    record: Option<bool>,
    force_command: Option<String>,
    env: VariableNames,
    idle: Option<Duration>,
}

impl Options {
    fn take(&mut self, name: &str, value: &str) -> Result<(), Refusal> {
        match name {
            SESSION => self.session = Some(value.parse().map_err(|_| Refusal::MalformedOption(SESSION))?),
            DEADLINE => self.deadline = Some(value.parse().map_err(|_| Refusal::MalformedOption(DEADLINE))?),
            ACTIONS => self.actions = Some(value.parse().map_err(|_| Refusal::MalformedOption(ACTIONS))?),
            RECORD => {
                self.record = Some(match value {
                    "off" => false,
                    "required" => true,
                    _ => return Err(Refusal::MalformedOption(RECORD)),
                });
            }
            ENV => self.env = value.parse().map_err(|_| Refusal::MalformedOption(ENV))?,
            IDLE => {
                let seconds = value.parse().map_err(|_| Refusal::MalformedOption(IDLE))?;
                self.idle = Some(Duration::from_secs(seconds));
            }
            FORCE_COMMAND => self.force_command = Some(value.to_owned()),
            unknown => return Err(Refusal::UnknownOption(unknown.escape_default().to_string())),
        }
        Ok(())
    }
}

/// A new serial number: 63 random bits, so that it fits a signed column too.
pub fn new_serial() -> u64 {
    rand::random::<u64>() >> 1
}

fn required<T>(value: Option<T>, name: &'static str) -> Result<T, Refusal> {
    value.ok_or(Refusal::MissingOption(name))
}

/// After how long without anything happening a session ends, as its holder reads it in the certificate.
pub fn idle_limit(certificate: &Certificate) -> Option<Duration> {
    certificate.critical_options().get(IDLE)?.parse().ok().map(Duration::from_secs)
}

const SESSION: &str = "session@ztctl";
const DEADLINE: &str = "deadline@ztctl";
const ACTIONS: &str = "actions@ztctl";
const RECORD: &str = "record@ztctl";
const ENV: &str = "env@ztctl";
const IDLE: &str = "idle@ztctl";
const FORCE_COMMAND: &str = "force-command";
const PERMIT_PTY: &str = "permit-pty";
const PERMIT_PORT_FORWARDING: &str = "permit-port-forwarding";
