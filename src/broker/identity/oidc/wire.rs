//! The provider's protocol: its document and keys, kept for a while, and the library's types with the extras that we read.

use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreClientAuthMethod, CoreErrorResponseType, CoreGenderClaim, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm, CoreProviderMetadata, CoreRevocableToken,
    CoreRevocationErrorResponse, CoreTokenIntrospectionResponse, CoreTokenType,
};
use openidconnect::{
    AdditionalClaims, AuthType, ClaimsVerificationError, ClientId, ClientSecret, EmptyExtraTokenFields, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IdTokenFields, IssuerUrl, Nonce, NonceVerifier,
    OAuth2TokenResponse, RedirectUrl, SignatureVerificationError, StandardErrorResponse, StandardTokenResponse,
    SubjectIdentifier, TokenResponse, UserInfoClaims, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::OidcError;
use super::claims::Claims;
use crate::broker::fetch::{FetchError, Fetcher};

/// A provider's document and keys, as fresh as they have to be.
pub(super) struct Known {
    fetcher: Fetcher,
    issuer: String,
    fetched: Mutex<Option<Fetched>>,
}

struct Fetched {
    metadata: CoreProviderMetadata,
    fresh_until: Instant,
    /// When it was fetched, or when that was tried in vain.
    tried: Instant,
}

/// The library's client for one answer's worth of questions.
pub(super) struct Client(pub(super) Library);

type Library = openidconnect::Client<
    More,
    CoreAuthDisplay,
    CoreGenderClaim,
    CoreJweContentEncryptionAlgorithm,
    CoreJsonWebKey,
    CoreAuthPrompt,
    StandardErrorResponse<CoreErrorResponseType>,
    Asked,
    CoreTokenIntrospectionResponse,
    CoreRevocableToken,
    CoreRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the token endpoint answers.
pub(super) type Asked = StandardTokenResponse<
    IdTokenFields<More, EmptyExtraTokenFields, CoreGenderClaim, CoreJweContentEncryptionAlgorithm, CoreJwsSigningAlgorithm>,
    CoreTokenType,
>;

/// Claims that the standard does not name.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct More(Map<String, Value>);

impl AdditionalClaims for More {}

/// Why claims are not believed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unbelieved {
    #[error("there is no ID token")]
    None,
    #[error("it is signed by a key that the provider does not publish")]
    UnknownKey,
    #[error("{0}")]
    Wrong(ClaimsVerificationError),
    #[error("its claims cannot be read")]
    Unreadable,
}

impl std::fmt::Debug for Known {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Known").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Known {
    /// Nothing is fetched yet.
    pub(super) fn new(fetcher: Fetcher, issuer: String) -> Self {
        Self { fetcher, issuer, fetched: Mutex::default() }
    }

    /// How the library asks the provider.
    pub(super) fn http(&self) -> impl Fn(HttpRequest) -> Answer {
        let fetcher = self.fetcher.clone();
        move |request| {
            let fetcher = fetcher.clone();
            Box::pin(async move { fetcher.exchange(request, LIMIT).await })
        }
    }

    /// The document with the keys; fetched anew when it is old, or `renew`, but not at each forger's attempt.
    ///
    /// # Errors
    /// A sentence when there is none.
    pub(super) async fn metadata(&self, renew: bool) -> Result<CoreProviderMetadata, String> {
        // One fetches at a time, and whoever waits meanwhile takes the same.
        let mut fetched = self.fetched.lock().await;
        if let Some(known) = fetched.as_ref()
            && (known.tried.elapsed() < AGAIN || !renew && Instant::now() < known.fresh_until)
        {
            return Ok(known.metadata.clone());
        }
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|error| error.to_string())?;
        match CoreProviderMetadata::discover_async(issuer, &self.http()).await {
            Ok(metadata) => {
                let tried = Instant::now();
                Ok(fetched.insert(Fetched { metadata, fresh_until: tried + FRESH, tried }).metadata.clone())
            }
            Err(error) => match fetched.as_mut() {
                // Its word needs it to be there in any case: an old document does no harm, and not everybody waits for a new one.
                Some(known) => {
                    known.tried = Instant::now();
                    Ok(known.metadata.clone())
                }
                None => Err(format!("{}: {}", self.issuer, whole(&error))),
            },
        }
    }
}

/// What the library waits for.
pub(super) type Answer = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, FetchError>> + Send>>;

impl Client {
    pub(super) fn new(
        metadata: CoreProviderMetadata,
        id: ClientId,
        secret: Option<ClientSecret>,
        redirect: RedirectUrl,
    ) -> Self {
        let methods = metadata.token_endpoint_auth_methods_supported();
        let takes = |method| methods.is_none_or(|methods| methods.contains(&method));
        let in_body = !takes(CoreClientAuthMethod::ClientSecretBasic) && takes(CoreClientAuthMethod::ClientSecretPost);
        let client = Library::from_provider_metadata(metadata, id, secret).set_redirect_uri(redirect);
        Self(if in_body { client.set_auth_type(AuthType::RequestBody) } else { client })
    }
}

/// The claims of the answer's ID token, checked: signature, issuer, audience, nonce, times.
pub(super) fn claims(client: &Client, answer: &Asked, nonce: Option<&Nonce>, now: u64) -> Result<Claims, Unbelieved> {
    let token = answer.id_token().ok_or(Unbelieved::None)?;
    let at = |seconds: u64| chrono_time(seconds);
    let verifier = client
        .0
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        // Clocks may differ a little.
        .set_time_fn(move || at(now.saturating_sub(SKEW)))
        .set_issue_time_verifier_fn(move |issued| {
            if issued > at(now.saturating_add(SKEW)) {
                Err("it is issued in the future: the clocks differ".to_owned())
            } else {
                Ok(())
            }
        });
    let checked = match nonce {
        Some(nonce) => token.claims(&verifier, nonce),
        None => token.claims(&verifier, Any),
    };
    let claims = checked.map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => Unbelieved::UnknownKey,
        other => Unbelieved::Wrong(other),
    })?;
    match serde_json::to_value(claims) {
        Ok(Value::Object(claims)) => Ok(Claims::new(claims)),
        _ => Err(Unbelieved::Unreadable),
    }
}

/// What the userinfo endpoint says of `subject`; nothing where there is none.
pub(super) async fn user_info(
    client: &Client,
    answer: &Asked,
    subject: &str,
    http: &impl Fn(HttpRequest) -> Answer,
) -> Result<Option<Claims>, OidcError> {
    let subject = SubjectIdentifier::new(subject.to_owned());
    let Ok(request) = client.0.user_info(answer.access_token().clone(), Some(subject)) else { return Ok(None) };
    let said: Result<UserInfoClaims<More, CoreGenderClaim>, _> = request.request_async(http).await;
    match said {
        Ok(said) => match serde_json::to_value(said) {
            Ok(Value::Object(claims)) => Ok(Some(Claims::new(claims))),
            _ => Ok(None),
        },
        Err(UserInfoError::ClaimsVerification(error)) => Err(OidcError::Forged(error.to_string())),
        Err(error) => Err(OidcError::Away(format!("userinfo: {}", whole(&error)))),
    }
}

/// At a refresh there is no nonce of ours (OpenID Connect Core §12.2).
#[derive(Clone, Copy)]
struct Any;

impl NonceVerifier for Any {
    fn verify(self, _: Option<&Nonce>) -> Result<(), String> {
        Ok(())
    }
}

fn chrono_time(seconds: u64) -> chrono::DateTime<chrono::Utc> {
    chrono::DateTime::from_timestamp(i64::try_from(seconds).unwrap_or(i64::MAX), 0)
        .unwrap_or(chrono::DateTime::<chrono::Utc>::MAX_UTC)
}

/// The library tells its reason only in the sources of its error.
fn whole(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words = format!("{words}: {inner}");
        source = inner.source();
    }
    words
}

/// Every asymmetric one that the library verifies. An ID token that is signed with the client's secret could be made by whoever reads it.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

/// How far the provider's clock may be from ours, in seconds.
const SKEW: u64 = 60;

/// The most bytes of an answer: tokens of somebody in hundreds of groups.
const LIMIT: usize = 512 * 1024;

/// How long a document is believed without asking.
const FRESH: Duration = Duration::from_secs(15 * 60);

/// How soon it is fetched again because of a key that is not in it, or because that was in vain.
const AGAIN: Duration = Duration::from_secs(10);
