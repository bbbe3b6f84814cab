//! Where a request comes from: the connection's other end, or what a trusted proxy says about it.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, Request};

use crate::broker::State;
use crate::broker::config::Config;

/// The other end of the connection that a request came over; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The address of the client that sent `request`.
///
/// That is the peer, unless it is a trusted proxy: then the rightmost hop of `X-Forwarded-For` that is none. What stands left of it
/// was written by whoever sent the request, and counts for nothing.
pub(crate) fn client_address<B>(state: &State, request: &Request<B>) -> IpAddr {
    let peer = request.extensions().get::<Peer>().map_or(NOWHERE, |peer| peer.0.ip());
    behind(&state.config, peer, request.headers())
}

/// The same for a handler that has taken the request apart.
pub(crate) fn behind(config: &Config, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let peer = peer.to_canonical();
    if !config.trusts(peer) {
        return peer;
    }
    let mut address = peer;
    // By bytes: a value is the client's up to where the proxy has added to it, and what is no text there may not hide what is.
    let hops: Vec<&[u8]> =
        headers.get_all(FORWARDED_FOR).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).collect();
    for hop in hops.iter().rev() {
        let Some(hop) = std::str::from_utf8(hop).ok().and_then(|hop| parse(hop.trim())) else { break };
        address = hop;
        if !config.trusts(hop) {
            break;
        }
    }
    address
}

/// Some proxies add the port.
fn parse(hop: &str) -> Option<IpAddr> {
    let bare = hop.parse::<IpAddr>().ok();
    bare.or_else(|| hop.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|address| address.to_canonical())
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What a request that came over no connection of ours comes from: an address that no policy names and no proxy has.
const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(peer: &str, hops: &[&str]) -> String {
        let mut config = Config::dev("/s".into(), "127.0.0.1:1".parse().unwrap(), "/p".into());
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for hop in hops {
            headers.append(FORWARDED_FOR, hop.parse().unwrap());
        }
        behind(&config, peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(seen("203.0.113.1", &["198.51.100.7"]), "203.0.113.1");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn what_is_no_text_hides_nothing() {
        let mut config = Config::dev("/s".into(), "127.0.0.1:1".parse().unwrap(), "/p".into());
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        headers.append(FORWARDED_FOR, axum::http::HeaderValue::from_bytes(b"\xff, 198.51.100.7").unwrap());
        assert_eq!(behind(&config, "10.0.0.1".parse().unwrap(), &headers).to_string(), "198.51.100.7");
    }

    #[test]
    fn what_the_client_wrote_itself_counts_for_nothing() {
        assert_eq!(seen("10.0.0.1", &["192.0.2.66, 198.51.100.7"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.66", "198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["198.51.100.7:4711"]), "198.51.100.7");
        assert_eq!(seen("10.0.0.1", &["192.0.2.66, nonsense"]), "10.0.0.1");
    }
}
