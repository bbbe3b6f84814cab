//! The CA keys while the broker serves: a rotation ends when its time has come, and what another broker that shares the folder has
//! changed is followed.

use std::sync::Arc;
use std::time::Duration;

use super::State;
use super::admin::{Admin, AdminError};
use super::ca::rotation::NoChange;

/// Looks after the keys until the broker stops.
pub(crate) async fn keep_turning(state: Arc<State>) {
    let mut trouble = None;
    loop {
        // Said once, and not each second.
        let said = turn(&state).await.err().map(|error| error.to_string());
        if said != trouble {
            said.iter().for_each(|error| tracing::error!("the CA keys: {error}"));
            trouble = said;
        }
        if state.shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return;
        }
    }
}

async fn turn(state: &Arc<State>) -> Result<(), AdminError> {
    if state.ca.refresh().await.map_err(NoChange::Ca)? {
        tracing::info!("another broker has changed the CA keys");
        state.agents.tell_authorities(&state.ca);
    }
    if state.ca.until().is_some_and(|until| until <= state.clock.now()) {
        match Admin::of_broker(Arc::clone(state)).finish_ca_rotation().await {
            // Another broker was quicker.
            Ok(_) | Err(AdminError::Ca(NoChange::None)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// How often the folder and the clock are looked at.
const LOOK: Duration = Duration::from_secs(1);
