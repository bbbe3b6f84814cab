//! The words of `ztagent docker`.

use std::path::PathBuf;

use clap::Args;

use crate::agent::args::JoinArgs;
use crate::agent::connector::selection::SelectionArgs;

/// `ztagent docker`.
#[derive(Debug, Args)]
pub(in crate::agent) struct DockerArgs {
    #[command(flatten)]
    pub(super) join: JoinArgs,
    /// The engine's socket: a path, or unix://PATH
    #[arg(long, value_name = "PATH", env = "DOCKER_HOST", default_value = super::SOCKET, value_parser = socket)]
    pub(super) socket: PathBuf,
    #[command(flatten)]
    pub(super) selection: SelectionArgs,
}

fn socket(text: &str) -> Result<PathBuf, String> {
    match text.split_once("://") {
        None => Ok(text.into()),
        Some(("unix", path)) => Ok(path.into()),
        Some(_) => Err("the agent serves the engine on its own machine: the path of a socket is expected".to_owned()),
    }
}

pub(in crate::agent) const HELP: &str = "\
Examples:
  ztagent docker --join-token-file /etc/ztagent/join
  ztagent docker --only label=team=shop --except 'name=*-db'

A container with the label ztctl.dev/access=false is never served, nor are the broker's and the agent's own. The agent keeps its key in
/var/lib/ztagent unless --state says otherwise; it needs the token only once.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_engine_is_on_this_machine() {
        assert_eq!(socket("/run/docker.sock"), Ok("/run/docker.sock".into()));
        assert_eq!(socket("unix:///run/docker.sock"), Ok("/run/docker.sock".into()));
        assert!(socket("tcp://10.0.0.1:2375").is_err());
    }
}
