//! A connection from inside a container: by a thread of the agent that enters the container's network, where the agent sees its
//! processes and may do that; else by what the container has.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use rustix::process::Pid;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::DockerConnector;
use super::report::first_process;
use crate::agent::connector::{Dialled, inside};

impl DockerConnector {
    /// A connection to `host` and `port` as the container sees them, or what opens one there.
    pub(in crate::agent) async fn dial(&self, runtime_id: &str, host: &str, port: u16) -> io::Result<Dialled> {
        let by = || Ok(Dialled::By(inside::dial::command(host, port)));
        let Some(addresses) = addresses(host) else { return by() };
        let engine = self.0.watch.engine().ok_or_else(|| io::Error::other("the Docker engine does not answer"))?;
        let container = engine.inspect(runtime_id).await.map_err(io::Error::other)?;
        let Some(pid) = container.as_ref().and_then(first_process) else { return by() };
        let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect();
        match from_network_of(pid, addresses).await {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => by(),
            dialled => dialled.map(Dialled::Open),
        }
    }
}

/// What needs no resolver: that of the container is its own.
fn addresses(host: &str) -> Option<Vec<IpAddr>> {
    match host.parse() {
        Ok(address) => Some(vec![address]),
        Err(_) if host.eq_ignore_ascii_case("localhost") => Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        Err(_) => None,
    }
}

/// Connects to the first of `addresses` that answers, in the network of the process `pid`. The thread ends with the connect: it must
/// not do anything else from there.
async fn from_network_of(pid: Pid, addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let (tell, told) = oneshot::channel();
    std::thread::Builder::new().name("dial".to_owned()).spawn(move || {
        let connect = || {
            let network = std::fs::File::open(format!("/proc/{}/ns/net", pid.as_raw_nonzero()))?;
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))?;
            let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
            for address in addresses {
                match std::net::TcpStream::connect_timeout(&address, PATIENCE) {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = error,
                }
            }
            // Not what a missing right to enter the network looks like.
            Err(io::Error::other(last))
        };
        let _ = tell.send(connect());
    })?;
    let stream = told.await.map_err(io::Error::other)??;
    stream.set_nonblocking(true)?;
    TcpStream::from_std(stream)
}

const PATIENCE: Duration = Duration::from_secs(10);
