//! What a person is told when the container of a session has stopped: that it was started again, or what its owner has started in
//! its place. Nothing is guessed: without an owner, or without anything newer of its, only the end is told.

use std::time::Duration;

use super::access::Access;
use super::failure::Failure;
use super::ui::Ui;
use crate::client::session::{Gone, SessionError};
use crate::proto::agent::TERMINATING;
use crate::proto::api::ContainerRow;

/// The failure that `error` is, with the successors of a container that has stopped.
pub(super) async fn failure(ui: &Ui, access: &Access, error: SessionError) -> Failure {
    let gone = match &error {
        SessionError::ContainerEnded { gone, .. } => Some(gone.clone()),
        _ => None,
    };
    let failure = Failure::session(error, &access.api);
    let Some(gone) = gone else { return failure };
    // A script has the status, and nobody who would wait for names.
    let patience = if ui.is_interactive() { PATIENCE } else { Duration::ZERO };
    match find(access, &gone, patience).await {
        Some(found) => found.told(failure),
        None => failure,
    }
}

/// What is there instead.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// The same container, started again.
    Itself(String),
    /// What its owner has started since, the newest first.
    Successors { owner: String, names: Vec<String> },
}

impl Found {
    fn told(self, failure: Failure) -> Failure {
        match self {
            Self::Itself(name) => failure.detail(["it was started again".to_owned()]).hint(format!("ztctl shell {name}")),
            Self::Successors { owner, names } => {
                let one = names.len() == 1;
                let has = if one { "its successor is" } else { "since then there are" };
                let detail = format!("{owner} goes on: {has} {}", names.join(", "));
                names
                    .into_iter()
                    .take(HINTS)
                    .fold(failure.detail([detail]), |failure, name| failure.hint(format!("ztctl shell {name}")))
            }
        }
    }
}

/// Looks into the list until something is there, or patience ends.
async fn find(access: &Access, gone: &Gone, patience: Duration) -> Option<Found> {
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        // Whoever cannot be asked any more has nothing to add to the message that there is.
        let list = access.api.containers().await.ok()?;
        if let Some(found) = among(gone, list.containers) {
            return Some(found);
        }
        if tokio::time::Instant::now() >= deadline || gone.origin.is_none() {
            return None;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

fn among(gone: &Gone, rows: Vec<ContainerRow>) -> Option<Found> {
    let origin = gone.origin.as_ref()?;
    let newer = |row: &ContainerRow| row.started_at > origin.started_at;
    match rows.iter().find(|row| row.id == gone.container) {
        Some(row) if newer(row) => return Some(Found::Itself(row.name.clone())),
        // A cluster goes on to list a pod that it takes away.
        Some(row) if row.facts.health.as_deref() == Some(TERMINATING) => {}
        Some(_) => return None,
        None => {}
    }
    let mut successors: Vec<ContainerRow> = rows.into_iter().filter(|row| origin.is_before(row)).collect();
    successors.sort_by_key(|row| std::cmp::Reverse(row.started_at));
    let owner = origin.owner.clone().filter(|_| !successors.is_empty())?;
    Some(Found::Successors { owner, names: successors.into_iter().map(|row| row.name).collect() })
}

/// A Deployment's new pod takes a second or three to run.
const PATIENCE: Duration = Duration::from_secs(4);

/// How often the list is looked at meanwhile.
const AGAIN: Duration = Duration::from_millis(250);

/// The most commands that are offered to paste.
const HINTS: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ContainerId;
    use crate::proto::api::Origin;

    fn row(id: &str, owner: Option<&str>, started_at: u64) -> ContainerRow {
        let mut row = ContainerRow { id: ContainerId::derived(&[id.as_bytes()]), started_at, ..ContainerRow::example("web") };
        row.name = format!("web-{id}");
        row.facts.owner = owner.map(str::to_owned);
        row
    }

    fn gone(owner: Option<&str>) -> Gone {
        let ended = row("old", owner, 100);
        let origin = Origin {
            owner: ended.facts.owner,
            cluster: None,
            namespace: None,
            agent: ended.agent,
            started_at: ended.started_at,
        };
        Gone { container: ended.id, origin: Some(origin) }
    }

    #[test]
    fn a_successor_is_of_the_same_owner_and_newer() {
        let rows = vec![
            row("other", Some("deployment/other"), 200),
            row("older", Some("deployment/web"), 90),
            row("new", Some("deployment/web"), 200),
        ];
        let found = among(&gone(Some("deployment/web")), rows.clone());
        assert_eq!(found, Some(Found::Successors { owner: "deployment/web".into(), names: vec!["web-new".into()] }));
        assert_eq!(among(&gone(None), rows.clone()), None, "without an owner nothing is guessed");
        assert_eq!(among(&gone(Some("deployment/web")), rows[..2].to_vec()), None);
        let mut elsewhere = row("new", Some("deployment/web"), 200);
        elsewhere.namespace = Some("other".into());
        assert_eq!(among(&gone(Some("deployment/web")), vec![elsewhere]), None);
    }

    #[test]
    fn a_container_that_was_started_again_is_its_own_successor() {
        assert_eq!(among(&gone(None), vec![row("old", None, 101)]), Some(Found::Itself("web-old".into())));
        assert_eq!(among(&gone(None), vec![row("old", None, 100)]), None, "that one has not gone yet");
        let mut going = row("old", Some("deployment/web"), 100);
        let new = row("new", Some("deployment/web"), 200);
        assert_eq!(among(&gone(Some("deployment/web")), vec![going.clone(), new.clone()]), None);
        going.facts.health = Some(TERMINATING.to_owned());
        assert!(among(&gone(Some("deployment/web")), vec![going, new]).is_some(), "it is on its way out");
    }

    #[test]
    fn several_are_named_and_none_is_chosen() {
        let found = Found::Successors { owner: "deployment/web".into(), names: vec!["web-1".into(), "web-2".into()] };
        let told = found.told(Failure::new(crate::cli::failure::Kind::Failed, "x", "x"));
        assert_eq!(told.details(), ["deployment/web goes on: since then there are web-1, web-2"]);
        assert_eq!(told.hints(), ["ztctl shell web-1", "ztctl shell web-2"]);
    }
}
