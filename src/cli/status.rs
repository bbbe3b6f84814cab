//! `ztctl status`: which broker, who, until when, and where the tokens and their key are.

use std::process::ExitCode;

use serde::Serialize;

use super::Context;
use super::access::Access;
use super::args::{StatusArgs, StatusOutput};
use super::failure::{Failure, Kind};

/// What is shown; with `--output json` these are the names.
#[derive(Debug, Serialize)]
struct Status {
    broker: String,
    user: String,
    groups: Vec<String>,
    /// In seconds since 1970.
    expires_at: Option<u64>,
    /// What the token is limited to, if it is narrower than the user.
    #[serde(skip_serializing_if = "Option::is_none")]
    limited_to: Option<String>,
    /// When a second factor was last shown, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa_at: Option<u64>,
    #[serde(flatten)]
    here: Here,
}

/// What is known on this machine.
#[derive(Debug, Clone, Default, Serialize)]
struct Here {
    /// Where the tokens are, in words.
    tokens: String,
    /// Whether the tokens are bound to a key, which lies where they do; an operator's token is not.
    bound: bool,
    /// Whether whoever copies what lies there can use it elsewhere.
    copyable: bool,
    /// The fingerprint of the certificate authorities.
    ca: String,
    version: &'static str,
}

/// Asks the broker and prints.
pub(super) async fn run(context: &mut Context, args: StatusArgs) -> Result<ExitCode, Failure> {
    let access = Access::open(context).await?;
    let api = &access.api;
    let here = || Here {
        tokens: access.kept.clone(),
        bound: !api.has_fixed_token(),
        copyable: access.copyable,
        ca: access.ca.current().set.fingerprint(),
        version: crate::proto::version::PROGRAM,
    };
    let whoami = match api.whoami().await {
        Ok(whoami) => whoami,
        Err(error) => {
            let failure = Failure::of_api(error, api);
            // Who is not logged in may be asked to, and reads it all then.
            if args.output == StatusOutput::Text && failure.kind() != Kind::NotLoggedIn {
                context.ui.line(&broker_line(&api.http().url().to_string()))?;
                context.ui.lines(&here().lines())?;
            }
            return Err(failure);
        }
    };
    access.ca.follow(api.http()).await.map_err(|error| Failure::pin(error, api.http()))?;
    let status = Status {
        broker: api.http().url().to_string(),
        user: whoami.user,
        groups: whoami.groups,
        expires_at: whoami.expires_at,
        limited_to: whoami.limited_to,
        mfa_at: whoami.mfa_at,
        here: here(),
    };
    match args.output {
        StatusOutput::Json => context.ui.json(&status)?,
        StatusOutput::Text => context.ui.lines(&lines(&status, api.http().clock().now()))?,
    }
    if let Some(ahead) = api.http().broker_ahead().filter(|ahead| ahead.unsigned_abs() > CLOCK_WARNING) {
        context.ui.note(&format!("warning: {}", Failure::clock(ahead).message()));
    }
    Ok(ExitCode::SUCCESS)
}

fn lines(status: &Status, now: u64) -> Vec<String> {
    let groups = if status.groups.is_empty() { "none".to_owned() } else { status.groups.join(", ") };
    let expires = match status.expires_at {
        None => "never".to_owned(),
        Some(at) if at <= now => "now".to_owned(),
        Some(at) => format!("in {}", duration(at - now)),
    };
    let mut lines = vec![
        broker_line(&status.broker),
        format!("user     {}", status.user),
        format!("groups   {groups}"),
        format!("expires  {expires}"),
    ];
    lines.extend(status.here.lines());
    lines.extend(status.mfa_at.map(|at| format!("factor   a second one, shown {} ago", duration(now.saturating_sub(at)))));
    lines.extend(status.limited_to.iter().map(|limit| format!("limited  {limit}")));
    lines
}

fn broker_line(url: &str) -> String {
    format!("broker   {url}")
}

impl Here {
    fn lines(&self) -> [String; 3] {
        [format!("tokens   {}", self.tokens), format!("key      {}", self.key()), format!("ca       {}", self.ca)]
    }

    /// Where the key is that the tokens are worth nothing without.
    fn key(&self) -> &'static str {
        match (self.bound, self.copyable) {
            (true, false) => "in the same place, from where it is not copied with a file",
            (true, true) => "in the same file: whoever copies it can be you until the login ends",
            (false, _) => "none: whoever copies the token can use it until it ends",
        }
    }
}

/// Two units: precise enough to plan a day.
fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Seconds from which the clocks' difference is worth a warning: half of what a certificate's window forgives.
const CLOCK_WARNING: u64 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_its_line() {
        let mut here = Here {
            tokens: "a file that can be copied: /x".into(),
            bound: true,
            copyable: true,
            ca: "SHA256:00".into(),
            version: "0.1.0",
        };
        let status = Status {
            broker: "https://broker.example.com".into(),
            user: "ada@local".into(),
            groups: vec!["dev".into(), "ops".into()],
            expires_at: Some(1_000 + 3 * 3600 + 61),
            limited_to: None,
            mfa_at: None,
            here: here.clone(),
        };
        assert_eq!(
            lines(&status, 1_000).join("\n"),
            "broker   https://broker.example.com\nuser     ada@local\ngroups   dev, ops\nexpires  in 3 h 1 min\n\
             tokens   a file that can be copied: /x\nkey      in the same file: whoever copies it can be you until the login ends\n\
             ca       SHA256:00"
        );
        here.copyable = false;
        assert!(here.key().starts_with("in the same place"));
        here.bound = false;
        assert!(here.key().starts_with("none"));
    }

    #[test]
    fn a_second_factor_is_told_with_its_age() {
        let status = Status {
            broker: String::new(),
            user: String::new(),
            groups: vec![],
            expires_at: None,
            limited_to: None,
            mfa_at: Some(700),
            here: Here::default(),
        };
        assert_eq!(lines(&status, 1_000).last().unwrap(), "factor   a second one, shown 5 min ago");
    }

    #[test]
    fn durations_have_two_units() {
        assert_eq!([5, 300, 7_260, 180_000].map(duration), ["5 s", "5 min", "2 h 1 min", "2 d 2 h"]);
    }
}
