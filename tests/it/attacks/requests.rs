//! What is stolen from a client, or changed on its way: tokens, connects, keys. And names that are paths.

use std::path::Path;
use std::time::Duration;

use russh::keys::ssh_key::Certificate;
use ztctl::broker::UserTokenSpec;
use ztctl::proto::Action;
use ztctl::ssh::new_key;

use super::{accepts, enter, scene};
use crate::world::{Opened, World, request};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_stolen_whole_is_worth_nothing_after_the_logout() {
    let world = World::start().await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    // Tokens, key and all: the home.
    let thief = world.stranger("thief");
    copy(&ada.home(), &thief.home());
    assert_eq!(thief.run(&["ls", "--output", "name"]).await.stdout, format!("{name}\n"));
    assert_eq!(ada.run(&["logout"]).await.code, 0);
    assert_eq!(thief.run(&["ls"]).await.code, 3);
    let entered = thief.run(&["exec", &name, "--", "true"]).await;
    assert!(entered.code == 255 && entered.stderr.contains("ztctl login"), "{}", entered.stderr);
}

/// Copies a folder with all that is in it, modes too.
fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let there = to.join(entry.file_name());
        if entry.path().is_dir() {
            std::fs::create_dir_all(&there).unwrap();
            copy(&entry.path(), &there);
            std::fs::set_permissions(&there, entry.metadata().unwrap().permissions()).unwrap();
        } else {
            std::fs::copy(entry.path(), &there).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_connect_is_no_way_in() {
    let (_world, _agent, api, name) = scene().await;
    let key = new_key().unwrap();
    let asked = request(&name, &key, &[Action::Shell]);
    let (first, own_link) = api.connect(&asked).await.unwrap();
    // Whoever has seen the request sends it again: the answer is for the key of the one who asked first.
    let (second, link) = api.connect(&asked).await.unwrap();
    assert_ne!((first.session, &first.certificate), (second.session, &second.certificate));
    let certificate = Certificate::from_openssh(&second.certificate).unwrap();
    assert_eq!(enter(link, "default", new_key().unwrap(), certificate).await.err().as_deref(), Some("refused"));
    // Nor is the first one's certificate good on a link that was asked for later.
    let (_, link) = api.connect(&asked).await.unwrap();
    let certificate = Certificate::from_openssh(&first.certificate).unwrap();
    assert_eq!(enter(link, "default", key.clone(), certificate.clone()).await.err().as_deref(), Some("refused"));
    // And the control.
    enter(own_link, "default", key, certificate).await.expect("the one who asked is let in");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_public_key_that_was_swapped_on_the_way_is_no_way_in_for_the_client() {
    let (world, _agent, api, name) = scene().await;
    // What stands between client and broker puts a key of its own into the request.
    let (own, theirs) = (new_key().unwrap(), new_key().unwrap());
    let (reply, link) = api.connect(&request(&name, &theirs, &[Action::Shell])).await.unwrap();
    let opened = Opened { key: own, reply, link: Box::new(tokio::io::duplex(1).0) };
    assert!(!accepts(&world, opened, link).await, "the client goes on with a certificate for a key that is not its own");
}

/// What could be a path somewhere, or the end of a text: refused by the program before anything is sent, and by the broker.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_paths_are_refused() {
    let (world, _agent, _, name) = scene().await;
    let ada = world.stranger("ada");
    ada.log_in(&world).await;
    let tricks = [
        "../../etc/passwd",
        "..",
        "web/../db",
        "..%2f..%2fetc",
        "%00",
        "web\u{1b}[2J",
        "web\nforged",
        "-oProxyCommand=id",
        "$(id)",
    ];
    for trick in tricks {
        for arguments in [&["exec", trick, "--", "true"][..], &["why", trick], &["cp", &format!("{trick}:/etc/hostname"), "x"]]
        {
            let said = ada.run(arguments).await;
            assert!([1, 2, 4, 255].contains(&said.code), "{arguments:?}: {} {}", said.code, said.stderr);
            let acts = |letter: char| letter != '\n' && letter.is_control();
            assert!(!said.stderr.contains(acts), "{}", said.stderr.escape_debug());
        }
    }
    let spec =
        UserTokenSpec { user: "ada".parse().unwrap(), ttl: Duration::from_secs(600), actions: None, containers: Vec::new() };
    let token = world.admin.create_user_token(spec).await.unwrap().expose().clone();
    let ask = async |method: &str, path: &str| {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: b\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
        world.raw(head.as_bytes()).await
    };
    for path in [
        "/v1/why/..%2f..%2fv1%2fca/default",
        "/v1/why/%00/default",
        "/v1/why/%ff/default",
        &format!("/v1/why/{name}/..%2froot"),
        &format!("/v1/why/{name}/-x"),
        "/v1/why/../../v1/ca/default",
        "/v1/containers/../../../etc/passwd",
        "//v1/containers",
        "/v1/containers%2f..%2fca",
    ] {
        let answer = ask("GET", path).await;
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(["400", "404"].contains(&status) && answer.contains(r#""code":""#), "{path}: {answer}");
    }
    for id in ["..%2f..", "%00", "%ff", "x"] {
        let answer = ask("DELETE", &format!("/v1/sessions/{id}")).await;
        assert!(answer.contains(r#""code":"not_found""#), "{id}: {answer}");
    }
}
