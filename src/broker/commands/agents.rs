//! `ztbroker agents`: who joined, and who is here.

use super::failure::Failure;
use super::moment;
use super::print::Printer;
use super::table;
use crate::broker::admin::AgentRow;
use crate::broker::admin::client::Client;
use crate::broker::args::Agents;

pub(super) async fn run(client: &Client, verb: Agents, printer: Printer) -> Result<(), Failure> {
    match verb {
        Agents::Ls(listing) => {
            let agents: Vec<AgentRow> = client.get("/agents").await?;
            let titles = ["ID", "NAME", "CLUSTER", "NAMESPACE", "STATE", "CONTAINERS", "JOINED (UTC)"];
            table::show(printer, listing, titles, &agents, |agent| {
                [
                    agent.id.to_string(),
                    agent.name.clone(),
                    agent.cluster.clone().unwrap_or_default(),
                    agent.namespace.clone().unwrap_or_default(),
                    if agent.connected { "connected" } else { "away" }.to_owned(),
                    agent.containers.to_string(),
                    moment::show(agent.enrolled_at),
                ]
            })
        }
        Agents::Rm { id } => Ok(client.delete(&format!("/agents/{id}")).await?),
    }
}
