//! Agents that have joined.

use std::collections::HashSet;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Store, StoreError, parsed, seconds, text, time};
use crate::broker::enrolment::Assertions;
use crate::proto::AgentId;

/// An agent that has joined, with what was asserted of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolment {
    /// Its id, derived from its key or from where it runs.
    pub(crate) agent: AgentId,
    /// Its key, as an OpenSSH line.
    pub(crate) public_key: String,
    /// What it called itself when it joined.
    pub(crate) name: String,
    /// What it asserts of the agent's containers.
    pub(crate) asserts: Assertions,
    /// When it joined, in seconds since 1970.
    pub(crate) enrolled_at: u64,
}

/// Why an agent may not join.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EnrolError {
    /// No such token, or one that was revoked.
    #[error("the join token is unknown")]
    Unknown,
    /// The token has ended.
    #[error("the join token has expired")]
    Expired,
    /// As many agents have joined with it as may.
    #[error("the join token is used up")]
    UsedUp,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for EnrolError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl Store {
    /// Lets an agent join with the token of this hash. An agent that has joined already is answered with its enrolment, and
    /// nothing is counted: its first answer may have been lost.
    pub(crate) async fn enrol_agent(
        &self,
        secret_hash: [u8; 32],
        agent: AgentId,
        public_key: &str,
        name: &str,
        now: u64,
    ) -> Result<Enrolment, EnrolError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query(
            "UPDATE join_tokens SET uses_left = uses_left - 1 WHERE hash = $1 AND uses_left > 0 AND expires_at > $2
             RETURNING cluster, namespace, runtime",
        )
        .bind(text(&secret_hash))
        .bind(time(now))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            transaction.rollback().await?;
            return match self.agent(agent).await? {
                Some(enrolment) => Ok(enrolment),
                None => Err(self.why_not(secret_hash, now).await?),
            };
        };
        let enrolment = Enrolment {
            agent,
            public_key: public_key.to_owned(),
            name: name.to_owned(),
            asserts: asserts(&row)?,
            enrolled_at: now,
        };
        let inserted = sqlx::query(
            "INSERT INTO agents (id, public_key, name, cluster, namespace, runtime, enrolled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(agent.to_string())
        .bind(enrolment.public_key.clone())
        .bind(enrolment.name.clone())
        .bind(enrolment.asserts.cluster.clone())
        .bind(namespaces(&enrolment.asserts))
        .bind(enrolment.asserts.runtime.clone())
        .bind(time(now))
        .execute(&mut *transaction)
        .await?;
        if inserted.rows_affected() == 0 {
            transaction.rollback().await?;
            // Removed between the two statements: the agent asks again.
            return self.agent(agent).await?.ok_or(EnrolError::Unknown);
        }
        transaction.commit().await?;
        Ok(enrolment)
    }

    /// Lets in an agent that has proved where it runs, under the id that goes with the place; whether it comes with a key that it did
    /// not have before. When it joined first stays.
    pub(crate) async fn enrol_workload(&self, enrolment: Enrolment) -> Result<(Enrolment, bool), StoreError> {
        let mut transaction = self.begin().await?;
        let row = sqlx::query("SELECT public_key, enrolled_at FROM agents WHERE id = $1")
            .bind(enrolment.agent.to_string())
            .fetch_optional(&mut *transaction)
            .await?;
        let (known, enrolled_at) = match &row {
            Some(row) => (row.try_get::<String, _>("public_key")? == enrolment.public_key, seconds(row, "enrolled_at")?),
            None => (false, enrolment.enrolled_at),
        };
        sqlx::query(
            "INSERT INTO agents (id, public_key, name, cluster, namespace, runtime, enrolled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (id) DO UPDATE SET public_key = excluded.public_key, name = excluded.name,
             cluster = excluded.cluster, namespace = excluded.namespace, runtime = excluded.runtime",
        )
        .bind(enrolment.agent.to_string())
        .bind(enrolment.public_key.clone())
        .bind(enrolment.name.clone())
        .bind(enrolment.asserts.cluster.clone())
        .bind(namespaces(&enrolment.asserts))
        .bind(enrolment.asserts.runtime.clone())
        .bind(time(enrolled_at))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok((Enrolment { enrolled_at, ..enrolment }, !known))
    }

    /// The agent of this id, if it has joined.
    pub(crate) async fn agent(&self, agent: AgentId) -> Result<Option<Enrolment>, StoreError> {
        let row =
            sqlx::query("SELECT id, public_key, name, cluster, namespace, runtime, enrolled_at FROM agents WHERE id = $1")
                .bind(agent.to_string())
                .fetch_optional(&self.pool)
                .await?;
        row.as_ref().map(enrolment).transpose()
    }

    /// Every agent that has joined, by name.
    pub(crate) async fn agents(&self) -> Result<Vec<Enrolment>, StoreError> {
        let rows =
            sqlx::query("SELECT id, public_key, name, cluster, namespace, runtime, enrolled_at FROM agents ORDER BY name, id")
                .fetch_all(&self.pool)
                .await?;
        rows.iter().map(enrolment).collect()
    }

    /// Notes that the agent is connected to `broker`.
    pub(crate) async fn agent_came(&self, agent: AgentId, broker: &str) -> Result<(), StoreError> {
        let sql = "UPDATE agents SET broker = $1 WHERE id = $2";
        sqlx::query(sql).bind(broker.to_owned()).bind(agent.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// Notes that the agent has left `broker`, though that goes on.
    pub(crate) async fn agent_left(&self, agent: AgentId, broker: &str) -> Result<(), StoreError> {
        let sql = "UPDATE agents SET broker = NULL WHERE id = $1 AND broker = $2";
        sqlx::query(sql).bind(agent.to_string()).bind(broker.to_owned()).execute(&self.pool).await?;
        Ok(())
    }

    /// The agents that were connected to `broker` when it ended. They are told once: who does not come back is not waited for again.
    pub(crate) async fn take_agents_of(&self, broker: &str) -> Result<HashSet<AgentId>, StoreError> {
        let sql = "UPDATE agents SET broker = NULL WHERE broker = $1 RETURNING id";
        let rows = sqlx::query(sql).bind(broker.to_owned()).fetch_all(&self.pool).await?;
        rows.iter().map(|row| parsed(row, "id", "an agent's id")).collect()
    }

    /// Ends an enrolment; whether there was one.
    pub(crate) async fn remove_agent(&self, agent: AgentId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM agents WHERE id = $1").bind(agent.to_string()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }

    async fn why_not(&self, secret_hash: [u8; 32], now: u64) -> Result<EnrolError, StoreError> {
        let row = sqlx::query("SELECT expires_at FROM join_tokens WHERE hash = $1")
            .bind(text(&secret_hash))
            .fetch_optional(&self.pool)
            .await?;
        Ok(match row {
            None => EnrolError::Unknown,
            Some(row) if seconds(&row, "expires_at")? <= now => EnrolError::Expired,
            Some(_) => EnrolError::UsedUp,
        })
    }
}

fn enrolment(row: &AnyRow) -> Result<Enrolment, StoreError> {
    Ok(Enrolment {
        agent: parsed(row, "id", "agent id")?,
        public_key: row.try_get("public_key")?,
        name: row.try_get("name")?,
        asserts: asserts(row)?,
        enrolled_at: seconds(row, "enrolled_at")?,
    })
}

/// The assertions in a row of `agents` or `join_tokens`.
pub(super) fn asserts(row: &AnyRow) -> Result<Assertions, StoreError> {
    let namespaces: Option<String> = row.try_get("namespace")?;
    Ok(Assertions {
        cluster: row.try_get("cluster")?,
        namespaces: namespaces.iter().flat_map(|names| names.lines()).map(str::to_owned).collect(),
        runtime: row.try_get("runtime")?,
    })
}

/// The namespaces as the tables have them: a line each.
pub(super) fn namespaces(asserts: &Assertions) -> Option<String> {
    (!asserts.namespaces.is_empty()).then(|| asserts.namespaces.join("\n"))
}
