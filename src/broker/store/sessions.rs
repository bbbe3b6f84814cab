//! Sessions, for what has to be known of them after a restart: which certificate opened them, that they have ended, and that their
//! agent has seen to it that nothing of them is left. The journal tells what happened.

use sqlx::Row;

use super::{Store, StoreError, parsed, seconds, time};
use crate::proto::{AgentId, ContainerId, SessionId};

/// A session that begins.
#[derive(Debug, Clone)]
pub(crate) struct NewSession {
    /// Its id.
    pub(crate) session: SessionId,
    /// Which broker carries it: several may share a database.
    pub(crate) broker: String,
    /// The serial of its certificate.
    pub(crate) serial: u64,
    /// The key id of its certificate.
    pub(crate) key_id: String,
    /// When its certificate ends, in seconds since 1970.
    pub(crate) expires_at: u64,
    /// The agent that serves it.
    pub(crate) agent: AgentId,
    /// The container.
    pub(crate) container: ContainerId,
    /// The container, as its runtime calls it.
    pub(crate) runtime_id: String,
    /// Who: `name@idp`.
    pub(crate) user: String,
    /// When it began, in seconds since 1970.
    pub(crate) started_at: u64,
}

/// A session whose end was not written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenSession {
    /// Its id.
    pub(crate) session: SessionId,
    /// The container.
    pub(crate) container: ContainerId,
    /// Who: `name@idp`.
    pub(crate) user: String,
    /// When it began, in seconds since 1970.
    pub(crate) started_at: u64,
}

impl Store {
    /// Remembers a session.
    pub(crate) async fn add_session(&self, new: NewSession) -> Result<(), StoreError> {
        // The serial as text: it has all 64 bits, an integer of the database has 63.
        sqlx::query(
            "INSERT INTO sessions
                 (serial, session, key_id, expires_at, broker, agent, runtime_id, container, user_name, started_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(new.serial.to_string())
        .bind(new.session.to_string())
        .bind(new.key_id)
        .bind(time(new.expires_at))
        .bind(new.broker)
        .bind(new.agent.to_string())
        .bind(new.runtime_id)
        .bind(new.container.to_string())
        .bind(new.user)
        .bind(time(new.started_at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The journal has the session's end; `swept` when its agent has told it.
    pub(crate) async fn end_session(&self, session: SessionId, now: u64, swept: bool) -> Result<(), StoreError> {
        let statement = match swept {
            true => "UPDATE sessions SET ended_at = $1, swept_at = $1 WHERE session = $2",
            false => "UPDATE sessions SET ended_at = $1 WHERE session = $2",
        };
        sqlx::query(statement).bind(time(now)).bind(session.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// The session's agent has told its end.
    pub(crate) async fn sweep_session(&self, session: SessionId, agent: AgentId, now: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET swept_at = $1 WHERE session = $2 AND agent = $3")
            .bind(time(now))
            .bind(session.to_string())
            .bind(agent.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The sessions of an agent of whose end it has not told, each with its container, the newest first.
    pub(crate) async fn unswept(&self, agent: AgentId) -> Result<Vec<(SessionId, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT session, runtime_id FROM sessions WHERE agent = $1 AND swept_at IS NULL ORDER BY started_at DESC LIMIT 4096",
        )
        .bind(agent.to_string())
        .fetch_all(&self.pool)
        .await?;
        rows.iter().map(|row| Ok((parsed(row, "session", "session id")?, row.try_get("runtime_id")?))).collect()
    }

    /// The sessions that `broker` carried and whose end it has not written down.
    pub(crate) async fn open_sessions(&self, broker: &str) -> Result<Vec<OpenSession>, StoreError> {
        let rows = sqlx::query(
            "SELECT session, container, user_name, started_at FROM sessions WHERE broker = $1 AND ended_at IS NULL
             ORDER BY started_at",
        )
        .bind(broker.to_owned())
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(OpenSession {
                    session: parsed(row, "session", "session id")?,
                    container: parsed(row, "container", "container id")?,
                    user: row.try_get("user_name")?,
                    started_at: seconds(row, "started_at")?,
                })
            })
            .collect()
    }
}
