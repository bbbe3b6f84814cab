//! The tables, as steps from one version of the database to the next, each step in SQL that SQLite and PostgreSQL both read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sqlx::{AnyPool, Row};

use super::StoreError;
use crate::proto::Secret;

/// Takes the steps that are missing, in one transaction, and returns the database's key.
pub(super) async fn migrate(pool: &AnyPool, sqlite: bool) -> Result<Secret<[u8; 32]>, StoreError> {
    let mut transaction = pool.begin_with(if sqlite { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
    sqlx::query("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)").execute(&mut *transaction).await?;
    if !sqlite {
        // Brokers that start at once take the steps one after the other.
        sqlx::query("LOCK TABLE schema_version IN EXCLUSIVE MODE").execute(&mut *transaction).await?;
    }
    let row = sqlx::query("SELECT version FROM schema_version").fetch_optional(&mut *transaction).await?;
    let found: i64 = row.map_or(Ok(0), |row| row.try_get("version"))?;
    let known = STEPS.len() as i64;
    if found > known {
        return Err(StoreError::Newer { found, known });
    }
    for (_, step) in (0..known).zip(STEPS).filter(|(version, _)| *version >= found) {
        for statement in *step {
            sqlx::query(*statement).execute(&mut *transaction).await?;
        }
    }
    sqlx::query("DELETE FROM schema_version").execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(known).execute(&mut *transaction).await?;
    let fresh: [u8; 32] = rand::random();
    sqlx::query("INSERT INTO database_key (id, value) VALUES (1, $1) ON CONFLICT (id) DO NOTHING")
        .bind(URL_SAFE_NO_PAD.encode(fresh))
        .execute(&mut *transaction)
        .await?;
    let row = sqlx::query("SELECT value FROM database_key WHERE id = 1").fetch_one(&mut *transaction).await?;
    let value = Secret::new(row.try_get::<String, _>("value")?);
    transaction.commit().await?;
    let bytes = URL_SAFE_NO_PAD.decode(value.expose()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    Ok(Secret::new(bytes.ok_or(StoreError::Corrupt("key"))?))
}

/// Each entry leads from the version that is its index to the next. What was released is never edited: a change is a new entry.
const STEPS: &[&[&str]] = &[
    &[
        "CREATE TABLE database_key (id BIGINT PRIMARY KEY, value TEXT NOT NULL)",
        "CREATE TABLE users (name TEXT PRIMARY KEY, hash TEXT NOT NULL, created_at BIGINT NOT NULL)",
        "CREATE TABLE user_groups (
        user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        group_name TEXT NOT NULL,
        PRIMARY KEY (user_name, group_name))",
        "CREATE TABLE logins (
        id TEXT PRIMARY KEY,
        user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        method TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL)",
        "CREATE INDEX logins_by_user ON logins (user_name)",
        "CREATE INDEX logins_by_expiry ON logins (expires_at)",
        "CREATE TABLE access_tokens (
        hash TEXT PRIMARY KEY,
        login TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        expires_at BIGINT NOT NULL)",
        "CREATE INDEX access_tokens_by_login ON access_tokens (login)",
        "CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at)",
        "CREATE TABLE refresh_tokens (
        hash TEXT PRIMARY KEY,
        login TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        replaced_at BIGINT)",
        "CREATE INDEX refresh_tokens_by_login ON refresh_tokens (login)",
        "CREATE TABLE device_codes (
        hash TEXT PRIMARY KEY,
        user_code TEXT NOT NULL UNIQUE,
        address TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        polled_at BIGINT NOT NULL,
        pause BIGINT NOT NULL,
        user_name TEXT REFERENCES users (name) ON DELETE CASCADE,
        denied BIGINT NOT NULL)",
        "CREATE INDEX device_codes_by_expiry ON device_codes (expires_at)",
        "CREATE TABLE authorization_codes (
        hash TEXT PRIMARY KEY,
        user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        redirect TEXT NOT NULL,
        challenge TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        login TEXT)",
        "CREATE INDEX authorization_codes_by_expiry ON authorization_codes (expires_at)",
        "CREATE TABLE join_tokens (
        id TEXT PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        uses_left BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        cluster TEXT,
        namespace TEXT,
        created_at BIGINT NOT NULL)",
        "CREATE TABLE user_tokens (
        id TEXT PRIMARY KEY,
        hash TEXT NOT NULL UNIQUE,
        user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE,
        expires_at BIGINT NOT NULL,
        actions TEXT NOT NULL,
        containers TEXT NOT NULL,
        created_at BIGINT NOT NULL)",
        "CREATE TABLE agents (
        id TEXT PRIMARY KEY,
        public_key TEXT NOT NULL,
        name TEXT NOT NULL,
        cluster TEXT,
        namespace TEXT,
        enrolled_at BIGINT NOT NULL)",
        "CREATE TABLE certificates (
        serial TEXT PRIMARY KEY,
        session TEXT NOT NULL,
        key_id TEXT NOT NULL,
        expires_at BIGINT NOT NULL)",
        "CREATE INDEX certificates_by_session ON certificates (session)",
        "CREATE INDEX certificates_by_expiry ON certificates (expires_at)",
    ],
    &[
        "ALTER TABLE join_tokens ADD COLUMN runtime TEXT",
        "ALTER TABLE agents ADD COLUMN runtime TEXT",
        "ALTER TABLE certificates RENAME TO sessions",
        "ALTER TABLE sessions ADD COLUMN broker TEXT",
        "ALTER TABLE sessions ADD COLUMN agent TEXT",
        "ALTER TABLE sessions ADD COLUMN runtime_id TEXT",
        "ALTER TABLE sessions ADD COLUMN container TEXT",
        "ALTER TABLE sessions ADD COLUMN user_name TEXT",
        "ALTER TABLE sessions ADD COLUMN started_at BIGINT",
        "ALTER TABLE sessions ADD COLUMN ended_at BIGINT",
        "ALTER TABLE sessions ADD COLUMN swept_at BIGINT",
        "CREATE INDEX sessions_by_agent ON sessions (agent)",
    ],
    &["CREATE TABLE locks (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        target TEXT NOT NULL,
        reason TEXT,
        made_at BIGINT NOT NULL,
        expires_at BIGINT,
        made_by TEXT NOT NULL)"],
    // People of other providers have logins and are not in `users`. Whoever is logged in logs in again.
    &[
        "DROP TABLE access_tokens",
        "DROP TABLE refresh_tokens",
        "DROP TABLE logins",
        "DROP TABLE device_codes",
        "DROP TABLE authorization_codes",
        "CREATE TABLE logins (
        id TEXT PRIMARY KEY,
        user_name TEXT NOT NULL,
        idp TEXT NOT NULL,
        group_names TEXT,
        method TEXT NOT NULL,
        mfa_at BIGINT,
        upstream TEXT,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL)",
        "CREATE INDEX logins_by_user ON logins (user_name)",
        "CREATE INDEX logins_by_expiry ON logins (expires_at)",
        "CREATE TABLE access_tokens (
        hash TEXT PRIMARY KEY,
        login TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        expires_at BIGINT NOT NULL)",
        "CREATE INDEX access_tokens_by_login ON access_tokens (login)",
        "CREATE INDEX access_tokens_by_expiry ON access_tokens (expires_at)",
        "CREATE TABLE refresh_tokens (
        hash TEXT PRIMARY KEY,
        login TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
        replaced_at BIGINT)",
        "CREATE INDEX refresh_tokens_by_login ON refresh_tokens (login)",
        "CREATE TABLE device_codes (
        hash TEXT PRIMARY KEY,
        user_code TEXT NOT NULL UNIQUE,
        address TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        polled_at BIGINT NOT NULL,
        pause BIGINT NOT NULL,
        user_name TEXT,
        idp TEXT,
        person TEXT,
        denied BIGINT NOT NULL)",
        "CREATE INDEX device_codes_by_expiry ON device_codes (expires_at)",
        "CREATE TABLE authorization_codes (
        hash TEXT PRIMARY KEY,
        user_name TEXT NOT NULL,
        idp TEXT NOT NULL,
        person TEXT NOT NULL,
        redirect TEXT NOT NULL,
        challenge TEXT NOT NULL,
        expires_at BIGINT NOT NULL,
        login TEXT)",
        "CREATE INDEX authorization_codes_by_expiry ON authorization_codes (expires_at)",
    ],
    &[
        "CREATE TABLE sign_ins (
        hash TEXT PRIMARY KEY,
        browser TEXT NOT NULL,
        purpose TEXT NOT NULL,
        provider TEXT NOT NULL,
        person TEXT,
        expires_at BIGINT NOT NULL)",
        "CREATE INDEX sign_ins_by_expiry ON sign_ins (expires_at)",
        "ALTER TABLE logins ADD COLUMN checked_at BIGINT",
    ],
    // Logins are bound to keys. Those from before have none: whoever is logged in logs in again.
    &[
        "DELETE FROM access_tokens",
        "DELETE FROM refresh_tokens",
        "DELETE FROM logins",
        "DELETE FROM authorization_codes",
        "ALTER TABLE logins ADD COLUMN proof_key TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE authorization_codes ADD COLUMN proof_key TEXT NOT NULL DEFAULT ''",
    ],
    // A job's login is narrow, as a user token is.
    &["ALTER TABLE logins ADD COLUMN actions TEXT", "ALTER TABLE logins ADD COLUMN containers TEXT"],
    &[
        "CREATE TABLE totp (
        user_name TEXT PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
        secret TEXT NOT NULL,
        made_at BIGINT NOT NULL,
        confirmed_at BIGINT,
        last_step BIGINT NOT NULL)",
        "CREATE TABLE recovery_codes (
        hash TEXT PRIMARY KEY,
        user_name TEXT NOT NULL REFERENCES users (name) ON DELETE CASCADE)",
        "CREATE INDEX recovery_codes_by_user ON recovery_codes (user_name)",
        "ALTER TABLE device_codes ADD COLUMN again BIGINT",
    ],
    &[
        "CREATE TABLE requests (
        id TEXT PRIMARY KEY,
        requester TEXT NOT NULL,
        container TEXT,
        owner TEXT,
        cluster TEXT,
        namespace TEXT,
        agent TEXT,
        container_name TEXT NOT NULL,
        place TEXT NOT NULL,
        login TEXT NOT NULL,
        actions TEXT NOT NULL,
        reason TEXT NOT NULL,
        seconds BIGINT NOT NULL,
        approvers TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL,
        said TEXT NOT NULL,
        ended_by TEXT,
        ended_reason TEXT,
        good_until BIGINT)",
        "CREATE INDEX requests_by_requester ON requests (requester)",
        "CREATE TABLE request_answers (
        request TEXT NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
        answered_by TEXT NOT NULL,
        group_names TEXT NOT NULL,
        seconds BIGINT NOT NULL,
        answered_at BIGINT NOT NULL,
        PRIMARY KEY (request, answered_by))",
        "CREATE TABLE request_visits (
        hash TEXT PRIMARY KEY,
        request TEXT NOT NULL REFERENCES requests (id) ON DELETE CASCADE,
        person TEXT NOT NULL,
        group_names TEXT NOT NULL,
        expires_at BIGINT NOT NULL)",
        "CREATE TABLE notices (
        id TEXT PRIMARY KEY,
        broker TEXT NOT NULL,
        hook TEXT NOT NULL,
        number BIGINT NOT NULL,
        made_at BIGINT NOT NULL,
        body TEXT NOT NULL)",
        "CREATE INDEX notices_by_hook ON notices (broker, hook, number)",
    ],
    &["ALTER TABLE agents ADD COLUMN broker TEXT"],
];
