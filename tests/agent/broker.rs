//! A broker without identity, policy and audit: it greets, announces, links, and signs whatever a test asks for.

use std::sync::Arc;
use std::time::Duration;

use russh::client;
use russh::keys::PublicKeyOrCertificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use ztctl::agent::{Agent, AgentConfig, Connector, Description, Join, Pin, ProcessConnector, ProxySettings};
use ztctl::clock::Clock;
use ztctl::proto::agent::*;
use ztctl::proto::ca::CaSet;
use ztctl::proto::frame::{self, FrameReader};
use ztctl::proto::{Action, AgentId, ContainerId, SessionId, VariableNames};
use ztctl::ssh::cert::host::HostCertificate;
use ztctl::ssh::cert::user::UserCertificate;
use ztctl::ssh::{Authorities, Certificate, PrivateKey, algorithms, new_key, proof, public_key, public_line};
use ztctl::transport::tls::Roots;

/// An agent and its broker.
pub(crate) struct World {
    pub(crate) user_ca: PrivateKey,
    pub(crate) host_ca: PrivateKey,
    pub(crate) container: ContainerId,
    agent_key: PrivateKey,
    pub(crate) say: mpsc::Sender<FromBroker>,
    pub(crate) said: mpsc::Receiver<FromAgent>,
    parked: mpsc::Receiver<TcpStream>,
    pub(crate) shutdown: CancellationToken,
}

/// What a connect would have been granted.
pub(crate) struct Grant {
    pub(crate) certificate: UserCertificate,
    pub(crate) declared: Vec<ChannelReport>,
    pub(crate) announced: bool,
}

impl World {
    pub(crate) async fn new() -> Self {
        let (user_ca, host_ca, agent_key) = (new_key().unwrap(), new_key().unwrap(), new_key().unwrap());
        let ca = CaSet {
            user: vec![public_line(user_ca.public_key()).unwrap()],
            host: vec![public_line(host_ca.public_key()).unwrap()],
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let broker = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let agent = AgentId::of_key(&agent_key.public_key().to_bytes().unwrap());
        let (say, saying) = mpsc::channel(16);
        let (hearing, said) = mpsc::channel(64);
        let (parking, parked) = mpsc::channel(4);
        tokio::spawn(accept(listener, ca.clone(), agent, saying, hearing, parking));
        let config = AgentConfig {
            broker,
            roots: Roots::Pem(Vec::new()),
            notes: None,
            ca: Pin::Fingerprint(ca.fingerprint()),
            join: Join::Key,
            key: agent_key.clone(),
            name: "agent".into(),
            trampoline: env!("CARGO_BIN_EXE_ztagent").into(),
            proxy: ProxySettings::none(),
            clock: Clock::system(),
        };
        let description =
            Description { runtime_id: "here".into(), name: "here".into(), app: "app".into(), ..Default::default() };
        let environment = [("PATH", "/usr/bin:/bin"), ("IMAGE", "yes"), ("ZTAGENT_JOIN_TOKEN", "secret")];
        let environment = environment.into_iter().map(|(name, value)| (name.into(), value.into()));
        let connector = Connector::process(ProcessConnector::new(description, environment));
        let shutdown = CancellationToken::new();
        tokio::spawn(Agent::new(config, connector).run(shutdown.clone()));
        let container = ContainerId::of(agent, "here");
        let mut world = Self { user_ca, host_ca, container, agent_key, say, said, parked, shutdown };
        let snapshot = world.hear().await;
        assert!(matches!(snapshot, FromAgent::Snapshot { containers, more: false } if containers.len() == 1));
        world
    }

    pub(crate) async fn hear(&mut self) -> FromAgent {
        tokio::time::timeout(Duration::from_secs(10), self.said.recv()).await.unwrap().unwrap()
    }

    /// The outcome of the session that ends next.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        match self.hear().await {
            FromAgent::Ended { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn grant(&self, actions: &[Action], declared: &[ChannelReport]) -> Grant {
        let certificate = UserCertificate {
            user: "ada@local".into(),
            session: SessionId::random(),
            login: "default".parse().unwrap(),
            container: self.container,
            actions: actions.iter().copied().collect(),
            force_command: None,
            deadline: Clock::system().now() + 600,
            record: false,
            env: VariableNames::default(),
            idle: None,
        };
        Grant { certificate, declared: declared.to_vec(), announced: true }
    }

    /// Links a client to the agent; not authenticated yet.
    pub(crate) async fn link(&mut self, grant: &Grant) -> client::Handle<Client> {
        let (certificate, now) = (&grant.certificate, Clock::system().now());
        if grant.announced {
            let announcement = Announcement {
                session: certificate.session,
                container: certificate.container,
                login: certificate.login.clone(),
                user: certificate.user.clone(),
                declared: grant.declared.clone(),
                deadline: certificate.deadline,
            };
            self.say.send(FromBroker::Announce(announcement)).await.unwrap();
        }
        let host = HostCertificate { container: self.container, as_typed: "here".parse().unwrap() };
        let host_certificate = host.to_builder(self.agent_key.public_key(), now, 120).unwrap().sign(&self.host_ca).unwrap();
        let header = LinkHeader {
            session: certificate.session,
            container: self.container,
            host_certificate: host_certificate.to_openssh().unwrap(),
            client_address: "192.0.2.1".into(),
        };
        let mut stream = tokio::time::timeout(Duration::from_secs(10), self.parked.recv()).await.unwrap().unwrap();
        frame::write(&mut stream, &ToParked::Start(header), FRAME_LIMIT).await.unwrap();
        let mut reader = FrameReader::new(stream, FRAME_LIMIT);
        assert!(matches!(reader.next().await.unwrap(), FromParked::Ready));
        let line = public_line(self.host_ca.public_key()).unwrap();
        let authorities = Authorities::of_hosts(&CaSet { user: vec![line.clone()], host: vec![line] }).unwrap();
        let config = client::Config { preferred: algorithms::preferred(), ..Default::default() };
        client::connect_stream(Arc::new(config), reader.into_inner(), Client { host, authorities }).await.unwrap()
    }

    /// A session with its door open.
    pub(crate) async fn enter(&mut self, grant: &Grant) -> client::Handle<Client> {
        let mut client = self.link(grant).await;
        assert!(self.authenticate(&mut client, grant, &self.user_ca).await);
        client
    }

    pub(crate) async fn authenticate(&self, client: &mut client::Handle<Client>, grant: &Grant, ca: &PrivateKey) -> bool {
        let key = new_key().unwrap();
        let builder = grant.certificate.to_builder(key.public_key(), Clock::system().now(), 120).unwrap();
        self.present(client, grant, key, builder.sign(ca).unwrap()).await
    }

    pub(crate) async fn present(
        &self,
        client: &mut client::Handle<Client>,
        grant: &Grant,
        key: PrivateKey,
        certificate: Certificate,
    ) -> bool {
        let login = grant.certificate.login.as_str();
        client.authenticate_openssh_cert(login, Arc::new(key), certificate).await.is_ok_and(|result| result.success())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A client that believes in the container's certificate and in nothing else.
pub(crate) struct Client {
    host: HostCertificate,
    authorities: Authorities,
}

impl client::Handler for Client {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        Ok(match key {
            PublicKeyOrCertificate::Certificate(certificate) => {
                self.host.check(certificate, &self.authorities, Clock::system().now()).is_ok()
            }
            PublicKeyOrCertificate::PublicKey { .. } => false,
        })
    }
}

async fn accept(
    listener: TcpListener,
    ca: CaSet,
    agent: AgentId,
    saying: mpsc::Receiver<FromBroker>,
    hearing: mpsc::Sender<FromAgent>,
    parking: mpsc::Sender<TcpStream>,
) {
    let mut saying = Some(saying);
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let kind =
            [Kind::Control, Kind::Data].into_iter().find(|kind| head.starts_with(&format!("GET {} ", kind.path()))).unwrap();
        assert!(head.to_lowercase().contains("upgrade: ztctl-agent/1"));
        let switch = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ztctl-agent/1\r\n\r\n";
        stream.write_all(switch).await.unwrap();
        let nonce = "00".repeat(32);
        let challenge = Challenge { protocol: 1, nonce: nonce.clone(), time: 0 };
        frame::write(&mut stream, &challenge, HELLO_LIMIT).await.unwrap();
        let mut reader = FrameReader::new(stream, FRAME_LIMIT);
        let hello: Hello = reader.next().await.unwrap();
        proof::verify(&public_key(&hello.public_key).unwrap(), kind, &nonce, &hello.signature).unwrap();
        let mut stream = reader.into_inner();
        let welcome = Answer::Welcome { agent, name: "agent".into(), ca: ca.clone(), chain: None, protocol: 1 };
        frame::write(&mut stream, &welcome, HELLO_LIMIT).await.unwrap();
        match kind {
            Kind::Data => parking.send(stream).await.unwrap(),
            Kind::Control => {
                let mut saying = saying.take().unwrap();
                let (reader, mut writer) = stream.into_split();
                let hearing = hearing.clone();
                tokio::spawn(async move {
                    let mut reader = FrameReader::new(reader, FRAME_LIMIT);
                    while let Ok(message) = reader.next().await {
                        if !matches!(message, FromAgent::Pong { .. }) && hearing.send(message).await.is_err() {
                            return;
                        }
                    }
                });
                tokio::spawn(async move {
                    let mut ping = tokio::time::interval(CONTROL_PING);
                    loop {
                        let message = tokio::select! {
                            _ = ping.tick() => FromBroker::Ping,
                            Some(message) = saying.recv() => message,
                            else => return,
                        };
                        if frame::write(&mut writer, &message, FRAME_LIMIT).await.is_err() {
                            return;
                        }
                    }
                });
            }
        }
    }
}
