//! A real nginx between everybody and the broker that passes `Upgrade: websocket` and no other: client and agent fall back by
//! themselves, and a session is as good through it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::peer;
use crate::world::{OPEN, RunningAgent, World};

/// nginx in the foreground, ended with this.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_passes_only_websocket_is_passed_by_websocket() {
    let nginx = peer::program("nginx");
    if !peer::present("nginx", nginx.is_some()) {
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let front = format!("https://127.0.0.1:{port}");
    let world = World::known_as(OPEN, Some(&front)).await;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(at("cert.pem"), key.cert.pem()).unwrap();
    std::fs::write(at("key.pem"), key.signing_key.serialize_pem()).unwrap();
    let upstream = &world.url;
    // The configuration that nginx's own manual gives for WebSocket: other upgrades lose their header.
    let configuration = format!(
        "daemon off; worker_processes 1; pid {0}/pid; error_log {0}/error.log;\n\
         events {{ worker_connections 256; }}\n\
         http {{\n\
           access_log {0}/access.log; client_body_temp_path {0}/body; proxy_temp_path {0}/proxy;\n\
           fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s;\n\
           map $http_upgrade $passed {{ default ''; websocket websocket; }}\n\
           map $passed $hop {{ '' close; default upgrade; }}\n\
           server {{\n\
             listen 127.0.0.1:{port} ssl; ssl_certificate {0}/cert.pem; ssl_certificate_key {0}/key.pem;\n\
             location / {{\n\
               proxy_pass {upstream}; proxy_ssl_verify off; proxy_http_version 1.1; proxy_buffering off; proxy_read_timeout 60s;\n\
               proxy_set_header Upgrade $passed; proxy_set_header Connection $hop; proxy_set_header Host $host:{port};\n\
             }}\n\
           }}\n\
         }}\n",
        folder.path().display()
    );
    std::fs::write(at("nginx.conf"), configuration).unwrap();
    let child =
        Command::new(nginx.unwrap()).args(["-c", &at("nginx.conf"), "-e", &at("start.log")]).stdin(Stdio::null()).spawn();
    let _nginx = Nginx(child.unwrap());
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "nginx: {}", std::fs::read_to_string(at("start.log")).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(20));
    }
    let roots = ztctl::transport::tls::Roots::from_pem(key.cert.pem().as_bytes()).unwrap();

    let token = world.join_token(1).await;
    let mut config = world.agent_config(&token);
    config.broker = front.parse().unwrap();
    config.roots = roots;
    let _agent = RunningAgent::start(config, "web");
    let ada = world.account("ada", &[]).await;
    let through = ada.through(&front, &at("cert.pem"));
    through.log_in(&world).await;
    let name = through.names(1).await.remove(0);
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| (n.wrapping_mul(40_503) >> 7) as u8).collect();
    let back = through.run_with(&["exec", &name, "--", "cat"], &sent).await;
    assert_eq!(back.code, 0, "{}", back.stderr);
    assert!(back.bytes == sent);
    assert_eq!(through.run(&["exec", &name, "--", "sh", "-c", "exit 9"]).await.code, 9);
    // What worked is remembered: the second connect asks for WebSocket at once. nginx writes a line when a connection has ended.
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let log = std::fs::read_to_string(at("access.log")).unwrap();
        let answered = |status: &str| log.lines().filter(|line| line.contains("/v1/connect") && line.contains(status)).count();
        let seen = (answered(" 426 "), answered(" 101 "));
        if seen == (1, 2) {
            break;
        }
        assert!(Instant::now() < deadline && seen.0 <= 1, "{seen:?} of refused and passed: {log}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
