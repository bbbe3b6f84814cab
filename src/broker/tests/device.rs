//! The login by a code, RFC 8628.

use super::browser::{Browser, Form};
use super::site::{Answer, PASSWORD, Site, encode};

async fn start(site: &Site) -> Answer {
    let answer = site.post("/oauth/device", &[], &[("client_id", "ztctl")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

async fn poll(site: &Site, device_code: &str) -> Answer {
    site.token(&[("grant_type", "urn:ietf:params:oauth:grant-type:device_code"), ("device_code", device_code)]).await
}

/// Goes through the page's forms until there is no more to fill in.
async fn enter(site: &Site, path: &str, code: &str) -> Answer {
    let mut browser = Browser::default();
    let mut page = browser.get(site, path).await;
    for _ in 0..3 {
        let Some(form) = Form::find(&page) else { break };
        let last = form.has_password();
        page = browser.submit(site, &form, "ada", PASSWORD, code).await;
        if page.status >= 400 || (last && Form::find(&page).is_none()) {
            break;
        }
    }
    page
}

#[tokio::test]
async fn a_code_is_entered_elsewhere() {
    let site = Site::open().await;
    let started = start(&site).await;
    let (device, user) = (started.text("device_code"), started.text("user_code"));
    assert!(started.text("verification_uri").ends_with("/device"));
    assert!(!user.contains(['0', 'O', '1', 'I']), "a person reads {user} out on the phone");
    assert!(started.json()["expires_in"].as_u64().unwrap() <= 3600);
    site.pass(6);
    poll(&site, &device).await.is_refusal("authorization_pending");
    poll(&site, &device).await.is_refusal("slow_down");
    let page = enter(&site, "/device", &user.to_lowercase()).await;
    assert_eq!(page.status, 200, "{page:?}");
    site.pass(30);
    let tokens = poll(&site, &device).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    assert_eq!(site.whoami(&tokens.text("access_token")).await.text("user"), "ada@local");
    site.pass(30);
    poll(&site, &device).await.is_refusal("invalid_grant");
}

#[tokio::test]
async fn the_complete_address_has_the_code_filled_in() {
    let site = Site::open().await;
    let started = start(&site).await;
    let complete: url::Url = started.text("verification_uri_complete").parse().unwrap();
    let path = format!("{}?{}", complete.path(), complete.query().unwrap());
    let page = Browser::default().get(&site, &path).await;
    assert!(page.body.contains(&started.text("user_code")), "{page:?}");
    let page = enter(&site, &path, "").await;
    assert_eq!(page.status, 200, "{page:?}");
    site.pass(30);
    assert_eq!(poll(&site, &started.text("device_code")).await.status, 200);
}

#[tokio::test]
async fn a_device_is_not_approved_from_another_site() {
    let site = Site::open().await;
    let started = start(&site).await;
    let code = started.text("user_code");
    let answer = [("user_code", code.as_str()), ("username", "ada"), ("password", PASSWORD), ("answer", "allow")];
    // Another site's form has the cookie at the best, and never what stands on our page.
    let mut victim = Browser::default();
    victim.get(&site, "/device").await;
    for browser in [&mut Browser::default(), &mut victim] {
        assert_eq!(browser.post(&site, "/device", &answer).await.status, 403);
        let guessed: Vec<_> = answer.into_iter().chain([("form", "guessed")]).collect();
        assert_eq!(browser.post(&site, "/device", &guessed).await.status, 403);
    }
    site.pass(6);
    poll(&site, &started.text("device_code")).await.is_refusal("authorization_pending");
}

#[tokio::test]
async fn the_operator_approves() {
    let site = Site::open().await;
    let started = start(&site).await;
    let ada = "ada".parse().unwrap();
    assert!(site.admin.approve_device("WRONG-CODE", &ada).await.is_err());
    assert!(site.admin.approve_device(&started.text("user_code"), &"nobody".parse().unwrap()).await.is_err());
    site.admin.approve_device(&started.text("user_code"), &ada).await.unwrap();
    assert!(site.admin.approve_device(&started.text("user_code"), &ada).await.is_err(), "approved twice");
    site.pass(10);
    assert_eq!(poll(&site, &started.text("device_code")).await.status, 200);
}

#[tokio::test]
async fn a_code_expires() {
    let site = Site::open().await;
    let started = start(&site).await;
    site.pass(started.json()["expires_in"].as_u64().unwrap() + 1);
    poll(&site, &started.text("device_code")).await.is_refusal("expired_token");
    assert!(site.admin.approve_device(&started.text("user_code"), &"ada".parse().unwrap()).await.is_err());
    let unknown = poll(&site, "never-given").await;
    assert!(
        unknown.status == 400 && ["invalid_grant", "expired_token"].contains(&unknown.text("error").as_str()),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn guessing_codes_is_slowed_down() {
    let site = Site::open().await;
    let mut browser = Browser::default();
    let mut page = browser.get(&site, "/device").await;
    for tries in 0.. {
        assert!(tries < 40, "never slowed down: {page:?}");
        if page.status == 429 {
            break;
        }
        let Some(form) = Form::find(&page) else {
            page = browser.get(&site, &format!("/device?{}", encode(&[]))).await;
            continue;
        };
        page = browser.submit(&site, &form, "ada", PASSWORD, "BCDF-GHJK").await;
    }
    assert_eq!(site.events("login").await, 0);
}

#[tokio::test]
async fn a_right_code_costs_nothing_and_takes_no_guess_back() {
    let site = Site::open().await;
    let code = start(&site).await.text("user_code");
    let look = async |code: &str| {
        let page = Browser::default().get(&site, &format!("/device?{}", encode(&[("user_code", code)]))).await;
        page.status
    };
    // An office behind one address.
    for _ in 0..30 {
        assert_eq!(look(&code).await, 200);
    }
    // A guesser who brings a code of their own along.
    let mut guesses = 0;
    while look("BCDF-GHJK").await == 404 {
        look(&code).await;
        guesses += 1;
        assert!(guesses <= 10, "never slowed down");
    }
    assert_eq!(guesses, 10);
}
