//! A real browser, headless, driven by the WebDriver protocol (<https://www.w3.org/TR/webdriver2/>) through Debian's `chromedriver`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::peer;

/// One browser with one window. Dropping it ends both processes.
pub struct Browser {
    driver: Child,
    http: reqwest::Client,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A fresh browser with a window as large as a phone's and scripts switched off, or nothing where none is installed.
    pub async fn start() -> Option<Self> {
        let (browser, driver) = (peer::program("chromium"), peer::program("chromedriver"));
        if !peer::present("chromium", browser.is_some() && driver.is_some()) {
            return None;
        }
        let (browser, driver) = (browser?, driver?);
        let mut driver = Command::new(driver).arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines
            .map_while(Result::ok)
            .find_map(|line| line.split("successfully on port ").nth(1).map(|rest| rest.trim_end_matches('.').to_owned()))
            .expect("chromedriver says its port");
        let profile = tempfile::tempdir().unwrap();
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=390,844",
            &format!("--user-data-dir={}", profile.path().display()),
        ];
        let options = json!({
            "args": arguments,
            "binary": browser,
            "prefs": {"profile.managed_default_content_settings.javascript": 2},
        });
        let capabilities =
            json!({"capabilities": {"alwaysMatch": {"acceptInsecureCerts": true, "goog:chromeOptions": options}}});
        // Not for our own client, which brings its TLS along: for the plain HTTP to the driver.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        let base = format!("http://127.0.0.1:{port}/session");
        let answer: Value = http.post(&base).json(&capabilities).send().await.unwrap().json().await.unwrap();
        let id = answer["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("{answer}"));
        Some(Self { driver, http, session: format!("{base}/{id}"), _profile: profile })
    }

    /// Opens `url`.
    pub async fn open(&self, url: &str) {
        self.post("url", json!({"url": url})).await;
    }

    /// Where the browser is.
    pub async fn url(&self) -> String {
        self.get("url").await.as_str().unwrap_or_default().to_owned()
    }

    /// The page as it is now, in HTML.
    pub async fn source(&self) -> String {
        self.get("source").await.as_str().unwrap_or_default().to_owned()
    }

    /// The page's text, as it is shown.
    pub async fn text(&self) -> String {
        let body = self.element("body").await;
        self.get(&format!("element/{body}/text")).await.as_str().unwrap_or_default().to_owned()
    }

    /// Types `text` into the first element that `selector` (CSS) finds.
    pub async fn fill(&self, selector: &str, text: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/clear"), json!({})).await;
        self.post(&format!("element/{element}/value"), json!({"text": text})).await;
    }

    /// Clicks the first element that `selector` (CSS) finds.
    pub async fn click(&self, selector: &str) {
        let element = self.element(selector).await;
        self.post(&format!("element/{element}/click"), json!({})).await;
    }

    /// Waits until the page's text has `text`.
    pub async fn wait_for(&self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let shown = self.text().await;
            if shown.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no {text:?} at {} in:\n{shown}", self.url().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// The first element that `selector` finds, once the page that has it is there.
    async fn element(&self, selector: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let found = self.post("elements", json!({"using": "css selector", "value": selector})).await;
            // The key is a constant of the specification.
            if let Some(element) = found[0]["element-6066-11e4-a52e-4f735466cecf"].as_str() {
                return element.to_owned();
            }
            assert!(Instant::now() < deadline, "no {selector} at {} in {}", self.url().await, self.source().await);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}/{path}", self.session)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["value"].take()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let answer = self.http.post(format!("{}/{path}", self.session)).json(&body).send().await.unwrap();
        let (status, mut body) = (answer.status(), answer.json::<Value>().await.unwrap());
        assert!(status.is_success(), "{path}: {body}");
        body["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browser when it is asked to end by a signal, not when it is killed.
        let _ = Command::new("kill").arg(self.driver.id().to_string()).status();
        let deadline = Instant::now() + Duration::from_secs(5);
        while Instant::now() < deadline && matches!(self.driver.try_wait(), Ok(None)) {
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
