//! The loopback listener that the browser comes back to: one request line, one page, nothing else of HTTP.
//!
//! Any program on this machine can connect to it. It reads a bounded head, answers only its own path, and takes only the answer
//! that carries this login's `state`; all else gets a 404 or an error page and the wait goes on.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::OauthError;
use super::pkce::equal;
use crate::proto::Secret;

/// Listens for the browser.
#[derive(Debug)]
pub(super) struct Callback {
    listener: TcpListener,
    redirect: Url,
}

impl Callback {
    pub(super) async fn bind() -> Result<Self, OauthError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(OauthError::Listen)?;
        let port = listener.local_addr().map_err(OauthError::Listen)?.port();
        let redirect = format!("http://127.0.0.1:{port}{PATH}");
        let redirect = Url::parse(&redirect).map_err(|error| OauthError::Protocol(error.to_string()))?;
        Ok(Self { listener, redirect })
    }

    /// Where the browser is to be sent.
    pub(super) fn redirect(&self) -> &Url {
        &self.redirect
    }

    /// Waits for the browser with the answer to the login of this `state`, shows the person a page, and returns the code.
    pub(super) async fn code(self, state: &Secret<String>) -> Result<Secret<String>, OauthError> {
        loop {
            let (mut stream, _) = self.listener.accept().await.map_err(OauthError::Listen)?;
            // Browsers open connections ahead and send nothing on them: such a one may not hold up the one that counts.
            let Ok(Some(target)) = tokio::time::timeout(HEAD_TIMEOUT, request_target(&mut stream)).await else { continue };
            let Some(answer) = self.redirect.join(&target).ok().filter(|url| url.path() == PATH) else {
                respond(stream, "404 Not Found", "There is nothing here.").await;
                continue;
            };
            match judge(&answer, state) {
                Ok(code) => {
                    respond(stream, "200 OK", "You are logged in. You can close this window and go back to the terminal.")
                        .await;
                    return Ok(code);
                }
                Err(OauthError::OtherLogin) => {
                    respond(stream, "400 Bad Request", "This page belongs to another login. Start again in the terminal.")
                        .await;
                }
                Err(error) => {
                    respond(stream, "400 Bad Request", "The login was refused. You can close this window.").await;
                    return Err(error);
                }
            }
        }
    }
}

/// The code that the answer carries, if it is ours.
pub(in crate::client) fn judge(answer: &Url, state: &Secret<String>) -> Result<Secret<String>, OauthError> {
    let parameter = |name: &str| answer.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    // Without our state the answer may be an attacker's login that he wants us to use (RFC 6749 §10.12).
    if !parameter("state").is_some_and(|theirs| equal(&theirs, state.expose())) {
        return Err(OauthError::OtherLogin);
    }
    match (parameter("code"), parameter("error")) {
        (Some(code), None) => Ok(Secret::new(code)),
        (_, Some(code)) => Err(match parameter("error_description") {
            Some(description) => OauthError::Refused { code, description },
            None if code == "access_denied" => OauthError::Denied,
            None => OauthError::Refused { description: code.clone(), code },
        }),
        (None, None) => Err(OauthError::Protocol("the browser came back without a code".to_owned())),
    }
}

/// The target of a GET request, once its whole head has arrived.
async fn request_target(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if head.len() > HEAD_LIMIT || stream.read_buf(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = String::from_utf8(head).ok()?;
    let mut words = head.lines().next()?.split(' ');
    (words.next() == Some("GET")).then(|| words.next().map(str::to_owned))?
}

/// Answers with a page; a browser that left does not matter.
async fn respond(mut stream: TcpStream, status: &str, text: &str) {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>ztctl</title></head><body><h1>ztctl</h1><p>{text}</p></body></html>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nX-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\r\n",
        page.len()
    );
    let answer = async {
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(page.as_bytes()).await?;
        stream.shutdown().await
    };
    let _ = tokio::time::timeout(HEAD_TIMEOUT, answer).await;
}

const PATH: &str = "/callback";

/// The most bytes of a request's head: browsers send some 1 KiB, and more with cookies of other services on 127.0.0.1.
const HEAD_LIMIT: usize = 64 * 1024;

/// For a head, and for a page, over loopback.
const HEAD_TIMEOUT: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(redirect: &Url, target: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", redirect.port().unwrap())).await.unwrap();
        stream.write_all(format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_the_answer_with_our_state_counts() {
        let callback = Callback::bind().await.unwrap();
        let redirect = callback.redirect().clone();
        let state = Secret::new("ours".to_owned());
        let waiting = tokio::spawn(async move { callback.code(&state).await });
        let silent = TcpStream::connect(("127.0.0.1", redirect.port().unwrap())).await.unwrap();
        drop(silent);
        assert!(get(&redirect, "/favicon.ico").await.starts_with("HTTP/1.1 404"));
        assert!(get(&redirect, "/callback?code=evil").await.starts_with("HTTP/1.1 400"));
        assert!(get(&redirect, "/callback?code=evil&state=theirs").await.starts_with("HTTP/1.1 400"));
        assert!(!waiting.is_finished());
        assert!(get(&redirect, "/callback?code=good&state=ours").await.contains("close this window"));
        assert_eq!(waiting.await.unwrap().unwrap().expose(), "good");
    }

    #[tokio::test]
    async fn a_refusal_ends_the_wait() {
        let callback = Callback::bind().await.unwrap();
        let redirect = callback.redirect().clone();
        let state = Secret::new("ours".to_owned());
        let waiting = tokio::spawn(async move { callback.code(&state).await });
        assert!(get(&redirect, "/callback?error=access_denied&state=ours").await.contains("refused"));
        assert!(matches!(waiting.await.unwrap(), Err(OauthError::Denied)));
    }

    #[test]
    fn a_refusal_says_why_where_the_broker_does() {
        let state = Secret::new("ours".to_owned());
        let answer = "http://127.0.0.1:1/callback?state=ours&error=access_denied&error_description=Corp+is+away";
        let refused = judge(&answer.parse().unwrap(), &state).unwrap_err();
        assert!(matches!(refused, OauthError::Refused { description, .. } if description == "Corp is away"));
    }
}
