//! Names, labels and profiles, from what is on this machine.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::OnceLock;
use std::time::Duration;

use clap_complete::engine::CompletionCandidate;

use super::refresh;
use crate::cli::Context;
use crate::cli::access::choose;
use crate::client::config::Config;
use crate::client::names::{self, Names};

/// What there is to complete from; read when it is needed.
pub(super) struct Known {
    context: Context,
    config: Config,
    /// The word before the one that is completed.
    before: String,
    names: OnceLock<Names>,
}

impl Known {
    pub(super) fn of(context: &Context, words: &[OsString]) -> Self {
        // A configuration that cannot be read has no profiles; the verb will say so.
        let config = context.config().cloned().unwrap_or_default();
        let before = words.len().checked_sub(2).and_then(|at| words[at].to_str()).unwrap_or_default().to_owned();
        Self { context: context.clone(), config, before, names: OnceLock::new() }
    }

    #[cfg(test)]
    pub(super) fn nothing() -> Self {
        Self::with(Names::default())
    }

    #[cfg(test)]
    fn with(names: Names) -> Self {
        Self { context: Context::nowhere(), config: Config::default(), before: String::new(), names: OnceLock::from(names) }
    }

    pub(super) fn context(&self) -> &Context {
        &self.context
    }

    fn list(&self) -> &Names {
        self.names.get_or_init(|| self.read().unwrap_or_default())
    }

    fn rows(&self) -> Vec<names::Known> {
        self.list().all()
    }

    fn read(&self) -> Option<Names> {
        if self.context.environment.token.is_some() {
            // A token for machines leaves nothing behind, so there is nothing to read.
            return refresh::asked(&self.context);
        }
        let paths = self.context.environment.paths.as_ref()?;
        let (broker, _) = choose(&self.config, &self.context).ok()?;
        let file = paths.names(&broker.url);
        let known = names::load(&file);
        match known {
            Some((age, known)) if age < FRESH => Some(known),
            Some((age, known)) if age < USABLE => {
                refresh::in_background(&broker.url);
                Some(known)
            }
            _ => {
                refresh::in_background(&broker.url);
                refresh::awaited(&file)
            }
        }
    }

    pub(super) fn names(&self, typed: &str) -> Vec<CompletionCandidate> {
        let short: Vec<_> = self.list().beginning(typed).iter().map(|row| described(&row.name, row)).collect();
        if !short.is_empty() {
            return short;
        }
        let rows = self.rows();
        rows.iter().filter(|row| row.full_name.starts_with(typed)).map(|row| described(&row.full_name, row)).collect()
    }

    pub(super) fn apps(&self, typed: &str) -> Vec<CompletionCandidate> {
        candidates(self.rows().into_iter().map(|row| row.app), typed)
    }

    pub(super) fn namespaces(&self, typed: &str) -> Vec<CompletionCandidate> {
        candidates(self.rows().into_iter().filter_map(|row| row.namespace), typed)
    }

    /// `KEY=VALUE` with commas between: the last of them is completed.
    pub(super) fn selectors(&self, typed: &str) -> Vec<CompletionCandidate> {
        let (done, last) = typed.rsplit_once(',').map_or(("", typed), |(_, last)| (&typed[..typed.len() - last.len()], last));
        let all = |row: &names::Known| {
            let own = [("app", Some(&row.app)), ("namespace", row.namespace.as_ref())];
            let own = own.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?.clone())));
            own.chain(row.labels.clone()).collect::<Vec<_>>()
        };
        match last.split_once('=') {
            Some((written, _)) => {
                let key = written.trim_end_matches('!');
                let values = self.rows().into_iter().flat_map(|row| all(&row)).filter(|(known, _)| known == key);
                candidates(values.map(|(_, value)| format!("{done}{written}={value}")), typed)
            }
            None => candidates(self.rows().iter().flat_map(all).map(|(key, _)| format!("{done}{key}=")), typed),
        }
    }

    pub(super) fn profiles(&self, typed: &str) -> Vec<CompletionCandidate> {
        let brokers = self.config.brokers.iter().map(|broker| (broker.profile().to_string(), broker.url.to_string()));
        let fitting = brokers.filter(|(name, _)| name.starts_with(typed));
        fitting.map(|(name, url)| CompletionCandidate::new(name).help(Some(url.into()))).collect()
    }

    pub(super) fn brokers(&self, typed: &str) -> Vec<CompletionCandidate> {
        candidates(self.config.brokers.iter().map(|broker| broker.url.to_string()), typed)
    }

    pub(super) fn brokers_and_profiles(&self, typed: &str) -> Vec<CompletionCandidate> {
        let mut all = self.profiles(typed);
        all.extend(self.brokers(typed));
        all
    }

    pub(super) fn values_of_settings(&self, typed: &str) -> Vec<CompletionCandidate> {
        let values: &[&str] = match self.before.as_str() {
            "profile" => return self.profiles(typed),
            "color" => &["auto", "always", "never"],
            "store" => &["keyring", "kernel", "file"],
            "device" => &["true", "false"],
            "escape" => &["none"],
            _ => &[],
        };
        candidates(values.iter().map(|value| (*value).to_owned()), typed)
    }
}

/// Those of `all` that begin with what was typed, each once.
fn candidates(all: impl Iterator<Item = String>, typed: &str) -> Vec<CompletionCandidate> {
    let fitting: BTreeSet<String> = all.filter(|one| one.starts_with(typed) && !one.contains(' ')).collect();
    fitting.into_iter().map(CompletionCandidate::new).collect()
}

fn described(name: &str, row: &names::Known) -> CompletionCandidate {
    CompletionCandidate::new(name).help(Some(format!("{} on {}", row.app, row.location).into()))
}

/// Until then a list needs no refreshing.
const FRESH: Duration = Duration::from_secs(3);

/// Until then it is better than none.
const USABLE: Duration = Duration::from_secs(3600);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::api::ContainerRow;

    fn known() -> Known {
        let row = |name: &str, app: &str, labels: &[(&str, &str)]| ContainerRow {
            name: name.into(),
            full_name: format!("{name}000000"),
            location: "node-1".into(),
            labels: labels.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect(),
            ..ContainerRow::example(app)
        };
        let rows = [
            row("tomcat-7f9", "tomcat", &[("team", "shop"), ("env", "prod")]),
            row("tomcat-a01", "tomcat", &[("team", "pay")]),
            row("db-1", "db", &[]),
        ];
        Known::with(Names::of(&rows))
    }

    fn values(candidates: Vec<CompletionCandidate>) -> Vec<String> {
        candidates.iter().map(|one| one.get_value().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn names_come_with_what_they_are() {
        let names = known().names("tom");
        assert_eq!(names[0].get_help().unwrap().to_string(), "tomcat on node-1");
        assert_eq!(values(names), ["tomcat-7f9", "tomcat-a01"]);
        assert_eq!(values(known().names("tomcat-7f90")), ["tomcat-7f9000000"]);
        assert_eq!(values(known().apps("")), ["db", "tomcat"]);
    }

    #[test]
    fn of_conditions_the_last_one_is_completed() {
        assert_eq!(values(known().selectors("t")), ["team="]);
        assert_eq!(values(known().selectors("team=")), ["team=pay", "team=shop"]);
        assert_eq!(values(known().selectors("app=tomcat,team!=p")), ["app=tomcat,team!=pay"]);
        assert_eq!(values(known().selectors("app=tomcat,e")), ["app=tomcat,env="]);
    }
}
