//! `ztbroker cluster`: the clusters whose agents join by themselves.

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::ClusterRow;
use crate::broker::admin::client::Client;
use crate::broker::args::Cluster;

pub(super) async fn run(client: &Client, verb: Cluster, printer: Printer) -> Result<(), Failure> {
    let clusters: Vec<ClusterRow> = client.get("/clusters").await?;
    match verb {
        Cluster::Ls(listing) => {
            table::show(printer, listing, ["NAME", "SERVICE ACCOUNT", "NAMESPACES"], &clusters, |cluster| {
                [cluster.name.clone(), cluster.service_account.clone(), cluster.namespaces.join(",")]
            })
        }
        Cluster::Env { name } => {
            let Some(cluster) = clusters.iter().find(|cluster| cluster.name == name) else {
                let failure = Failure::new(format!("there is no cluster {name} in the configuration of the running broker"));
                return Err(failure.hint("ztbroker cluster ls"));
            };
            let lines = environment(cluster);
            printer.lines(lines.iter().map(String::as_str))?;
            if !lines.iter().any(|line| line.starts_with(NAMESPACES)) {
                printer.remark_to_person("add ZTAGENT_NAMESPACES: the configuration has patterns, and the agent wants names");
            }
            Ok(())
        }
    }
}

const NAMESPACES: &str = "ZTAGENT_NAMESPACES";

/// The variables of its agent, a line each.
fn environment(cluster: &ClusterRow) -> Vec<String> {
    let mut lines = vec![
        format!("ZTAGENT_CLUSTER={}", cluster.name),
        format!("ZTAGENT_BROKER={}", cluster.broker),
        format!("ZTAGENT_AUTHORITIES={}", cluster.authorities),
    ];
    // An agent asks for namespaces by name, or for all of them; a pattern only allows.
    let named: Vec<&str> =
        cluster.namespaces.iter().map(String::as_str).filter(|name| *name == "*" || !name.contains('*')).collect();
    if !named.is_empty() {
        lines.push(format!("{NAMESPACES}={}", named.join(",")));
    }
    lines.extend(cluster.tls_root.iter().map(|root| format!("ZTAGENT_CA={root}")));
    lines
}
