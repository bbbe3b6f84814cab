//! What the broker keeps in its database: people, logins, tokens, codes, agents, sessions. SQLite in one file, or PostgreSQL.
//!
//! Portable SQL, times as seconds in integers, hashes and ids as text. Of every secret only the SHA-256 is kept. A change that must
//! be atomic is one statement with its condition, or one transaction that writes first.

mod agents;
mod codes;
mod locks;
mod logins;
mod notices;
mod requests;
mod schema;
mod sessions;
mod signins;
mod tokens;
mod totp;
mod upstream;
mod users;

#[cfg(test)]
mod tests;

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{Any, AnyPool, Row, Transaction};

use crate::proto::Secret;

pub(crate) use agents::{EnrolError, Enrolment};
pub(crate) use codes::{AuthorizationCode, DevicePoll, DeviceRequest, Redeemed};
pub(crate) use logins::{Bearer, NewTokens, Owner, Rotation, Started};
pub(crate) use sessions::{NewSession, OpenSession};
pub(crate) use signins::SignIn;
pub(crate) use tokens::{JoinToken, TokenKind, TokenRow, UserToken};
pub(crate) use upstream::Upstream;
pub(crate) use users::User;

/// The database; clones share one pool.
#[derive(Clone)]
pub(crate) struct Store {
    pool: AnyPool,
    begin: &'static str,
    key: Arc<Secret<[u8; 32]>>,
}

/// Why the database does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address means no database that we know.
    #[error("the database must be sqlite:///PATH or postgres://…")]
    Address,
    /// The file cannot be made.
    #[error("the database {} cannot be opened: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A newer ztbroker wrote the database.
    #[error("the database has version {found}, this ztbroker knows {known}: use the newer ztbroker, or another database")]
    Newer {
        /// The database's version.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// There is one of that name.
    #[error("{0} exists")]
    Exists(String),
    /// A row that we cannot have written.
    #[error("the database holds an invalid {0}")]
    Corrupt(&'static str),
    /// What the database said.
    #[error("the database does not answer as it should: {0}")]
    Database(#[from] sqlx::Error),
}

impl Store {
    /// Opens `sqlite:///PATH` (made with mode 0600 if it is missing) or `postgres://…`, and brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError`]; a database that a newer version wrote is left alone.
    pub(crate) async fn open(url: &str) -> Result<Self, StoreError> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let sqlite = url.starts_with("sqlite:");
        if !sqlite && !url.starts_with("postgres:") && !url.starts_with("postgresql:") {
            return Err(StoreError::Address);
        }
        if sqlite {
            let path = sqlite_path(url).ok_or(StoreError::Address)?;
            create(&path).map_err(|source| StoreError::File { path, source })?;
        }
        let pool = AnyPoolOptions::new()
            .max_connections(if sqlite { SQLITE_CONNECTIONS } else { POSTGRES_CONNECTIONS })
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // SQLite's file is local: a connection that worked works, and the ping would cost as much as the query.
            .test_before_acquire(!sqlite)
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    let pragmas: &[&'static str] = if sqlite { SQLITE_PRAGMAS } else { &[] };
                    for pragma in pragmas {
                        sqlx::query(*pragma).execute(&mut *connection).await?;
                    }
                    Ok(())
                })
            })
            .connect(url)
            .await?;
        let key = schema::migrate(&pool, sqlite).await?;
        // A SQLite transaction that reads first and writes later fails when another wrote between; so it takes the lock at once.
        let begin = if sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" };
        Ok(Self { pool, begin, key: Arc::new(key) })
    }

    /// Whether the database answers, for `/readyz`.
    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// A key of 256 bits that was drawn with the database and that all who share it have in common. What is derived from it is
    /// worth nothing without another secret that is not in the database.
    pub(crate) fn key(&self) -> &Secret<[u8; 32]> {
        &self.key
    }

    /// Waits until all connections are closed, so that SQLite folds its log into the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>, StoreError> {
        Ok(self.pool.begin_with(self.begin).await?)
    }
}

/// A hash as the tables have it.
fn text(hash: &[u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(hash)
}

/// A time as the tables have it.
fn time(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

/// A time out of a table.
fn seconds(row: &AnyRow, column: &str) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or(0))
}

/// A name, an id or a set out of a table.
fn parsed<T: std::str::FromStr>(row: &AnyRow, column: &str, what: &'static str) -> Result<T, StoreError> {
    row.try_get::<String, _>(column)?.parse().map_err(|_| StoreError::Corrupt(what))
}

/// `error`, or that `what` exists already.
fn or_exists(error: sqlx::Error, what: &str) -> StoreError {
    match &error {
        sqlx::Error::Database(database) if database.is_unique_violation() => StoreError::Exists(what.to_owned()),
        _ => error.into(),
    }
}

/// The file that a `sqlite://` URL means.
fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://")?;
    let path = path.split('?').next().filter(|path| path.starts_with('/'))?;
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// SQLite gives its log and its index the mode of the file, which it would make as the umask says.
fn create(path: &Path) -> std::io::Result<()> {
    std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// One writes at a time anyway; the others read.
const SQLITE_CONNECTIONS: u32 = 4;

/// Beyond them requests wait, up to [`ACQUIRE_TIMEOUT`], and then fail with `unavailable`.
const POSTGRES_CONNECTIONS: u32 = 16;

const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// A log that lets reading go on beside writing; a sync for each commit, because a revocation must survive a power cut.
const SQLITE_PRAGMAS: &[&str] =
    &["PRAGMA busy_timeout = 5000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL", "PRAGMA foreign_keys = ON"];
