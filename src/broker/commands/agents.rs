//! `ztbroker agents`: who joined, and who is here.

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::AgentRow;
use crate::broker::admin::client::Client;
use crate::broker::args::Agents;
use crate::moment;

pub(super) async fn run(client: &Client, verb: Agents, printer: Printer) -> Result<(), Failure> {
    match verb {
        Agents::Ls(listing) => {
            let agents: Vec<AgentRow> = client.get("/agents").await?;
            let titles = ["ID", "NAME", "ASSERTS", "STATE", "CONTAINERS", "JOINED (UTC)"];
            table::show(printer, listing, titles, &agents, |agent| {
                [
                    agent.id.to_string(),
                    agent.name.clone(),
                    agent.asserts.words().iter().map(|(word, value)| format!("{word}={value}")).collect::<Vec<_>>().join(" "),
                    if agent.connected { "connected" } else { "away" }.to_owned(),
                    agent.containers.to_string(),
                    moment::show(agent.enrolled_at),
                ]
            })
        }
        Agents::Rm { id } => Ok(client.delete(&format!("/agents/{id}")).await?),
    }
}
