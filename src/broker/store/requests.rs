//! Requests for approvals and the answers to them; every broker that shares the database sees the same.

use std::collections::BTreeSet;

use sqlx::any::AnyRow;
use sqlx::{Any, AnyPool, Row, Transaction};

use super::{Store, StoreError, parsed, seconds, text, time};
use crate::broker::asking::{Given, Person, Request};
use crate::broker::policy::{Approval, Approvers, Scope};
use crate::proto::RequestId;
use crate::proto::asking::RequestState;
use crate::proto::name::Account;

impl Store {
    /// Keeps a request, unless its user has `per_user` open ones already, or there are `in_all`. Says whether it is kept.
    pub(crate) async fn add_request(&self, request: &Request, per_user: u64, in_all: u64) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let open = "SELECT COUNT(*) AS amount FROM requests WHERE said = 'open' AND expires_at > $1";
        let all = sqlx::query(open).bind(time(request.created_at)).fetch_one(&mut *transaction).await?;
        let own = "SELECT COUNT(*) AS amount FROM requests WHERE said = 'open' AND expires_at > $1 AND requester = $2";
        let own = sqlx::query(own).bind(time(request.created_at)).bind(request.user.clone());
        let own = own.fetch_one(&mut *transaction).await?;
        if seconds(&own, "amount")? >= per_user || seconds(&all, "amount")? >= in_all {
            return Ok(false);
        }
        let (container, owner, cluster, namespace, agent) = match &request.scope {
            Scope::Container(id) => (Some(id.to_string()), None, None, None, None),
            Scope::Owner { owner, cluster, namespace, agent } => {
                (None, Some(owner.clone()), cluster.clone(), namespace.clone(), Some(agent.to_string()))
            }
        };
        sqlx::query(
            "INSERT INTO requests (id, requester, container, owner, cluster, namespace, agent, container_name, place, login,
             actions, reason, seconds, approvers, created_at, expires_at, said)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, 'open')",
        )
        .bind(request.id.to_string())
        .bind(request.user.clone())
        .bind(container)
        .bind(owner)
        .bind(cluster)
        .bind(namespace)
        .bind(agent)
        .bind(request.container.clone())
        .bind(request.place.clone())
        .bind(request.login.to_string())
        .bind(request.actions.to_string())
        .bind(request.reason.clone())
        .bind(time(request.seconds))
        .bind(listed(&request.approvers))
        .bind(time(request.created_at))
        .bind(time(request.expires_at))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// The request of that id.
    pub(crate) async fn request(&self, id: RequestId) -> Result<Option<Request>, StoreError> {
        let sql = format!("{SELECT} WHERE r.id = $1 ORDER BY a.answered_at, a.answered_by");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_string()).fetch_all(&self.pool).await?;
        Ok(gathered(&rows)?.pop())
    }

    /// Those that are open or in force, and all of `user`'s that are remembered, the oldest first.
    pub(crate) async fn requests(&self, user: &str, now: u64) -> Result<Vec<Request>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE (r.said = 'open' AND r.expires_at > $1) OR (r.said = 'approved' AND r.good_until > $1)
             OR r.requester = $2 ORDER BY r.created_at, r.id, a.answered_at, a.answered_by LIMIT {MOST}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(time(now)).bind(user.to_owned()).fetch_all(&self.pool).await?;
        gathered(&rows)
    }

    /// What was approved for `user` and holds at `now`.
    pub(crate) async fn approvals(&self, user: &str, now: u64) -> Result<Vec<Approval>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE r.said = 'approved' AND r.good_until > $1 AND r.requester = $2
             ORDER BY r.created_at, r.id, a.answered_at LIMIT {MOST}"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(time(now)).bind(user.to_owned()).fetch_all(&self.pool).await?;
        Ok(gathered(&rows)?.iter().filter_map(Request::approval).collect())
    }

    /// The requests whose approvals hold at `now`.
    pub(crate) async fn approved(&self, now: u64) -> Result<BTreeSet<RequestId>, StoreError> {
        let rows = sqlx::query("SELECT id FROM requests WHERE said = 'approved' AND good_until > $1")
            .bind(time(now))
            .fetch_all(&self.pool)
            .await?;
        rows.iter().map(|row| parsed(row, "id", "request's id")).collect()
    }

    /// Adds a yes to an open request, which is approved when it was the last that was missing. Nothing where it is open no more.
    pub(crate) async fn approve_request(&self, id: RequestId, given: &Given, now: u64) -> Result<Option<Request>, StoreError> {
        let mut transaction = self.begin().await?;
        // Writes first: of two that answer at once the second one waits, and then sees the other's answer.
        let open = sqlx::query("UPDATE requests SET said = 'open' WHERE id = $1 AND said = 'open' AND expires_at > $2")
            .bind(id.to_string())
            .bind(time(now))
            .execute(&mut *transaction)
            .await?;
        if open.rows_affected() == 0 {
            return Ok(None);
        }
        sqlx::query(
            "INSERT INTO request_answers (request, answered_by, group_names, seconds, answered_at)
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(id.to_string())
        .bind(given.by.clone())
        .bind(joined(&given.groups))
        .bind(time(given.seconds))
        .bind(time(now))
        .execute(&mut *transaction)
        .await?;
        let sql = format!("{SELECT} WHERE r.id = $1 ORDER BY a.answered_at, a.answered_by");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id.to_string()).fetch_all(&mut *transaction).await?;
        let Some(mut request) = gathered(&rows)?.pop() else { return Ok(None) };
        if request.missing().is_empty() {
            let until = now.saturating_add(request.length());
            approve(&mut transaction, id, until).await?;
            (request.said, request.until) = (RequestState::Approved, Some(until));
        }
        transaction.commit().await?;
        Ok(Some(request))
    }

    /// Ends a request that is open, or approved and in force; whether it was.
    pub(crate) async fn end_request(
        &self,
        id: RequestId,
        said: RequestState,
        by: &str,
        reason: Option<&str>,
        now: u64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE requests SET said = $1, ended_by = $2, ended_reason = $3
             WHERE id = $4 AND ((said = 'open' AND expires_at > $5) OR (said = 'approved' AND good_until > $5))",
        )
        .bind(said.as_str())
        .bind(by.to_owned())
        .bind(reason.map(str::to_owned))
        .bind(id.to_string())
        .bind(time(now))
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Keeps that `person` has proved who it is to the page of a request, until `expires_at`.
    pub(crate) async fn add_visit(
        &self,
        hash: &[u8; 32],
        id: RequestId,
        person: &Person,
        expires_at: u64,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO request_visits (hash, request, person, group_names, expires_at) VALUES ($1, $2, $3, $4, $5)")
            .bind(text(hash))
            .bind(id.to_string())
            .bind(person.user.clone())
            .bind(joined(&person.groups))
            .bind(time(expires_at))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Who proved it, and takes that back: it is for one answer.
    pub(crate) async fn take_visit(&self, hash: &[u8; 32], id: RequestId, now: u64) -> Result<Option<Person>, StoreError> {
        let row = sqlx::query(
            "DELETE FROM request_visits WHERE hash = $1 AND request = $2 AND expires_at > $3 RETURNING person, group_names",
        )
        .bind(text(hash))
        .bind(id.to_string())
        .bind(time(now))
        .fetch_optional(&self.pool)
        .await?;
        let person =
            |row: AnyRow| Ok::<_, StoreError>(Person { user: row.try_get("person")?, groups: groups(&row, "group_names")? });
        row.map(person).transpose()
    }
}

/// Forgets requests a day after they have ended.
pub(super) async fn prune(pool: &AnyPool, now: u64) -> Result<(), StoreError> {
    let before = time(now.saturating_sub(MEMORY));
    sqlx::query("DELETE FROM requests WHERE expires_at < $1 AND (good_until IS NULL OR good_until < $1)")
        .bind(before)
        .execute(pool)
        .await?;
    sqlx::query("DELETE FROM request_visits WHERE expires_at < $1").bind(time(now)).execute(pool).await?;
    Ok(())
}

/// Removes what `user` (`name@idp`) has asked for: another of that name has no claim on it.
pub(super) async fn forget(transaction: &mut Transaction<'static, Any>, user: &str) -> Result<(), StoreError> {
    for statement in ["DELETE FROM requests WHERE requester = $1", "DELETE FROM request_visits WHERE person = $1"] {
        sqlx::query(statement).bind(user.to_owned()).execute(&mut **transaction).await?;
    }
    Ok(())
}

async fn approve(transaction: &mut Transaction<'static, Any>, id: RequestId, until: u64) -> Result<(), StoreError> {
    sqlx::query("UPDATE requests SET said = 'approved', good_until = $1 WHERE id = $2")
        .bind(time(until))
        .bind(id.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// One request for the rows that follow each other with the same id.
fn gathered(rows: &[AnyRow]) -> Result<Vec<Request>, StoreError> {
    let mut requests: Vec<Request> = Vec::new();
    for row in rows {
        let id: RequestId = parsed(row, "id", "request's id")?;
        if requests.last().is_none_or(|request| request.id != id) {
            requests.push(request(row, id)?);
        }
        let by: Option<String> = row.try_get("answered_by")?;
        if let (Some(by), Some(request)) = (by, requests.last_mut()) {
            let seconds = u64::try_from(row.try_get::<Option<i64>, _>("given_seconds")?.unwrap_or(0)).unwrap_or(0);
            request.answers.push(Given { by, groups: groups(row, "group_names")?, seconds });
        }
    }
    Ok(requests)
}

fn request(row: &AnyRow, id: RequestId) -> Result<Request, StoreError> {
    let scope = match row.try_get::<Option<String>, _>("container")? {
        Some(container) => Scope::Container(container.parse().map_err(|_| StoreError::Corrupt("request's container"))?),
        None => Scope::Owner {
            owner: row.try_get("owner")?,
            cluster: row.try_get("cluster")?,
            namespace: row.try_get("namespace")?,
            agent: parsed(row, "agent", "request's agent")?,
        },
    };
    let approvers: String = row.try_get("approvers")?;
    let approvers: Result<_, _> = approvers.split(';').map(str::parse).collect();
    Ok(Request {
        id,
        user: row.try_get("requester")?,
        scope,
        container: row.try_get("container_name")?,
        place: row.try_get("place")?,
        login: parsed(row, "login", "request's login")?,
        actions: parsed(row, "actions", "request's actions")?,
        reason: row.try_get("reason")?,
        seconds: seconds(row, "seconds")?,
        approvers: approvers.map_err(|_| StoreError::Corrupt("request's approvers"))?,
        created_at: seconds(row, "created_at")?,
        expires_at: seconds(row, "expires_at")?,
        said: match row.try_get::<String, _>("said")?.as_str() {
            "open" => RequestState::Open,
            "approved" => RequestState::Approved,
            "denied" => RequestState::Denied,
            "revoked" => RequestState::Revoked,
            "withdrawn" => RequestState::Withdrawn,
            _ => return Err(StoreError::Corrupt("request's state")),
        },
        ended_by: row.try_get("ended_by")?,
        ended_reason: row.try_get("ended_reason")?,
        until: row.try_get::<Option<i64>, _>("good_until")?.map(|until| u64::try_from(until).unwrap_or(0)),
        answers: Vec::new(),
    })
}

fn listed(approvers: &BTreeSet<Approvers>) -> String {
    approvers.iter().map(Approvers::to_string).collect::<Vec<_>>().join(";")
}

fn joined(groups: &[Account]) -> String {
    groups.iter().map(Account::as_str).collect::<Vec<_>>().join(",")
}

fn groups(row: &AnyRow, column: &str) -> Result<Vec<Account>, StoreError> {
    let names: String = row.try_get(column)?;
    let groups: Result<_, _> = names.split(',').filter(|name| !name.is_empty()).map(str::parse).collect();
    groups.map_err(|_| StoreError::Corrupt("group name"))
}

/// A request with its answers, a row for each answer and one where there is none.
const SELECT: &str =
    "SELECT r.id, r.requester, r.container, r.owner, r.cluster, r.namespace, r.agent, r.container_name, r.place,
    r.login, r.actions, r.reason, r.seconds, r.approvers, r.created_at, r.expires_at, r.said, r.ended_by, r.ended_reason,
    r.good_until, a.answered_by, a.group_names, a.seconds AS given_seconds
    FROM requests r LEFT JOIN request_answers a ON a.request = r.id";

/// More rows than there are open requests, with the answers to them.
const MOST: usize = 5000;

/// A day: who asked may look at it for so long.
const MEMORY: u64 = 86_400;
