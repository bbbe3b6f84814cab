//! A browser without scripts: cookies, forms, redirects, and nothing else.

use super::site::{Answer, PASSWORD, Site, encode};

/// Where the pretended program listens. Nobody does: what counts is where the browser is sent.
pub(super) const REDIRECT: &str = "http://127.0.0.1:49152/callback";

/// RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// One window.
#[derive(Default, Clone)]
pub(super) struct Browser {
    cookies: Vec<(String, String)>,
}

/// A form as it stands on a page.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) action: String,
    /// Name, value, type, autocomplete.
    pub(super) fields: Vec<[String; 4]>,
}

impl Browser {
    pub(super) async fn get(&mut self, site: &Site, path: &str) -> Answer {
        let cookies = self.cookie_line();
        let answer = site.get(path, &[("Cookie", &cookies)]).await;
        self.keep(&answer);
        answer
    }

    /// Submits `form` as `name` with `password`; a user code goes into whatever text field is left empty.
    pub(super) async fn submit(&mut self, site: &Site, form: &Form, name: &str, password: &str, code: &str) -> Answer {
        let filled: Vec<(String, String)> = form
            .fields
            .iter()
            .map(|[field, value, kind, autocomplete]| {
                let value = match (kind.as_str(), autocomplete.as_str()) {
                    ("password", _) => password,
                    ("hidden" | "submit", _) => value,
                    (_, "username") => name,
                    _ if value.is_empty() => code,
                    _ => value,
                };
                (field.clone(), value.to_owned())
            })
            .collect();
        let pairs: Vec<(&str, &str)> = filled.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        self.post(site, &form.action, &pairs).await
    }

    pub(super) async fn post(&mut self, site: &Site, path: &str, form: &[(&str, &str)]) -> Answer {
        let (cookies, origin) = (self.cookie_line(), site.url());
        let answer = site.post(path, &[("Cookie", &cookies), ("Origin", &origin)], form).await;
        self.keep(&answer);
        answer
    }

    /// Logs `ada` in on the page of `path` and returns where the browser is sent.
    pub(super) async fn authorize(&mut self, site: &Site, path: &str) -> String {
        let page = self.get(site, path).await;
        assert_eq!(page.status, 200, "{page:?}");
        let answer = self.submit(site, &Form::of(&page), "ada", PASSWORD, "").await;
        target(&answer).unwrap_or_else(|| panic!("sent nowhere: {answer:?}"))
    }

    fn cookie_line(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    fn keep(&mut self, answer: &Answer) {
        for (_, line) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            assert!(line.contains("HttpOnly") && line.contains("SameSite="), "{line}");
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(have, _)| have != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

impl Form {
    /// The first form of a page.
    pub(super) fn of(page: &Answer) -> Self {
        Self::find(page).unwrap_or_else(|| panic!("no form: {page:?}"))
    }

    pub(super) fn find(page: &Answer) -> Option<Self> {
        let rest = page.body.split_once("<form")?.1;
        let form = rest.split_once("</form>")?.0;
        let (head, inside) = form.split_once('>')?;
        assert_eq!(attribute(head, "method").to_ascii_lowercase(), "post");
        let mut fields: Vec<[String; 4]> = Vec::new();
        for tag in inside.split("<input").skip(1).chain(inside.split("<button").skip(1).take(1)) {
            let tag = tag.split_once('>')?.0;
            let [name, value, kind, autocomplete] = ["name", "value", "type", "autocomplete"].map(|name| attribute(tag, name));
            if !name.is_empty() {
                fields.push([name, value, kind, autocomplete]);
            }
        }
        Some(Self { action: attribute(head, "action"), fields })
    }

    /// Whether it asks for a password.
    pub(super) fn has_password(&self) -> bool {
        self.fields.iter().any(|[_, _, kind, _]| kind == "password")
    }
}

/// The authorization request of `ztctl`, with `changes`: an empty value leaves the parameter out.
pub(super) fn authorize_path(changes: &[(&str, &str)]) -> String {
    let key = Site::holder().thumbprint();
    let request = [
        ("response_type", "code"),
        ("client_id", "ztctl"),
        ("redirect_uri", REDIRECT),
        ("state", "the-state"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("dpop_jkt", key.as_str()),
    ];
    let value = |name: &str| changes.iter().find(|(changed, _)| *changed == name).map(|(_, value)| *value);
    let pairs = request.map(|(name, given)| (name, value(name).unwrap_or(given)));
    let pairs: Vec<_> = pairs.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    format!("/oauth/authorize?{}", encode(&pairs))
}

/// Where an answer sends the browser on the loopback: by a redirect, or by a page that holds the address.
pub(super) fn target(answer: &Answer) -> Option<String> {
    let location = answer.header("location");
    if location.starts_with("http://127.0.0.1:49152") {
        return Some(location.to_owned());
    }
    // With its query: the bare address may be what a form carries along.
    let start = answer.body.find(&format!("{REDIRECT}?"))?;
    let rest = &answer.body[start..];
    Some(unescape(&rest[..rest.find(['"', '\'', '<', ' '])?]))
}

/// A parameter of a URL.
pub(super) fn parameter(url: &str, name: &str) -> String {
    let url: url::Url = url.parse().unwrap();
    url.query_pairs().find(|(key, _)| key == name).unwrap_or_else(|| panic!("no {name} in {url}")).1.into_owned()
}

fn attribute(tag: &str, name: &str) -> String {
    let value = tag.split_once(&format!(" {name}=\"")).and_then(|(_, rest)| rest.split_once('"'));
    unescape(value.map_or("", |(value, _)| value))
}

fn unescape(text: &str) -> String {
    let mut text = text.to_owned();
    for (escaped, letter) in
        [("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&#x2F;", "/"), ("&lt;", "<"), ("&gt;", ">")]
    {
        text = text.replace(escaped, letter);
    }
    text.replace("&#38;", "&").replace("&amp;", "&")
}
