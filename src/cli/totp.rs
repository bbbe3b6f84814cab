//! `ztctl totp`: the second factor of a person of the broker's own directory.

use std::process::ExitCode;

use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::Context;
use super::access::Access;
use super::args::{DataOutput, TotpArgs, TotpVerb};
use super::failure::{Failure, Kind};
use super::step_up;
use super::ui::Ui;
use crate::moment;
use crate::proto::api::mfa::RecoveryCodes;

/// Does what the verb says.
pub(super) async fn run(context: &mut Context, args: TotpArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let (ui, api) = (&context.ui, &access.api);
    let failure = |error| Failure::of_api(error, api);
    match args.verb {
        TotpVerb::Enroll => enroll(ui, &access).await?,
        TotpVerb::Verify => {
            must_be_set_up(&access).await?;
            step_up::verify(ui, &access).await?;
            ui.note("a second factor is shown: what policies ask for it goes on");
        }
        TotpVerb::Status { output } => {
            let status = api.totp().await.map_err(failure)?;
            match (output, status.since) {
                (DataOutput::Json, _) => ui.json(&status)?,
                (DataOutput::Table, None) => ui.line("no second factor is set up")?,
                (DataOutput::Table, Some(since)) => {
                    ui.line(&format!("set up   {}", moment::show(since)))?;
                    ui.line(&format!("codes    {} recovery codes are left", status.recovery_codes))?;
                }
            }
        }
        TotpVerb::RecoveryCodes => {
            must_be_set_up(&access).await?;
            let codes = step_up::ask(ui, &access, async |code| api.renew_recovery_codes(code).await).await?;
            show(ui, &codes)?;
        }
        TotpVerb::Remove => {
            must_be_set_up(&access).await?;
            step_up::ask(ui, &access, async |code| api.remove_totp(code).await).await?;
            ui.note("your second factor is taken away");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Nobody is asked for a code who can have none.
async fn must_be_set_up(access: &Access) -> Result<(), Failure> {
    match access.api.totp().await.map_err(|error| Failure::of_api(error, &access.api))?.since {
        Some(_) => Ok(()),
        None => {
            let failure = Failure::new(Kind::NotAllowed, "unsupported", "no second factor is set up for you");
            Err(failure.hint("ztctl totp enroll"))
        }
    }
}

async fn enroll(ui: &Ui, access: &Access) -> Result<(), Failure> {
    if !ui.is_interactive() {
        let message = "to set up a second factor takes a terminal: a code is shown and asked for";
        return Err(Failure::new(Kind::Usage, "no_terminal", message));
    }
    let begun = access.api.begin_totp().await.map_err(|error| Failure::of_api(error, &access.api))?;
    ui.note("scan this with an authenticator app:");
    if let Ok(code) = QrCode::new(begun.url.expose().as_bytes()) {
        let image = code.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        ui.picture(&image)?;
    }
    ui.note("or type this secret into it:");
    ui.line(&format!("  {}", begun.secret.expose()))?;
    ui.note("then type the code that it shows");
    let codes = step_up::ask(ui, access, async |code| access.api.confirm_totp(code).await).await?;
    ui.note("your second factor is set up");
    show(ui, &codes)
}

fn show(ui: &Ui, codes: &RecoveryCodes) -> Result<(), Failure> {
    ui.note("keep these recovery codes where your app is not; each counts once, and they are not shown again:");
    let lines: Vec<&str> = codes.codes.iter().map(|code| code.expose().as_str()).collect();
    ui.lines(&lines)
}
