//! People on their way through a provider: what a browser came for, until it is back.

use sqlx::Row;

use super::{Store, StoreError, seconds, text, time};
use crate::broker::identity::Person;

/// An attempt to sign in, in one browser.
#[derive(Debug, Clone)]
pub(crate) struct SignIn {
    /// SHA-256 of the attempt's id.
    pub(crate) hash: [u8; 32],
    /// SHA-256 of the browser's cookie.
    pub(crate) browser: [u8; 32],
    /// What is to happen then, as JSON.
    pub(crate) purpose: String,
    /// Whose word is awaited, or was given.
    pub(crate) provider: String,
    /// Who it turned out to be, where that still has to be confirmed.
    pub(crate) person: Option<Person>,
    /// When it ends.
    pub(crate) expires_at: u64,
}

impl Store {
    /// Keeps an attempt.
    pub(crate) async fn add_sign_in(&self, sign_in: &SignIn) -> Result<(), StoreError> {
        let person = sign_in.person.as_ref().map(Person::written).transpose()?;
        sqlx::query(
            "INSERT INTO sign_ins (hash, browser, purpose, provider, person, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(text(&sign_in.hash))
        .bind(text(&sign_in.browser))
        .bind(sign_in.purpose.clone())
        .bind(sign_in.provider.clone())
        .bind(person)
        .bind(time(sign_in.expires_at))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Takes an attempt that this browser made; it is used up.
    pub(crate) async fn take_sign_in(
        &self,
        hash: &[u8; 32],
        browser: &[u8; 32],
        now: u64,
    ) -> Result<Option<SignIn>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM sign_ins WHERE hash = $1 AND browser = $2 AND expires_at > $3 RETURNING purpose, provider, person, expires_at",
        )
        .bind(text(hash))
        .bind(text(browser))
        .bind(time(now))
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let person = row.try_get::<Option<String>, _>("person")?;
        Ok(Some(SignIn {
            hash: *hash,
            browser: *browser,
            purpose: row.try_get("purpose")?,
            provider: row.try_get("provider")?,
            person: person.as_deref().map(Person::read).transpose()?,
            expires_at: seconds(&row, "expires_at")?,
        }))
    }
}
