//! The second factor of the directory's people: set up, asked for after the password, shown in the midst of a login.

use totp_rs::Totp;

use super::browser::{Browser, Form, REDIRECT, VERIFIER, authorize_path, parameter, target};
use super::login::exchange;
use super::site::{Answer, PASSWORD, Site};

/// An authenticator app.
struct App(Totp);

impl App {
    fn scan(url: &str) -> Self {
        Self(Totp::from_url(url).unwrap())
    }

    fn code(&self, site: &Site) -> String {
        self.0.generate(site.now()).to_string()
    }
}

/// The access token of a login with the password alone.
async fn log_in(site: &Site) -> String {
    let sent = Browser::default().authorize(site, &authorize_path(&[])).await;
    tokens(site, &sent).await
}

async fn tokens(site: &Site, sent: &str) -> String {
    exchange(site, &parameter(sent, "code"), REDIRECT, VERIFIER).await.text("access_token")
}

/// Sets a second factor up, and the recovery codes. The code of this moment is used up.
async fn enrol(site: &Site, token: &str) -> (App, Vec<String>) {
    let begun = site.api("POST", "/v1/totp", token, None).await;
    let app = App::scan(&begun.text("url"));
    let confirmed = site.api("POST", "/v1/totp/confirm", token, Some(&app.code(site))).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    let codes = confirmed.json()["codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (app, codes)
}

/// The page after the password, in a new window.
async fn after_password(site: &Site) -> (Browser, Answer) {
    let mut browser = Browser::default();
    let form = Form::of(&browser.get(site, &authorize_path(&[])).await);
    let page = browser.submit(site, &form, "ada", PASSWORD, "").await;
    assert!(page.status == 200 && target(&page).is_none(), "{page:?}");
    (browser, page)
}

#[tokio::test]
async fn the_page_asks_for_a_code_after_the_password() {
    let site = Site::open().await;
    let (app, codes) = enrol(&site, &log_in(&site).await).await;
    assert_eq!(codes.len(), 10);
    let (mut browser, page) = after_password(&site).await;
    assert!(page.body.contains("one-time-code") && !page.body.contains(PASSWORD), "{page:?}");
    // The code of the confirmation is used up.
    let page = browser.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    assert!(page.status == 401 && page.body.contains("used before"), "{page:?}");
    site.pass(30);
    let answer = browser.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    let token = tokens(&site, &target(&answer).unwrap_or_else(|| panic!("{answer:?}"))).await;
    assert_eq!(site.whoami(&token).await.json()["mfa_at"], site.now());
    // A recovery code, as it is written down, once.
    for status in [303, 401] {
        let (mut browser, page) = after_password(&site).await;
        let answer = browser.submit(&site, &Form::of(&page), "", "", &codes[4].to_uppercase()).await;
        assert_eq!(answer.status, status, "{answer:?}");
    }
    let counts = [("mfa_shown", 2), ("mfa_failed", 2), ("recovery_code_used", 1), ("totp_enrolled", 1), ("login", 2)];
    for (event, count) in counts {
        assert_eq!(site.events(event).await, count, "{event}");
    }
    let journal = serde_json::to_string(&site.audit().await).unwrap();
    assert!(!journal.contains(&codes[4]) && !journal.contains(&codes[4].replace('-', "")));
}

#[tokio::test]
async fn an_attempt_is_for_one_browser_once_and_for_ten_minutes() {
    let site = Site::open().await;
    let (app, _) = enrol(&site, &log_in(&site).await).await;
    site.pass(30);
    let (_own, page) = after_password(&site).await;
    let (mut other, _) = after_password(&site).await;
    let mut form = Form::of(&page);
    let foreign = Form::of(&after_password(&site).await.1);
    // The other window has a form token of its own, and the attempt of the first.
    let (mut mine, own_page) = after_password(&site).await;
    let answer = other.submit(&site, &foreign, "", "", &app.code(&site)).await;
    assert!(answer.status >= 400 && target(&answer).is_none(), "{answer:?}");
    let own = Form::of(&own_page);
    for [name, value, ..] in &mut form.fields {
        if name == "form" {
            value.clone_from(&own.fields.iter().find(|[name, ..]| name == "form").unwrap()[1]);
        }
    }
    let answer = mine.submit(&site, &form, "", "", &app.code(&site)).await;
    assert!(answer.status == 400 && target(&answer).is_none(), "{answer:?}");
    // Nor can the device page take it for a person who has shown everything.
    let attempt = own.fields.iter().find(|[name, ..]| name == "attempt").unwrap()[1].clone();
    let started = site.post("/oauth/device", &[], &[("client_id", "ztctl")]).await;
    let device = mine.get(&site, &format!("/device?user_code={}", started.text("user_code"))).await;
    let csrf = Form::of(&device).fields.iter().find(|[name, ..]| name == "form").unwrap()[1].clone();
    let user_code = started.text("user_code");
    let trick = [("user_code", user_code.as_str()), ("signin", &attempt), ("form", &csrf), ("answer", "allow")];
    assert_eq!(mine.post(&site, "/device", &trick).await.status, 400);
    let (mut late, page) = after_password(&site).await;
    site.pass(601);
    let answer = late.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    assert!(answer.status == 400 && target(&answer).is_none(), "{answer:?}");
    // Another password ends what is between the two.
    let (mut stale, page) = after_password(&site).await;
    site.admin.set_password(&"ada".parse().unwrap(), "another long password".to_owned().into()).await.unwrap();
    let answer = stale.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    assert!(answer.status == 400 && target(&answer).is_none(), "{answer:?}");
}

#[tokio::test]
async fn guessing_codes_is_slowed_down_for_the_account_wherever_it_happens() {
    let site = Site::open().await;
    let token = log_in(&site).await;
    let (app, _) = enrol(&site, &token).await;
    site.pass(30);
    let (mut browser, mut page) = after_password(&site).await;
    let mut tries = 0;
    while page.status != 429 {
        tries += 1;
        assert!(tries < 10, "never slowed down: {page:?}");
        page = browser.submit(&site, &Form::of(&page), "", "", "000000").await;
    }
    let answer = site.api("POST", "/v1/mfa", &token, Some(&app.code(&site))).await;
    assert_eq!((answer.status, answer.text("code")), (429, "rate_limited".to_owned()));
    site.pass(301);
    let answer = browser.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    assert!(target(&answer).is_some(), "{answer:?}");
}

#[tokio::test]
async fn a_device_is_logged_in_after_the_code() {
    let site = Site::open().await;
    let (app, _) = enrol(&site, &log_in(&site).await).await;
    site.pass(30);
    let started = site.post("/oauth/device", &[], &[("client_id", "ztctl")]).await;
    let mut browser = Browser::default();
    let page = browser.get(&site, &format!("/device?user_code={}", started.text("user_code"))).await;
    let page = browser.submit(&site, &Form::of(&page), "ada", PASSWORD, "").await;
    let poll = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", &started.text("device_code"))];
    site.token(&poll).await.is_refusal("authorization_pending");
    let done = browser.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    assert!(done.status == 200 && done.body.contains("logged in"), "{done:?}");
    site.pass(10);
    let token = site.token(&poll).await.text("access_token");
    assert!(site.whoami(&token).await.json()["mfa_at"].is_u64());
}

/// The terminal waits for an answer, whichever page it is given on.
#[tokio::test]
async fn a_device_is_told_that_its_login_was_given_up_at_the_code() {
    let site = Site::open().await;
    enrol(&site, &log_in(&site).await).await;
    let started = site.post("/oauth/device", &[], &[("client_id", "ztctl")]).await;
    let mut browser = Browser::default();
    let page = browser.get(&site, &format!("/device?user_code={}", started.text("user_code"))).await;
    let page = browser.submit(&site, &Form::of(&page), "ada", PASSWORD, "").await;
    let form = Form::of(&page);
    let hidden = form.fields.iter().filter(|[_, _, kind, _]| kind == "hidden");
    let mut fields: Vec<(&str, &str)> = hidden.map(|[name, value, ..]| (name.as_str(), value.as_str())).collect();
    fields.push(("answer", "cancel"));
    let done = browser.post(&site, &form.action, &fields).await;
    assert!(done.status == 200 && done.body.contains("not logged in"), "{done:?}");
    let poll = [("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", &started.text("device_code"))];
    site.token(&poll).await.is_refusal("access_denied");
}

#[tokio::test]
async fn where_it_is_required_the_page_sets_it_up() {
    let site = Site::configured(|config| config.require_totp = true).await;
    let (mut browser, page) = after_password(&site).await;
    assert!(page.body.contains("<svg ") && !page.body.contains("<script"), "{page:?}");
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    let secret = page.body.split_once("into it: ").unwrap().1.split('<').next().unwrap().to_owned();
    let app = App::scan(&format!("otpauth://totp/x:ada?secret={secret}&issuer=x"));
    let page = browser.submit(&site, &Form::of(&page), "", "", "000000").await;
    assert!(page.status == 401 && page.body.contains(&secret), "the same secret again: {page:?}");
    let page = browser.submit(&site, &Form::of(&page), "", "", &app.code(&site)).await;
    assert!(page.body.matches("<pre>").count() == 10 && target(&page).is_none(), "{page:?}");
    let answer = browser.submit(&site, &Form::of(&page), "", "", "").await;
    let token = tokens(&site, &target(&answer).unwrap()).await;
    assert!(site.whoami(&token).await.json()["mfa_at"].is_u64());
    let (_, page) = after_password(&site).await;
    assert!(!page.body.contains("<svg "), "it is set up: {page:?}");
}

#[tokio::test]
async fn it_is_shown_renewed_and_taken_away_in_a_login() {
    let site = Site::open().await;
    let token = log_in(&site).await;
    assert_eq!(site.api("POST", "/v1/mfa", &token, Some("123456")).await.status, 409, "there is none");
    let (app, old) = enrol(&site, &token).await;
    assert_eq!(site.api("POST", "/v1/totp", &token, None).await.status, 409, "there is one");
    site.pass(30);
    assert_eq!(site.api("POST", "/v1/mfa", &token, Some("000000")).await.text("code"), "wrong_code");
    assert_eq!(site.api("POST", "/v1/mfa", &token, Some(&app.code(&site))).await.json()["mfa_at"], site.now());
    assert_eq!(site.api("POST", "/v1/mfa", &token, Some(&app.code(&site))).await.status, 403, "twice");
    site.pass(30);
    let renewed = site.api("POST", "/v1/totp/recovery-codes", &token, Some(&app.code(&site))).await;
    assert_eq!(site.api("POST", "/v1/mfa", &token, Some(&old[0])).await.status, 403, "an old one");
    let fresh = renewed.json()["codes"][0].as_str().unwrap().to_owned();
    assert_eq!(site.api("POST", "/v1/mfa", &token, Some(&fresh)).await.status, 200);
    assert_eq!(site.api("GET", "/v1/totp", &token, None).await.json()["recovery_codes"], 9);
    site.pass(30);
    assert_eq!(site.api("POST", "/v1/totp/remove", &token, Some(&app.code(&site))).await.status, 204);
    assert!(site.whoami(&token).await.json()["mfa_at"].is_null(), "what was shown counts for nothing more");
    assert_eq!(site.api("GET", "/v1/totp", &token, None).await.json()["since"], serde_json::Value::Null);
    // A body that is none tells nothing of what was in it.
    let answer = site.api("POST", "/v1/mfa", &token, None).await;
    assert_eq!(answer.status, 400);
    let token = site.admin.create_user_token(user_token()).await.unwrap();
    assert_eq!(site.api("POST", "/v1/totp", token.expose(), None).await.status, 403);
}

fn user_token() -> crate::broker::UserTokenSpec {
    serde_json::from_value(serde_json::json!({"user": "ada", "ttl": 3600})).unwrap()
}

#[tokio::test]
async fn it_goes_with_the_person_and_with_the_operator_and_not_with_the_password() {
    let site = Site::open().await;
    let ada = "ada".parse().unwrap();
    enrol(&site, &log_in(&site).await).await;
    site.admin.set_password(&ada, PASSWORD.to_owned().into()).await.unwrap();
    let (_, page) = after_password(&site).await;
    assert!(page.body.contains("one-time-code"), "{page:?}");
    site.admin.reset_totp(&ada).await.unwrap();
    assert!(site.admin.reset_totp(&ada).await.is_err(), "twice");
    enrol(&site, &log_in(&site).await).await;
    site.admin.remove_user(&ada).await.unwrap();
    site.admin.add_user(&ada, &[], PASSWORD.to_owned().into()).await.unwrap();
    log_in(&site).await;
    assert_eq!(site.events("totp_removed").await, 1);
}
