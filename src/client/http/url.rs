//! A broker's address: `https://HOST[:PORT]`, or `http://` to this machine itself.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::{Host, Url};

/// A broker's address, without path, query or password; two texts that mean the same address are equal.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BrokerUrl(Url);

/// Why a text is no broker's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUrl {
    /// Not a URL with a host.
    #[error("`{0}` is not the URL of a broker")]
    Malformed(String),
    /// Unencrypted, and not to this machine itself.
    #[error("`{0}` is not encrypted: http:// is only for a broker on this machine")]
    Plain(String),
    /// With a path, a query, a user or a password.
    #[error("`{0}` has more than a host and a port")]
    More(String),
}

impl BrokerUrl {
    /// Whether it is reached over TLS.
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The host, as it stands in the URL.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The port, where it is not the scheme's own.
    pub fn port(&self) -> Option<u16> {
        self.0.port()
    }

    /// The URL of `path`, which begins with a slash.
    pub fn at(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(path);
        url
    }

    /// Whether `url` is on this broker: the same scheme, host and port.
    pub fn holds(&self, url: &Url) -> bool {
        url.origin() == self.0.origin()
    }
}

impl FromStr for BrokerUrl {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, InvalidUrl> {
        // Who leaves out the scheme means the encrypted one.
        let whole = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let url = Url::parse(&whole).map_err(|_| InvalidUrl::Malformed(text.to_owned()))?;
        let loopback = match url.host() {
            None => return Err(InvalidUrl::Malformed(text.to_owned())),
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
        };
        match url.scheme() {
            "https" => {}
            "http" if loopback => {}
            "http" => return Err(InvalidUrl::Plain(text.to_owned())),
            _ => return Err(InvalidUrl::Malformed(text.to_owned())),
        }
        let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
        if bare && url.username().is_empty() && url.password().is_none() {
            Ok(Self(url))
        } else {
            // A password may be in it: it is not repeated.
            Err(InvalidUrl::More(url.host_str().unwrap_or_default().to_owned()))
        }
    }
}

impl TryFrom<String> for BrokerUrl {
    type Error = InvalidUrl;

    fn try_from(text: String) -> Result<Self, InvalidUrl> {
        text.parse()
    }
}

impl From<BrokerUrl> for String {
    fn from(url: BrokerUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_has_one_form() {
        let url = |text: &str| text.parse::<BrokerUrl>().unwrap();
        assert_eq!(url("broker.example.com").to_string(), "https://broker.example.com");
        assert_eq!(url("HTTPS://Broker.Example.com:443/"), url("broker.example.com"));
        assert_eq!(url("http://[::1]:80").at("/v1/ca").as_str(), "http://[::1]/v1/ca");
        assert!(url("https://a.example").holds(&Url::parse("https://a.example/oauth/token").unwrap()));
        assert!(!url("https://a.example").holds(&Url::parse("https://a.example.evil/oauth/token").unwrap()));
    }

    #[test]
    fn what_is_no_broker_is_refused() {
        let refused = |text: &str| text.parse::<BrokerUrl>().unwrap_err();
        assert!(matches!(refused("http://broker.example.com"), InvalidUrl::Plain(_)));
        assert!(matches!(refused("http://localhost.evil.example"), InvalidUrl::Plain(_)));
        assert!(matches!(refused("ftp://broker"), InvalidUrl::Malformed(_)));
        assert!(matches!(refused(""), InvalidUrl::Malformed(_)));
        assert!(matches!(refused("https://broker/path"), InvalidUrl::More(_)));
        assert!(!refused("https://me:hunter2@broker").to_string().contains("hunter2"));
    }
}
