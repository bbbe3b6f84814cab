//! People of OpenID Providers: this broker is a relying party to each provider of its configuration.
//!
//! Who somebody is comes out of an ID token that the provider has signed, for us, for this browser and this attempt; the library
//! (`openidconnect`) checks that. What its claims mean is said by `claims`. While a login lasts, the provider is asked again
//! whether the person is still there, with a refresh token that `seal` keeps from whoever reads the database.
//!
//! A provider's document and keys are fetched when they are needed and kept for a while; a broker whose provider is away starts all
//! the same.

mod claims;
#[cfg(fuzzing)]
pub(in crate::broker) mod fuzzing;
mod seal;
mod wire;

use std::sync::Arc;

use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow, CoreErrorResponseType};
use openidconnect::{
    AuthenticationContextClass, AuthorizationCode, AuthorizationRequest, ClientId, ClientSecret, CsrfToken, Nonce,
    OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    StandardErrorResponse,
};
use url::Url;

use super::{Person, token};
use crate::broker::config::{Config, Provider};
use crate::broker::fetch::Fetcher;
use crate::clock::Clock;
use crate::proto::Secret;

use claims::Claims;
use wire::{Asked, Client, Known};

/// The providers of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Providers(Vec<Arc<OpenidProvider>>);

/// One provider, as this broker talks to it.
#[derive(Debug)]
pub(crate) struct OpenidProvider {
    config: Provider,
    redirect: String,
    known: Known,
    clock: Clock,
}

/// Why nobody is known by a provider's word. Its texts are for the log and the audit; people read what the pages say.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OidcError {
    /// It cannot be asked, or not now.
    #[error("the provider cannot be asked: {0}")]
    Away(String),
    /// It does not know this broker as its client: the operator's mistake, or somebody's who changed the registration.
    #[error("the provider does not accept this broker: {0}")]
    Stranger(String),
    /// It says no: the code, the refresh token, the client.
    #[error("the provider refuses: {0}")]
    Refused(String),
    /// What it says cannot be believed.
    #[error("the provider's ID token is not believed: {0}")]
    Forged(String),
    /// It says nothing that could be a name here.
    #[error("the provider's word is of no use: {0}")]
    Unfit(String),
}

/// What a provider says of somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Still {
    /// The groups now, where it says them.
    pub(crate) groups: Option<Vec<crate::proto::name::Account>>,
    /// What it is asked with the next time, sealed.
    pub(crate) upstream: String,
}

impl Providers {
    /// Those of the configuration; none is asked anything yet.
    ///
    /// # Errors
    /// A sentence when one can never be asked: its roots cannot be read.
    pub(crate) fn new(config: &Config, clock: &Clock) -> Result<Self, String> {
        let redirect = format!("{}{CALLBACK}", config.public_url_text());
        let of = |provider: &Provider| {
            let fetcher = Fetcher::new(provider.ca.as_deref())
                .map_err(|error| format!("the identity provider {} can never be asked: {error}", provider.name))?;
            let known = Known::new(fetcher, provider.issuer.clone());
            Ok(Arc::new(OpenidProvider { config: provider.clone(), redirect: redirect.clone(), known, clock: clock.clone() }))
        };
        config.providers.iter().map(of).collect::<Result<_, _>>().map(Self)
    }

    /// The one of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<OpenidProvider>> {
        self.0.iter().find(|provider| provider.config.name == name)
    }

    /// All of them, as the configuration lists them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<OpenidProvider>> {
        self.0.iter()
    }
}

impl OpenidProvider {
    /// What stands behind the `@`.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether `issuer` is what it calls itself.
    pub(crate) fn is(&self, issuer: &str) -> bool {
        self.config.issuer == issuer
    }

    /// What the button says.
    pub(crate) fn title(&self) -> &str {
        &self.config.title
    }

    /// Where the browser goes for the attempt `id`, which only we and the browser know. `again` asks for the person to show
    /// who they are even if they have just done so.
    ///
    /// # Errors
    /// [`OidcError::Away`].
    pub(crate) async fn authorize(&self, key: &Secret<[u8; 32]>, id: &str, again: bool) -> Result<Url, OidcError> {
        let client = self.client(false).await?;
        let challenge = PkceCodeChallenge::from_code_verifier_sha256(&verifier(key, id));
        let (state, nonce) = (CsrfToken::new(id.to_owned()), nonce(key, id));
        let scopes = self.config.scopes.iter().map(|scope| Scope::new(scope.clone()));
        let request = client
            .0
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, || state, || nonce)
            .add_scopes(scopes)
            .set_pkce_challenge(challenge);
        let request = if again {
            let levels = self.config.mfa_acr.iter().map(|acr| AuthenticationContextClass::new(acr.clone()));
            let request = levels.fold(request, AuthorizationRequest::add_auth_context_value);
            request.set_max_age(std::time::Duration::ZERO).add_prompt(CoreAuthPrompt::Login)
        } else {
            request
        };
        Ok(request.url().0)
    }

    /// Who came back with `code` from the attempt `id`.
    ///
    /// # Errors
    /// [`OidcError`].
    pub(crate) async fn person(&self, key: &Secret<[u8; 32]>, id: &str, code: &str) -> Result<Person, OidcError> {
        let client = self.client(false).await?;
        let http = self.known.http();
        let answer = client
            .0
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .map_err(|error| OidcError::Away(error.to_string()))?
            .set_pkce_verifier(verifier(key, id))
            .request_async(&http)
            .await
            .map_err(refused)?;
        let nonce = nonce(key, id);
        let said = self.believed(&client, &answer, &nonce).await?;
        let now = self.clock.now();
        Ok(Person {
            name: said.name(&self.config)?,
            idp: self.config.name.clone(),
            groups: Some(said.groups(&self.config).unwrap_or_default()),
            mfa_at: said.mfa_at(&self.config, now),
            upstream: answer.refresh_token().map(|token| seal::seal(&self.seal(key), &said.subject(), token.secret())),
        })
    }

    /// Asks whether the person behind `upstream` is still there.
    ///
    /// # Errors
    /// [`OidcError::Away`] when that is not known now; everything else means no.
    pub(crate) async fn still(&self, key: &Secret<[u8; 32]>, name: &str, upstream: &str) -> Result<Still, OidcError> {
        let kept =
            seal::open(&self.seal(key), upstream).ok_or_else(|| OidcError::Unfit("what was kept cannot be opened".into()))?;
        let client = self.client(false).await?;
        let http = self.known.http();
        let old = RefreshToken::new(kept.token.expose().clone());
        let answer = client
            .0
            .exchange_refresh_token(&old)
            .map_err(|error| OidcError::Away(error.to_string()))?
            .request_async(&http)
            .await
            .map_err(refused)?;
        // The old one may be used up by now: whatever else the provider cannot say at this moment, the next one is kept.
        let next = answer.refresh_token().unwrap_or(&old);
        let upstream = seal::seal(&self.seal(key), &kept.subject, next.secret());
        let said = match self.checked(&client, &answer, None).await {
            Err(OidcError::Away(_)) => None,
            said => said?,
        };
        // Without a word about whom it is about (OpenID Connect Core §12.2) it is the one who was there.
        let Some(said) = said else {
            let said = self.asked(&client, &answer, &kept.subject, &http).await?;
            return Ok(Still { groups: said.groups(&self.config), upstream });
        };
        if said.subject() != kept.subject || said.name(&self.config).is_ok_and(|said| said.as_str() != name) {
            return Err(OidcError::Forged("it is about somebody else".to_owned()));
        }
        let groups = match said.groups(&self.config) {
            None => self.asked(&client, &answer, &kept.subject, &http).await?.groups(&self.config),
            groups => groups,
        };
        Ok(Still { groups, upstream })
    }

    /// What the userinfo endpoint says; nothing where there is none, or where it cannot be asked now.
    async fn asked(
        &self,
        client: &Client,
        answer: &Asked,
        subject: &str,
        http: &(impl Fn(openidconnect::HttpRequest) -> wire::Answer + Sync),
    ) -> Result<Claims, OidcError> {
        match wire::user_info(client, answer, subject, http).await {
            Err(OidcError::Away(error)) => {
                tracing::warn!(provider = self.name(), error, "a person's groups stay as they were");
                Ok(Claims::default())
            }
            said => Ok(said?.unwrap_or_default()),
        }
    }

    /// The claims of an answer's ID token, if it has one and once they are believed.
    async fn checked(&self, client: &Client, answer: &Asked, nonce: Option<&Nonce>) -> Result<Option<Claims>, OidcError> {
        let now = self.clock.now();
        let said = match wire::claims(client, answer, nonce, now) {
            // A key of today is not in the set of yesterday.
            Err(wire::Unbelieved::UnknownKey) => wire::claims(&self.client(true).await?, answer, nonce, now),
            said => said,
        };
        match said {
            Ok(said) => Ok(Some(said)),
            Err(wire::Unbelieved::None) => Ok(None),
            Err(error) => Err(OidcError::Forged(error.to_string())),
        }
    }

    /// The same where there has to be one, with those of the userinfo endpoint where the groups or the name are missing.
    async fn believed(&self, client: &Client, answer: &Asked, nonce: &Nonce) -> Result<Claims, OidcError> {
        let said = self.checked(client, answer, Some(nonce)).await?;
        let mut said = said.ok_or_else(|| OidcError::Forged("there is none".to_owned()))?;
        let lacks = said.groups(&self.config).is_none() || said.name(&self.config).is_err();
        if lacks && let Some(more) = wire::user_info(client, answer, &said.subject(), &self.known.http()).await? {
            said.add(more);
        }
        Ok(said)
    }

    async fn client(&self, renew: bool) -> Result<Client, OidcError> {
        let metadata = self.known.metadata(renew).await.map_err(OidcError::Away)?;
        let redirect = RedirectUrl::new(self.redirect.clone()).map_err(|error| OidcError::Unfit(error.to_string()))?;
        let secret = self.config.client_secret.as_ref().map(|secret| ClientSecret::new(secret.expose().clone()));
        Ok(Client::new(metadata, ClientId::new(self.config.client_id.clone()), secret, redirect))
    }

    /// The key for what is kept of this provider: not in the database alone where the provider gave a secret.
    fn seal(&self, key: &Secret<[u8; 32]>) -> Secret<[u8; 32]> {
        let secret = self.config.client_secret.as_ref().map_or("", |secret| secret.expose());
        Secret::new(token::hash(&token::derive(key, "upstream", &[&self.config.name, secret])))
    }
}

fn verifier(key: &Secret<[u8; 32]>, id: &str) -> PkceCodeVerifier {
    PkceCodeVerifier::new(token::derive(key, "upstream verifier", &[id]))
}

fn nonce(key: &Secret<[u8; 32]>, id: &str) -> Nonce {
    Nonce::new(token::derive(key, "upstream nonce", &[id]))
}

/// A provider that answers with an error of its own says no; everything else is a provider that is away.
fn refused<E: std::error::Error + 'static>(
    error: RequestTokenError<E, StandardErrorResponse<CoreErrorResponseType>>,
) -> OidcError {
    use CoreErrorResponseType as Kind;
    match error {
        RequestTokenError::ServerResponse(answer) => match answer.error() {
            // The operator's mistake, not the person's end.
            Kind::InvalidClient | Kind::UnauthorizedClient => {
                OidcError::Stranger(format!("{answer}: check client_id and its secret"))
            }
            _ => OidcError::Refused(answer.to_string()),
        },
        RequestTokenError::Request(error) => OidcError::Away(error.to_string()),
        RequestTokenError::Parse(error, _) => OidcError::Away(format!("its answer cannot be read: {error}")),
        RequestTokenError::Other(error) => OidcError::Away(error),
    }
}

/// Where the provider sends the browser back to.
pub(crate) const CALLBACK: &str = "/oauth/callback";

#[cfg(test)]
mod tests;
