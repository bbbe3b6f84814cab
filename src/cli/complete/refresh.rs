//! The list of names, anew: by a process of its own, so that no TAB waits for it.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::cli::Context;
use crate::cli::access::Access;
use crate::cli::failure::Failure;
use crate::cli::shell::surroundings;
use crate::client::http::BrokerUrl;
use crate::client::names::{self, Names};
use crate::client::{private, process};

/// Starts `ztctl complete --refresh` for `broker` and does not look back.
pub(in crate::cli) fn in_background(broker: &BrokerUrl) {
    let Some(program) = surroundings::program() else { return };
    let mut command = Command::new(program);
    command.args(["complete", "--refresh", "--broker", &broker.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Without it this TAB's candidates are those of the one before.
    let _ = process::detached(&mut command).spawn();
}

/// Asks the broker and keeps the list; nothing to do where another process is at it.
pub(super) async fn run(context: &Context) -> Result<(), Failure> {
    let access = Access::open(context).await?;
    let Some(file) = &access.names else { return Ok(()) };
    let lock = tokio::time::timeout(TURN, private::lock(&file.with_extension("lock"))).await;
    let Ok(Ok(_lock)) = lock else { return Ok(()) };
    let list = tokio::time::timeout(PATIENCE, access.api.containers()).await;
    if let Ok(Ok(list)) = list
        && !list.incomplete
    {
        names::save(file, &list.containers)?;
    }
    Ok(())
}

/// The list that a refresh leaves at `file`, if it does so soon.
pub(super) fn awaited(file: &Path) -> Option<Names> {
    let begin = Instant::now();
    while begin.elapsed() < FIRST {
        std::thread::sleep(LOOK);
        if let Some((age, known)) = names::load(file)
            && age < FIRST * 2
        {
            return Some(known);
        }
    }
    None
}

/// The list, asked for now, if it comes soon; nothing is kept.
pub(super) fn asked(context: &Context) -> Option<Names> {
    let asking = async {
        let asked = async {
            let access = Access::open(context).await?;
            access.api.containers().await.map_err(|error| Failure::of_api(error, &access.api))
        };
        Ok(tokio::time::timeout(FIRST, asked).await.ok().and_then(Result::ok))
    };
    let list = crate::cli::block_on(asking).ok()??;
    Some(Names::of(&list.containers))
}

/// How long the first list may keep a person waiting.
const FIRST: Duration = Duration::from_millis(1500);

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(10);

/// How long to wait for another process that refreshes: then its list is as good as ours.
const TURN: Duration = Duration::from_millis(50);

/// How long the broker may take when nobody waits.
const PATIENCE: Duration = Duration::from_secs(20);
