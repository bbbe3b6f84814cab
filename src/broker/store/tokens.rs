//! The tokens that an operator makes: for agents to join with, and for programs to act as a person, narrowly.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::agents::{asserts, namespaces};
use super::{Store, StoreError, or_exists, parsed, seconds, text, time};
use crate::broker::enrolment::Assertions;
use crate::proto::Actions;
use crate::proto::name::Account;

/// What a join token is worth.
#[derive(Debug, Clone)]
pub(crate) struct JoinToken {
    /// What lists and the journal call it.
    pub(crate) id: String,
    /// SHA-256 of the secret.
    pub(crate) secret_hash: [u8; 32],
    /// How many agents may still join with it.
    pub(crate) uses_left: u32,
    /// When it ends, in seconds since 1970.
    pub(crate) expires_at: u64,
    /// What it asserts of its agents' containers.
    pub(crate) asserts: Assertions,
    /// When it was made.
    pub(crate) created_at: u64,
}

/// What a user token is worth.
#[derive(Debug, Clone)]
pub(crate) struct UserToken {
    /// What lists and the journal call it.
    pub(crate) id: String,
    /// SHA-256 of the token.
    pub(crate) hash: [u8; 32],
    /// Whom it speaks for.
    pub(crate) user: Account,
    /// When it ends, in seconds since 1970.
    pub(crate) expires_at: u64,
    /// What it may do; none means all that the person may.
    pub(crate) actions: Actions,
    /// Patterns for apps or full names; none means all that the person may reach.
    pub(crate) containers: Vec<String>,
    /// When it was made.
    pub(crate) created_at: u64,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// For agents.
    Join,
    /// For a program that acts as a person.
    User,
}

/// A token in a list, without anything secret.
#[derive(Debug, Clone)]
pub(crate) struct TokenRow {
    /// Its id.
    pub(crate) id: String,
    /// What it is for.
    pub(crate) kind: TokenKind,
    /// Whom a user token speaks for.
    pub(crate) user: Option<Account>,
    /// How often a join token can still be used.
    pub(crate) uses_left: Option<u32>,
    /// When it ends.
    pub(crate) expires_at: u64,
    /// When it was made.
    pub(crate) created_at: u64,
    /// What a join token asserts.
    pub(crate) asserts: Assertions,
    /// What a user token may do; empty where it is not narrowed.
    pub(crate) actions: Actions,
    /// Where a user token may do it; empty where it is not narrowed.
    pub(crate) containers: Vec<String>,
}

impl Store {
    /// Keeps a join token.
    pub(crate) async fn add_join_token(&self, token: JoinToken) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO join_tokens (id, hash, uses_left, expires_at, cluster, namespace, runtime, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(token.id.clone())
        .bind(text(&token.secret_hash))
        .bind(i64::from(token.uses_left))
        .bind(time(token.expires_at))
        .bind(token.asserts.cluster.clone())
        .bind(namespaces(&token.asserts))
        .bind(token.asserts.runtime.clone())
        .bind(time(token.created_at))
        .execute(&self.pool)
        .await
        .map_err(|error| or_exists(error, &token.id))?;
        Ok(())
    }

    /// Keeps a user token.
    ///
    /// # Errors
    /// [`StoreError::Database`] with a foreign key violation when there is no such person: ask [`Store::user`] before.
    pub(crate) async fn add_user_token(&self, token: UserToken) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO user_tokens (id, hash, user_name, expires_at, actions, containers, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(token.id.clone())
        .bind(text(&token.hash))
        .bind(token.user.as_str().to_owned())
        .bind(time(token.expires_at))
        .bind(token.actions.to_string())
        .bind(token.containers.join("\n"))
        .bind(time(token.created_at))
        .execute(&self.pool)
        .await
        .map_err(|error| or_exists(error, &token.id))?;
        Ok(())
    }

    /// All of both kinds, oldest first.
    pub(crate) async fn tokens(&self) -> Result<Vec<TokenRow>, StoreError> {
        let rows = sqlx::query("SELECT id, uses_left, expires_at, cluster, namespace, runtime, created_at FROM join_tokens")
            .fetch_all(&self.pool)
            .await?;
        let mut tokens = rows.iter().map(join_row).collect::<Result<Vec<_>, _>>()?;
        let rows = sqlx::query("SELECT id, user_name, expires_at, actions, containers, created_at FROM user_tokens")
            .fetch_all(&self.pool)
            .await?;
        for row in &rows {
            tokens.push(user_row(row)?);
        }
        tokens.sort_by(|left, right| (left.created_at, &left.id).cmp(&(right.created_at, &right.id)));
        Ok(tokens)
    }

    /// Ends a token of either kind; whether there was one.
    pub(crate) async fn remove_token(&self, id: &str) -> Result<bool, StoreError> {
        let mut removed = 0;
        for statement in ["DELETE FROM join_tokens WHERE id = $1", "DELETE FROM user_tokens WHERE id = $1"] {
            removed += sqlx::query(statement).bind(id.to_owned()).execute(&self.pool).await?.rows_affected();
        }
        Ok(removed > 0)
    }
}

fn join_row(row: &AnyRow) -> Result<TokenRow, StoreError> {
    Ok(TokenRow {
        id: row.try_get("id")?,
        kind: TokenKind::Join,
        user: None,
        uses_left: u32::try_from(row.try_get::<i64, _>("uses_left")?).ok(),
        expires_at: seconds(row, "expires_at")?,
        created_at: seconds(row, "created_at")?,
        asserts: asserts(row)?,
        actions: Actions::default(),
        containers: Vec::new(),
    })
}

fn user_row(row: &AnyRow) -> Result<TokenRow, StoreError> {
    let (actions, containers) = scope(row)?;
    Ok(TokenRow {
        id: row.try_get("id")?,
        kind: TokenKind::User,
        user: Some(parsed(row, "user_name", "user name")?),
        uses_left: None,
        expires_at: seconds(row, "expires_at")?,
        created_at: seconds(row, "created_at")?,
        asserts: Assertions::default(),
        actions,
        containers,
    })
}

/// The actions and the patterns of a row of `user_tokens`.
pub(super) fn scope(row: &AnyRow) -> Result<(Actions, Vec<String>), StoreError> {
    let (actions, containers): (String, String) = (row.try_get("actions")?, row.try_get("containers")?);
    let actions = if actions.is_empty() {
        Actions::default()
    } else {
        actions.parse().map_err(|_| StoreError::Corrupt("set of actions"))?
    };
    Ok((actions, containers.lines().map(str::to_owned).collect()))
}
