//! `ztctl proxy`: the `ProxyCommand` of stock `ssh`. It makes the key, has it certified, serves the one signature as the agent of that
//! `ssh`, and copies bytes: SSH itself runs between `ssh` and the container, and no key touches the disk.

use std::io;
use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

use super::Context;
use super::access::Access;
use super::args::ProxyArgs;
use super::failure::{Failure, Kind};
use super::{settings, step_up};
use crate::client::ca_pin::SUFFIX;
use crate::client::identity_agent::{self, IdentityAgent};
use crate::client::private::{Guard, make_folder};
use crate::client::resolve::Choice;
use crate::client::session::{SessionError, request_link};
use crate::client::signals::{Signal, Signals};
use crate::pipe::{self, Counts};
use crate::proto::name::Target;
use crate::ssh::Certificate;

/// Connects and carries until both sides have ended.
pub(super) async fn run(context: &mut Context, args: ProxyArgs) -> Result<ExitCode, Failure> {
    if !identity_agent::EXISTS {
        return Err(Failure::no_identity_agent());
    }
    let ProxyArgs { host, identity_agent, user, reason } = args;
    let name = host.strip_suffix(SUFFIX).unwrap_or(&host);
    let name: Target = name
        .parse()
        .map_err(|error| Failure::new(Kind::Usage, "usage", format!("{host} cannot be a container's name: {error}")))?;
    let access = Access::open(context).await?;
    let failure = |error| Failure::session(error, &access.api);
    let request = Choice::typed(name).anything(user, settings::reason(reason, &context.environment));
    let open = async || request_link(&access.api, &access.ca, request.clone()).await;
    let opened = step_up::opened(&context.ui, &access, open).await;
    let (reply, mut link, key) = opened.map_err(|error| error.failure(&access))?;
    let certificate = Certificate::from_openssh(&reply.certificate)
        .map_err(|_| failure(SessionError::Reply("its certificate cannot be read")))?;
    make_folder(&identity_agent, Guard::Secret)?;
    // From here on there is something to take away.
    let mut signals = Signals::listen(&[Signal::Hangup, Signal::Terminate]).map_err(Failure::runtime)?;
    let agent = IdentityAgent::of_parent(&identity_agent, key, &certificate)
        .map_err(|error| Failure::identity_agent(&identity_agent, &error))?;
    let ended = CancellationToken::new();
    let agent = tokio::spawn(agent.serve(ended.clone().cancelled_owned()));
    let mut streams = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    let counts = Counts::default();
    let carried = tokio::select! {
        carried = pipe::join(&mut streams, &mut link, &counts) => carried,
        // An `ssh` that has what it wants hangs up.
        _ = signals.next() => Ok(()),
    };
    // Other connections may be calling through it.
    ended.cancel();
    let _ = agent.await;
    match carried {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(error) => Err(Failure::new(Kind::Failed, "link", format!("the connection was lost: {error}"))),
    }
}
