//! Paths in containers: the only completion that asks the broker. It is a session like any other, allowed by policy and in the audit.

use std::time::Duration;

use clap_complete::engine::CompletionCandidate;

use crate::cli::Context;
use crate::cli::access::Access;
use crate::cli::settings;
use crate::client::resolve::Choice;
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

/// The names in `folder`, and whether each is a folder itself.
async fn list(context: &Context, target: Target, folder: &str) -> Option<Vec<(String, bool)>> {
    let access = Access::open(context).await.ok()?;
    let request = Choice::typed(target).copy(None, settings::reason(None, &context.environment));
    let session = access.session(request).await.ok()?;
    let remote = session.files().await.ok()?;
    let folder = if folder.is_empty() { "." } else { folder };
    let rows = session.with_files(remote.list(folder), |_| ()).await.ok()?.ok()?;
    let is_folder = |file: &russh_sftp::protocol::File| file.attrs.is_dir();
    Some(rows.iter().map(|file| (file.filename.clone(), is_folder(file))).collect())
}

/// How long a person may be kept waiting.
const PATIENCE: Duration = Duration::from_secs(3);
