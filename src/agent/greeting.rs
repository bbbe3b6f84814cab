//! The opening of every connection: the broker's nonce, the agent's proof, the broker's answer, the pinned authorities.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};

use crate::agent::Join;
use crate::agent::host::{Host, Standing};
use crate::agent::trust::Trust;
use crate::proto::agent::{
    ANSWER_LIMIT, Answer, Challenge, FRAME_LIMIT, FromAgent, HELLO_LIMIT, HELLO_TIMEOUT, Hello, Kind, Workload,
};
use crate::proto::ca::Chain;
use crate::proto::frame::{self, FrameError, FrameReader};
use crate::proto::version::{self, Mismatch, PROGRAM, PROTOCOL};
use crate::proto::{ErrorBody, Secret};
use crate::ssh::proof::{self, NotProved};
use crate::ssh::statement::NotFollowed;
use crate::ssh::{Authorities, KeyError, public_line};

/// Why a connection does not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum GreetingError {
    /// The stream or a frame on it.
    #[error("the broker's greeting is not understood: {0}")]
    Frame(#[from] FrameError),
    /// No version in common.
    #[error(transparent)]
    Version(#[from] Mismatch),
    /// The broker says no.
    #[error("the broker refuses: {0}")]
    Refused(ErrorBody),
    /// The broker's authorities are not the pinned ones.
    #[error(
        "the broker's certificate authorities are NOT the pinned ones (theirs {theirs}): {why}. Somebody else answers at its address, or its CA was replaced; nothing is served. If it was replaced on purpose, join this agent anew with a token, or the fingerprint, of today"
    )]
    Pin {
        /// The fingerprint of the set that was offered.
        theirs: String,
        /// Why it is not believed.
        why: NotFollowed,
    },
    /// The proof of where this agent runs is not there.
    #[error("the service account's token {path}: {source}; the pod needs a projected volume with it")]
    Workload {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A key that cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Our own key does not sign.
    #[error(transparent)]
    Proof(#[from] NotProved),
}

/// Who this agent is and whom it trusts, as it opens connections.
#[derive(Debug)]
pub(super) struct Greeter {
    name: String,
    trust: Trust,
    /// A join token's secret only until it has been worth an enrolment.
    join: Mutex<Join>,
}

/// An opened connection.
#[derive(Debug)]
pub(super) struct Opened<S> {
    /// What the broker says.
    pub(super) reader: FrameReader<ReadHalf<S>>,
    /// What we say.
    pub(super) writer: WriteHalf<S>,
    /// What users see us called.
    pub(super) name: String,
}

impl Greeter {
    pub(super) fn new(name: String, trust: Trust, join: Join) -> Self {
        Self { name, trust, join: Mutex::new(join) }
    }

    /// Opens a connection of `kind` on `stream`.
    pub(super) async fn greet<S: AsyncRead + AsyncWrite>(
        &self,
        host: &Host,
        stream: S,
        kind: Kind,
    ) -> Result<Opened<S>, GreetingError> {
        let (reader, mut writer) = tokio::io::split(stream);
        let mut reader = FrameReader::new(reader, HELLO_LIMIT);
        let challenge: Challenge = reader.next_within(HELLO_TIMEOUT).await?;
        version::negotiate(challenge.protocol)?;
        let join = self.join().clone();
        let (join, workload) = match join {
            Join::Token(secret) if kind == Kind::Control => (Some(secret), None),
            Join::Workload { cluster, token } if kind == Kind::Control => (None, Some(workload(cluster, &token).await?)),
            Join::Key | Join::Token(_) | Join::Workload { .. } => (None, None),
        };
        let trusted = self.trust.fingerprint();
        let hello = Hello {
            protocol: PROTOCOL,
            version: PROGRAM.to_owned(),
            public_key: public_line(host.key.public_key())?,
            signature: proof::sign(&host.key, kind, &challenge.nonce)?,
            name: self.name.clone(),
            time: host.clock.now(),
            join,
            workload,
            ca: Some(trusted.clone()),
        };
        let sent = frame::write(&mut writer, &hello, HELLO_LIMIT);
        tokio::time::timeout(HELLO_TIMEOUT, sent).await.map_err(|_| FrameError::Timeout(HELLO_TIMEOUT))??;
        // Nothing before the answer is as long as one with the way to its authorities.
        let mut reader = FrameReader::new(reader.into_inner(), ANSWER_LIMIT);
        let (agent, name, ca, chain) = match reader.next_within(HELLO_TIMEOUT).await? {
            Answer::Welcome { agent, name, ca, chain, protocol } => {
                version::negotiate(protocol)?;
                (agent, name, ca, chain)
            }
            Answer::Refused(body) => return Err(GreetingError::Refused(body)),
        };
        let theirs = ca.fingerprint();
        let news = chain.is_some();
        let ca = self.trust.welcome(ca, chain, &trusted).map_err(|why| GreetingError::Pin { theirs, why })?;
        let users = std::sync::Arc::new(Authorities::of_users(&ca)?);
        if news {
            host.tell(FromAgent::Trusts { ca: ca.fingerprint() });
        }
        if kind == Kind::Data {
            host.set_users(users);
        } else {
            host.set_standing(Standing { agent, users });
            let mut join = self.join();
            if matches!(*join, Join::Token(_)) {
                *join = Join::Key;
            }
        }
        Ok(Opened { reader: FrameReader::new(reader.into_inner(), FRAME_LIMIT), writer, name })
    }

    fn join(&self) -> MutexGuard<'_, Join> {
        self.join.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Follows the authorities of which the broker tells on a control connection, and says so.
    ///
    /// # Errors
    /// [`GreetingError::Pin`]: whoever is at the other end is not whom the agent trusts.
    pub(super) fn follow(&self, host: &Host, chain: &Chain) -> Result<(), GreetingError> {
        let theirs = chain.newest().set.fingerprint();
        let ca = self.trust.follow(chain).map_err(|why| GreetingError::Pin { theirs, why })?;
        host.set_users(std::sync::Arc::new(Authorities::of_users(&ca)?));
        host.tell(FromAgent::Trusts { ca: ca.fingerprint() });
        Ok(())
    }
}

/// The proof of where this agent runs: the cluster replaces the file long before the token in it ends.
async fn workload(cluster: String, path: &Path) -> Result<Workload, GreetingError> {
    let failed = |source| GreetingError::Workload { path: path.to_path_buf(), source };
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await.map_err(failed)?.take(TOKEN_LIMIT).read_to_end(&mut bytes).await.map_err(failed)?;
    let bytes = Secret::new(bytes);
    let token = Secret::new(String::from_utf8_lossy(bytes.expose()).trim().to_owned());
    Ok(Workload { cluster, token })
}

/// The most bytes of a token; in a hello there is not much room.
const TOKEN_LIMIT: u64 = 8 * 1024;

#[cfg(test)]
mod tests;
