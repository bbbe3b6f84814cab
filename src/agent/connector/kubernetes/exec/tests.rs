use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::service::service_fn;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;

#[test]
fn a_status_is_exact_or_an_error_and_never_zero_by_mistake() {
    let read = |json: &str| read_status(json.as_bytes().to_vec());
    assert_eq!(read(r#"{"metadata":{},"status":"Success"}"#), Ok(Exit::Status(0)));
    let failed = |code: &str| {
        read(&format!(
            r#"{{"status":"Failure","message":"m","reason":"NonZeroExitCode","details":{{"causes":[{{"reason":"ExitCode","message":"{code}"}}]}}}}"#
        ))
    };
    assert_eq!(failed("42"), Ok(Exit::Status(42)));
    for code in ["0", "256", "-1", ""] {
        assert_eq!(failed(code), Err("m".to_owned()), "{code}");
    }
    assert_eq!(read(r#"{"status":"Failure","reason":"InternalError","message":"no such"}"#), Err("no such".to_owned()));
    assert!(read("").unwrap_err().contains("broke") && read("{").is_err() && read("{}").is_err());
}

#[test]
fn every_word_arrives_as_it_is() {
    let target = target();
    let words = ["sh", "-c", "echo \"$1\" & x=1+1\n", "ü", ""].map(str::to_owned);
    let path = path(&Wanted { target: &target, words: &words, stdin: true, sizes: None });
    let (resource, query) = path.split_once('?').unwrap();
    assert_eq!(resource, "/api/v1/namespaces/shop/pods/web-1/exec");
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let commands: Vec<&String> = pairs.iter().filter(|(name, _)| name == "command").map(|(_, word)| word).collect();
    assert_eq!(commands, words.iter().collect::<Vec<_>>());
    assert!(pairs.contains(&("stderr".into(), "true".into())) && pairs.contains(&("stdin".into(), "true".into())));
}

/// A server that speaks the new protocol, as clusters since 1.30 do, and echoes the input; or that knows only the old.
async fn server(new: bool) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let counted = Arc::clone(&counted);
            let service = service_fn(move |request| {
                counted.fetch_add(usize::from(request.method() == Method::GET), Relaxed);
                async move { Ok::<_, Infallible>(answer(request, new)) }
            });
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection.with_upgrades());
        }
    });
    (Client::try_from(kube::Config::new(uri.parse().unwrap())).unwrap(), asked)
}

fn answer(mut request: Request<Incoming>, new: bool) -> Response<String> {
    let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let response = Response::builder();
    if !new && request.method() == Method::GET {
        return response.status(StatusCode::FORBIDDEN).body(String::new()).unwrap();
    }
    if request.method() == Method::POST {
        let refusal = r#"{"kind":"Status","status":"Failure","message":"pods \"web-1\" not found","code":404}"#;
        return response.status(StatusCode::NOT_FOUND).body(refusal.to_owned()).unwrap();
    }
    assert_eq!(header("Sec-WebSocket-Protocol").as_deref(), Some("v5.channel.k8s.io"), "no older one can end the input");
    let accept = derive_accept_key(header("Sec-WebSocket-Key").unwrap().as_bytes());
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = TokioIo::new(upgrade.await.unwrap());
        let mut socket = WebSocketStream::from_raw_socket(upgraded, Role::Server, None).await;
        while let Some(Ok(message)) = socket.next().await {
            match message.into_data().as_ref() {
                [0, input @ ..] => socket.send(Message::Binary([&[1], input].concat().into())).await.unwrap(),
                [255, 0] => break,
                _ => {}
            }
        }
        socket.send(Message::Binary([&[3][..], br#"{"status":"Success"}"#].concat().into())).await.unwrap();
        let _ = socket.close(None).await;
    });
    response
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header("Sec-WebSocket-Accept", accept)
        .header("Sec-WebSocket-Protocol", "v5.channel.k8s.io")
        .body(String::new())
        .unwrap()
}

fn target() -> Target {
    Target { namespace: "shop".into(), pod: "web-1".into(), container: "main".into() }
}

#[tokio::test]
async fn the_new_protocol_is_spoken_where_it_is_known() {
    let (client, asked) = server(true).await;
    let commands = Commands::new(client);
    for n in 1..3 {
        let wanted = Wanted { target: &target(), words: &["cat".to_owned()], stdin: true, sizes: None };
        let Running { mut stdin, mut stdout, status, stderr: _stderr } = commands.start(wanted).await.unwrap();
        stdin.write_all(b"half-closed\0").await.unwrap();
        stdin.shutdown().await.unwrap();
        let mut echo = Vec::new();
        stdout.read_to_end(&mut echo).await.unwrap();
        assert_eq!((echo.as_slice(), status.await.unwrap()), (&b"half-closed\0"[..], Ok(Exit::Status(0))));
        assert_eq!(asked.load(Relaxed), n);
    }
}

#[tokio::test]
async fn the_old_protocol_is_tried_where_the_new_is_not_known_and_refusals_are_told() {
    let (client, asked) = server(false).await;
    let commands = Commands::new(client);
    let wanted = Wanted { target: &target(), words: &["cat".to_owned()], stdin: true, sizes: None };
    let refused = commands.start(wanted).await.err().unwrap();
    assert!(matches!(&refused, ClusterError::Refused { status: 404, message } if message.contains("web-1")), "{refused:?}");
    assert_eq!(asked.load(Relaxed), 1);
}
