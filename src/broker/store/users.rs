//! People of the embedded directory: names, groups, the hash of the password.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::{Store, StoreError, or_exists, parsed, requests, time};
use crate::broker::identity::LOCAL;
use crate::proto::name::Account;

/// One person.
#[derive(Clone)]
pub(crate) struct User {
    /// The name, without the directory's.
    pub(crate) name: Account,
    /// Sorted by name.
    pub(crate) groups: Vec<Account>,
    /// The argon2id hash in PHC form.
    pub(crate) hash: String,
}

impl Store {
    /// Adds a person.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of that name.
    pub(crate) async fn add_user(&self, name: &Account, groups: &[Account], hash: &str, now: u64) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("INSERT INTO users (name, hash, created_at) VALUES ($1, $2, $3)")
            .bind(name.as_str().to_owned())
            .bind(hash.to_owned())
            .bind(time(now))
            .execute(&mut *transaction)
            .await
            .map_err(|error| or_exists(error, name.as_str()))?;
        add_groups(&mut transaction, name, groups).await?;
        Ok(transaction.commit().await?)
    }

    /// The person of that name.
    pub(crate) async fn user(&self, name: &Account) -> Result<Option<User>, StoreError> {
        let rows = sqlx::query(
            "SELECT u.name, u.hash, g.group_name FROM users u LEFT JOIN user_groups g ON g.user_name = u.name
             WHERE u.name = $1 ORDER BY g.group_name",
        )
        .bind(name.as_str().to_owned())
        .fetch_all(&self.pool)
        .await?;
        Ok(gathered(&rows)?.pop())
    }

    /// Everybody, by name.
    pub(crate) async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = sqlx::query(
            "SELECT u.name, u.hash, g.group_name FROM users u LEFT JOIN user_groups g ON g.user_name = u.name
             ORDER BY u.name, g.group_name",
        )
        .fetch_all(&self.pool)
        .await?;
        gathered(&rows)
    }

    /// Puts a person into these groups and no others.
    pub(crate) async fn set_groups(&self, name: &Account, groups: &[Account]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query("DELETE FROM user_groups WHERE user_name = $1")
            .bind(name.as_str().to_owned())
            .execute(&mut *transaction)
            .await?;
        add_groups(&mut transaction, name, groups).await?;
        Ok(transaction.commit().await?)
    }

    /// Removes a person with all logins, codes, tokens and requests; whether there was one.
    pub(crate) async fn remove_user(&self, name: &Account) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done =
            sqlx::query("DELETE FROM users WHERE name = $1").bind(name.as_str().to_owned()).execute(&mut *transaction).await?;
        end_logins(&mut transaction, name).await?;
        requests::forget(&mut transaction, &format!("{name}@{LOCAL}")).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Sets a person's password and ends the logins that the old one began or approved; whether there is such a person. The second
    /// factor stays.
    pub(crate) async fn set_password(&self, name: &Account, hash: &str) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done = sqlx::query("UPDATE users SET hash = $1 WHERE name = $2")
            .bind(hash.to_owned())
            .bind(name.as_str().to_owned())
            .execute(&mut *transaction)
            .await?;
        end_logins(&mut transaction, name).await?;
        transaction.commit().await?;
        Ok(done.rows_affected() > 0)
    }
}

async fn add_groups(transaction: &mut Transaction<'static, Any>, name: &Account, groups: &[Account]) -> Result<(), StoreError> {
    for group in groups {
        sqlx::query("INSERT INTO user_groups (user_name, group_name) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(name.as_str().to_owned())
            .bind(group.as_str().to_owned())
            .execute(&mut **transaction)
            .await?;
    }
    Ok(())
}

/// Ends the logins of one of the directory's people, and what would become one.
async fn end_logins(transaction: &mut Transaction<'static, Any>, name: &Account) -> Result<(), StoreError> {
    for statement in [
        "DELETE FROM logins WHERE user_name = $1 AND idp = $2",
        "DELETE FROM authorization_codes WHERE user_name = $1 AND idp = $2",
        "DELETE FROM device_codes WHERE user_name = $1 AND idp = $2",
    ] {
        sqlx::query(statement).bind(name.as_str().to_owned()).bind(LOCAL).execute(&mut **transaction).await?;
    }
    // Whoever is between the password and the second factor, of all people, begins again: there are few, and it is seldom.
    sqlx::query("DELETE FROM sign_ins WHERE provider = $1").bind(LOCAL).execute(&mut **transaction).await?;
    Ok(())
}

/// One person for the rows that follow each other with the same name.
fn gathered(rows: &[AnyRow]) -> Result<Vec<User>, StoreError> {
    let mut users: Vec<User> = Vec::new();
    for row in rows {
        let name: Account = parsed(row, "name", "user name")?;
        if users.last().is_none_or(|user| user.name != name) {
            users.push(User { name, groups: Vec::new(), hash: row.try_get("hash")? });
        }
        let group: Option<String> = row.try_get("group_name")?;
        if let (Some(group), Some(user)) = (group, users.last_mut()) {
            user.groups.push(group.parse().map_err(|_| StoreError::Corrupt("group name"))?);
        }
    }
    Ok(users)
}
