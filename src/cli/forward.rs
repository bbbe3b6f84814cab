//! `ztctl forward`: ports inside a container here, and ports here inside it.

use std::process::ExitCode;

use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::Context;
use super::access::Access;
use super::args::ForwardArgs;
use super::asking;
use super::failure::{Failure, Kind};
use super::successor;
use crate::client::resolve::Choice;
use crate::client::session::forward::{Event, Forward};
use crate::client::signals::{Signal, Signals};

/// Forwards until Ctrl-C, or until the session ends.
pub(super) async fn run(context: &mut Context, args: ForwardArgs) -> Result<ExitCode, Failure> {
    let ForwardArgs { name, ports, socks, back, bind, entry } = args;
    // The ports first: one that is taken is no reason to ask the broker for anything.
    let mut forwards = Vec::new();
    let mut told = Vec::new();
    for port in ports {
        let (listener, here) = listen(bind, port.local).await?;
        told.push(format!("{here} is {} port {} in", port.host, port.port));
        forwards.push(Forward::Fixed { listener, host: port.host, port: port.port });
    }
    for port in socks {
        let (listener, here) = listen(bind, port).await?;
        told.push(format!("SOCKS 5 at {here} connects from inside"));
        forwards.push(Forward::Socks { listener });
    }
    forwards.extend(back.iter().map(|back| Forward::Back { port: back.port, host: back.host.clone(), local: back.local }));
    let access = Access::open(context).await?;
    let request = Choice::typed(name).forward(context.entry(entry));
    let session = asking::session(&context.ui, &access, request).await.map_err(|error| error.failure(&access))?;
    let container = session.name().to_owned();
    for told in told {
        context.ui.note(&format!("{told} {container}"));
    }
    let mut interrupt = Signals::listen(&[Signal::Interrupt]).map_err(Failure::runtime)?;
    let (events, mut happens) = mpsc::unbounded_channel();
    let forwarding = session.forward(forwards, events);
    tokio::pin!(forwarding);
    loop {
        tokio::select! {
            over = &mut forwarding => {
                return match over {
                    Ok(()) => Ok(ExitCode::SUCCESS),
                    Err(error) => Err(successor::failure(&context.ui, &access, error).await),
                };
            }
            event = happens.recv() => match event {
                Some(Event::Listening { port, to: (host, local) }) => {
                    context.ui.note(&format!("port {port} in {container} leads to {host}:{local} here"));
                }
                Some(Event::News(news)) => context.ui.note(&format!("ztctl: {news}")),
                Some(Event::Failed { to, why }) => context.ui.note(&format!("ztctl: no connection to {to}: {why}")),
                None => std::future::pending().await,
            },
            _ = interrupt.next() => return Err(Failure::interrupted()),
        }
    }
}

async fn listen(address: std::net::IpAddr, port: u16) -> Result<(TcpListener, std::net::SocketAddr), Failure> {
    let failed = |error: std::io::Error| {
        let message = format!("cannot listen on {address} port {port}: {error}");
        Failure::new(Kind::Failed, "port", message).hint("another port here: ztctl forward NAME OTHER:PORT")
    };
    let listener = TcpListener::bind((address, port)).await.map_err(failed)?;
    let here = listener.local_addr().map_err(failed)?;
    Ok((listener, here))
}
