//! `ztbroker policy`: putting a changed policy in force.

use super::failure::Failure;
use super::print::Printer;
use crate::broker::admin::client::Client;
use crate::broker::admin::wire::PoliciesLoaded;
use crate::broker::args::Policy;

pub(super) async fn run(client: &Client, verb: Policy, printer: Printer) -> Result<(), Failure> {
    match verb {
        Policy::Reload => {
            let loaded: PoliciesLoaded = client.post("/policy/reload", &serde_json::json!({})).await?;
            printer.lines(loaded.policies.iter().map(String::as_str))
        }
    }
}
