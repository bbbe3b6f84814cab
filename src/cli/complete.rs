//! What comes next on the command line, for a shell that asks because of a TAB: verbs, flags, containers, profiles, labels, and paths in
//! containers.
//!
//! All but the last is answered from what is on this machine. The list of names is refreshed by another process, for the next TAB; only
//! where there is none that could be used is it waited for, a little.
//!
//! | module | owns |
//! | --- | --- |
//! | `known` | names, labels and profiles |
//! | `remote` | paths in containers |
//! | `refresh` | the list of names, anew |

use std::ffi::{OsStr, OsString};
use std::process::ExitCode;
use std::sync::Arc;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter, complete};

use super::Context;
use super::args::{CompleteArgs, command};
use super::failure::Failure;

mod known;
mod refresh;
mod remote;

use known::Known;
pub(super) use refresh::in_background;

/// Prints the candidates, one a line, what they are after a tab; or refreshes the list.
pub(super) fn run(context: &mut Context, args: CompleteArgs) -> Result<ExitCode, Failure> {
    if args.refresh {
        super::block_on(refresh::run(context))?;
        return Ok(ExitCode::SUCCESS);
    }
    let CompleteArgs { index, mut words, .. } = args;
    if words.len() <= index {
        words.resize(index + 1, OsString::new());
    }
    words.truncate(index + 1);
    flags_of(&words, context);
    let ui = context.ui.clone();
    let known = Arc::new(Known::of(context, &words));
    let folder = std::env::current_dir().ok();
    let mut command = wired(&known);
    // A line that cannot be completed has no candidates; nobody would read why.
    let candidates = complete(&mut command, words, index, folder.as_deref()).unwrap_or_default();
    let lines: Vec<String> = candidates.iter().filter_map(line).take(MOST).collect();
    ui.fields(&lines)?;
    Ok(ExitCode::SUCCESS)
}

/// Takes over which broker the words that are completed mean.
fn flags_of(words: &[OsString], context: &mut Context) {
    let texts: Vec<&str> = words.iter().map_while(|word| word.to_str()).take_while(|word| *word != "--").collect();
    for (at, word) in texts.iter().enumerate() {
        let (flag, value) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            // The last word is not finished.
            None => (*word, texts.get(at + 1).copied().filter(|_| at + 2 < texts.len())),
        };
        match (flag, value) {
            ("--broker", Some(value)) => context.flags.broker = Some(value.to_owned()),
            ("--profile", Some(value)) => context.flags.profile = value.parse().ok(),
            _ => {}
        }
    }
}

/// A candidate as a line: what holds a tab or what a terminal would obey is left out.
fn line(candidate: &CompletionCandidate) -> Option<String> {
    let value = candidate.get_value().to_str().filter(|value| !value.contains(char::is_control))?;
    let help = candidate.get_help().map(ToString::to_string).unwrap_or_default();
    let help: String = help.lines().next().unwrap_or_default().chars().filter(|character| !character.is_control()).collect();
    Some(if help.is_empty() { value.to_owned() } else { format!("{value}\t{help}") })
}

/// What completes a value.
type Completer = fn(&Known, &str) -> Vec<CompletionCandidate>;

/// The command line, with what completes its values.
fn wired(known: &Arc<Known>) -> clap::Command {
    let own = [("broker", Known::brokers as Completer), ("profile", Known::profiles)];
    let name = ("name", Known::names as Completer);
    let selector = ("selector", Known::selectors as Completer);
    let command = with(command(), known, &own)
        .mut_subcommand("shell", |verb| with(verb, known, &[name, selector]))
        .mut_subcommand("exec", |verb| with(verb, known, &[name, selector]))
        .mut_subcommand("cp", |verb| with(verb, known, &[("paths", either_side)]))
        .mut_subcommand("login", |verb| with(verb, known, &[("url", Known::brokers_and_profiles), ("ca", file_here)]))
        .mut_subcommand("ls", |verb| with(verb, known, &[selector, ("namespace", Known::namespaces), ("filter", Known::apps)]))
        .mut_subcommand("config", |config| {
            let profile = [("name", Known::profiles as Completer), ("old", Known::profiles)];
            config
                .mut_subcommand("use", |verb| with(verb, known, &profile))
                .mut_subcommand("remove", |verb| with(verb, known, &profile))
                .mut_subcommand("rename", |verb| with(verb, known, &profile))
                .mut_subcommand("set", |verb| with(verb, known, &[("value", Known::values_of_settings)]))
        });
    let requests = ("id", remote::requests as Completer);
    let command = command
        .mut_subcommand("approve", |verb| with(verb, known, &[requests]))
        .mut_subcommand("deny", |verb| with(verb, known, &[requests]))
        .mut_subcommand("requests", |verb| verb.mut_subcommand("withdraw", |verb| with(verb, known, &[requests])));
    ["logs", "forward", "why", "request"]
        .into_iter()
        .fold(command, |command, verb| command.mut_subcommand(verb, |verb| with(verb, known, &[name])))
}

/// The command, with what completes some of its arguments, which stay in their order.
fn with(command: clap::Command, known: &Arc<Known>, completers: &[(&str, Completer)]) -> clap::Command {
    command.mut_args(|argument| match completers.iter().find(|(id, _)| argument.get_id() == id) {
        Some((_, what)) => argument.add(ArgValueCompleter::new(Values { known: Arc::clone(known), what: *what })),
        None => argument,
    })
}

/// Completes one argument from what is known.
struct Values {
    known: Arc<Known>,
    what: Completer,
}

impl ValueCompleter for Values {
    fn complete(&self, current: &OsStr) -> Vec<CompletionCandidate> {
        current.to_str().map(|typed| (self.what)(&self.known, typed)).unwrap_or_default()
    }
}

fn file_here(_: &Known, typed: &str) -> Vec<CompletionCandidate> {
    PathCompleter::file().complete(OsStr::new(typed))
}

/// `NAME:PATH`, or a path here.
fn either_side(known: &Known, typed: &str) -> Vec<CompletionCandidate> {
    if let Some((name, path)) = typed.split_once(':').filter(|(name, _)| !name.contains('/')) {
        return remote::paths(known.context(), name, path);
    }
    let mut candidates: Vec<CompletionCandidate> = Vec::new();
    if !typed.contains('/') && !typed.starts_with(['.', '~']) {
        candidates.extend(known.names(typed).into_iter().map(|name| {
            let value = format!("{}:", name.get_value().to_string_lossy());
            CompletionCandidate::new(value).help(name.get_help().cloned())
        }));
    }
    candidates.extend(PathCompleter::any().complete(OsStr::new(typed)));
    candidates
}

/// More candidates than a person reads.
const MOST: usize = 2000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_argument_that_is_completed_exists() {
        wired(&Arc::new(Known::nothing())).debug_assert();
    }

    #[test]
    fn a_candidate_is_one_line_of_text() {
        assert_eq!(line(&CompletionCandidate::new("web-1").help(Some("web\non n1".into()))).unwrap(), "web-1\tweb");
        assert!(line(&CompletionCandidate::new("a\tb")).is_none() && line(&CompletionCandidate::new("a\u{1b}[31m")).is_none());
    }
}
