//! One cluster: how it is reached, what it refuses, and what this agent may do there.

use std::path::PathBuf;

use hyper::Response;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use kube::api::PostParams;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::exec::{SENTENCE, short_body};

/// How a cluster is found.
#[derive(Debug, Clone, Default)]
pub struct ClusterSettings {
    /// A kubeconfig; without one what `KUBECONFIG` says, else the cluster that the agent itself runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: Option<String>,
}

/// Why a cluster does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The settings lead to no cluster.
    #[error("no cluster is found: {0}")]
    Settings(String),
    /// It says no: an HTTP status and a sentence.
    #[error("{message}")]
    Refused {
        /// The status.
        status: u16,
        /// The sentence.
        message: String,
    },
    /// It cannot be reached.
    #[error("the cluster does not answer: {0}")]
    Away(String),
    /// It answers in a way that is not understood.
    #[error("the cluster's answer is not understood: {0}")]
    Unreadable(String),
}

impl ClusterError {
    /// What a response that is no success says.
    pub(super) async fn of(response: Response<Body>) -> Self {
        #[derive(serde::Deserialize)]
        struct Status {
            message: String,
            code: u16,
        }
        let status = response.status();
        let body = short_body(response).await;
        match serde_json::from_slice::<Status>(&body) {
            Ok(Status { message, code }) => Self::Refused { status: code, message },
            // What comes from a node comes through as the node has put it: plain words.
            Err(_) if status.is_server_error() && !body.is_empty() => {
                let message = String::from_utf8_lossy(&body).trim().chars().take(SENTENCE).collect();
                Self::Refused { status: status.as_u16(), message }
            }
            Err(_) => Self::Unreadable(format!("HTTP status {status}")),
        }
    }
}

impl From<kube::Error> for ClusterError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => Self::Refused { status: status.code, message: status.message },
            kube::Error::SerdeError(error) => Self::Unreadable(error.to_string()),
            error => {
                // The errors of this library tell the reason only in their sources.
                let mut words = error.to_string();
                let mut source = std::error::Error::source(&error);
                while let Some(inner) = source {
                    let more = inner.to_string();
                    if !words.contains(&more) {
                        words = format!("{words}: {more}");
                    }
                    source = inner.source();
                }
                Self::Away(words)
            }
        }
    }
}

/// A client of the cluster that the settings mean.
///
/// # Errors
/// [`ClusterError::Settings`].
pub(super) async fn connect(settings: &ClusterSettings) -> Result<Client, ClusterError> {
    let wrong = |error: &dyn std::fmt::Display| ClusterError::Settings(error.to_string());
    let options = KubeConfigOptions { context: settings.context.clone(), ..KubeConfigOptions::default() };
    let mut config = match &settings.kubeconfig {
        Some(path) => {
            let kubeconfig = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
            Config::from_custom_kubeconfig(kubeconfig, &options).await.map_err(|error| wrong(&error))?
        }
        None if settings.context.is_some() => Config::from_kubeconfig(&options).await.map_err(|error| wrong(&error))?,
        None => Config::infer().await.map_err(|error| wrong(&error))?,
    };
    // A watch and a session may be silent for as long as they like; what is dead is found out by pings and by the watch's own end.
    config.read_timeout = None;
    Client::try_from(config).map_err(|error| wrong(&error))
}

/// What this agent may do in a namespace; empty for all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::agent) struct Rights {
    pub(in crate::agent) exec: bool,
    pub(in crate::agent) logs: bool,
}

impl Rights {
    /// Asks the cluster. One that does not say counts as a yes: the attempt will tell.
    pub(super) async fn of(client: &Client, namespace: &str) -> Self {
        let may = async |verb: &str, subresource: &str| {
            let attributes = ResourceAttributes {
                namespace: Some(namespace.to_owned()),
                resource: Some("pods".to_owned()),
                subresource: Some(subresource.to_owned()),
                verb: Some(verb.to_owned()),
                ..ResourceAttributes::default()
            };
            let spec = SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() };
            let review = SelfSubjectAccessReview { spec, ..Default::default() };
            let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
            let answer = reviews.create(&PostParams::default(), &review).await;
            answer.ok().and_then(|review| review.status).is_none_or(|status| status.allowed)
        };
        // The new protocol begins with a GET, the old with a POST.
        Self { exec: may("create", "exec").await && may("get", "exec").await, logs: may("get", "log").await }
    }
}
