//! Locks, which outlive the broker that made them.

use sqlx::Row;

use super::{Store, StoreError, parsed, seconds, time};
use crate::broker::locks::{Lock, LockId, LockTarget};

impl Store {
    /// Keeps a lock.
    pub(crate) async fn add_lock(&self, lock: &Lock) -> Result<(), StoreError> {
        let (kind, of) = lock.target.words();
        sqlx::query(
            "INSERT INTO locks (id, kind, target, reason, made_at, expires_at, made_by) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(lock.id.to_string())
        .bind(kind)
        .bind(of)
        .bind(lock.reason.clone())
        .bind(time(lock.made_at))
        .bind(lock.until.map(time))
        .bind(lock.by.clone())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The locks that have not ended, the oldest first.
    pub(crate) async fn locks(&self, now: u64) -> Result<Vec<Lock>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, kind, target, reason, made_at, expires_at, made_by FROM locks
             WHERE expires_at IS NULL OR expires_at > $1 ORDER BY made_at, id",
        )
        .bind(time(now))
        .fetch_all(&self.pool)
        .await?;
        rows.iter()
            .map(|row| {
                let (kind, of): (String, String) = (row.try_get("kind")?, row.try_get("target")?);
                Ok(Lock {
                    id: parsed(row, "id", "lock's id")?,
                    target: LockTarget::from_words(&kind, &of).ok_or(StoreError::Corrupt("lock's target"))?,
                    reason: row.try_get("reason")?,
                    made_at: seconds(row, "made_at")?,
                    until: row.try_get::<Option<i64>, _>("expires_at")?.map(|until| u64::try_from(until).unwrap_or(0)),
                    by: row.try_get("made_by")?,
                })
            })
            .collect()
    }

    /// Removes a lock. Says whether there was one.
    pub(crate) async fn remove_lock(&self, id: &LockId) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM locks WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(done.rows_affected() > 0)
    }
}
