//! What other servers are still to be told, so that neither their outage nor a restart loses it.

use sqlx::{AnyPool, Row};

use super::{Store, StoreError, time};

/// One notice that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) id: String,
    /// JSON.
    pub(crate) body: String,
}

impl Store {
    /// Keeps a notice that `broker` has for `hook`, after those of a lower `number`. Of more than `most` the oldest is forgotten;
    /// says how many were.
    pub(crate) async fn add_notice(
        &self,
        (broker, hook): (&str, &str),
        number: u64,
        now: u64,
        body: &str,
        most: u64,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("INSERT INTO notices (id, broker, hook, number, made_at, body) VALUES ($1, $2, $3, $4, $5, $6)")
            .bind(format!("{:032x}", rand::random::<u128>()))
            .bind(broker.to_owned())
            .bind(hook.to_owned())
            .bind(time(number))
            .bind(time(now))
            .bind(body.to_owned())
            .execute(&mut *transaction)
            .await?;
        let forgotten = sqlx::query(
            "DELETE FROM notices WHERE broker = $1 AND hook = $2 AND id NOT IN
             (SELECT id FROM notices WHERE broker = $1 AND hook = $2 ORDER BY number DESC LIMIT $3)",
        )
        .bind(broker.to_owned())
        .bind(hook.to_owned())
        .bind(time(most))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(forgotten.rows_affected())
    }

    /// The oldest notice that `broker` has for `hook`.
    pub(crate) async fn next_notice(&self, broker: &str, hook: &str) -> Result<Option<Waiting>, StoreError> {
        let row = sqlx::query("SELECT id, body FROM notices WHERE broker = $1 AND hook = $2 ORDER BY number LIMIT 1")
            .bind(broker.to_owned())
            .bind(hook.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        row.map(|row| Ok(Waiting { id: row.try_get("id")?, body: row.try_get("body")? })).transpose()
    }

    /// Forgets a notice that was taken.
    pub(crate) async fn remove_notice(&self, id: &str) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM notices WHERE id = $1").bind(id.to_owned()).execute(&self.pool).await?;
        Ok(())
    }
}

/// Forgets what nobody took for a week.
pub(super) async fn prune(pool: &AnyPool, now: u64) -> Result<(), StoreError> {
    let before = time(now.saturating_sub(MEMORY));
    sqlx::query("DELETE FROM notices WHERE made_at < $1").bind(before).execute(pool).await?;
    Ok(())
}

/// A week.
const MEMORY: u64 = 7 * 86_400;
