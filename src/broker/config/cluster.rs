//! A Kubernetes cluster whose agent joins by its service account's token: a `[[cluster]]` of the file.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use url::{Host, Url};

use super::ConfigError;
use crate::broker::enrolment::Assertions;
use crate::broker::jwt::Source;

/// One cluster, and the account of the agent in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// What policies and people call it.
    pub name: String,
    /// The issuer of its tokens.
    pub issuer: String,
    /// Its public keys.
    pub keys: Source,
    /// The namespace of the agent's service account.
    pub namespace: String,
    /// The agent's service account.
    pub service_account: String,
    /// The namespaces that the agent may serve, as patterns with `*`.
    pub namespaces: Vec<String>,
}

impl Cluster {
    /// What is asserted of every container that its agent reports.
    pub(crate) fn asserts(&self) -> Assertions {
        let runtime = Some("kubernetes".to_owned());
        Assertions { cluster: Some(self.name.clone()), namespaces: self.namespaces.clone(), runtime }
    }
}

/// The `[[cluster]]` table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterTable {
    name: String,
    issuer: String,
    jwks: Option<PathBuf>,
    jwks_url: Option<Url>,
    jwks_ca: Option<PathBuf>,
    #[serde(default = "namespace")]
    namespace: String,
    #[serde(default = "service_account")]
    service_account: String,
    namespaces: Vec<String>,
}

impl ClusterTable {
    /// Fills in the defaults and refuses what does not go together.
    pub(super) fn resolve(self, folder: &Path) -> Result<Cluster, ConfigError> {
        let Self { name, issuer, jwks, jwks_url, jwks_ca, namespace, service_account, namespaces } = self;
        let unfit = |why: &str| ConfigError::Unfit(format!("the cluster {name:?}: {why}"));
        let keys = match (jwks, jwks_url, jwks_ca) {
            (Some(file), None, None) => Source::File(folder.join(file)),
            (None, Some(url), ca) if is_safe(&url) => Source::Url { url, ca: ca.map(|path| folder.join(path)) },
            (None, Some(_), _) => {
                return Err(unfit("jwks_url begins with https://, or with http:// and this machine's own address"));
            }
            (Some(_), None, Some(_)) => return Err(unfit("jwks_ca goes with jwks_url only")),
            _ => return Err(unfit("say where its public keys are: jwks = FILE or jwks_url = URL, one of them")),
        };
        if issuer.is_empty() || namespaces.is_empty() || namespace.is_empty() || service_account.is_empty() {
            return Err(unfit("issuer, namespace, service_account and namespaces must not be empty"));
        }
        let cluster = Cluster { name: name.clone(), issuer, keys, namespace, service_account, namespaces };
        cluster.asserts().check().map_err(unfit)?;
        Ok(cluster)
    }
}

/// Keys that somebody on the way can change are worth nothing.
pub(super) fn is_safe(url: &Url) -> bool {
    let loopback = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    url.scheme() == "https" || url.scheme() == "http" && loopback
}

fn namespace() -> String {
    "ztctl".to_owned()
}

fn service_account() -> String {
    "ztagent".to_owned()
}
