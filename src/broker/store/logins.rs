//! Logins and the tokens that stand for them: access tokens that end by themselves, refresh tokens that are replaced with each use.

use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::{Store, StoreError, parsed, seconds, text, time, tokens};
use crate::broker::identity::{LOCAL, Person};
use crate::proto::Actions;
use crate::proto::name::Account;

/// The hashes of tokens that are about to be handed out.
#[derive(Debug, Clone)]
pub(crate) struct NewTokens {
    /// Of the access token.
    pub(crate) access: [u8; 32],
    /// When the access token ends; never later than the login.
    pub(crate) access_expires_at: u64,
    /// Of the refresh token.
    pub(crate) refresh: [u8; 32],
}

/// A login that begins.
#[derive(Debug, Clone)]
pub(crate) struct Started {
    /// Its id.
    pub(crate) id: String,
    /// Who.
    pub(crate) person: Person,
    /// `browser`, `device` or `job`.
    pub(crate) method: &'static str,
    /// What it is limited to.
    pub(crate) scope: Option<(Actions, Vec<String>)>,
    /// The thumbprint of the key that its tokens are bound to.
    pub(crate) key: String,
    /// When.
    pub(crate) now: u64,
    /// When it ends at the latest.
    pub(crate) expires_at: u64,
}

/// What became of a refresh token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rotation {
    /// The new tokens hold. The login ends at this time.
    Fresh {
        /// Seconds since 1970.
        login_expires_at: u64,
    },
    /// No such token, or its login is over.
    Unknown,
    /// It was replaced long ago: the login has been ended.
    Reused {
        /// `name@idp`, whose login it was.
        user: String,
    },
}

/// Whose a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// `name@idp`.
    pub(crate) user: String,
    /// The thumbprint of the key that it is bound to.
    pub(crate) key: String,
}

/// Whom a token speaks for, with everything that decisions need.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    /// Who.
    pub(crate) user: Account,
    /// By whose word.
    pub(crate) idp: String,
    /// When more than one factor was shown in this login.
    pub(crate) mfa_at: Option<u64>,
    /// The groups.
    pub(crate) groups: Vec<Account>,
    /// The login's id; none for a user token.
    pub(crate) login: Option<String>,
    /// When the login began, or the token was made.
    pub(crate) since: u64,
    /// When the login or the user token ends.
    pub(crate) expires_at: u64,
    /// The thumbprint of the key that the token is bound to; none for a user token.
    pub(crate) key: Option<String>,
    /// The limits of a user token or of a job's login.
    pub(crate) scope: Option<(Actions, Vec<String>)>,
}

impl Store {
    /// The person that the access token of this hash speaks for. One query by primary keys.
    pub(crate) async fn access(&self, hash: &[u8; 32], now: u64) -> Result<Option<Bearer>, StoreError> {
        let rows = sqlx::query(
            "SELECT l.user_name, l.idp, l.group_names, l.mfa_at, l.actions, l.containers, l.id, l.proof_key, l.created_at, l.expires_at, g.group_name
             FROM access_tokens t JOIN logins l ON l.id = t.login
             LEFT JOIN user_groups g ON g.user_name = l.user_name AND l.group_names IS NULL
             WHERE t.hash = $1 AND t.expires_at > $2 AND l.expires_at > $2",
        )
        .bind(text(hash))
        .bind(time(now))
        .fetch_all(&self.pool)
        .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let bearer = bearer(row, &rows)?;
        let groups = said_groups(row)?.unwrap_or(bearer.groups);
        let mfa_at = row.try_get::<Option<i64>, _>("mfa_at")?.and_then(|at| u64::try_from(at).ok());
        let (login, key) = (Some(row.try_get("id")?), Some(row.try_get("proof_key")?));
        let scope = match row.try_get::<Option<String>, _>("actions")? {
            Some(_) => Some(tokens::scope(row)?),
            None => None,
        };
        Ok(Some(Bearer { idp: row.try_get("idp")?, groups, mfa_at, login, key, scope, ..bearer }))
    }

    /// The groups of the last live login of `name` by the word of `idp`; none without one.
    pub(crate) async fn last_groups(&self, name: &str, idp: &str, now: u64) -> Result<Option<Vec<Account>>, StoreError> {
        let row = sqlx::query(
            "SELECT group_names FROM logins WHERE user_name = $1 AND idp = $2 AND expires_at > $3
             ORDER BY created_at DESC LIMIT 1",
        )
        .bind(name.to_owned())
        .bind(idp.to_owned())
        .bind(time(now))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(said_groups(&row)?.unwrap_or_default())).transpose()
    }

    /// The person that the user token of this hash speaks for.
    pub(crate) async fn user_token(&self, hash: &[u8; 32], now: u64) -> Result<Option<Bearer>, StoreError> {
        let rows = sqlx::query(
            "SELECT t.user_name, t.created_at, t.expires_at, t.actions, t.containers, g.group_name
             FROM user_tokens t LEFT JOIN user_groups g ON g.user_name = t.user_name
             WHERE t.hash = $1 AND t.expires_at > $2",
        )
        .bind(text(hash))
        .bind(time(now))
        .fetch_all(&self.pool)
        .await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Bearer { scope: Some(tokens::scope(row)?), ..bearer(row, &rows)? }))
    }

    /// Replaces the refresh token `old` by `new`. The same token again within `grace` seconds gets the same answer, which the
    /// caller must have derived from it; later it is a theft, and the login ends.
    pub(crate) async fn rotate(&self, old: &[u8; 32], new: &NewTokens, now: u64, grace: u64) -> Result<Rotation, StoreError> {
        let mut transaction = self.begin().await?;
        // Whoever comes second waits here for the first and then finds no row.
        let replaced = sqlx::query("UPDATE refresh_tokens SET replaced_at = $1 WHERE hash = $2 AND replaced_at IS NULL")
            .bind(time(now))
            .bind(text(old))
            .execute(&mut *transaction)
            .await?;
        let row = sqlx::query(
            "SELECT r.login, r.replaced_at, l.user_name, l.idp, l.expires_at FROM refresh_tokens r JOIN logins l ON l.id = r.login
             WHERE r.hash = $1",
        )
        .bind(text(old))
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(row) = row else {
            return Ok(Rotation::Unknown);
        };
        let (login, login_expires_at): (String, u64) = (row.try_get("login")?, seconds(&row, "expires_at")?);
        if login_expires_at <= now {
            return Ok(Rotation::Unknown);
        }
        if replaced.rows_affected() == 0 && seconds(&row, "replaced_at")?.saturating_add(grace) < now {
            sqlx::query("DELETE FROM logins WHERE id = $1").bind(login).execute(&mut *transaction).await?;
            transaction.commit().await?;
            return Ok(Rotation::Reused { user: whole(&row)? });
        }
        insert(&mut transaction, &login, new, login_expires_at).await?;
        transaction.commit().await?;
        Ok(Rotation::Fresh { login_expires_at })
    }

    /// The owner of this token of a login, of either kind, however old it is.
    pub(crate) async fn owner(&self, token: &[u8; 32]) -> Result<Option<Owner>, StoreError> {
        let row = sqlx::query(
            "SELECT user_name, idp, proof_key FROM logins WHERE id IN (SELECT login FROM refresh_tokens WHERE hash = $1)
             OR id IN (SELECT login FROM access_tokens WHERE hash = $1)",
        )
        .bind(text(token))
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| Ok(Owner { user: whole(&row)?, key: row.try_get("proof_key")? })).transpose()
    }

    /// Ends the login that this token, of either kind, belongs to; whose it was, as `name@idp`.
    pub(crate) async fn end_login(&self, token: &[u8; 32]) -> Result<Option<String>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM logins WHERE id IN (SELECT login FROM refresh_tokens WHERE hash = $1)
             OR id IN (SELECT login FROM access_tokens WHERE hash = $1) RETURNING user_name, idp",
        )
        .bind(text(token))
        .fetch_optional(&self.pool)
        .await?;
        row.as_ref().map(whole).transpose()
    }

    /// Deletes what has ended: nothing looks at it any more.
    pub(crate) async fn prune(&self, now: u64) -> Result<(), StoreError> {
        for (statement, before) in [
            ("DELETE FROM access_tokens WHERE expires_at < $1", now),
            ("DELETE FROM logins WHERE expires_at < $1", now),
            ("DELETE FROM locks WHERE expires_at < $1", now),
            ("DELETE FROM sign_ins WHERE expires_at < $1", now),
            ("DELETE FROM device_codes WHERE expires_at < $1", now.saturating_sub(CODE_MEMORY)),
            ("DELETE FROM authorization_codes WHERE expires_at < $1", now.saturating_sub(CODE_MEMORY)),
            ("DELETE FROM sessions WHERE expires_at < $1", now.saturating_sub(SESSION_MEMORY)),
        ] {
            sqlx::query(statement).bind(time(before)).execute(&self.pool).await?;
        }
        super::notices::prune(&self.pool, now).await?;
        super::requests::prune(&self.pool, now).await
    }
}

/// Begins a login and keeps its first tokens.
pub(super) async fn start(
    transaction: &mut Transaction<'static, Any>,
    login: &Started,
    new: &NewTokens,
) -> Result<(), StoreError> {
    let person = &login.person;
    if person.idp == LOCAL {
        // Whoever was removed a moment ago begins nothing more.
        let name = person.name.as_str().to_owned();
        sqlx::query("SELECT name FROM users WHERE name = $1").bind(name).fetch_one(&mut **transaction).await?;
    }
    let groups = person.groups.as_ref().map(|groups| groups.iter().map(Account::as_str).collect::<Vec<_>>().join("\n"));
    sqlx::query(
        "INSERT INTO logins (id, user_name, idp, group_names, method, mfa_at, upstream, created_at, expires_at, proof_key,
                             actions, containers)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(login.id.clone())
    .bind(person.name.as_str().to_owned())
    .bind(person.idp.clone())
    .bind(groups)
    .bind(login.method.to_owned())
    .bind(person.mfa_at.map(time))
    .bind(person.upstream.clone())
    .bind(time(login.now))
    .bind(time(login.expires_at))
    .bind(login.key.clone())
    .bind(login.scope.as_ref().map(|(actions, _)| actions.to_string()))
    .bind(login.scope.as_ref().map(|(_, containers)| containers.join("\n")))
    .execute(&mut **transaction)
    .await?;
    insert(transaction, &login.id, new, login.expires_at).await
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    login: &str,
    new: &NewTokens,
    login_expires_at: u64,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO access_tokens (hash, login, expires_at) VALUES ($1, $2, $3)")
        .bind(text(&new.access))
        .bind(login.to_owned())
        .bind(time(new.access_expires_at.min(login_expires_at)))
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO refresh_tokens (hash, login, replaced_at) VALUES ($1, $2, NULL) ON CONFLICT (hash) DO NOTHING")
        .bind(text(&new.refresh))
        .bind(login.to_owned())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The groups that a provider said at the login; none for the directory's people.
fn said_groups(row: &AnyRow) -> Result<Option<Vec<Account>>, StoreError> {
    let names = row.try_get::<Option<String>, _>("group_names")?;
    let parsed = |names: String| names.lines().map(str::parse).collect::<Result<_, _>>();
    names.map(parsed).transpose().map_err(|_| StoreError::Corrupt("group name"))
}

/// `name@idp` of a login.
fn whole(row: &AnyRow) -> Result<String, StoreError> {
    Ok(format!("{}@{}", row.try_get::<String, _>("user_name")?, row.try_get::<String, _>("idp")?))
}

/// What both kinds of tokens have in common; the rows differ only in the group.
fn bearer(row: &AnyRow, rows: &[AnyRow]) -> Result<Bearer, StoreError> {
    let mut groups = Vec::with_capacity(rows.len());
    for row in rows {
        if let Some(group) = row.try_get::<Option<String>, _>("group_name")? {
            groups.push(group.parse().map_err(|_| StoreError::Corrupt("group name"))?);
        }
    }
    groups.sort_by(|left: &Account, right| left.as_str().cmp(right.as_str()));
    Ok(Bearer {
        user: parsed(row, "user_name", "user name")?,
        idp: LOCAL.to_owned(),
        mfa_at: None,
        groups,
        login: None,
        key: None,
        since: seconds(row, "created_at")?,
        expires_at: seconds(row, "expires_at")?,
        scope: None,
    })
}

/// How long a code is remembered after its end, so that whoever still asks hears `expired` and not `unknown`.
const CODE_MEMORY: u64 = 3600;

/// How long a session is remembered after the end of its certificate; the journal keeps it for good.
const SESSION_MEMORY: u64 = 30 * 86_400;
