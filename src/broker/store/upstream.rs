//! Logins that hang on a provider's word: what it is asked with, and when it was asked last.

use sqlx::Row;

use super::{Store, StoreError, text, time};
use crate::proto::name::Account;

/// A login whose provider is to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// The login.
    pub(crate) login: String,
    /// The person's name at the provider.
    pub(crate) name: String,
    /// The provider.
    pub(crate) idp: String,
    /// What it is asked with, sealed.
    pub(crate) sealed: String,
}

impl Store {
    /// The login of this refresh token, if its provider was not asked in the last `pause` seconds. Whoever gets it asks now; of two at
    /// once one does, as a provider takes a refresh token once.
    pub(crate) async fn claim_upstream(
        &self,
        refresh: &[u8; 32],
        now: u64,
        pause: u64,
    ) -> Result<Option<Upstream>, StoreError> {
        let row = sqlx::query(
            "UPDATE logins SET checked_at = $1 WHERE id IN (SELECT login FROM refresh_tokens WHERE hash = $2)
             AND upstream IS NOT NULL AND expires_at > $1 AND COALESCE(checked_at, 0) <= $3 RETURNING id, user_name, idp, upstream",
        )
        .bind(time(now))
        .bind(text(refresh))
        .bind(time(now.saturating_sub(pause)))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(Upstream {
            login: row.try_get("id")?,
            name: row.try_get("user_name")?,
            idp: row.try_get("idp")?,
            sealed: row.try_get("upstream")?,
        }))
    }

    /// Keeps what the provider is asked with the next time, and the groups where it said them.
    pub(crate) async fn keep_upstream(&self, login: &str, sealed: &str, groups: Option<&[Account]>) -> Result<(), StoreError> {
        let groups = groups.map(|groups| groups.iter().map(Account::as_str).collect::<Vec<_>>().join("\n"));
        sqlx::query("UPDATE logins SET upstream = $1, group_names = COALESCE($2, group_names) WHERE id = $3")
            .bind(sealed.to_owned())
            .bind(groups)
            .bind(login.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The provider could not be asked: the next one tries again.
    pub(crate) async fn release_upstream(&self, login: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE logins SET checked_at = 0 WHERE id = $1").bind(login.to_owned()).execute(&self.pool).await?;
        Ok(())
    }
}
