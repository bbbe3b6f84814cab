//! What is completed by asking the broker: paths in containers, by a session like any other, allowed by policy and in the audit; and
//! the ids of requests.

use std::time::Duration;

use clap_complete::engine::CompletionCandidate;

use super::known::Known;
use crate::cli::Context;
use crate::cli::access::Access;
use crate::cli::settings;
use crate::client::resolve::{Choice, Entry};
use crate::proto::asking::{RequestRow, RequestState};
use crate::proto::name::Target;

/// What the last part of `path` in the container `name` may become, with the name before it.
pub(super) fn paths(context: &Context, name: &str, path: &str) -> Vec<CompletionCandidate> {
    let Ok(target) = name.parse::<Target>() else { return Vec::new() };
    let (folder, begun) = path.rsplit_once('/').map_or(("", path), |(folder, begun)| (&path[..=folder.len()], begun));
    let looking = async {
        let looked = tokio::time::timeout(PATIENCE, list(context, target, folder)).await;
        Ok(looked.ok().flatten().unwrap_or_default())
    };
    let mut found: Vec<(String, bool)> = crate::cli::block_on(looking).unwrap_or_default();
    found.retain(|(file, _)| file.starts_with(begun) && (!file.starts_with('.') || begun.starts_with('.')));
    found.sort();
    let slash = |is_folder: bool| if is_folder { "/" } else { "" };
    found
        .iter()
        .map(|(file, is_folder)| CompletionCandidate::new(format!("{name}:{folder}{file}{}", slash(*is_folder))))
        .collect()
}

/// The requests that the person may answer or take back, with who asks and where.
pub(super) fn requests(known: &Known, typed: &str) -> Vec<CompletionCandidate> {
    let asking = async {
        let list = async {
            let access = Access::open(known.context()).await.ok()?;
            access.api.requests().await.ok()
        };
        Ok(tokio::time::timeout(PATIENCE, list).await.ok().flatten().unwrap_or_default())
    };
    let list = crate::cli::block_on(asking).unwrap_or_default();
    let open = |row: &&RequestRow| matches!(row.state, RequestState::Open | RequestState::Approved);
    let fitting =
        list.requests.iter().filter(open).map(|row| (row.id.to_string(), row)).filter(|(id, _)| id.starts_with(typed));
    fitting
        .map(|(id, row)| CompletionCandidate::new(id).help(Some(format!("{} in {}", row.user, row.container).into())))
        .collect()
}

/// The names in `folder`, and whether each is a folder itself.
async fn list(context: &Context, target: Target, folder: &str) -> Option<Vec<(String, bool)>> {
    let access = Access::open(context).await.ok()?;
    let request =
        Choice::typed(target).copy(Entry { reason: settings::reason(None, &context.environment), ..Entry::default() });
    let session = access.session(request).await.ok()?;
    let remote = session.files().await.ok()?;
    let folder = if folder.is_empty() { "." } else { folder };
    let rows = session.with_files(remote.list(folder), |_| ()).await.ok()?.ok()?;
    let is_folder = |file: &russh_sftp::protocol::File| file.attrs.is_dir();
    Some(rows.iter().map(|file| (file.filename.clone(), is_folder(file))).collect())
}

/// How long a person may be kept waiting.
const PATIENCE: Duration = Duration::from_secs(3);
