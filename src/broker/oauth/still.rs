//! Whether a provider still stands by a person, asked when their login asks for its next tokens. A person who is gone there is
//! gone here, with their sessions, within an access token's life.

use super::form::Refusal;
use crate::broker::State;
use crate::broker::audit::Event;
use crate::broker::identity::oidc::OidcError;
use crate::broker::store::Upstream;

/// Goes on where the login of this refresh token has no provider, was asked about a moment ago, or is still good.
///
/// # Errors
/// When the provider says no, which ends the login; and when it cannot be asked: then the client may try again, with the same token.
pub(super) async fn check(state: &State, refresh: &[u8; 32]) -> Result<(), Refusal> {
    let Some(upstream) = state.store.claim_upstream(refresh, state.clock.now(), PAUSE).await? else { return Ok(()) };
    let Upstream { login, name, idp, sealed } = upstream;
    let Some(provider) = state.providers.get(&idp) else {
        return ended(state, refresh, &name, &idp, "the provider is not in the configuration any more").await;
    };
    match provider.still(state.store.key(), &name, &sealed).await {
        Ok(still) => Ok(state.store.keep_upstream(&login, &still.upstream, still.groups.as_deref()).await?),
        // Nothing was said of the person.
        Err(error @ (OidcError::Away(_) | OidcError::Stranger(_))) => {
            state.store.release_upstream(&login).await?;
            let mut refusal = Refusal::unavailable(&format!("the identity provider {idp}: {error}"));
            refusal.description = match error {
                OidcError::Stranger(_) => format!("{} does not accept this broker: tell your platform team", provider.title()),
                _ => format!("{} does not answer: try again in a moment", provider.title()),
            };
            Err(refusal)
        }
        Err(error) => ended(state, refresh, &name, &idp, &error.to_string()).await,
    }
}

async fn ended(state: &State, refresh: &[u8; 32], name: &str, idp: &str, why: &str) -> Result<(), Refusal> {
    let user = format!("{name}@{idp}");
    tracing::info!(%user, why, "a login has ended at its provider");
    if state.store.end_login(refresh).await?.is_some() {
        let event = Event::LoginEnded { user: user.clone(), why: why.to_owned() };
        state.journal.append(event).await.map_err(|error| Refusal::unavailable(&error))?;
    }
    state.sessions.cut_user(&user, "your login has ended at the identity provider");
    Err(Refusal::new("invalid_grant", "the login has ended at the identity provider: log in again"))
}

/// Two programs at once, and one that tries again, need no new answer, in seconds.
const PAUSE: u64 = 60;
