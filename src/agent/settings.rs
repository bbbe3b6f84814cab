//! From words, files and variables to what an agent needs to know: the broker, whom to trust, the key, the join token.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;

use crate::agent::args::JoinArgs;
use crate::agent::identity::{KnownBroker, Notebook, StateError, StateFolder};
use crate::agent::{AgentConfig, Join, Pin, ProxySettings, Url};
use crate::clock::Clock;
use crate::log::{self, LogLevel};
use crate::proto::Secret;
use crate::proto::join::{InvalidJoinToken, JoinToken};
use crate::ssh::{KeyError, new_key};
use crate::transport::tls::{Roots, RootsError, provider};

/// Writes what happens to stderr from now on, and keeps the agent's memory from processes of the same user: the key is in it. Sessions
/// and CMD become readable again by `exec`.
pub(super) fn set_up(log_level: LogLevel) {
    log::start(log_level);
    if let Err(error) = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable) {
        tracing::warn!("the agent's memory is not protected from processes of the same user: {error}");
    }
}

/// Why there can be no agent.
#[derive(Debug, thiserror::Error)]
pub(super) enum SettingsError {
    #[error("the join token in {path}: {source}")]
    TokenFile { path: String, source: io::Error },
    #[error(transparent)]
    Token(#[from] InvalidJoinToken),
    #[error("there is no join token: make one with `ztbroker token create --join` and give it with --join-token-file")]
    NoToken,
    #[error("the broker's URL {0} is none")]
    Broker(String),
    #[error("the TLS root {path}: {source}")]
    RootFile { path: String, source: io::Error },
    #[error("the TLS root: {0}")]
    Roots(#[from] RootsError),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
    #[error("this program does not find its own file, which sessions need: call it by its full path")]
    Trampoline,
}

/// What the words, the join token and the state folder make together. `state` is where the state is kept when nobody says.
///
/// # Errors
/// [`SettingsError`].
pub(super) fn config(args: &JoinArgs, state: Option<&Path>) -> Result<AgentConfig, SettingsError> {
    let state = args.state.as_deref().or(state).map(StateFolder::open).transpose()?;
    let token = join_token(args, state.is_some())?;
    let known = match (&token, &state) {
        (Some(token), _) => {
            let (url, ca, tls_root) = (token.broker.clone(), token.ca.clone(), token.tls_root.clone());
            // Kept notes that cannot be read are none: the token tells all that is needed.
            let kept = state.as_ref().and_then(|state| state.broker().ok().flatten());
            Some(KnownBroker { url, ca, tls_root, followed: None }.with_kept(kept))
        }
        (None, Some(state)) => state.broker()?,
        (None, None) => None,
    };
    let known = known.ok_or(SettingsError::NoToken)?;
    if let Some(state) = &state {
        state.key()?;
        state.remember(&known)?;
    }
    let join = token.map_or(Join::Key, |token| Join::Token(token.secret));
    entering(args, state, known, join)
}

/// The settings of an agent that knows its broker and by what it enters there. Without a state its key lives as long as it does.
///
/// # Errors
/// [`SettingsError`].
pub(super) fn entering(
    args: &JoinArgs,
    state: Option<StateFolder>,
    known: KnownBroker,
    join: Join,
) -> Result<AgentConfig, SettingsError> {
    let broker = match &args.broker {
        Some(url) => url.clone(),
        None => known.url.parse::<Url>().map_err(|_| SettingsError::Broker(known.url.clone()))?,
    };
    let key = state.as_ref().map(StateFolder::key).transpose()?.map_or_else(new_key, Ok)?;
    Ok(AgentConfig {
        broker,
        roots: roots(args.ca.as_deref(), known.tls_root.as_deref())?,
        ca: known.followed.clone().map_or_else(|| Pin::Fingerprint(known.ca.clone()), Pin::Set),
        notes: state.map(|state| Notebook::new(state, known)),
        join,
        key,
        name: args.name.clone().unwrap_or_else(host_name),
        trampoline: own_file().ok_or(SettingsError::Trampoline)?,
        proxy: proxy(),
        clock: Clock::system(),
    })
}

fn join_token(args: &JoinArgs, has_state: bool) -> Result<Option<JoinToken>, SettingsError> {
    let text = match &args.join_token_file {
        Some(path) => {
            let failed = |source| SettingsError::TokenFile { path: path.display().to_string(), source };
            let read = read_bounded(path).map_err(failed);
            match read {
                // Who has a state folder has joined: the token may be gone by now.
                Err(_) if has_state && !path.exists() => return Ok(None),
                read => {
                    let bytes = Secret::new(read?);
                    Secret::new(String::from_utf8_lossy(bytes.expose()).into_owned())
                }
            }
        }
        None => match std::env::var("ZTAGENT_JOIN_TOKEN") {
            Ok(text) => Secret::new(text),
            Err(_) => return Ok(None),
        },
    };
    Ok(Some(text.expose().parse()?))
}

/// What is given on the command line, else what the token says, else the roots of the public web.
fn roots(given: Option<&OsStr>, of_token: Option<&str>) -> Result<Roots, SettingsError> {
    let fingerprint = given.and_then(OsStr::to_str).filter(|text| text.starts_with("sha256:"));
    if let (Some(path), None) = (given, fingerprint) {
        let failed = |source| SettingsError::RootFile { path: Path::new(path).display().to_string(), source };
        return Ok(Roots::from_pem(&read_bounded(Path::new(path)).map_err(failed)?)?);
    }
    if let Some(fingerprint) = fingerprint.or(of_token) {
        return Ok(Roots::Fingerprint(fingerprint.parse()?));
    }
    let mut store = RootCertStore::empty();
    store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store), provider()).build();
    Ok(Roots::Verifier(verifier.map_err(|error| RootsError::Malformed(error.to_string()))?))
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn proxy() -> ProxySettings {
    let read = |names: [&str; 2]| names.iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let https = read(["HTTPS_PROXY", "https_proxy"]);
    let https = if https.is_empty() { read(["ALL_PROXY", "all_proxy"]) } else { https };
    ProxySettings::new(&https, &read(["NO_PROXY", "no_proxy"]))
}

/// What this machine, or container, calls itself.
pub(super) fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

/// This executable, also where there is no `/proc` to ask.
fn own_file() -> Option<PathBuf> {
    let by_kernel = std::env::current_exe().ok().filter(|path| path.exists());
    by_kernel.or_else(|| std::fs::canonicalize(std::env::args_os().next()?).ok())
}

/// The most bytes of a token or a file of roots.
const FILE_LIMIT: u64 = 256 * 1024;
