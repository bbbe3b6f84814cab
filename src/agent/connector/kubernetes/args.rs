//! The words of `ztagent kubernetes`.

use std::path::PathBuf;

use clap::Args;

use super::ClusterSettings;
use crate::agent::args::JoinArgs;
use crate::agent::connector::selection::SelectionArgs;

/// `ztagent kubernetes`.
#[derive(Debug, Args)]
pub(in crate::agent) struct KubernetesArgs {
    #[command(flatten)]
    pub(super) join: JoinArgs,
    #[command(flatten)]
    pub(super) workload: WorkloadArgs,
    #[command(flatten)]
    pub(super) cluster: ClusterArgs,
    /// Serve the pods of this namespace, `*` for all; kube-system and the agent's own are never served
    #[arg(long = "namespace", short, value_name = "NAME", env = "ZTAGENT_NAMESPACES", value_delimiter = ',', required = true)]
    pub(super) namespaces: Vec<String>,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
}

/// How an agent in a cluster enters its broker without a token of somebody's making.
#[derive(Debug, Args)]
pub(in crate::agent) struct WorkloadArgs {
    /// Join as the agent of the cluster NAME, by this pod's service account
    #[arg(long, value_name = "NAME", env = "ZTAGENT_CLUSTER", conflicts_with = "join_token_file", requires_all = ["broker", "authorities"])]
    pub(super) cluster: Option<String>,
    /// Trust only these certificate authorities, as `ztbroker cluster env` prints them
    #[arg(long, value_name = "sha256:…", env = "ZTAGENT_AUTHORITIES", requires = "cluster")]
    pub(super) authorities: Option<String>,
    /// Prove the service account by the token in FILE
    #[arg(long, value_name = "FILE", env = "ZTAGENT_CLUSTER_TOKEN_FILE", default_value = "/var/run/secrets/ztctl/token")]
    pub(super) cluster_token_file: PathBuf,
}

/// Which cluster.
#[derive(Debug, Args)]
pub(in crate::agent) struct ClusterArgs {
    /// Reach the cluster as FILE says, instead of as KUBECONFIG does or as the pod that the agent is in
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context in the kubeconfig
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
}

impl From<ClusterArgs> for ClusterSettings {
    fn from(args: ClusterArgs) -> Self {
        Self { kubeconfig: args.kubeconfig, context: args.context }
    }
}

pub(in crate::agent) const HELP: &str = "\
Examples:
  ztagent kubernetes --cluster prod --broker https://broker.example.com --authorities sha256:… --namespace shop,bank
  ztagent kubernetes --kubeconfig ~/.kube/config --join-token-file join --namespace shop --except label=tier=db

In the cluster it runs once, as a Deployment: deploy/kubernetes has all that it takes. Its rights are `get`, `list` and `watch` on pods,
`create` and `get` on pods/exec and, for ztctl logs, `get` on pods/log. A pod with the label or annotation ztctl.dev/access=false is
never served.";
