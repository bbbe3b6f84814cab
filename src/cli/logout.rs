//! `ztctl logout`: gives the login back and removes what it left on this machine.
//!
//! What is here is removed even when the broker cannot be asked; then the login ends there by itself, and that is said.

use std::process::ExitCode;

use super::Context;
use super::access::choose;
use super::failure::Failure;
use crate::client::config::Config;
use crate::client::credential::Places;
use crate::client::http::{Http, Server};
use crate::client::oauth::exchange;
use crate::client::private;
use crate::clock::Clock;

/// Ends the login.
pub(super) async fn run(context: &mut Context) -> Result<ExitCode, Failure> {
    let paths = context.paths()?.clone();
    let (broker, login) = choose(context.config()?, context)?;
    let url = broker.url.clone();
    let patience = context.environment.keyring_patience();
    let store = login.store.open(Places { broker: &url, paths: &paths, patience });
    // Nobody may exchange the token between our reading it and our giving it back.
    let lock = private::lock(&paths.token_lock(&url)).await?;
    let credential = store.load();
    let removed = store.delete();
    let revoked = match credential {
        Ok(Some(credential)) => {
            let trust = broker.trust().map_err(|error| Failure::root(&url.to_string(), &error))?;
            let server = Server { url: url.clone(), trust, proxy: context.environment.proxy.clone() };
            match Http::new(&server, Clock::system()) {
                Ok(http) => exchange::revoke(&http, &credential).await.map_err(|error| Failure::login(error, &http)),
                Err(error) => Err(Failure::http(error, &url, None)),
            }
        }
        Ok(None) => Ok(()),
        Err(error) => Err(Failure::store(error, &url)),
    };
    private::remove(&paths.names(&url))?;
    removed.map_err(|error| Failure::store(error, &url))?;
    Config::update(&paths, |config| config.broker_mut(&url).login = None).await?;
    // The lock's empty file stays: who waits for it holds it open, and must not hold another one than who comes after.
    drop(lock);
    context.ui.note(&format!("logged out at {url}"));
    if let Err(failure) = revoked {
        context
            .ui
            .note(&format!("warning: the broker does not know it yet, the login ends there by itself: {}", failure.message()));
    }
    Ok(ExitCode::SUCCESS)
}
