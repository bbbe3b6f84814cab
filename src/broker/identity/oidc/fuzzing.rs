//! What a fuzz target reaches of the sign-ins by OpenID Providers: what they publish, answer and claim.

use openidconnect::core::{CoreJsonWebKeySet, CoreProviderMetadata};
use openidconnect::{ClientId, Nonce, RedirectUrl};
use serde_json::{Map, Value};

use super::claims::Claims;
use super::wire::{self, Asked, Client};
use crate::broker::config::Provider;

/// Whose ID token it is that stands in `answer`, if it is believed. All as JSON.
pub(in crate::broker) fn id_token(metadata: &[u8], keys: &[u8], answer: &[u8], nonce: &str, now: u64) -> Option<String> {
    let metadata: CoreProviderMetadata = serde_json::from_slice(metadata).ok()?;
    let keys: CoreJsonWebKeySet = serde_json::from_slice(keys).ok()?;
    let redirect = RedirectUrl::new("https://broker.example/oauth/callback".to_owned()).ok()?;
    let client = Client::new(metadata.set_jwks(keys), ClientId::new("ztctl".to_owned()), None, redirect);
    let answer: Asked = serde_json::from_slice(answer).ok()?;
    wire::claims(&client, &answer, Some(&Nonce::new(nonce.to_owned())), now).ok().map(|claims| claims.subject())
}

/// What is made of claims that are believed.
pub(in crate::broker) fn claims(claims: Map<String, Value>, more: Map<String, Value>, now: u64) {
    let mut believed = Claims::new(claims);
    let subject = believed.subject();
    believed.add(Claims::new(more));
    assert!(subject.is_empty() || believed.subject() == subject, "what comes later changes nobody");
    for username_claim in ["email", "preferred_username"] {
        let config = Provider {
            name: "corp".to_owned(),
            title: "Corp".to_owned(),
            issuer: "https://idp.example".to_owned(),
            client_id: "ztctl".to_owned(),
            client_secret: None,
            scopes: Vec::new(),
            username_claim: username_claim.to_owned(),
            groups_claim: "groups".to_owned(),
            groups: vec!["*".to_owned()],
            mfa_amr: vec!["otp".to_owned()],
            mfa_acr: vec!["gold".to_owned()],
            ca: None,
        };
        let _ = believed.name(&config);
        assert!(believed.groups(&config).is_none_or(|groups| groups.len() <= 500));
        assert!(believed.mfa_at(&config, now).is_none_or(|at| at <= now), "no factor is shown in the future");
    }
}
