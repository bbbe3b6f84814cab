//! `ztctl logs`: what a container has written to its outputs, from whoever runs it.

use std::process::ExitCode;

use super::Context;
use super::access::Access;
use super::args::LogsArgs;
use super::asking;
use super::failure::Failure;
use super::settings;
use super::successor;
use crate::client::resolve::Choice;
use crate::client::session::ending::Exit;
use crate::proto::logs::LogsRequest;

/// Writes the logs until they end, or until Ctrl-C.
pub(super) async fn run(context: &mut Context, args: LogsArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let LogsArgs { name, follow, since, tail, timestamps, reason } = args;
    let clock = access.api.http().clock().clone();
    let since = since.map(|since| since.seconds(clock.now()));
    let request = LogsRequest { follow, since, tail, timestamps };
    let choice = Choice::typed(name).logs(settings::reason(reason, &context.environment));
    let session = asking::session(&context.ui, &access, choice).await.map_err(|error| error.failure(&access))?;
    match session.logs(&request).await {
        Ok(Exit::Local(INTERRUPT)) => Err(Failure::interrupted()),
        Ok(exit @ Exit::Local(_)) => Ok(ExitCode::from(exit.code())),
        Ok(Exit::Status(0)) => Ok(ExitCode::SUCCESS),
        // What there is to say about it stands on standard error already.
        Ok(_) => Ok(ExitCode::FAILURE),
        Err(error) => Err(successor::failure(&context.ui, &access, error).await),
    }
}

/// SIGINT.
const INTERRUPT: u8 = 2;
