//! No broker, no login, too many of them, or a login that has ended.

use super::{Failure, Kind};
use crate::cli::environment::{BROKER, CONFIG_DIR, STATE_DIR, TOKEN};
use crate::client::config::BrokerEntry;
use crate::client::http::{BrokerUrl, InvalidUrl};
use crate::client::tokens::TokenError;

impl Failure {
    /// There is no login; the broker where there was one, if any.
    pub fn not_logged_in(broker: Option<&BrokerUrl>) -> Self {
        let failure = |message: String| Self::new(Kind::NotLoggedIn, "not_logged_in", message);
        match broker {
            Some(url) => {
                failure(format!("you are not logged in at {url}")).hint(format!("ztctl login {url}")).helped_by_login(url)
            }
            None => {
                failure("you are not logged in".to_owned()).hint("ztctl login URL (your platform team knows the broker's URL)")
            }
        }
    }

    /// There are logins at several brokers and none was named.
    pub fn several_brokers<'a>(brokers: impl Iterator<Item = &'a BrokerEntry>) -> Self {
        let brokers: Vec<(String, &BrokerUrl)> = brokers.map(|broker| (broker.profile().to_string(), &broker.url)).collect();
        let first = brokers.first().map(|(name, _)| name.clone()).unwrap_or_default();
        Self::new(Kind::Usage, "several_brokers", "there are logins at several brokers: which one?")
            .detail(brokers.iter().map(|(name, url)| format!("{name}  {url}")))
            .hint(format!("add --profile {first}"))
            .hint(format!("ztctl config use {first}"))
    }

    /// A token is in the environment, but no broker is known.
    pub fn no_broker() -> Self {
        Self::new(Kind::Usage, "no_broker", format!("{TOKEN} is set, but no broker is named"))
            .hint(format!("export {BROKER}=https://broker.example.com"))
    }

    /// A login was asked for, but no broker is known.
    pub fn login_where() -> Self {
        Self::new(Kind::Usage, "no_broker", "which broker? there was no login on this machine yet")
            .hint("ztctl login URL (your platform team knows the broker's URL)")
    }

    /// The text is no broker's address.
    pub fn url(error: &InvalidUrl) -> Self {
        let failure = Self::new(Kind::Usage, "invalid_url", error.to_string());
        match error {
            InvalidUrl::Malformed(_) => failure.hint("a broker's URL looks like https://broker.example.com"),
            InvalidUrl::Plain(text) => failure.hint(text.replacen("http://", "https://", 1)),
            InvalidUrl::More(host) => failure.hint(format!("https://{host}")),
        }
    }

    /// Neither a home folder nor the variables that stand in for it.
    pub fn no_home() -> Self {
        Self::new(Kind::Failed, "no_home", "there is no home folder to keep the login in")
            .hint(format!("set HOME, or {CONFIG_DIR} and {STATE_DIR}"))
    }

    /// There is no token to ask with. `ahead` is how many seconds the broker's clock is ahead of ours, if that is known;
    /// `fixed`, whether the token is the environment's.
    pub fn token(error: TokenError, broker: &BrokerUrl, ahead: Option<i64>, fixed: bool) -> Self {
        match error {
            TokenError::NotLoggedIn => Self::not_logged_in(Some(broker)),
            TokenError::Expired if fixed => {
                let message = format!("{broker} does not accept the token in {TOKEN}: it has expired, or was revoked");
                Self::new(Kind::NotLoggedIn, "not_logged_in", message).hint("ztbroker token create --user NAME")
            }
            TokenError::Expired => Self::new(Kind::NotLoggedIn, "login_expired", format!("your login at {broker} has ended"))
                .hint(format!("ztctl login {broker}"))
                .clock_hint(ahead)
                .helped_by_login(broker),
            TokenError::Unbound => {
                let message = format!("your login at {broker} is from an older ztctl and not bound to this machine");
                Self::new(Kind::NotLoggedIn, "login_unbound", message)
                    .hint(format!("ztctl login {broker}"))
                    .helped_by_login(broker)
            }
            TokenError::Store(error) => Self::store(error, broker),
            TokenError::Lock(error) => error.into(),
            TokenError::Http(error) => Self::http(error, broker, ahead),
            TokenError::Protocol(message) => Self::new(Kind::Failed, "login", message).hint(format!("ztctl login {broker}")),
        }
    }
}
