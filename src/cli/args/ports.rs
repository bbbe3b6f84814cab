//! How ports are written in `ztctl forward`.

use std::str::FromStr;

/// `[LOCAL:][HOST:]PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Here.
    pub local: u16,
    /// There.
    pub host: String,
    /// There.
    pub port: u16,
}

impl FromStr for Port {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, port) = text.rsplit_once(':').unwrap_or(("", text));
        let port = number(port).filter(|port| *port > 0).ok_or("PORT is a number from 1 to 65535")?;
        let (local, host) = match rest.split_once(':') {
            _ if rest.is_empty() => (None, ""),
            // An address of version 6 has colons of its own and stands in brackets.
            Some((local, host)) if !local.is_empty() && !rest.starts_with('[') => (Some(local), host),
            _ if number(rest).is_some() => (Some(rest), ""),
            _ => (None, rest),
        };
        let local = match local {
            Some(local) => number(local).ok_or("LOCAL is a number from 0 to 65535")?,
            None => port,
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        Ok(Self { local, host: if host.is_empty() { "localhost" } else { host }.to_owned(), port })
    }
}

/// `PORT:[HOST:]LOCAL`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Back {
    /// There; 0 for any.
    pub port: u16,
    /// Here.
    pub host: String,
    /// Here.
    pub local: u16,
}

impl FromStr for Back {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (port, rest) = text.split_once(':').unwrap_or((text, text));
        let port = number(port).ok_or("PORT is a number from 0 to 65535")?;
        let (host, local) = rest.rsplit_once(':').unwrap_or(("localhost", rest));
        let local = number(local).filter(|local| *local > 0).ok_or("LOCAL is a number from 1 to 65535")?;
        Ok(Self { port, host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), local })
    }
}

fn number(text: &str) -> Option<u16> {
    text.parse().ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_written_in_three_ways() {
        let port = |text: &str| text.parse::<Port>().map(|port| (port.local, port.host, port.port));
        let of = |local, host: &str, port| Ok((local, host.to_owned(), port));
        assert_eq!(port("8080"), of(8080, "localhost", 8080));
        assert_eq!(port("9000:8080"), of(9000, "localhost", 8080));
        assert_eq!(port("db:5432"), of(5432, "db", 5432));
        assert_eq!(port("0:db:5432"), of(0, "db", 5432));
        assert_eq!(port("[::1]:80"), of(80, "::1", 80));
        assert_eq!(port("1:[fe80::1]:80"), of(1, "fe80::1", 80));
        for text in ["", "0", "a", "70000", "a:b:1", "1:2:3:x", "+8080"] {
            assert!(port(text).is_err(), "{text}");
        }
        let back = |text: &str| text.parse::<Back>().map(|back| (back.port, back.host, back.local));
        assert_eq!(back("9000:3000"), of(9000, "localhost", 3000));
        assert_eq!(back("0:web:3000"), of(0, "web", 3000));
        assert!(back("x:1").is_err() && back("1:0").is_err());
    }
}
