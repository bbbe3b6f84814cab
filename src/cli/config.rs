//! `ztctl config`: the profiles and the settings, and where each value came from.

use std::process::ExitCode;

use serde::Serialize;

use super::Context;
use super::args::{ConfigVerb, DataOutput, SettingKey};
use super::environment as variables;
use super::failure::{Failure, Kind};
use super::settings::{self, Given, Source, named, one_of};
use super::table::{Column, Table};
use crate::client::config::{Config, ProfileName};

/// Shows or changes the configuration.
pub(super) async fn run(context: &mut Context, verb: ConfigVerb) -> Result<ExitCode, Failure> {
    match verb {
        ConfigVerb::Show { output } => show(context, output)?,
        ConfigVerb::Profiles { output } => profiles(context, output)?,
        ConfigVerb::Use { name } => set(context, SettingKey::Profile, Some(name.as_str())).await?,
        ConfigVerb::Set { key, value } => set(context, key, Some(&value)).await?,
        ConfigVerb::Unset { key } => set(context, key, None).await?,
        ConfigVerb::Rename { old, new } => rename(context, &old, new).await?,
        ConfigVerb::Remove { name } => remove(context, &name).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// One line of `show`; with `--output json` these are the names.
#[derive(Debug, Serialize)]
struct Row {
    setting: &'static str,
    value: Option<String>,
    from: String,
}

impl Row {
    fn new<T>(setting: &'static str, given: &Given<T>, shown: impl FnOnce(&T) -> Option<String>) -> Self {
        Self { setting, value: shown(&given.value), from: from(given.source) }
    }
}

fn from(source: Source) -> String {
    match source {
        Source::Flag(name) | Source::Variable(name) => name.to_owned(),
        Source::File => "configuration".to_owned(),
        Source::Usual => "default".to_owned(),
    }
}

fn show(context: &Context, output: DataOutput) -> Result<(), Failure> {
    let (config, environment) = (context.config()?, &context.environment);
    let broker = settings::broker(config, context)?;
    // What a verb would take: without a word, the only login.
    let broker = match (&broker.value, config.logins().next(), config.logins().count()) {
        (None, Some((only, _)), 1) => Given { value: Some(only.url.clone()), source: Source::File },
        _ => broker,
    };
    let entry = broker.value.as_ref().and_then(|url| config.broker(url));
    let profile = Given { value: entry.map(|entry| entry.profile()), source: broker.source };
    let ca = match (&environment.ca, entry.and_then(|entry| entry.tls_root.as_deref())) {
        (Some(text), _) => Given { value: Some(text.clone()), source: Source::Variable(variables::CA) },
        (None, Some(root)) if root.starts_with("sha256:") => Given { value: Some(root.to_owned()), source: Source::File },
        (None, Some(_)) => Given { value: Some("a certificate".to_owned()), source: Source::File },
        (None, None) => Given { value: Some("what this machine trusts".to_owned()), source: Source::Usual },
    };
    let token = match &environment.token {
        Some(_) => Given { value: Some("(set, not shown)".to_owned()), source: Source::Variable(variables::TOKEN) },
        None => Given { value: None, source: Source::Usual },
    };
    let reason = match &environment.reason {
        Some(reason) => Given { value: Some(reason.clone()), source: Source::Variable(variables::REASON) },
        None => Given { value: None, source: Source::Usual },
    };
    let paths = context.paths()?;
    let place = |moved: bool, variable: &str| if moved { variable.to_owned() } else { "default".to_owned() };
    let rows = [
        Row::new("profile", &profile, |name| name.as_ref().map(ToString::to_string)),
        Row::new("broker", &broker, |url| url.as_ref().map(ToString::to_string)),
        Row::new("ca", &ca, Clone::clone),
        Row::new("color", &settings::colour(context.flags.color, environment, config)?, shown),
        Row::new("escape", &settings::escape(None, environment, config)?, |key| Some(key.to_string())),
        Row::new("store", &settings::store(None, environment, config)?, |store| {
            store.as_ref().map_or_else(|| Some("the first that works".to_owned()), shown)
        }),
        Row::new("device", &settings::device(false, environment, config)?, |device| Some(device.to_string())),
        Row::new("reason", &reason, Clone::clone),
        Row::new("token", &token, Clone::clone),
        Row {
            setting: "configuration",
            value: Some(paths.config_file().display().to_string()),
            from: place(environment.moved_config, variables::CONFIG_DIR),
        },
        Row {
            setting: "state",
            value: Some(paths.state_folder().display().to_string()),
            from: place(environment.moved_state, variables::STATE_DIR),
        },
    ];
    match output {
        DataOutput::Json => context.ui.json(&rows),
        DataOutput::Table => {
            let mut table = Table::new(vec![Column::whole("SETTING"), Column::narrow("VALUE", 16), Column::whole("FROM")]);
            for row in rows {
                table.row(vec![row.setting.to_owned(), row.value.unwrap_or_else(|| "-".to_owned()), row.from]);
            }
            context.ui.table(&table)
        }
    }
}

/// The word for a value, as one types it.
fn shown<T: clap::ValueEnum>(value: &T) -> Option<String> {
    Some(value.to_possible_value()?.get_name().to_owned())
}

/// One profile; with `--output json` these are the names.
#[derive(Debug, Serialize)]
struct Profile {
    name: ProfileName,
    broker: String,
    user: Option<String>,
    /// Whether it is meant when none is named.
    default: bool,
}

fn profiles(context: &Context, output: DataOutput) -> Result<(), Failure> {
    let config = context.config()?;
    let default = config.settings.profile.as_ref().and_then(|name| config.profile(name)).map(|broker| &broker.url);
    let profiles: Vec<Profile> = config
        .brokers
        .iter()
        .map(|broker| Profile {
            name: broker.profile(),
            broker: broker.url.to_string(),
            user: broker.login.as_ref().map(|login| login.user.clone()),
            default: default == Some(&broker.url),
        })
        .collect();
    match output {
        DataOutput::Json => context.ui.json(&profiles),
        DataOutput::Table if profiles.is_empty() => {
            context.ui.note("there is no profile yet: ztctl login URL makes one");
            Ok(())
        }
        DataOutput::Table => {
            let mut table = Table::new(vec![
                Column::whole("PROFILE"),
                Column::narrow("BROKER", 16),
                Column::whole("USER"),
                Column::whole("DEFAULT"),
            ]);
            for profile in profiles {
                let user = profile.user.unwrap_or_else(|| "-".to_owned());
                let default = if profile.default { "yes" } else { "" };
                table.row(vec![profile.name.to_string(), profile.broker, user, default.to_owned()]);
            }
            context.ui.table(&table)
        }
    }
}

/// Sets a key, or without a value no longer does.
async fn set(context: &Context, key: SettingKey, value: Option<&str>) -> Result<(), Failure> {
    let invalid = |error: String| {
        let name = shown(&key).unwrap_or_default();
        Failure::new(Kind::Usage, "usage", format!("`{}` cannot be {name}: {error}", value.unwrap_or_default()))
    };
    change(context, |config| {
        let settings = &mut config.settings;
        match key {
            SettingKey::Profile => {
                let profile: Option<ProfileName> = value.map(str::parse).transpose().map_err(invalid)?;
                if let Some(name) = &profile {
                    named(config, name)?;
                }
                config.settings.profile = profile;
            }
            SettingKey::Color => settings.color = value.map(one_of).transpose().map_err(invalid)?,
            SettingKey::Escape => settings.escape = value.map(str::parse).transpose().map_err(invalid)?,
            SettingKey::Store => settings.store = value.map(one_of).transpose().map_err(invalid)?,
            SettingKey::Device => {
                let parse = |text: &str| text.parse().map_err(|_| "it is true or false".to_owned());
                settings.device = value.map(parse).transpose().map_err(invalid)?;
            }
        }
        Ok(())
    })
    .await
}

async fn rename(context: &Context, old: &ProfileName, new: ProfileName) -> Result<(), Failure> {
    let url = named(context.config()?, old)?;
    change(context, |config| {
        if config.settings.profile.as_ref() == Some(old) {
            config.settings.profile = Some(new.clone());
        }
        name(config, &url, new)
    })
    .await
}

/// Calls the broker at `url` so, where no other is called that.
pub(super) fn name(config: &mut Config, url: &crate::client::http::BrokerUrl, new: ProfileName) -> Result<(), Failure> {
    match config.profile(&new) {
        Some(other) if other.url != *url => {
            let message = format!("{new} is the profile of {}", other.url);
            Err(Failure::new(Kind::Usage, "profile_taken", message).hint(format!("ztctl config rename {new} OTHER")))
        }
        _ => {
            config.broker_mut(url).profile = Some(new);
            Ok(())
        }
    }
}

async fn remove(context: &Context, name: &ProfileName) -> Result<(), Failure> {
    let url = named(context.config()?, name)?;
    change(context, |config| {
        if config.broker(&url).is_some_and(|broker| broker.login.is_some()) {
            let message = format!("there is a login at {name}, which would go on");
            return Err(Failure::new(Kind::Usage, "logged_in", message).hint(format!("ztctl logout --profile {name}")));
        }
        config.brokers.retain(|broker| broker.url != url);
        if config.settings.profile.as_ref() == Some(name) {
            config.settings.profile = None;
        }
        if config.last.as_ref() == Some(&url) {
            config.last = None;
        }
        Ok(())
    })
    .await
}

async fn change(context: &Context, change: impl FnOnce(&mut Config) -> Result<(), Failure>) -> Result<(), Failure> {
    let mut result = Ok(());
    Config::update(context.paths()?, |config| {
        let before = config.clone();
        result = change(config);
        if result.is_err() {
            *config = before;
        }
    })
    .await?;
    result
}
