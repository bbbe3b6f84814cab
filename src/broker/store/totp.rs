//! Second factors of the directory's people: the secret of an authenticator, sealed, and the hashes of recovery codes.
//!
//! What must count once is one statement with its condition: of two who come at once with the same code, one finds no row.

use sqlx::{Any, Row, Transaction};

use super::{Store, StoreError, seconds, text, time};
use crate::broker::identity::LOCAL;
use crate::proto::name::Account;

/// A person's authenticator.
#[derive(Debug, Clone)]
pub(crate) struct KeptTotp {
    /// The secret, sealed.
    pub(crate) sealed: String,
    /// When the person has shown that it works; before that it counts for nothing.
    pub(crate) confirmed_at: Option<u64>,
    /// The recovery codes that are left.
    pub(crate) recovery_codes: u64,
}

impl Store {
    /// Keeps a secret that is to be confirmed, in place of another one that never was; false where one is confirmed.
    pub(crate) async fn begin_totp(&self, name: &Account, sealed: &str, now: u64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO totp (user_name, secret, made_at, confirmed_at, last_step) VALUES ($1, $2, $3, NULL, 0)
             ON CONFLICT (user_name) DO UPDATE SET secret = excluded.secret, made_at = excluded.made_at
             WHERE totp.confirmed_at IS NULL",
        )
        .bind(name.as_str().to_owned())
        .bind(sealed.to_owned())
        .bind(time(now))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The authenticator of that person, confirmed or not.
    pub(crate) async fn totp(&self, name: &Account) -> Result<Option<KeptTotp>, StoreError> {
        let row = sqlx::query(
            "SELECT secret, confirmed_at, (SELECT COUNT(*) FROM recovery_codes WHERE user_name = $1) AS codes
             FROM totp WHERE user_name = $1",
        )
        .bind(name.as_str().to_owned())
        .fetch_optional(&self.pool)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let confirmed_at = row.try_get::<Option<i64>, _>("confirmed_at")?.and_then(|at| u64::try_from(at).ok());
        Ok(Some(KeptTotp { sealed: row.try_get("secret")?, confirmed_at, recovery_codes: seconds(&row, "codes")? }))
    }

    /// Makes the secret that is kept as `sealed` count, with these recovery codes, and uses the time step up that confirmed it;
    /// false where another one is kept by now.
    pub(crate) async fn confirm_totp(
        &self,
        name: &Account,
        sealed: &str,
        step: u64,
        codes: &[[u8; 32]],
        now: u64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query(
            "UPDATE totp SET confirmed_at = $1, last_step = $2 WHERE user_name = $3 AND secret = $4 AND confirmed_at IS NULL",
        )
        .bind(time(now))
        .bind(time(step))
        .bind(name.as_str().to_owned())
        .bind(sealed.to_owned())
        .execute(&mut *transaction)
        .await?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        replace_codes(&mut transaction, name, codes).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Uses the code of a time step up; false where it, or a later one, was used before.
    pub(crate) async fn use_totp_step(&self, name: &Account, step: u64) -> Result<bool, StoreError> {
        let done =
            sqlx::query("UPDATE totp SET last_step = $1 WHERE user_name = $2 AND last_step < $1 AND confirmed_at IS NOT NULL")
                .bind(time(step))
                .bind(name.as_str().to_owned())
                .execute(&self.pool)
                .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Uses a recovery code up; false where there is none of this hash.
    pub(crate) async fn use_recovery_code(&self, name: &Account, code: &[u8; 32]) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM recovery_codes WHERE hash = $1 AND user_name = $2")
            .bind(text(code))
            .bind(name.as_str().to_owned())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Puts these recovery codes in the place of those that are left.
    pub(crate) async fn set_recovery_codes(&self, name: &Account, codes: &[[u8; 32]]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        replace_codes(&mut transaction, name, codes).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a person's second factor; what was shown with it counts for nothing more. Whether there was one.
    pub(crate) async fn remove_totp(&self, name: &Account) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query("DELETE FROM totp WHERE user_name = $1")
            .bind(name.as_str().to_owned())
            .execute(&mut *transaction)
            .await?;
        replace_codes(&mut transaction, name, &[]).await?;
        sqlx::query("UPDATE logins SET mfa_at = NULL WHERE user_name = $1 AND idp = $2")
            .bind(name.as_str().to_owned())
            .bind(LOCAL)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes down that the person of this login has shown a second factor; false where the login is over.
    pub(crate) async fn shown_mfa(&self, login: &str, now: u64) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE logins SET mfa_at = $1 WHERE id = $2")
            .bind(time(now))
            .bind(login.to_owned())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }
}

async fn replace_codes(
    transaction: &mut Transaction<'static, Any>,
    name: &Account,
    codes: &[[u8; 32]],
) -> Result<(), StoreError> {
    let name = name.as_str().to_owned();
    sqlx::query("DELETE FROM recovery_codes WHERE user_name = $1").bind(name.clone()).execute(&mut **transaction).await?;
    for code in codes {
        sqlx::query("INSERT INTO recovery_codes (hash, user_name) VALUES ($1, $2)")
            .bind(text(code))
            .bind(name.clone())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}
