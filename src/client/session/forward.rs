//! Connections through a session: from ports here to what the container reaches, by name or by SOCKS, and from a port inside to here.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use russh::ChannelOpenFailure;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::interval;

use super::host::Forwarded;
use super::silence::{CHECK, Silence};
use super::{Session, SessionError};
use crate::pipe::{self, Counts};

/// What is forwarded.
#[derive(Debug)]
pub enum Forward {
    /// Connections to `listener` go to `host` and `port` as the container sees them.
    Fixed {
        /// Here.
        listener: TcpListener,
        /// There.
        host: String,
        /// There.
        port: u16,
    },
    /// Connections to `listener` say themselves where they go, by SOCKS 5.
    Socks {
        /// Here.
        listener: TcpListener,
    },
    /// Connections to `port` inside come to `host` and `local` here.
    Back {
        /// Inside; 0 for any.
        port: u16,
        /// Here.
        host: String,
        /// Here.
        local: u16,
    },
}

/// What happens to connections, for whoever watches.
#[derive(Debug)]
pub enum Event {
    /// A port inside is listened on.
    Listening {
        /// The port.
        port: u16,
        /// Host and port, as this machine reaches them, that its connections are made to.
        to: (String, u16),
    },
    /// Something about the link, in a sentence.
    News(String),
    /// A connection could not be made.
    Failed {
        /// Where to.
        to: String,
        /// Why.
        why: String,
    },
}

impl Session {
    /// Forwards for as long as the session lives.
    ///
    /// # Errors
    /// Why it is over.
    pub async fn forward(self, forwards: Vec<Forward>, events: mpsc::UnboundedSender<Event>) -> Result<(), SessionError> {
        let session = Arc::new(self);
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut tasks = tokio::task::JoinSet::new();
        for forward in forwards {
            match forward {
                Forward::Fixed { listener, host, port } => {
                    let (session, events, room) = (Arc::clone(&session), events.clone(), Arc::clone(&room));
                    tasks.spawn(async move { session.accept(listener, Some((host, port)), &events, &room).await });
                }
                Forward::Socks { listener } => {
                    let (session, events, room) = (Arc::clone(&session), events.clone(), Arc::clone(&room));
                    tasks.spawn(async move { session.accept(listener, None, &events, &room).await });
                }
                Forward::Back { port, host, local } => session.back(port, host, local, &events).await?,
            }
        }
        let (mut silence, mut check) = (Silence::new(), interval(CHECK));
        loop {
            tokio::select! {
                news = silence.news(&session) => {
                    let _ = events.send(Event::News(news?));
                }
                _ = check.tick() => if session.handle.is_closed() {
                    return Err(session.lost());
                },
            }
        }
    }

    async fn accept(
        self: &Arc<Self>,
        listener: TcpListener,
        fixed: Option<(String, u16)>,
        events: &mpsc::UnboundedSender<Event>,
        room: &Arc<Semaphore>,
    ) {
        loop {
            let Ok(turn) = Arc::clone(room).acquire_owned().await else { return };
            let (stream, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(_) => {
                    // Out of descriptors: others end in time.
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (session, fixed, events) = (Arc::clone(self), fixed.clone(), events.clone());
            tokio::spawn(async move {
                session.pass(stream, from, fixed, &events).await;
                drop(turn);
            });
        }
    }

    async fn pass(
        &self,
        mut stream: TcpStream,
        from: SocketAddr,
        fixed: Option<(String, u16)>,
        events: &mpsc::UnboundedSender<Event>,
    ) {
        let _ = stream.set_nodelay(true);
        let by_socks = fixed.is_none();
        let (host, port) = match fixed {
            Some(fixed) => fixed,
            None => match tokio::time::timeout(GREETING, socks(&mut stream)).await {
                Ok(Ok(wanted)) => wanted,
                _ => return,
            },
        };
        let (origin, origin_port) = (from.ip().to_string(), u32::from(from.port()));
        let opened = self.handle.channel_open_direct_tcpip(host.clone(), port.into(), origin, origin_port).await;
        let channel = match opened {
            Ok(channel) => channel,
            Err(error) => {
                let why = match error {
                    russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited) => "it is not allowed",
                    russh::Error::ChannelOpenFailure(ChannelOpenFailure::ResourceShortage) => "too many connections are open",
                    russh::Error::ChannelOpenFailure(_) => "nobody answers there, or it cannot be reached from the container",
                    _ => "the session is over",
                };
                let _ = events.send(Event::Failed { to: format!("{host} port {port}"), why: why.to_owned() });
                if by_socks {
                    let _ = stream.write_all(&[5, 5, 0, 1, 0, 0, 0, 0, 0, 0]).await;
                }
                return;
            }
        };
        if by_socks && stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.is_err() {
            return;
        }
        let _ = pipe::join(&mut stream, &mut channel.into_stream(), &Counts::default()).await;
    }

    async fn back(
        self: &Arc<Self>,
        port: u16,
        host: String,
        local: u16,
        events: &mpsc::UnboundedSender<Event>,
    ) -> Result<(), SessionError> {
        let (connections, mut incoming) = mpsc::channel::<Forwarded>(16);
        let bound = self.handle.tcpip_forward("localhost", port.into()).await;
        let bound = match bound {
            Ok(0) => port,
            Ok(bound) => u16::try_from(bound).unwrap_or(port),
            Err(russh::Error::RequestDenied) => return Err(self.refused(format!("to listen on port {port} inside"))),
            Err(_) => return Err(self.lost()),
        };
        self.routes.add(bound, connections);
        let _ = events.send(Event::Listening { port: bound, to: (host.clone(), local) });
        let events = events.clone();
        tokio::spawn(async move {
            while let Some(channel) = incoming.recv().await {
                let (host, events) = (host.clone(), events.clone());
                tokio::spawn(async move {
                    match TcpStream::connect((host.as_str(), local)).await {
                        Ok(mut stream) => {
                            let _ = stream.set_nodelay(true);
                            let _ = pipe::join(&mut stream, &mut channel.into_stream(), &Counts::default()).await;
                        }
                        Err(error) => {
                            let _ = events.send(Event::Failed { to: format!("{host} port {local}"), why: error.to_string() });
                        }
                    }
                });
            }
        });
        Ok(())
    }
}

/// The greeting and the request of SOCKS 5 (RFC 1928), without authentication, for a connection.
async fn socks(stream: &mut TcpStream) -> io::Result<(String, u16)> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut head = [0; 2];
    stream.read_exact(&mut head).await?;
    let mut methods = vec![0; head[1].into()];
    stream.read_exact(&mut methods).await?;
    if head[0] != 5 || !methods.contains(&0) {
        let _ = stream.write_all(&[5, 0xff]).await;
        return Err(invalid());
    }
    stream.write_all(&[5, 0]).await?;
    let mut request = [0; 4];
    stream.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => {
            let mut address = [0; 4];
            stream.read_exact(&mut address).await?;
            std::net::Ipv4Addr::from(address).to_string()
        }
        4 => {
            let mut address = [0; 16];
            stream.read_exact(&mut address).await?;
            std::net::Ipv6Addr::from(address).to_string()
        }
        3 => {
            let mut name = vec![0; stream.read_u8().await?.into()];
            stream.read_exact(&mut name).await?;
            String::from_utf8(name).map_err(|_| invalid())?
        }
        _ => {
            let _ = stream.write_all(&[5, 8, 0, 1, 0, 0, 0, 0, 0, 0]).await;
            return Err(invalid());
        }
    };
    let port = stream.read_u16().await?;
    if request[..2] != [5, 1] {
        let _ = stream.write_all(&[5, 7, 0, 1, 0, 0, 0, 0, 0, 0]).await;
        return Err(invalid());
    }
    Ok((host, port))
}

/// The most connections at one time: what the other side takes.
const AT_ONCE: usize = 64;

const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);

const GREETING: std::time::Duration = std::time::Duration::from_secs(10);
