//! The login in a browser: PKCE, the loopback redirect, CSRF, wrong passwords.

use super::browser::{Browser, Form, REDIRECT, VERIFIER, authorize_path, parameter, target};
use super::site::{Answer, PASSWORD, Site};

/// Trades a code for tokens.
pub(super) async fn exchange(site: &Site, code: &str, redirect: &str, verifier: &str) -> Answer {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", redirect), ("code_verifier", verifier)];
    site.token(&form).await
}

#[tokio::test]
async fn a_person_logs_in() {
    let site = Site::open().await;
    let sent = Browser::default().authorize(&site, &authorize_path(&[])).await;
    assert!(sent.starts_with(&format!("{REDIRECT}?")), "{sent}");
    assert_eq!(parameter(&sent, "state"), "the-state");
    let tokens = exchange(&site, &parameter(&sent, "code"), REDIRECT, VERIFIER).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    assert!(tokens.header("cache-control").contains("no-store"));
    assert_eq!(tokens.text("token_type").to_ascii_lowercase(), "dpop");
    assert_eq!(tokens.json()["expires_in"], 600);
    let me = site.whoami(&tokens.text("access_token")).await;
    assert_eq!((me.status, me.text("user")), (200, "ada@local".to_owned()), "{me:?}");
    assert_eq!(me.json()["groups"], serde_json::json!(["developers"]));
    assert_eq!(site.events("login").await, 1);
}

#[tokio::test]
async fn a_code_is_good_once_and_for_who_asked() {
    let site = Site::open().await;
    let code = |sent: String| parameter(&sent, "code");
    let path = authorize_path(&[]);
    let mut browser = Browser::default();

    let first = code(browser.authorize(&site, &path).await);
    exchange(&site, &first, REDIRECT, &"wrong".repeat(10)).await.is_refusal("invalid_grant");
    let second = code(browser.authorize(&site, &path).await);
    exchange(&site, &second, "http://127.0.0.1:49153/callback", VERIFIER).await.is_refusal("invalid_grant");
    let third = code(browser.authorize(&site, &path).await);
    assert_eq!(exchange(&site, &third, REDIRECT, VERIFIER).await.status, 200);
    exchange(&site, &third, REDIRECT, VERIFIER).await.is_refusal("invalid_grant");
    let late = code(browser.authorize(&site, &path).await);
    site.pass(3600);
    exchange(&site, &late, REDIRECT, VERIFIER).await.is_refusal("invalid_grant");
}

#[tokio::test]
async fn a_request_that_could_be_a_trap_shows_no_form_and_sends_nowhere() {
    let site = Site::open().await;
    for (name, value) in [
        ("redirect_uri", "http://evil.example/callback"),
        ("redirect_uri", "https://127.0.0.1:49152/callback"),
        ("redirect_uri", "http://127.0.0.1:49152/other"),
        ("redirect_uri", "http://localhost:49152/callback"),
        ("redirect_uri", "http://127.0.0.1@evil.example:49152/callback"),
        ("redirect_uri", "http://127.0.0.1.evil.example/callback"),
        ("redirect_uri", "http://127.0.0.1:49152/callback#x"),
        ("redirect_uri", "javascript:alert(1)"),
        ("redirect_uri", ""),
        ("client_id", "other"),
    ] {
        let page = Browser::default().get(&site, &authorize_path(&[(name, value)])).await;
        assert!([400, 401].contains(&page.status), "{name}={value}: {page:?}");
        assert!(Form::find(&page).is_none() && page.header("location").is_empty(), "{name}={value}: {page:?}");
    }
    for (name, value) in [
        ("state", ""),
        ("code_challenge", ""),
        ("code_challenge", "short"),
        ("code_challenge_method", "plain"),
        ("code_challenge_method", ""),
        ("dpop_jkt", ""),
        ("dpop_jkt", "short"),
        ("response_type", "token"),
    ] {
        let page = Browser::default().get(&site, &authorize_path(&[(name, value)])).await;
        let told = target(&page).is_some_and(|sent| sent.contains("error="));
        assert!(Form::find(&page).is_none() && (page.status == 400 || told), "{name}={value}: {page:?}");
    }
}

#[tokio::test]
async fn a_form_of_another_window_is_refused() {
    let site = Site::open().await;
    let (mut own, mut other) = (Browser::default(), Browser::default());
    let form = Form::of(&own.get(&site, &authorize_path(&[])).await);
    other.get(&site, &authorize_path(&[])).await;
    for window in [&mut Browser::default(), &mut other] {
        let answer = window.submit(&site, &form, "ada", PASSWORD, "").await;
        assert!((400..500).contains(&answer.status) && target(&answer).is_none(), "{answer:?}");
    }
    let bare: Vec<[String; 4]> = form.fields.iter().filter(|[_, _, kind, _]| kind != "hidden").cloned().collect();
    let answer = own.submit(&site, &Form { action: form.action.clone(), fields: bare }, "ada", PASSWORD, "").await;
    assert!((400..500).contains(&answer.status) && target(&answer).is_none(), "{answer:?}");
    assert_eq!(site.events("login").await, 0);
}

#[tokio::test]
async fn a_cookie_that_somebody_planted_is_nobodys_login() {
    let site = Site::open().await;
    let mut thief = Browser::default();
    thief.get(&site, &authorize_path(&[])).await;
    // The victim logs in with the thief's cookie in the browser: it binds forms, and logs nobody in.
    let mut victim = thief.clone();
    let sent = victim.authorize(&site, &authorize_path(&[])).await;
    assert!(sent.contains("code="), "{sent}");
    for path in [authorize_path(&[]), "/device".to_owned()] {
        let page = thief.get(&site, &path).await;
        assert!(Form::find(&page).is_some() && target(&page).is_none(), "{page:?}");
        let answer = thief.submit(&site, &Form::of(&page), "ada", "guess", "BCDF-GHJK").await;
        assert!((400..500).contains(&answer.status) && target(&answer).is_none(), "{answer:?}");
    }
}

#[tokio::test]
async fn nobody_learns_who_has_an_account() {
    let site = Site::open().await;
    let mut answers = Vec::new();
    for name in ["ada", "eve"] {
        let mut browser = Browser::default();
        let form = Form::of(&browser.get(&site, &authorize_path(&[])).await);
        let answer = browser.submit(&site, &form, name, "wrong password", "").await;
        // What differs between any two pages: the CSRF token, and the name that was typed.
        let again = Form::of(&answer);
        let body = again.fields.iter().fold(answer.body.clone(), |body, [_, value, _, _]| {
            if value.is_empty() { body } else { body.replace(value.as_str(), "") }
        });
        assert!(!answer.body.contains("wrong password"));
        answers.push((answer.status, body));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(site.events("login_failed").await, 2);
}

#[tokio::test]
async fn guessing_is_slowed_down_and_other_people_are_not() {
    let site = Site::open().await;
    let mut browser = Browser::default();
    let mut page = browser.get(&site, &authorize_path(&[])).await;
    let mut tries = 0;
    while page.status != 429 {
        tries += 1;
        assert!(tries < 30, "never slowed down: {page:?}");
        let form = Form::of(&page);
        page = browser.submit(&site, &form, "eve", "guess", "").await;
    }
    assert!(tries > 3, "a person mistypes more often than {tries} times");
    site.pass(3600);
    let sent = Browser::default().authorize(&site, &authorize_path(&[])).await;
    assert!(sent.contains("code="), "{sent}");
}

#[tokio::test]
async fn pages_are_safe_to_show() {
    let site = Site::open().await;
    let hostile = "\"><script>alert(1)</script>";
    for path in [
        authorize_path(&[("state", hostile)]),
        format!("/device?{}", super::site::encode(&[("user_code", hostile)])),
        "/device".to_owned(),
    ] {
        let page = Browser::default().get(&site, &path).await;
        assert!(!page.body.contains("<script"), "{path}: {page:?}");
        let policy = page.header("content-security-policy");
        for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
        assert!(page.header("cache-control").contains("no-store"), "{path}");
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(page.body.contains("name=\"viewport\"") && page.body.contains("<label"), "{path}");
    }
    let page = Browser::default().get(&site, &authorize_path(&[])).await;
    for word in ["autocomplete=\"username\"", "autocomplete=\"current-password\""] {
        assert!(page.body.contains(word), "{word}: {page:?}");
    }
}
