//! `ztbroker serve`: a broker until a signal ends it.

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use crate::broker::args::{Place, Serve};
use crate::broker::{Admin, Broker};
use crate::clock::Clock;
use crate::log;

pub(super) async fn run(place: &Place, args: Serve) -> Result<(), Failure> {
    let mut config = super::configuration(place)?;
    config.listen = args.listen.unwrap_or(config.listen);
    config.public_url = args.public_url.unwrap_or(config.public_url);
    config.policy = args.policy.unwrap_or(config.policy);
    config.log_level = args.log_level.map_or(config.log_level, Into::into);
    config.anew = args.anew.into_iter().map(Into::into).collect();
    config.check()?;
    log::start(config.log_level);
    let signals = Signals::new()?;
    let listener = bind(config.listen).await?;
    let url = config.public_url.clone();
    let broker = Broker::open(config, Clock::system()).await?;
    tracing::info!("serving {url}");
    until_signalled(broker, listener, signals).await
}

/// Listens at `address`.
pub(super) async fn bind(address: std::net::SocketAddr) -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|error| {
        Failure::new(format!("the broker cannot listen at {address}: {error}")).hint("choose another with --listen ADDR:PORT")
    })
}

/// Serves until a signal says to stop.
pub(super) async fn until_signalled(broker: Broker, listener: TcpListener, signals: Signals) -> Result<(), Failure> {
    let (admin, stop) = (broker.admin(), CancellationToken::new());
    let watching = tokio::spawn(signals.watch(admin, stop.clone()));
    let served = broker.serve(listener, stop).await;
    watching.abort();
    Ok(served?)
}

/// The signals that a broker understands. They are caught from the moment that this exists.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn new() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).map_err(|error| Failure::new(format!("signals cannot be caught: {error}")));
        Ok(Self {
            terminate: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
            hang_up: catch(SignalKind::hangup())?,
        })
    }

    /// Stops in order at the first signal to end, at once at the second; at a hang-up reads what an operator may have changed: sinks' files,
    /// the TLS certificate, the policies.
    async fn watch(mut self, admin: Admin, stop: CancellationToken) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => {}
                _ = self.interrupt.recv() => {}
                _ = self.hang_up.recv() => {
                    admin.reopen_sinks();
                    admin.renew_certificate().await;
                    match admin.reload_policy().await {
                        Ok(policies) => tracing::info!("{} policies are in force", policies.len()),
                        Err(error) => tracing::error!("{error}"),
                    }
                    continue;
                }
            }
            if stop.is_cancelled() {
                tracing::warn!("a second signal: ending at once");
                // The journal is durable at every moment; only the words to those who are connected are missing.
                std::process::exit(130);
            }
            tracing::info!("stopping");
            stop.cancel();
        }
    }
}
