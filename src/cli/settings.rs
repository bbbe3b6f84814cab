//! Every setting, which value of it counts, and where that came from: a flag, then a variable, then the configuration, then what
//! is usual.

use std::str::FromStr;

use clap::ValueEnum;

use super::Context;
use super::environment::{self, Environment};
use super::failure::{Failure, Kind};
use crate::client::config::{Colour, Config, EscapeKey, ProfileName};
use crate::client::credential::StoreKind;
use crate::client::http::BrokerUrl;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// This flag.
    Flag(&'static str),
    /// This variable.
    Variable(&'static str),
    /// The configuration.
    File,
    /// Nobody said anything.
    Usual,
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given<T> {
    /// What counts.
    pub(super) value: T,
    /// Where it came from.
    pub(super) source: Source,
}

impl<T> Given<T> {
    fn new(value: T, source: Source) -> Self {
        Self { value, source }
    }
}

/// The first that was given.
fn first<T>(
    (flag, name): (Option<T>, &'static str),
    (text, variable): (Option<&String>, &'static str),
    file: Option<T>,
    usual: T,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Given<T>, Failure> {
    if let Some(value) = flag {
        return Ok(Given::new(value, Source::Flag(name)));
    }
    if let Some(text) = text {
        let value = parse(text).map_err(|error| Failure::variable(variable, text, &error))?;
        return Ok(Given::new(value, Source::Variable(variable)));
    }
    Ok(file.map_or(Given::new(usual, Source::Usual), |value| Given::new(value, Source::File)))
}

/// The broker that is meant, where anything says so.
pub(super) fn broker(config: &Config, context: &Context) -> Result<Given<Option<BrokerUrl>>, Failure> {
    let (flags, variables) = (&context.flags, &context.environment);
    let url = |text: &str| text.parse::<BrokerUrl>().map(Some).map_err(|error| Failure::url(&error));
    if let Some(text) = &flags.broker {
        return Ok(Given::new(url(text)?, Source::Flag("--broker")));
    }
    if let Some(name) = &flags.profile {
        return Ok(Given::new(Some(named(config, name)?), Source::Flag("--profile")));
    }
    if let Some(text) = &variables.broker {
        return Ok(Given::new(url(text)?, Source::Variable(environment::BROKER)));
    }
    if let Some(text) = &variables.profile {
        let name = text.parse().map_err(|error: String| Failure::variable(environment::PROFILE, text, &error))?;
        return Ok(Given::new(Some(named(config, &name)?), Source::Variable(environment::PROFILE)));
    }
    match &config.settings.profile {
        Some(name) => Ok(Given::new(Some(named(config, name)?), Source::File)),
        None => Ok(Given::new(None, Source::Usual)),
    }
}

/// The broker of the profile `name`.
pub(super) fn named(config: &Config, name: &ProfileName) -> Result<BrokerUrl, Failure> {
    let known = || config.brokers.iter().map(|broker| broker.profile().to_string());
    config.profile(name).map(|broker| broker.url.clone()).ok_or_else(|| Failure::unknown_profile(name, known()))
}

/// When to use colour. A configuration that cannot be read is the verb's to complain about.
pub(super) fn colour(flag: Option<Colour>, environment: &Environment, config: &Config) -> Result<Given<Colour>, Failure> {
    let usual = Colour::default();
    first((flag, "--color"), (environment.color.as_ref(), environment::COLOR), config.settings.color, usual, one_of::<Colour>)
}

/// The key of a session's escapes.
pub(super) fn escape(flag: Option<EscapeKey>, environment: &Environment, config: &Config) -> Result<Given<EscapeKey>, Failure> {
    let file = config.settings.escape;
    first(
        (flag, "--escape"),
        (environment.escape.as_ref(), environment::ESCAPE),
        file,
        EscapeKey::default(),
        EscapeKey::from_str,
    )
}

/// Where a login keeps its tokens; `None` for the first place that works.
pub(super) fn store(
    flag: Option<StoreKind>,
    environment: &Environment,
    config: &Config,
) -> Result<Given<Option<StoreKind>>, Failure> {
    let parse = |text: &str| one_of::<StoreKind>(text).map(Some);
    let file = config.settings.store.map(Some);
    first((flag.map(Some), "--store"), (environment.store.as_ref(), environment::STORE), file, None, parse)
}

/// Whether a login is by code also where there is a browser.
pub(super) fn device(flag: bool, environment: &Environment, config: &Config) -> Result<Given<bool>, Failure> {
    let parse = |text: &str| text.parse().map_err(|_| "it is true or false".to_owned());
    let flag = flag.then_some(true);
    first((flag, "--device"), (environment.device.as_ref(), environment::DEVICE), config.settings.device, false, parse)
}

/// Why, for the audit.
pub(super) fn reason(flag: Option<String>, environment: &Environment) -> Option<String> {
    flag.or_else(|| environment.reason.clone())
}

/// The value of that name.
pub(super) fn one_of<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let names: Vec<String> =
            T::value_variants().iter().filter_map(|value| Some(value.to_possible_value()?.get_name().to_owned())).collect();
        format!("it is one of {}", names.join(", "))
    })
}

impl Failure {
    /// A variable of the environment has a value that is none.
    pub(super) fn variable(name: &'static str, value: &str, error: &str) -> Self {
        Self::new(Kind::Usage, "usage", format!("`{value}` cannot be {name}: {error}")).hint(format!("unset {name}"))
    }

    /// No broker is called that.
    pub(super) fn unknown_profile(name: &ProfileName, known: impl Iterator<Item = String>) -> Self {
        Self::new(Kind::Usage, "unknown_profile", format!("there is no profile {name}"))
            .detail(known)
            .hint("ztctl config profiles")
            .hint(format!("ztctl login URL --profile {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_counts_before_a_variable_and_that_before_the_file() {
        let key = |flag: Option<&str>, text: Option<&str>, file: Option<&str>| {
            let parse = |text: &str| text.parse::<EscapeKey>().unwrap();
            let text = text.map(str::to_owned);
            let given = first(
                (flag.map(parse), "--escape"),
                (text.as_ref(), environment::ESCAPE),
                file.map(parse),
                EscapeKey::default(),
                EscapeKey::from_str,
            )?;
            Ok::<_, Failure>((given.value.to_string(), given.source))
        };
        assert_eq!(key(Some("+"), Some("%"), Some("none")).unwrap(), ("+".into(), Source::Flag("--escape")));
        assert_eq!(key(None, Some("%"), Some("none")).unwrap(), ("%".into(), Source::Variable(environment::ESCAPE)));
        assert_eq!(key(None, None, Some("none")).unwrap(), ("none".into(), Source::File));
        assert_eq!(key(None, None, None).unwrap(), ("~".into(), Source::Usual));
        assert_eq!(key(None, Some("ab"), None).unwrap_err().code(), "usage");
        assert_eq!(one_of::<Colour>("x").unwrap_err(), "it is one of auto, always, never");
    }
}
