//! Agents that prove who they are by where they run: a pod by the token that its cluster has made for its service account.
//!
//! Which cluster a token is to be of is said beside the token, and its keys, its issuer and its account are those that the operator has
//! written down for that cluster: nothing that the token says chooses who is believed. What such an enrolment asserts is the
//! cluster's, not the agent's, to say.

#[cfg(test)]
mod tests;

use std::fmt;

use serde::Deserialize;

use super::config::{Cluster, Config};
use super::enrolment::Assertions;
use super::jwt::{JwtError, Keys};
use crate::proto::AgentId;

/// The clusters whose agents may prove themselves.
#[derive(Debug, Default)]
pub(crate) struct Clusters {
    /// What a token's audience has to be.
    audience: String,
    known: Vec<(Cluster, Keys)>,
}

/// An agent that has proved itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Workload {
    /// Its id, the same for each pod of the account.
    pub(crate) agent: AgentId,
    /// What it is called: as its cluster.
    pub(crate) name: String,
    /// What is asserted of its containers.
    pub(crate) asserts: Assertions,
    /// The account and the pod, in words.
    pub(crate) account: String,
}

/// Why a workload's token is not taken. The agent's operator reads it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotTaken {
    #[error("the broker's configuration has no cluster {0:?}")]
    NoCluster(String),
    #[error("the token for the cluster {cluster} is not believed: {why}")]
    Token { cluster: String, why: JwtError },
    #[error("the token is of the issuer {theirs:?}, and the configuration says that the cluster {cluster} issues as {ours:?}")]
    Issuer { cluster: String, theirs: String, ours: String },
    #[error("the token is for the audience {theirs:?} and not for {ours:?} alone: set the audience of the projected volume")]
    Audience { theirs: Vec<String>, ours: String },
    #[error("the token is of {theirs}, and the agent of the cluster {cluster} is {ours}")]
    Account { cluster: String, theirs: Account, ours: Account },
    #[error("the token has expired {0} s ago")]
    Expired(u64),
    #[error("the token is valid only in {0} s: the clocks of broker and cluster differ")]
    Early(u64),
    #[error("the token lives for {0} s, and at most {LIFETIME} are taken: set the expirationSeconds of the projected volume")]
    LivesLong(u64),
}

/// A service account, as clusters write one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    namespace: String,
    name: String,
}

impl fmt::Display for Account {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "system:serviceaccount:{}:{}", self.namespace, self.name)
    }
}

/// What a service account's token claims.
#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    #[serde(deserialize_with = "one_or_many")]
    aud: Vec<String>,
    exp: u64,
    iat: u64,
    #[serde(default)]
    nbf: u64,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes,
}

#[derive(Debug, Deserialize)]
struct Kubernetes {
    namespace: String,
    serviceaccount: Named,
    #[serde(default)]
    pod: Option<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

impl Clusters {
    /// Those of the configuration.
    ///
    /// # Errors
    /// A sentence when a cluster's keys can never be fetched.
    pub(crate) fn new(config: &Config) -> Result<Self, String> {
        let of = |cluster: &Cluster| match Keys::new(cluster.keys.clone()) {
            Ok(keys) => Ok((cluster.clone(), keys)),
            Err(why) => Err(format!("the keys of the cluster {} can never be fetched: {why}", cluster.name)),
        };
        let known = config.clusters.iter().map(of).collect::<Result<_, _>>()?;
        Ok(Self { audience: config.public_url_text().to_owned(), known })
    }

    /// What the agents of these clusters give as their tokens' audience.
    pub(crate) fn audience(&self) -> &str {
        &self.audience
    }

    /// The clusters.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Cluster> {
        self.known.iter().map(|(cluster, _)| cluster)
    }

    /// Whoever `token` is of, by the rules of the cluster that is called `name`.
    ///
    /// # Errors
    /// [`NotTaken`].
    pub(crate) async fn prove(&self, name: &str, token: &str, now: u64) -> Result<Workload, NotTaken> {
        let known = self.known.iter().find(|(cluster, _)| cluster.name == name);
        let (cluster, keys) = known.ok_or_else(|| NotTaken::NoCluster(name.chars().take(SHOWN).collect()))?;
        let claims: Claims = keys.verify(token).await.map_err(|why| NotTaken::Token { cluster: cluster.name.clone(), why })?;
        judge(cluster, &self.audience, &claims, now)
    }
}

fn judge(cluster: &Cluster, audience: &str, claims: &Claims, now: u64) -> Result<Workload, NotTaken> {
    let name = || cluster.name.clone();
    if claims.iss != cluster.issuer {
        return Err(NotTaken::Issuer { cluster: name(), theirs: claims.iss.clone(), ours: cluster.issuer.clone() });
    }
    // One that others take as well could have been passed on by them.
    let for_us = |aud: &String| aud.trim_end_matches('/') == audience;
    if claims.aud.is_empty() || !claims.aud.iter().all(for_us) {
        return Err(NotTaken::Audience { theirs: claims.aud.clone(), ours: audience.to_owned() });
    }
    let ours = Account { namespace: cluster.namespace.clone(), name: cluster.service_account.clone() };
    let theirs =
        Account { namespace: claims.kubernetes.namespace.clone(), name: claims.kubernetes.serviceaccount.name.clone() };
    if theirs != ours || claims.sub != ours.to_string() {
        return Err(NotTaken::Account { cluster: name(), theirs, ours });
    }
    let lifetime = claims.exp.saturating_sub(claims.iat);
    if lifetime > LIFETIME {
        return Err(NotTaken::LivesLong(lifetime));
    }
    if claims.exp <= now {
        return Err(NotTaken::Expired(now - claims.exp));
    }
    let from = claims.iat.max(claims.nbf);
    if from > now + SKEW {
        return Err(NotTaken::Early(from - now));
    }
    let pod = claims.kubernetes.pod.as_ref().map(|pod| format!(", pod {}", pod.name)).unwrap_or_default();
    Ok(Workload {
        agent: AgentId::of_workload(&cluster.name, &ours.namespace, &ours.name),
        name: name(),
        asserts: cluster.asserts(),
        account: format!("{ours}{pod}"),
    })
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Audience::deserialize(deserializer)? {
        Audience::One(one) => vec![one],
        Audience::Many(many) => many,
    })
}

/// How long a token may live: the shortest that clusters make, in seconds.
const LIFETIME: u64 = 600;

/// How far the cluster's clock may be ahead, in seconds.
const SKEW: u64 = 30;

/// The most characters of a name that somebody unknown says.
const SHOWN: usize = 64;
