//! The pages that a person sees in a browser: plain HTML, one stylesheet inside, no script.
//!
//! What stands on a page is escaped, but for a picture that we drew ourselves. A form counts only with a token that belongs to the browser's cookie.

use axum::http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

mod qr;

use super::State;
use super::identity::token;

pub(crate) use qr::Picture;

/// What a person is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    /// The name at the directory.
    Username,
    /// The password.
    Password,
    /// The code that a device shows.
    UserCode,
    /// The code of an authenticator, or a recovery code.
    OneTimeCode,
}

/// One page.
#[derive(Debug, Default)]
pub(crate) struct Page<'a> {
    /// The heading.
    pub(crate) title: &'a str,
    /// Paragraphs.
    pub(crate) text: Vec<String>,
    /// What a person reads off by a camera.
    pub(crate) picture: Option<Picture>,
    /// What a person writes down, line by line.
    pub(crate) list: &'a [&'a str],
    /// What was wrong with the last try.
    pub(crate) error: Option<&'a str>,
    /// Where the form goes; without it there is none.
    pub(crate) action: Option<&'a str>,
    /// What the form carries along.
    pub(crate) hidden: &'a [(&'a str, &'a str)],
    /// Other ways, each an address and its words.
    pub(crate) links: Vec<(String, String)>,
    /// What is asked.
    pub(crate) fields: &'a [Field],
    /// The values of `answer` and the words on the buttons; Enter takes the first.
    pub(crate) buttons: &'a [(&'a str, &'a str)],
    /// The origin that the answer to the form redirects to.
    pub(crate) redirects_to: Option<&'a str>,
}

impl<'a> Page<'a> {
    /// A page that only says something.
    pub(crate) fn said(title: &'a str, text: &str) -> Self {
        Self { title, text: vec![text.to_owned()], ..Self::default() }
    }
}

/// A page without a form.
pub(crate) fn answer(status: StatusCode, page: &Page<'_>) -> Response {
    (status, [(CONTENT_TYPE, HTML.to_owned()), (CONTENT_SECURITY_POLICY, policy(None))], html(page, None)).into_response()
}

/// A page with a form, bound to the browser by a cookie, which is set if it has none.
pub(crate) fn form(state: &State, headers: &HeaderMap, status: StatusCode, page: &Page<'_>) -> Response {
    let (known, fresh) = (cookie(headers, cookie_name(state)), token::random(""));
    let value = known.unwrap_or(fresh.expose());
    let csrf = token::derive(state.store.key(), "form", &[value]);
    let body = html(page, Some(&csrf));
    let policy = policy(Some(page.redirects_to));
    let mut response = (status, [(CONTENT_TYPE, HTML.to_owned()), (CONTENT_SECURITY_POLICY, policy)], body).into_response();
    if known.is_none() {
        let secure = if is_https(state) { "; Secure" } else { "" };
        let set = format!("{}={value}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(state));
        if let Ok(set) = HeaderValue::from_str(&set) {
            response.headers_mut().insert(SET_COOKIE, set);
        }
    }
    response
}

/// A link to each identity provider, at the address that `address` has for its name.
pub(crate) fn ways(state: &State, address: impl Fn(&str) -> String) -> Vec<(String, String)> {
    state.providers.all().map(|provider| (address(provider.name()), format!("Log in with {}", provider.title()))).collect()
}

/// Whether a form came from a page that we gave to this browser.
pub(crate) fn is_ours(state: &State, headers: &HeaderMap, csrf: Option<&str>) -> bool {
    let (Some(cookie), Some(csrf)) = (cookie(headers, cookie_name(state)), csrf) else { return false };
    token::equal(csrf, &token::derive(state.store.key(), "form", &[cookie]))
}

/// The browser's cookie of that name, if it is like those that we set.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(';'));
    let mut ours = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    ours.next().map(|(_, value)| value).filter(|value| value.len() == 43)
}

/// `__Host-` keeps other hosts of the domain from setting it; browsers take it over https only.
pub(crate) fn cookie_name(state: &State) -> &'static str {
    if is_https(state) { "__Host-ztctl" } else { "ztctl" }
}

/// Whether browsers come over https, as far as they know.
pub(crate) fn is_https(state: &State) -> bool {
    state.config.public_url.scheme() == "https"
}

/// What the page may do: show itself in our style, and send its form to us and on to `redirects_to`.
fn policy(form: Option<Option<&str>>) -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let form = match form {
        None => "'none'".to_owned(),
        Some(None) => "'self'".to_owned(),
        // A source of this language cannot be an IPv6 address.
        Some(Some(origin)) if origin.contains('[') => "'self' http:".to_owned(),
        Some(Some(origin)) => format!("'self' {origin}"),
    };
    format!("default-src 'none'; style-src 'sha256-{style}'; form-action {form}; frame-ancestors 'none'; base-uri 'none'")
}

fn html(page: &Page<'_>, csrf: Option<&str>) -> String {
    let title = escape(page.title);
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · ztctl</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n"
    );
    for text in &page.text {
        html.push_str(&format!("<p>{}</p>\n", escape(text)));
    }
    if let Some(picture) = &page.picture {
        html.push_str(picture.html());
    }
    for line in page.list {
        html.push_str(&format!("<pre>{}</pre>\n", escape(line)));
    }
    if let Some(error) = page.error {
        html.push_str(&format!("<p class=\"error\" role=\"alert\">{}</p>\n", escape(error)));
    }
    for (address, words) in &page.links {
        html.push_str(&format!("<p><a class=\"way\" href=\"{}\">{}</a></p>\n", escape(address), escape(words)));
    }
    if let (Some(action), Some(csrf)) = (page.action, csrf) {
        html.push_str(&format!("<form method=\"post\" action=\"{}\">\n", escape(action)));
        for (name, value) in page.hidden.iter().copied().chain([(CSRF, csrf)]) {
            html.push_str(&format!("<input type=\"hidden\" name=\"{}\" value=\"{}\">\n", escape(name), escape(value)));
        }
        for (index, field) in page.fields.iter().enumerate() {
            html.push_str(&field.html(index == 0));
        }
        for (value, words) in page.buttons {
            // Who says no need not fill in anything on the way.
            let skip = if *value == "cancel" { " formnovalidate" } else { "" };
            html.push_str(&format!(
                "<button type=\"submit\" name=\"answer\" value=\"{}\"{skip}>{}</button>\n",
                escape(value),
                escape(words)
            ));
        }
        html.push_str("</form>\n");
    }
    html.push_str("</main>\n</body>\n</html>\n");
    html
}

impl Field {
    fn html(self, first: bool) -> String {
        let (name, label, attributes) = match self {
            Self::Username => ("username", "Name", "autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\""),
            Self::Password => ("password", "Password", "type=\"password\" autocomplete=\"current-password\""),
            Self::UserCode => (
                "user_code",
                "Code",
                "autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" placeholder=\"XXXX-XXXX\" maxlength=\"16\"",
            ),
            Self::OneTimeCode => {
                ("code", "Code", "autocomplete=\"one-time-code\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"40\"")
            }
        };
        let focus = if first { " autofocus" } else { "" };
        format!("<label for=\"{name}\">{label}</label>\n<input id=\"{name}\" name=\"{name}\" {attributes} required{focus}>\n")
    }
}

/// Text as HTML shows it, in an element and in a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// The form field that binds a form to the browser's cookie.
pub(crate) const CSRF: &str = "form";

const HTML: &str = "text/html; charset=utf-8";

const STYLE: &str = ":root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{margin:0;padding:1rem}main{max-width:24rem;margin:10vh auto 0}h1{font-size:1.5rem}\
pre{margin:.2rem 0;font-size:1rem}svg{display:block}label{display:block;margin-top:1rem}input{box-sizing:border-box;width:100%;padding:.6rem;font:inherit}\
button{margin:1.5rem .5rem 0 0;padding:.6rem 1.2rem;font:inherit}.way{display:block;padding:.6rem 1.2rem;border:1px solid;border-radius:.25rem;text-align:center;color:inherit;text-decoration:none}.error{padding:.6rem;border-left:.25rem solid #c00}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_escaped() {
        let evil = "\"><script>alert('x')</script>&";
        let hidden = [(evil, evil)];
        let page = Page {
            title: evil,
            text: vec![evil.to_owned()],
            error: Some(evil),
            list: &[evil],
            action: Some(evil),
            hidden: &hidden,
            links: vec![(evil.to_owned(), evil.to_owned())],
            buttons: &[(evil, evil)],
            ..Page::default()
        };
        let html = html(&page, Some(evil));
        assert!(!html.contains("<script") && !html.contains("('x')") && html.contains("&lt;script&gt;"));
    }

    #[test]
    fn a_form_goes_to_us_and_to_its_redirect_only() {
        assert!(policy(None).contains("form-action 'none'"));
        assert!(policy(Some(None)).contains("form-action 'self';"));
        assert!(policy(Some(Some("http://127.0.0.1:7"))).contains("form-action 'self' http://127.0.0.1:7;"));
    }
}
