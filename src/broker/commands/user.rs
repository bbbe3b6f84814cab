//! `ztbroker user`: the people of the broker's own directory.

use super::failure::Failure;
use super::password;
use super::print::Printer;
use super::table;
use crate::broker::admin::UserRow;
use crate::broker::admin::client::Client;
use crate::broker::admin::wire::{AddUser, SetGroups, SetPassword};
use crate::broker::args::{Totp, User};
use crate::proto::name::Account;

pub(super) async fn run(client: &Client, verb: User, printer: Printer) -> Result<(), Failure> {
    match verb {
        User::Add { name, groups } => {
            let password = password::ask(&name).await?;
            client.tell("/users", &AddUser { name: name.clone(), groups, password }).await?;
            printer.remark_to_person(&format!("{name} can log in now"));
            Ok(())
        }
        User::Ls(listing) => {
            let users: Vec<UserRow> = client.get("/users").await?;
            table::show(printer, listing, ["NAME", "GROUPS"], &users, |user| {
                let groups: Vec<&str> = user.groups.iter().map(Account::as_str).collect();
                [user.name.to_string(), groups.join(",")]
            })
        }
        User::Rm { name } => Ok(client.delete(&path(&name)).await?),
        User::Groups { name, groups, none: _ } => {
            Ok(client.tell(&format!("{}/groups", path(&name)), &SetGroups { groups }).await?)
        }
        User::Totp(Totp::Reset { name }) => Ok(client.delete(&format!("{}/totp", path(&name))).await?),
        User::Passwd { name } => {
            let password = password::ask(&name).await?;
            Ok(client.tell(&format!("{}/password", path(&name)), &SetPassword { password }).await?)
        }
    }
}

/// Every character that a name may have stands for itself in a path.
fn path(name: &Account) -> String {
    format!("/users/{name}")
}
