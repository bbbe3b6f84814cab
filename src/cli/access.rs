//! Which broker and which login a verb uses, and the API behind it. Nothing is asked of the broker here, but for the one case
//! of a token without a login.

use std::path::PathBuf;

use super::Context;
use super::failure::Failure;
use super::settings;
use crate::client::api::{Api, Upgrade};
use crate::client::ca_pin::{self, Keep, Pin};
use crate::client::config::{BrokerEntry, Config, LoginEntry, trust};
use crate::client::credential::{Places, StoreKind};
use crate::client::http::{BrokerUrl, Server, Trust};
use crate::client::paths::Paths;
use crate::client::session::{Request, Session, SessionError};
use crate::client::tokens::Tokens;
use crate::client::{config, names};
use crate::proto::Textual;
use crate::proto::api::ContainerList;

/// A login that can be used.
#[derive(Debug)]
pub struct Access {
    /// The broker's API with this login.
    pub api: Api,
    /// The pinned certificate authorities: a container's host certificate must be from one of them.
    pub ca: Pin,
    /// Who, by the configuration; `None` with a token from the environment.
    pub user: Option<String>,
    /// Where the tokens are, in words.
    pub kept: String,
    /// Whether whoever copies what lies there can use it elsewhere.
    pub copyable: bool,
    /// The file that remembers what was picked last, where there is a place for it.
    pub picked: Option<PathBuf>,
    /// The file of the names for completion, where there is a place for it.
    pub names: Option<PathBuf>,
}

impl Access {
    /// The login that the context means.
    ///
    /// # Errors
    /// When there is none, or more than one, or what is kept of it cannot be read.
    pub async fn open(context: &Context) -> Result<Self, Failure> {
        match &context.environment.token {
            Some(token) => Self::with_token(context, Tokens::fixed(token.clone())).await,
            None => Self::with_login(context),
        }
    }

    /// Opens the session that is asked for.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn session(&self, request: Request) -> Result<Session, SessionError> {
        Session::open(&self.api, &self.ca, request).await
    }

    /// Keeps the list's names for completion. To have none is no failure.
    pub fn remember<S: Textual>(&self, list: &ContainerList<S>) {
        if let Some(file) = self.names.as_ref().filter(|_| !list.incomplete) {
            let _ = names::save(file, &list.containers);
        }
    }

    fn with_login(context: &Context) -> Result<Self, Failure> {
        let paths = context.paths()?;
        let (broker, login) = choose(context.config()?, context)?;
        let store = login.store.open(Places { broker: &broker.url, paths, patience: context.environment.keyring_patience() });
        let kept = store.describe();
        let tokens = Tokens::kept(store, paths.token_lock(&broker.url));
        let server = Server {
            url: broker.url.clone(),
            trust: broker.trust().map_err(|error| Failure::root(&broker.url.to_string(), &error))?,
            proxy: context.environment.proxy.clone(),
        };
        let api =
            Api::traced(&server, tokens, context.trace.clone()).map_err(|error| Failure::http(error, &broker.url, None))?;
        let api = remember(api, broker.upgrade, Some(paths));
        let picked = Some(paths.last_picked(&broker.url));
        let names = Some(paths.names(&broker.url));
        let ca = Pin::new(login.ca.clone(), Some(Keep { paths: paths.clone(), url: broker.url.clone() }));
        Ok(Self { api, ca, user: Some(login.user.clone()), kept, copyable: login.store == StoreKind::File, picked, names })
    }

    /// With a token from the environment: the pinned set of a login at the same broker counts; without one the broker is
    /// asked for its set each time, over TLS that is believed. A machine that needs more than that names the root in
    /// `ZTCTL_CA`.
    async fn with_token(context: &Context, tokens: Tokens) -> Result<Self, Failure> {
        let paths = context.environment.paths.as_ref();
        let config = context.config()?;
        let url = match settings::broker(config, context)?.value {
            Some(url) => url,
            None => only_broker(config)?,
        };
        let entry = config.broker(&url);
        let trust = match &context.environment.ca {
            Some(ca) => trust(&root_text(ca)?).map_err(|error| Failure::root(ca, &error))?,
            None => {
                entry.map_or(Ok(Trust::System), BrokerEntry::trust).map_err(|error| Failure::root(&url.to_string(), &error))?
            }
        };
        let server = Server { url: url.clone(), trust, proxy: context.environment.proxy.clone() };
        let api = Api::traced(&server, tokens, context.trace.clone()).map_err(|error| Failure::http(error, &url, None))?;
        let ca = match entry.and_then(|entry| entry.login.as_ref()) {
            Some(login) => {
                let keep = paths.map(|paths| Keep { paths: paths.clone(), url: url.clone() });
                Pin::new(login.ca.clone(), keep)
            }
            None => {
                let offered = ca_pin::fetch(api.http()).await.map_err(|error| Failure::pin(error, api.http()))?;
                Pin::new(offered.newest(), None)
            }
        };
        let api = remember(api, entry.map_or(Upgrade::default(), |entry| entry.upgrade), paths.filter(|_| entry.is_some()));
        Ok(Self {
            api,
            ca,
            user: None,
            kept: format!("the environment ({})", super::environment::TOKEN),
            copyable: true,
            picked: None,
            names: None,
        })
    }
}

impl Context {
    /// The configuration; an empty one where there is no home.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn config(&self) -> Result<&Config, Failure> {
        self.config.as_ref().map_err(Clone::clone)
    }

    /// The client's folders.
    ///
    /// # Errors
    /// When there is no home to have them in.
    pub fn paths(&self) -> Result<&Paths, Failure> {
        self.environment.paths.as_ref().ok_or_else(Failure::no_home)
    }
}

/// The login that is meant: by a flag, a variable or the configuration, or the only one.
pub(super) fn choose<'a>(config: &'a Config, context: &Context) -> Result<(&'a BrokerEntry, &'a LoginEntry), Failure> {
    if let Some(url) = settings::broker(config, context)?.value {
        let mut logins = config.logins();
        return logins.find(|(broker, _)| broker.url == url).ok_or_else(|| Failure::not_logged_in(Some(&url)));
    }
    let mut logins = config.logins();
    match (logins.next(), logins.next()) {
        (Some(login), None) => Ok(login),
        (None, _) => Err(Failure::not_logged_in(config.last.as_ref())),
        (Some(_), Some(_)) => Err(Failure::several_brokers(config.logins().map(|(broker, _)| broker))),
    }
}

fn only_broker(config: &Config) -> Result<BrokerUrl, Failure> {
    match config.brokers.as_slice() {
        [] => Err(Failure::no_broker()),
        [only] => Ok(only.url.clone()),
        several => Err(Failure::several_brokers(several.iter())),
    }
}

/// The root that `--ca` or its variable stands for: a fingerprint as it is, a file's text.
pub(super) fn root_text(root: &str) -> Result<String, Failure> {
    use std::io::Read;
    if root.starts_with("sha256:") {
        return Ok(root.to_owned());
    }
    let mut text = String::new();
    std::fs::File::open(root)
        .and_then(|file| file.take(ROOT_LIMIT).read_to_string(&mut text))
        .map_err(|error| Failure::root_file(root, &error))?;
    config::trust(&text).map_err(|error| Failure::root(root, &error))?;
    Ok(text)
}

/// Lets the upgrade that worked be written down. Where it cannot be, the next connect finds it out again.
fn remember(api: Api, last: Upgrade, paths: Option<&Paths>) -> Api {
    let (paths, url) = (paths.cloned(), api.http().url().clone());
    api.remembering(last, move |upgrade| {
        let (Some(paths), url) = (paths.clone(), url.clone()) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = Config::update(&paths, |config| config.broker_mut(&url).upgrade = upgrade).await;
            });
        }
    })
}

/// The most bytes of a root's file: a chain of certificates.
const ROOT_LIMIT: u64 = 256 * 1024;
