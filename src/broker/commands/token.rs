//! `ztbroker token`: what agents join with, and what machines log in with.

use super::failure::Failure;
use super::print::Printer;
use super::table;
use crate::broker::admin::client::Client;
use crate::broker::admin::wire::MadeToken;
use crate::broker::admin::{JoinTokenSpec, TokenRow, UserTokenSpec};
use crate::broker::args::{CreateToken, Token};
use crate::broker::enrolment::Assertions;
use crate::moment;

pub(super) async fn run(client: &Client, verb: Token, printer: Printer) -> Result<(), Failure> {
    match verb {
        Token::Create(args) => create(client, args, printer).await,
        Token::Ls(listing) => {
            let tokens: Vec<TokenRow> = client.get("/tokens").await?;
            table::show(printer, listing, ["ID", "KIND", "USES LEFT", "EXPIRES (UTC)", "SCOPE"], &tokens, |token| {
                let uses = token.uses_left.map(|uses| uses.to_string()).unwrap_or_default();
                [token.id.clone(), token.kind.clone(), uses, moment::show(token.expires_at), scope(token)]
            })
        }
        Token::Rm { id } => Ok(client.delete(&format!("/tokens/{id}")).await?),
    }
}

async fn create(client: &Client, args: CreateToken, printer: Printer) -> Result<(), Failure> {
    let CreateToken { ttl, uses, cluster, namespaces, runtime, .. } = args;
    let (made, next): (MadeToken, &str) = match args.user {
        None => {
            let spec = JoinTokenSpec { uses, ttl, asserts: Assertions { cluster, namespaces, runtime } };
            let next = "put it into a file that only the agent can read, then: ztagent run --join-token-file FILE -- CMD";
            (client.post("/tokens/join", &spec).await?, next)
        }
        Some(user) => {
            let actions = if args.actions.is_empty() { None } else { Some(args.actions.into_iter().collect()) };
            let spec = UserTokenSpec { user, ttl, actions, containers: args.containers };
            let next = "give it to ztctl in the variable ZTCTL_TOKEN";
            (client.post("/tokens/user", &spec).await?, next)
        }
    };
    printer.line(made.token.expose())?;
    printer.remark_to_person(&format!("this is shown once; {next}"));
    Ok(())
}

/// What a token is limited to, in words.
fn scope(token: &TokenRow) -> String {
    let mut words: Vec<(&str, String)> = token.user.iter().map(|user| ("user", user.to_string())).collect();
    words.extend(token.asserts.words());
    words.extend([("actions", token.actions.to_string()), ("containers", token.containers.join(","))]);
    let said = words.into_iter().filter(|(_, value)| !value.is_empty()).map(|(word, value)| format!("{word}={value}"));
    said.collect::<Vec<_>>().join(" ")
}
