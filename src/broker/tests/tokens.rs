//! The life of tokens: expiry, rotation, replay, revocation, and those that an operator makes.

use std::time::Duration;

use super::browser::{Browser, REDIRECT, VERIFIER, authorize_path, parameter};
use super::login::exchange;
use super::site::{Answer, Site};
use crate::broker::admin::UserTokenSpec;
use crate::proto::Action;

async fn log_in(site: &Site) -> Answer {
    let sent = Browser::default().authorize(site, &authorize_path(&[])).await;
    let tokens = exchange(site, &parameter(&sent, "code"), REDIRECT, VERIFIER).await;
    assert_eq!(tokens.status, 200, "{tokens:?}");
    tokens
}

#[tokio::test]
async fn an_access_token_lasts_ten_minutes() {
    let site = Site::open().await;
    let tokens = log_in(&site).await;
    let access = tokens.text("access_token");
    site.pass(599);
    assert_eq!(site.whoami(&access).await.status, 200);
    site.pass(2);
    let late = site.whoami(&access).await;
    assert_eq!((late.status, late.text("code")), (401, "not_logged_in".to_owned()));
    let next = site.refresh(&tokens.text("refresh_token")).await;
    assert_eq!(site.whoami(&next.text("access_token")).await.status, 200);
}

#[tokio::test]
async fn two_programs_at_once_get_the_same_successor() {
    let site = Site::open().await;
    let old = log_in(&site).await.text("refresh_token");
    let (one, two) = tokio::join!(site.refresh(&old), site.refresh(&old));
    assert_eq!((one.status, two.status), (200, 200), "{one:?} {two:?}");
    assert_eq!(one.text("refresh_token"), two.text("refresh_token"));
    assert_ne!(one.text("refresh_token"), old);
    site.pass(29);
    let lost = site.refresh(&old).await;
    assert_eq!(lost.text("refresh_token"), one.text("refresh_token"));
    for answer in [one, two, lost] {
        assert_eq!(site.whoami(&answer.text("access_token")).await.status, 200);
    }
    assert_eq!(site.events("refresh_reuse").await, 0);
}

#[tokio::test]
async fn a_lost_reply_survives_a_restart() {
    let site = Site::open().await;
    let old = log_in(&site).await.text("refresh_token");
    let next = site.refresh(&old).await.text("refresh_token");
    let site = site.restart().await;
    assert_eq!(site.refresh(&old).await.text("refresh_token"), next);
    assert_eq!(site.refresh(&next).await.status, 200);
}

#[tokio::test]
async fn an_old_refresh_token_ends_the_login() {
    let site = Site::open().await;
    let old = log_in(&site).await.text("refresh_token");
    let next = site.refresh(&old).await;
    site.pass(31);
    site.refresh(&old).await.is_refusal("invalid_grant");
    site.refresh(&next.text("refresh_token")).await.is_refusal("invalid_grant");
    assert_eq!(site.whoami(&next.text("access_token")).await.status, 401);
    assert_eq!(site.events("refresh_reuse").await, 1);
}

#[tokio::test]
async fn a_successor_in_use_ends_its_predecessor() {
    let site = Site::open().await;
    let first = log_in(&site).await.text("refresh_token");
    let second = site.refresh(&first).await.text("refresh_token");
    assert_eq!(site.refresh(&second).await.status, 200);
    site.pass(31);
    site.refresh(&first).await.is_refusal("invalid_grant");
    assert_eq!(site.events("refresh_reuse").await, 1);
}

#[tokio::test]
async fn a_login_ends_with_the_working_day() {
    let site = Site::open().await;
    let tokens = log_in(&site).await;
    site.pass(12 * 3600 + 1);
    site.refresh(&tokens.text("refresh_token")).await.is_refusal("invalid_grant");
}

#[tokio::test]
async fn a_revoked_login_is_over_at_once() {
    let site = Site::open().await;
    let tokens = log_in(&site).await;
    let revoke = async |token: &str| site.revoke(&Site::holder(), token).await.status;
    assert_eq!(revoke("never-given").await, 200);
    assert_eq!(revoke(&tokens.text("refresh_token")).await, 200);
    assert_eq!(site.whoami(&tokens.text("access_token")).await.status, 401);
    site.refresh(&tokens.text("refresh_token")).await.is_refusal("invalid_grant");
    assert_eq!(site.events("logout").await, 1);
}

#[tokio::test]
async fn a_removed_user_is_out_at_once() {
    let site = Site::open().await;
    let tokens = log_in(&site).await;
    site.admin.remove_user(&"ada".parse().unwrap()).await.unwrap();
    assert_eq!(site.whoami(&tokens.text("access_token")).await.status, 401);
    site.refresh(&tokens.text("refresh_token")).await.is_refusal("invalid_grant");
}

#[tokio::test]
async fn an_operator_makes_narrow_tokens() {
    let site = Site::open().await;
    let actions = Some([Action::Exec].into_iter().collect());
    let spec = UserTokenSpec {
        user: "ada".parse().unwrap(),
        ttl: Duration::from_secs(3600),
        actions,
        containers: vec!["tomcat-*".to_owned()],
    };
    let token = site.admin.create_user_token(spec).await.unwrap();
    let me = site.whoami(token.expose()).await;
    assert_eq!((me.status, me.text("user")), (200, "ada@local".to_owned()), "{me:?}");
    assert!(me.text("limited_to").contains("exec"), "{me:?}");
    site.pass(3601);
    assert_eq!(site.whoami(token.expose()).await.status, 401);
}

#[tokio::test]
async fn other_grants_and_other_clients_are_refused() {
    let site = Site::open().await;
    site.token(&[("grant_type", "password"), ("username", "ada"), ("password", "x")])
        .await
        .is_refusal("unsupported_grant_type");
    let answer =
        site.post("/oauth/token", &[], &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", "evil")]).await;
    assert!([400, 401].contains(&answer.status) && answer.json()["error"] == "invalid_client", "{answer:?}");
    site.token(&[]).await.is_refusal("invalid_request");
    site.token(&[("grant_type", "refresh_token")]).await.is_refusal("invalid_request");
    site.refresh("never-given").await.is_refusal("invalid_grant");
}
