//! `ztctl login`: in the browser or by a code, the tokens kept, the certificate authorities pinned.

use std::ffi::OsString;
use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

use zeroize::Zeroizing;

use super::Context;
use super::access::root_text;
use super::args::LoginArgs;
use super::complete;
use super::failure::Failure;
use super::settings;
use super::ui::Ui;
use crate::client::api::Api;
use crate::client::ca_pin;
use crate::client::config::{Config, LoginEntry, ProfileName, trust};
use crate::client::credential::{self, Credential, CredentialStore, Places, StoreError, StoreKind};
use crate::client::http::{BrokerUrl, Http, Server, Trust};
use crate::client::oauth::device::DeviceCode;
use crate::client::oauth::{Dialogue, browser, device, discovery, exchange};
use crate::client::private::{self, Guard};
use crate::client::tokens::Tokens;
use crate::clock::Clock;
use crate::proto::Secret;
use crate::proto::api::Whoami;
use crate::proto::ca::PinnedCa;

/// Logs in; Ctrl-C leaves everything as it was.
pub(super) async fn run(context: &mut Context, args: LoginArgs) -> Result<ExitCode, Failure> {
    tokio::select! {
        result = login(context, args) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
    }
}

async fn login(context: &mut Context, args: LoginArgs) -> Result<ExitCode, Failure> {
    let paths = context.paths()?.clone();
    let config = context.config()?.clone();
    let url = broker(context, &args, &config)?;
    let root = match args.ca.as_ref().or(context.environment.ca.as_ref()) {
        Some(ca) => Some(root_text(ca)?),
        None => config.broker(&url).and_then(|broker| broker.tls_root.clone()),
    };
    let trust = root.as_deref().map_or(Ok(Trust::System), trust).map_err(|error| Failure::root(&url.to_string(), &error))?;
    let server = Server { url: url.clone(), trust, proxy: context.environment.proxy.clone() };
    let http =
        Http::traced(&server, Clock::system(), context.trace.clone()).map_err(|error| Failure::http(error, &url, None))?;

    // What was pinned is compared before anybody types a password.
    let offered = ca_pin::fetch(&http).await.map_err(|error| Failure::pin(error, &http))?;
    let before = config.broker(&url).and_then(|broker| broker.login.clone());
    let ca = match &before {
        Some(login) => ca_pin::follow(&login.ca, &offered).map_err(|error| Failure::pin(error, &http))?,
        None => offered.newest(),
    };

    let profile = args.url.as_ref().and(context.flags.profile.clone());
    if let Some(profile) = &profile {
        // A name that another broker has is refused before anybody types a password.
        super::config::name(&mut config.clone(), &url, profile.clone())?;
    }
    // Nor does anybody for a login that could not be kept.
    private::try_write(&paths.config_file(), Guard::Trusted)?;
    drop(private::lock(&paths.token_lock(&url)).await?);
    let store = settings::store(args.store, &context.environment, &config)?.value;
    let by_code = settings::device(args.device, &context.environment, &config)?.value;
    let credential = match &args.id_token {
        Some(file) => as_job(file, &http).await?,
        None => ask(context, by_code, args.mfa, &http).await.map_err(|error| Failure::login(error, &http))?,
    };
    let api = Api::over(http.clone(), Tokens::first(&credential));
    let whoami = match api.whoami().await {
        Ok(whoami) => whoami,
        Err(error) => {
            let _ = exchange::revoke(&http, &credential).await;
            return Err(Failure::of_api(error, &api));
        }
    };
    let places = Places { broker: &url, paths: &paths, patience: context.environment.keyring_patience() };
    let kept = keep(&Login { places, root, ca, user: &whoami.user, profile }, store, before, &credential, &http).await?;
    // Those of whoever was logged in before are nobody else's.
    private::remove(&paths.names(&url))?;
    complete::in_background(&url);
    report(&context.ui, &url, &whoami, &kept);
    Ok(ExitCode::SUCCESS)
}

/// The broker that is meant: the argument, which may be a profile, what is said elsewhere, or the last one.
fn broker(context: &Context, args: &LoginArgs, config: &Config) -> Result<BrokerUrl, Failure> {
    if let Some(text) = &args.url {
        let profile = text.parse().ok().and_then(|name| config.profile(&name));
        return profile.map_or_else(|| text.parse().map_err(|error| Failure::url(&error)), |broker| Ok(broker.url.clone()));
    }
    let wanted = settings::broker(config, context)?.value;
    wanted.or_else(|| config.last.clone()).ok_or_else(Failure::login_where)
}

async fn ask(
    context: &Context,
    by_code: bool,
    again: bool,
    http: &Http,
) -> Result<Credential, crate::client::oauth::OauthError> {
    let metadata = discovery::discover(http).await?;
    let terminal = Terminal { ui: context.ui.clone(), browsers: context.environment.browsers.clone() };
    if by_code || context.environment.browsers.is_empty() {
        device::login(http, &metadata, &terminal, again).await
    } else {
        browser::login(http, &metadata, &terminal, again).await
    }
}

/// By the token in `file`.
async fn as_job(file: &Path, http: &Http) -> Result<Credential, Failure> {
    let unreadable = |error: &std::io::Error| Failure::id_token(file, error);
    let mut text = String::new();
    if file == Path::new("-") {
        std::io::stdin().take(ID_TOKEN_LIMIT).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    } else {
        let opened = std::fs::File::open(file).map_err(|error| unreadable(&error))?;
        opened.take(ID_TOKEN_LIMIT).read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    }
    let token = Secret::new(text.trim().to_owned());
    drop(Zeroizing::new(text));
    let metadata = discovery::discover(http).await.map_err(|error| Failure::login(error, http))?;
    exchange::job(http, &metadata, &token).await.map_err(|error| Failure::job(error, http))
}

/// What a login leaves behind.
struct Login<'a> {
    places: Places<'a>,
    root: Option<String>,
    ca: PinnedCa,
    user: &'a str,
    profile: Option<ProfileName>,
}

/// Keeps the tokens and the pin; gives back those of the login before. Returns where the tokens are, in words.
async fn keep(
    login: &Login<'_>,
    wanted: Option<StoreKind>,
    before: Option<LoginEntry>,
    credential: &Credential,
    http: &Http,
) -> Result<String, Failure> {
    let Places { broker: url, paths, .. } = login.places;
    let lock = private::lock(&paths.token_lock(url)).await?;
    let old = before.as_ref().map(|before| (before.store, before.store.open(login.places)));
    let ((kind, store), old_credential) = match place(login.places, wanted, before.map(|before| before.store), credential).await
    {
        Ok(kept) => kept,
        Err(error) => {
            // A login that nobody can use is given back.
            let _ = exchange::revoke(http, credential).await;
            return Err(Failure::store(error, url));
        }
    };
    let entry = LoginEntry { user: login.user.to_owned(), store: kind, ca: login.ca.clone() };
    let written = Config::update(paths, |config| {
        config.last = Some(url.clone());
        let broker = config.broker_mut(url);
        broker.tls_root.clone_from(&login.root);
        broker.login = Some(entry);
        if login.profile.is_some() {
            broker.profile.clone_from(&login.profile);
        }
    });
    if let Err(error) = written.await {
        // As it was before: the configuration still names the login before, if there is one.
        let _ = match (&old, &old_credential) {
            (Some((before, _)), Some(credential)) if *before == kind => store.store(credential),
            _ => store.delete(),
        };
        let _ = exchange::revoke(http, credential).await;
        return Err(error.into());
    }
    drop(lock);
    if let Some((_, old)) = old.filter(|(old, _)| *old != kind) {
        let _ = old.delete();
    }
    if let Some(old) = old_credential {
        // Best effort: it ends by itself too.
        let _ = exchange::revoke(http, &old).await;
    }
    Ok(store.describe())
}

/// Where the tokens are kept, and what was kept in the place before. A keyring may ask the person first, who may press Ctrl-C instead.
async fn place(
    Places { broker, paths, patience }: Places<'_>,
    wanted: Option<StoreKind>,
    before: Option<StoreKind>,
    credential: &Credential,
) -> Result<((StoreKind, Box<dyn CredentialStore>), Option<Credential>), StoreError> {
    let (broker, paths, credential) = (broker.clone(), paths.clone(), credential.clone());
    let keeping = tokio::task::spawn_blocking(move || {
        let places = Places { broker: &broker, paths: &paths, patience };
        let old = before.and_then(|before| before.open(places).load().ok().flatten());
        Ok((credential::keep(wanted, &credential, places)?, old))
    });
    keeping.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

fn report(ui: &Ui, url: &BrokerUrl, whoami: &Whoami, kept: &str) {
    let groups = if whoami.groups.is_empty() { String::new() } else { format!(" ({})", whoami.groups.join(", ")) };
    ui.note(&format!("logged in at {url} as {}{groups}", whoami.user));
    ui.note(&format!("the tokens and their key are in {kept}"));
}

/// The person at this terminal.
struct Terminal {
    ui: Ui,
    browsers: Vec<OsString>,
}

impl Dialogue for Terminal {
    fn page(&self, url: &url::Url) {
        let opened = self.browsers.iter().any(|browser| open(browser, url));
        self.ui.note(if opened {
            "log in on the page that opens in your browser, or open it yourself:"
        } else {
            "log in on this page:"
        });
        self.ui.note("");
        self.ui.note(&format!("  {url}"));
        self.ui.note("");
        self.ui.note("no browser on this machine? Ctrl-C, then: ztctl login --device");
    }

    fn code(&self, code: &DeviceCode) {
        self.ui.note("open this page on any device:");
        self.ui.note("");
        self.ui.note(&format!("  {}", code.verification_uri));
        self.ui.note("");
        self.ui.note(&format!("and enter the code  {}", code.user_code));
        if let Some(url) = &code.verification_uri_complete {
            self.ui.note(&format!("or open both at once: {url}"));
        }
        self.ui.note(&format!("waiting for you, for {} minutes; Ctrl-C gives up", code.expires_in.div_ceil(60)));
    }
}

/// Starts `browser` with the page. The page's address holds no secret that is worth something without this process.
fn open(browser: &OsString, url: &url::Url) -> bool {
    let quiet = || Stdio::null();
    // Openers return at once or stay as the browser; neither is waited for, and none may write into our terminal.
    Command::new(browser).arg(url.as_str()).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().is_ok()
}

/// The most bytes of a job's token; platforms make some 2 KiB.
const ID_TOKEN_LIMIT: u64 = 16 * 1024;
