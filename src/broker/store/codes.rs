//! Codes that become logins: authorization codes, which a browser carries, and device codes, which a person types.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{NewTokens, Started, Store, StoreError, logins, or_exists, seconds, text, time};
use crate::broker::identity::Person;

/// An authorization code and what it is bound to.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationCode {
    /// SHA-256 of the code.
    pub(crate) hash: [u8; 32],
    /// Who logged in.
    pub(crate) person: Person,
    /// Where the code was sent.
    pub(crate) redirect: String,
    /// The S256 challenge of RFC 7636.
    pub(crate) challenge: String,
    /// The thumbprint of the key that the login will be bound to (RFC 9449 §10).
    pub(crate) key: String,
    /// When it ends.
    pub(crate) expires_at: u64,
}

/// A device that asks for a login.
#[derive(Debug, Clone)]
pub(crate) struct DeviceRequest {
    /// SHA-256 of the device code.
    pub(crate) hash: [u8; 32],
    /// What the person types: `BCDF-GHJK`.
    pub(crate) user_code: String,
    /// Where the device called from.
    pub(crate) address: String,
    /// When both codes end.
    pub(crate) expires_at: u64,
    /// The seconds between two questions.
    pub(crate) interval: u64,
    /// Whether the identity provider is to ask anew.
    pub(crate) again: bool,
}

/// What a code is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Redeemed {
    /// The login has begun.
    Started,
    /// No such code, ended, or bound to something else.
    Invalid,
    /// Used before: the login that it began has been ended (RFC 6749 §4.1.2).
    Reused,
}

/// What a device that asks hears.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DevicePoll {
    /// Nobody has entered the code yet.
    Pending,
    /// Nobody has, and it asked too soon: five seconds more from now on.
    SlowDown,
    /// This person has; the code is used up.
    Approved(Person),
    /// A person said no.
    Denied,
    /// Too late.
    Expired,
    /// No such code.
    Unknown,
}

impl Store {
    /// Keeps an authorization code.
    pub(crate) async fn add_authorization_code(&self, code: &AuthorizationCode) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO authorization_codes (hash, user_name, idp, person, redirect, challenge, expires_at, login, proof_key)
             VALUES ($1, $2, $3, $4, $5, $6, $7, NULL, $8)",
        )
        .bind(text(&code.hash))
        .bind(code.person.name.as_str().to_owned())
        .bind(code.person.idp.clone())
        .bind(code.person.written()?)
        .bind(code.redirect.clone())
        .bind(code.challenge.clone())
        .bind(time(code.expires_at))
        .bind(code.key.clone())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Whose code this is and the key that it is bound to, if it holds and is bound to this redirect and this challenge.
    pub(crate) async fn authorization_code(
        &self,
        hash: &[u8; 32],
        redirect: &str,
        challenge: &str,
        now: u64,
    ) -> Result<Option<(Person, String)>, StoreError> {
        let row = sqlx::query(
            "SELECT person, proof_key FROM authorization_codes WHERE hash = $1 AND redirect = $2 AND challenge = $3 AND expires_at > $4",
        )
        .bind(text(hash))
        .bind(redirect.to_owned())
        .bind(challenge.to_owned())
        .bind(time(now))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok((person(&row)?, row.try_get("proof_key")?))).transpose()
    }

    /// Uses a code up and begins the login; a code that was used before ends the login that it began.
    pub(crate) async fn redeem(&self, hash: &[u8; 32], login: &Started, new: &NewTokens) -> Result<Redeemed, StoreError> {
        let mut transaction = self.begin().await?;
        let used = sqlx::query("UPDATE authorization_codes SET login = $1 WHERE hash = $2 AND login IS NULL")
            .bind(login.id.clone())
            .bind(text(hash))
            .execute(&mut *transaction)
            .await?;
        if used.rows_affected() == 1 {
            logins::start(&mut transaction, login, new).await?;
            transaction.commit().await?;
            return Ok(Redeemed::Started);
        }
        let ended = sqlx::query("DELETE FROM logins WHERE id IN (SELECT login FROM authorization_codes WHERE hash = $1)")
            .bind(text(hash))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(if ended.rows_affected() > 0 { Redeemed::Reused } else { Redeemed::Invalid })
    }

    /// Begins a login for a person whose device code was approved.
    pub(crate) async fn start_login(&self, login: &Started, new: &NewTokens) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        logins::start(&mut transaction, login, new).await?;
        Ok(transaction.commit().await?)
    }

    /// Keeps a device's request.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the user code is taken: draw another.
    pub(crate) async fn add_device(&self, device: &DeviceRequest, now: u64) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO device_codes (hash, user_code, address, expires_at, polled_at, pause, person, denied, again)
             VALUES ($1, $2, $3, $4, $5, $6, NULL, 0, $7)",
        )
        .bind(text(&device.hash))
        .bind(device.user_code.clone())
        .bind(device.address.clone())
        .bind(time(device.expires_at))
        // The first question may come at once.
        .bind(time(now.saturating_sub(device.interval)))
        .bind(time(device.interval))
        .bind(i64::from(device.again))
        .execute(&self.pool)
        .await
        .map_err(|error| or_exists(error, "the user code"))?;
        Ok(())
    }

    /// Whether the identity provider is to ask the person anew who lets this device log in.
    pub(crate) async fn device_asks_again(&self, user_code: &str) -> Result<bool, StoreError> {
        let row = sqlx::query("SELECT again FROM device_codes WHERE user_code = $1 AND again = 1")
            .bind(user_code.to_owned())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.is_some())
    }

    /// How many devices wait for a person.
    pub(crate) async fn devices_waiting(&self, now: u64) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT COUNT(*) AS waiting FROM device_codes WHERE expires_at > $1")
            .bind(time(now))
            .fetch_one(&self.pool)
            .await?;
        seconds(&row, "waiting")
    }

    /// The address of the device that waits with this user code.
    pub(crate) async fn device_waiting(&self, user_code: &str, now: u64) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "SELECT address FROM device_codes WHERE user_code = $1 AND expires_at > $2 AND person IS NULL AND denied = 0",
        )
        .bind(user_code.to_owned())
        .bind(time(now))
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.try_get("address")).transpose()?)
    }

    /// Says yes (with the person) or no to the device that waits with this user code; whether one did.
    pub(crate) async fn answer_device(&self, user_code: &str, person: Option<&Person>, now: u64) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE device_codes SET user_name = $1, idp = $2, person = $3, denied = $4
             WHERE user_code = $5 AND expires_at > $6 AND person IS NULL AND denied = 0",
        )
        .bind(person.map(|person| person.name.as_str().to_owned()))
        .bind(person.map(|person| person.idp.clone()))
        .bind(person.map(Person::written).transpose()?)
        .bind(i64::from(person.is_none()))
        .bind(user_code.to_owned())
        .bind(time(now))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// What the device with this code hears. An approved code is used up by asking.
    pub(crate) async fn poll_device(&self, hash: &[u8; 32], now: u64) -> Result<DevicePoll, StoreError> {
        let mut transaction = self.begin().await?;
        let approved =
            sqlx::query("DELETE FROM device_codes WHERE hash = $1 AND expires_at > $2 AND person IS NOT NULL RETURNING person")
                .bind(text(hash))
                .bind(time(now))
                .fetch_optional(&mut *transaction)
                .await?;
        if let Some(row) = approved {
            let person = person(&row)?;
            transaction.commit().await?;
            return Ok(DevicePoll::Approved(person));
        }
        let row = sqlx::query("SELECT expires_at, polled_at, pause, denied FROM device_codes WHERE hash = $1")
            .bind(text(hash))
            .fetch_optional(&mut *transaction)
            .await?;
        let Some(row) = row else { return Ok(DevicePoll::Unknown) };
        if row.try_get::<i64, _>("denied")? != 0 {
            return Ok(DevicePoll::Denied);
        }
        if seconds(&row, "expires_at")? <= now {
            return Ok(DevicePoll::Expired);
        }
        let pause = seconds(&row, "pause")?;
        // Whole seconds on both sides: a device that keeps the interval can look one second early.
        let early = now.saturating_add(1) < seconds(&row, "polled_at")?.saturating_add(pause);
        sqlx::query("UPDATE device_codes SET polled_at = $1, pause = $2 WHERE hash = $3")
            .bind(time(now))
            .bind(time(if early { pause.saturating_add(5).min(LONGEST_PAUSE) } else { pause }))
            .bind(text(hash))
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(if early { DevicePoll::SlowDown } else { DevicePoll::Pending })
    }
}

fn person(row: &AnyRow) -> Result<Person, StoreError> {
    Person::read(&row.try_get::<String, _>("person")?)
}

/// However often it asked too soon, a device that calms down hears of its login within a minute.
const LONGEST_PAUSE: u64 = 60;
