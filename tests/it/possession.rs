//! Tokens are bound to a key on the machine: what a copy is worth, what somebody on the way can change or repeat, and a clock that is
//! hours off.

use std::process::Stdio;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, client, rustls};
use ztctl::broker::AuditQuery;
use ztctl::client::api::{Api, ApiError};
use ztctl::client::credential::Credential;
use ztctl::client::dpop::ProofKey;
use ztctl::client::http::{Http, ProxySettings, Server, Trust};
use ztctl::client::oauth::{OauthError, exchange};
use ztctl::client::tokens::Tokens;
use ztctl::clock::Clock;
use ztctl::proto::ErrorCode;
use ztctl::ssh::{new_key, public_line};
use ztctl::transport::tls::Roots;

use crate::peer;
use crate::stack::user_code;
use crate::world::{OPEN, Person, World};

/// The journal's reasons for `token_misused`.
async fn misused(world: &World) -> Vec<String> {
    let records = world.admin.audit(AuditQuery::default()).await.unwrap();
    let records = records.into_iter().map(|record| serde_json::to_value(record).unwrap());
    let records = records.filter(|record| record["event"] == "token_misused" && record["user"] == "ada@local");
    records.map(|record| format!("{}: {}", record["token"].as_str().unwrap(), record["why"].as_str().unwrap())).collect()
}

/// What is in the file with a person's tokens.
fn kept(person: &Person) -> Credential {
    let folder = person.home().join(".local/state/ztctl/credentials");
    let file = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn copied_tokens_are_worth_nothing_without_the_key_and_a_copied_file_is_called_that() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let status = ada.run(&["status"]).await;
    assert!(status.stdout.contains("\nkey      in the same file: whoever copies it can be you"), "{}", status.stdout);
    let own = kept(&ada);
    let server =
        Server { url: world.url.parse().unwrap(), trust: Trust::Roots(world.roots()), proxy: ProxySettings::default() };
    let http = Http::new(&server, Clock::system()).unwrap();
    let copied = Credential { key: Some(ProofKey::random().unwrap()), ..own.clone() };
    for tokens in [Tokens::fixed(own.access_token.clone()), Tokens::first(&copied)] {
        let refused = Api::over(http.clone(), tokens).whoami().await.unwrap_err();
        assert!(matches!(&refused, ApiError::Refused(body) if body.code == ErrorCode::ProofRefused), "{refused:?}");
    }
    for copied in [&copied, &Credential { key: None, ..own.clone() }] {
        let refused = exchange::refresh(&http, copied).await.unwrap_err();
        assert!(matches!(&refused, OauthError::Refused { code, .. } if code == "invalid_dpop_proof"), "{refused:?}");
        assert!(exchange::revoke(&http, copied).await.is_err());
    }
    let (bearer, other) = ("it came as a bearer token, without a proof", "its proof is by another key");
    let none = "it came without a proof";
    let expected =
        [("access", bearer), ("access", other), ("refresh", other), ("refresh", other), ("refresh", none), ("refresh", none)];
    assert_eq!(misused(&world).await, expected.map(|(token, why)| format!("{token}: {why}")));
    // It is its owner's as it was, and whoever has the whole file is them.
    assert_eq!(ada.run(&["ls"]).await.code, 0);
    assert_eq!(Api::over(http.clone(), Tokens::first(&own)).whoami().await.unwrap().user, "ada@local");
    assert_eq!(ada.run(&["logout"]).await.code, 0);
    assert!(exchange::refresh(&http, &own).await.is_err());
}

/// Whoever ends the TLS between client and broker: a proxy, say. It sees each request's head and may send another one on.
struct Middle {
    url: String,
    root: tempfile::NamedTempFile,
    listener: TcpListener,
    tls: TlsAcceptor,
}

impl Middle {
    async fn new() -> Self {
        let own = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
        let root = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(root.path(), own.cert.pem()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        Self { url, root, listener, tls: TlsAcceptor::from(Arc::new(config)) }
    }

    /// Goes between: `change` has the head of each request without a body. Returns the file with its root.
    fn go_between(self, world: &World, change: impl Fn(String) -> String + Send + Sync + 'static) -> tempfile::NamedTempFile {
        let (to, roots, change) = (world.url.clone(), world.roots(), Arc::new(change));
        tokio::spawn(async move {
            while let Ok((near, _)) = self.listener.accept().await {
                let (to, roots, change, tls) = (to.clone(), roots.clone(), Arc::clone(&change), self.tls.clone());
                tokio::spawn(async move {
                    let Ok(near) = tls.accept(near).await else { return };
                    let (mut near_read, mut near_write) = tokio::io::split(near);
                    let (mut far_read, mut far_write) = tokio::io::split(dial(&to, &roots).await);
                    let back = async move {
                        let _ = tokio::io::copy(&mut far_read, &mut near_write).await;
                        let _ = near_write.shutdown().await;
                    };
                    let there = async move {
                        let mut bytes = vec![0; 65536];
                        while let Ok(length @ 1..) = near_read.read(&mut bytes).await {
                            // A request is sent at once and comes at once.
                            let sent = &bytes[..length];
                            let sent = match std::str::from_utf8(sent) {
                                Ok(head) if head.starts_with("GET ") => change(head.to_owned()).into_bytes(),
                                _ => sent.to_vec(),
                            };
                            if far_write.write_all(&sent).await.is_err() || far_write.flush().await.is_err() {
                                return;
                            }
                        }
                        let _ = far_write.shutdown().await;
                    };
                    tokio::join!(there, back);
                });
            }
        });
        self.root
    }
}

async fn dial(url: &str, roots: &Roots) -> client::TlsStream<TcpStream> {
    let address = url.trim_start_matches("https://");
    let connector = TlsConnector::from(Arc::new(roots.client_config().unwrap()));
    let stream = TcpStream::connect(address).await.unwrap();
    connector.connect(rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap(), stream).await.unwrap()
}

/// `head` with its connect request changed by `change`.
fn with_request(head: &str, change: impl Fn(&mut Value)) -> String {
    let lines = head.split("\r\n").map(|line| match line.strip_prefix("ztctl-connect: ") {
        Some(request) => {
            let mut request = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(request).unwrap()).unwrap();
            change(&mut request);
            format!("ztctl-connect: {}", URL_SAFE_NO_PAD.encode(request.to_string()))
        }
        None => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_in_between_can_neither_swap_the_key_nor_ask_again() {
    let middle = Middle::new().await;
    let world = World::known_as(OPEN, Some(&middle.url)).await;
    let _agent = world.agent("web").await;
    let ada = world.account("ada", &[]).await.through(&middle.url, &middle.root.path().display().to_string());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let swap = Arc::new(Mutex::new(None::<(&str, Value)>));
    let (log, swapping) = (Arc::clone(&heads), Arc::clone(&swap));
    let _root = middle.go_between(&world, move |head| {
        if !head.starts_with("GET /v1/connect") {
            return head;
        }
        log.lock().unwrap().push(head.clone());
        match &*swapping.lock().unwrap() {
            Some((name, value)) => with_request(&head, |request| request[*name] = value.clone()),
            None => head,
        }
    });
    ada.log_in(&world).await;
    let name = ada.names(1).await.remove(0);
    let fine = ada.run(&["exec", &name, "--reason", "INC-1", "--", "echo", "fine"]).await;
    assert_eq!((fine.code, fine.stdout.as_str()), (0, "fine\n"), "{}", fine.stderr);

    // The same request again, as it was overheard: its proof is used up, so that not even a certificate comes of it.
    let head = heads.lock().unwrap().last().unwrap().clone();
    let mut again = dial(&world.url, &world.roots()).await;
    again.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    again.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert_eq!(misused(&world).await, ["access: its proof was used before"]);

    let key = public_line(new_key().unwrap().public_key()).unwrap();
    for (name_of, value) in [("public_key", key.into()), ("reason", "another".into()), ("as_typed", "web".into())] {
        *swap.lock().unwrap() = Some((name_of, value));
        let swapped = ada.run(&["exec", &name, "--reason", "INC-1", "--", "echo", "swapped"]).await;
        assert_eq!(swapped.code, 255, "{name_of}: {}", swapped.stderr);
        assert!(swapped.stderr.contains("for another connect request"), "{name_of}: {}", swapped.stderr);
        assert_eq!(swapped.stdout, "", "{name_of}");
    }
    assert!(misused(&world).await.iter().skip(1).all(|why| why == "access: its proof is for another connect request"));
    *swap.lock().unwrap() = None;
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 0, "the login goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_hours_off_logs_in_and_lists() {
    let faketime = peer::program("faketime");
    if !peer::present("faketime", faketime.is_some()) {
        return;
    }
    let world = World::start().await;
    let _agent = world.agent("web").await;
    for (name, shift) in [("ada", "+2h"), ("bob", "-2h")] {
        let person = world.account(name, &[]).await;
        let root = world.root().display().to_string();
        let run = |arguments: &[&str]| {
            let mut command = tokio::process::Command::new(faketime.as_ref().unwrap());
            command.args(["-f", shift, env!("CARGO_BIN_EXE_ztctl")]).args(arguments);
            command.env_clear().envs(person.environment()).stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
            command
        };
        let mut login = run(&["login", &world.url, "--device", "--ca", &root, "--store", "file"]).spawn().unwrap();
        let mut lines = BufReader::new(login.stderr.take().unwrap()).lines();
        let (mut said, mut approved) = (String::new(), false);
        while let Some(line) = lines.next_line().await.unwrap() {
            said = format!("{said}{line}\n");
            if let Some(code) = user_code(&line).filter(|_| !approved) {
                world.admin.approve_device(&code, &name.parse().unwrap()).await.unwrap();
                approved = true;
            }
        }
        assert!(login.wait().await.unwrap().success(), "{shift}: {said}");
        let list = run(&["ls"]).output().await.unwrap();
        assert!(list.status.success(), "{shift}: {}", String::from_utf8_lossy(&list.stderr));
    }
    // With the right time the tokens of one that was ahead seem to last; they are renewed when the broker says so, and no earlier.
    assert!(misused(&world).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_from_before_there_were_keys_is_asked_for_again() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let folder = ada.home().join(".local/state/ztctl/credentials");
    let file = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let mut old: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    old.as_object_mut().unwrap().remove("key");
    std::fs::write(&file, old.to_string()).unwrap();
    let said = ada.run(&["ls"]).await;
    assert_eq!(said.code, 3);
    assert!(said.stderr.contains("not bound to this machine") && said.stderr.contains("ztctl login"), "{}", said.stderr);
    ada.log_in(&world).await;
    assert_eq!(ada.run(&["ls"]).await.code, 0);
}
