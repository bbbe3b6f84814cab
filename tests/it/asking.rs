//! Asking: a request, those who may answer it, the session that goes on by itself and ends with its approval, the page in a browser, the
//! alarm of broken glass, and whom other servers hear of it from.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use ztctl::broker::audit::Event;
use ztctl::broker::config::{Config, NotifyOf};
use ztctl::broker::{AuditQuery, LockWish};
use ztctl::proto::Secret;
use ztctl::proto::asking::RequestAnswer;

use crate::browser::Browser;
use crate::locks::{lock, running};
use crate::mfa::{code, enrol};
use crate::pager::{Pager, until};
use crate::screen::Screen;
use crate::world::{PASSWORD, Person, World};

const POLICY: &str = r#"
@id("sees") permit (principal in Group::"dev", action == Action::"list", resource) when { resource.app == "web" };
@id("sees-as-well") permit (principal in Group::"leads", action == Action::"list", resource);
@id("asks") @approval("leads,sre")
permit (principal in Group::"dev", action in [Action::"shell", Action::"exec"], resource) when { resource.app == "web" };
@id("free") permit (principal in Group::"dev", action == Action::"copy", resource) when { resource.app == "web" };
"#;

async fn world(policy: &str, change: impl FnOnce(&mut Config)) -> World {
    World::configured("127.0.0.1", policy, change).await
}

/// Makes a request and returns its id.
async fn asked(person: &Person, name: &str, more: &[&str]) -> String {
    let arguments = [&["request", name, "--reason", "ticket 4711", "--no-wait"], more].concat();
    let said = person.run(&arguments).await;
    assert_eq!(said.code, 0, "{}", said.stderr);
    said.stdout.trim().to_owned()
}

async fn requests(person: &Person) -> Vec<Value> {
    let said = person.run(&["requests", "--output", "json"]).await;
    serde_json::from_str::<Value>(&said.stdout).unwrap()["requests"].as_array().unwrap().clone()
}

async fn events(world: &World) -> Vec<Event> {
    world.admin.audit(AuditQuery::default()).await.unwrap().into_iter().map(|record| record.event).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_approved_is_what_was_asked_and_by_whom_it_may_be() {
    let world = world(POLICY, |_| ()).await;
    let (_web, _db) = (world.agent("web").await, world.agent("db").await);
    let (ada, eve) = (world.person("ada", &["dev", "sre"]).await, world.person("eve", &["dev"]).await);
    let (bob, dan) = (world.person("bob", &["sre"]).await, world.person("dan", &["ops"]).await);
    let name = ada.names(1).await.remove(0);
    let exec =
        async |person: &Person, more: &[&str]| person.run(&[&["exec"], more, &[name.as_str(), "--", "true"]].concat()).await;
    let refused = exec(&ada, &[]).await;
    assert_eq!(refused.code, 255);
    assert!(refused.stderr.contains("policy asks for an approval by a member of leads or sre"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: ztctl request NAME"), "{}", refused.stderr);
    let why = ada.run(&["why", &name]).await.stdout;
    assert!(why.contains("with an approval by leads or sre"), "{why}");

    // What may not be listed is not there, and what needs no approval needs no request.
    let request = async |name: &str, more: &[&str]| ada.run(&[&["request", name, "--reason", "x"], more].concat()).await;
    let unseen = request("db", &[]).await;
    assert_eq!(unseen.code, 4);
    assert_eq!(request("nothing", &[]).await.stderr.replace("nothing", "db"), unseen.stderr);
    let free = request(&name, &["--action", "copy"]).await;
    assert!(free.code == 4 && free.stderr.contains("allows it in"), "{}", free.stderr);
    let never = request(&name, &["--action", "logs"]).await;
    assert!(never.code == 4 && never.stderr.contains("does not allow you logs"), "{}", never.stderr);
    assert!(request(&name, &["--replicas"]).await.stderr.contains("has no owner"));
    assert_eq!(request(&name, &["--for", "25h"]).await.code, 2);
    assert_eq!(ada.run(&["request", &name, "--reason", "a\u{1b}[2Jb"]).await.code, 2);
    assert_eq!(ada.run(&["request", &name]).await.code, 2, "nobody to ask for a reason");

    let id = asked(&ada, &name, &["--action", "exec", "--for", "10m"]).await;
    assert_eq!(asked(&ada, &name, &["--action", "exec", "--for", "10m"]).await, id, "the same is the same request");
    // Who asks cannot answer, though a member of the group; nor who is none, who does not even see it.
    let own = ada.run(&["approve", &id]).await;
    assert!(own.code == 4 && own.stderr.contains("nobody answers their own request"), "{}", own.stderr);
    assert!(own.stderr.contains(&format!("ztctl requests withdraw {id}")), "{}", own.stderr);
    for other in [&dan, &eve] {
        assert!(other.run(&["approve", &id]).await.stderr.contains("there is no request"));
        assert_eq!(requests(other).await, Vec::<Value>::new());
    }
    // A token of the operator's is no person.
    let yes = RequestAnswer { approve: true, seconds: None, reason: None };
    let token = world.api("bob").await.answer_request(id.parse().unwrap(), &yes).await;
    assert!(token.unwrap_err().to_string().contains("by a person who has logged in"));
    assert_eq!(exec(&ada, &[]).await.code, 255);

    // An approver need not see the container, only the request.
    let seen = requests(&bob).await;
    assert_eq!(
        (&seen[0]["id"], &seen[0]["answerable"], &seen[0]["reason"]),
        (&id.as_str().into(), &true.into(), &"ticket 4711".into())
    );
    let table = bob.run(&["requests"]).await.stdout;
    assert!(table.contains("ada@local") && table.contains("waits for you") && table.contains("10m"), "{table}");
    let empty = bob.run(&["approve", "--yes", ""]).await;
    assert!(empty.code == 2 && empty.stderr.contains("id is empty"), "{}", empty.stderr);
    // Nobody says yes by mistake: a script has to mean it.
    let unasked = bob.run(&["approve", &id]).await;
    assert!(unasked.code == 2 && unasked.stderr.contains("--yes"), "{}", unasked.stderr);
    assert!(bob.run(&["approve", "--yes", &id[..6], "--for", "20m"]).await.stderr.contains("the request is for 10m at most"));
    let said = bob.run(&["approve", "--yes", &id[..6], "--for", "5m"]).await;
    assert!(said.code == 0 && said.stderr.contains("approved: ada@local may exec as default in web-"), "{}", said.stderr);
    assert_eq!(exec(&ada, &[]).await.code, 0);
    assert!(exec(&ada, &["--user", "nobody"]).await.stderr.contains("asks for an approval"), "another login");
    assert!(exec(&eve, &[]).await.stderr.contains("asks for an approval"), "another person");
    let shell = ada.run(&["why", &name, "--output", "json"]).await.stdout;
    let verdicts = serde_json::from_str::<Value>(&shell).unwrap()["verdicts"].clone();
    assert_eq!((&verdicts[0]["approved"], &verdicts[1]["approved"]), (&Value::Null, &true.into()), "{verdicts}");
    let length = verdicts[1]["max_session"].as_u64().unwrap();
    assert!((200..=300).contains(&length), "{length}");
    assert!(bob.run(&["approve", "--yes", &id]).await.stderr.contains("is approved already"));

    // Taken back, what stands on it ends within a second.
    let session = running(&ada, &name, &[]).await;
    assert_eq!(bob.run(&["deny", &id, "--reason", "enough"]).await.code, 0);
    let output = tokio::time::timeout(Duration::from_secs(20), session.wait_with_output()).await.unwrap().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("the approval for this session in"), "{stderr}");
    assert!(stderr.contains("was taken back by bob@local: enough"), "{stderr}");
    assert_eq!(exec(&ada, &[]).await.code, 255);

    let events = events(&world).await;
    let count = |wanted: fn(&Event) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::RequestMade(made) if made.user == "ada@local" && made.seconds == 600)), 1);
    assert_eq!(count(|event| matches!(event, Event::RequestRefused(_))), 5);
    assert_eq!(
        count(
            |event| matches!(event, Event::RequestAnswered(answer) if answer.by == "bob@local" && answer.answer == "approved")
        ),
        1
    );
    assert_eq!(count(|event| matches!(event, Event::RequestAnswered(answer) if answer.answer == "revoked")), 1);
    let approved = |event: &&Event| matches!(event, Event::SessionAuthorised(session) if session.approvals == [id.clone()]);
    assert_eq!(events.iter().filter(approved).count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_goes_on_by_itself_and_hears_a_no_and_the_servers_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let (pager, notify) = Pager::start(folder.path(), &[NotifyOf::Request, NotifyOf::Answer]).await;
    *pager.up.lock().unwrap() = false;
    let world = world(POLICY, |config| config.notify = vec![notify]).await;
    let _web = world.agent("web").await;
    let (ada, bob) = (world.person("ada", &["dev"]).await, world.person("bob", &["leads"]).await);
    let name = ada.names(1).await.remove(0);
    let waiting = |reason: &str| {
        let mut command = ada.ztctl(&["request", &name, "--reason", reason]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, lines)
    };
    let (mut child, mut lines) = waiting("first");
    let told = lines.next_line().await.unwrap().unwrap();
    assert!(told.contains("an approval by a member of leads or sre is needed; it is answered with: ztctl approve "), "{told}");
    lines.next_line().await.unwrap();
    // The server is down, and nothing waits for it.
    until("a try", async || *pager.refused.lock().unwrap() > 0).await;
    let id = requests(&bob).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(bob.run(&["approve", "--yes", &id]).await.code, 0);
    let since = Instant::now();
    let approved = lines.next_line().await.unwrap().unwrap();
    println!("approved -> the waiting client goes on {:?}", since.elapsed());
    assert!(approved.starts_with("approved by bob@local until "), "{approved}");
    assert_eq!(lines.next_line().await.unwrap().unwrap(), format!("go on with: ztctl shell {name}"));
    assert!(child.wait().await.unwrap().success());
    *pager.up.lock().unwrap() = true;
    let notices = pager.wait_for(2).await;
    assert_eq!(
        (&notices[0]["event"], &notices[0]["reason"], &notices[0]["request"]),
        (&"request".into(), &"first".into(), &id.as_str().into())
    );
    assert_eq!(notices[0]["url"], format!("{}/requests/{id}", world.url));
    assert_eq!(
        (&notices[1]["event"], &notices[1]["answer"], &notices[1]["by"]),
        (&"answer".into(), &"approved".into(), &"bob@local".into())
    );

    // Withdrawn is gone; a no is told with its reason.
    assert_eq!(ada.run(&["requests", "withdraw", &id[..8]]).await.code, 0);
    let (child, mut lines) = waiting("second");
    lines.next_line().await.unwrap();
    lines.next_line().await.unwrap();
    let open: Vec<Value> = requests(&bob).await;
    let id = open.iter().find(|row| row["reason"] == "second").unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(bob.run(&["deny", &id, "--reason", "not now"]).await.code, 0);
    let denied = lines.next_line().await.unwrap().unwrap();
    assert_eq!(denied, "ztctl: the request was denied by bob@local: not now");
    assert_eq!(child.wait_with_output().await.unwrap().status.code(), Some(4));
    let notices = pager.wait_for(5).await;
    assert_eq!((&notices[2]["answer"], &notices[4]["answer_reason"]), (&"withdrawn".into(), &"not now".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_asks_waits_and_goes_on() {
    let world = world(POLICY, |_| ()).await;
    let _web = world.agent("web").await;
    let (ada, bob) = (world.person("ada", &["dev"]).await, world.person("bob", &["sre"]).await);
    let name = ada.names(1).await.remove(0);
    let shell = || Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &ada.environment(), 30, 120);
    let mut screen = shell();
    screen.wait_for("ask for it now, and wait? [Y/n]");
    screen.type_keys("\r");
    screen.wait_for("why?");
    screen.type_keys("heap is full\r");
    screen.wait_for("waiting for the answer");
    // Left and come back to: it is the same request.
    screen.signal(Signal::INT);
    screen.wait_for("ztctl requests withdraw");
    assert_eq!(screen.wait_exit(), 130);
    screen.wait_as_before();
    let mut screen = shell();
    screen.wait_for("ask for it now");
    screen.type_keys("y\r");
    screen.wait_for("why?");
    screen.type_keys("heap is full\r");
    screen.wait_for("waiting for the answer");
    let open = requests(&bob).await;
    assert_eq!((open.len(), &open[0]["reason"]), (1, &"heap is full".into()));
    assert_eq!(bob.run(&["approve", "--yes", open[0]["id"].as_str().unwrap()]).await.code, 0);
    screen.wait_for("approved by bob@local until ");
    screen.type_keys("echo 're'ady\r");
    screen.wait_for("ready");
    screen.type_keys("exit 7\r");
    assert_eq!(screen.wait_exit(), 7);
    // Who does not want to ask reads what there is to do.
    let eve = world.person("eve", &["dev"]).await;
    let mut screen = Screen::spawn(&[env!("CARGO_BIN_EXE_ztctl"), "shell", &name], &eve.environment(), 30, 120);
    screen.wait_for("ask for it now");
    screen.type_keys("n\r");
    screen.wait_for("hint: ztctl request NAME");
    assert_eq!(screen.wait_exit(), 255);
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_glass_lets_in_at_once_and_is_an_alarm() {
    let folder = tempfile::tempdir().unwrap();
    let (pager, notify) = Pager::start(folder.path(), &[NotifyOf::BreakGlass]).await;
    let policy =
        POLICY.replace("@approval(\"leads,sre\")", "@approval(\"leads,sre\") @break_glass(\"reason\") @max_session(\"15m\")");
    let world = world(&policy, |config| config.notify = vec![notify]).await;
    let _web = world.agent("web").await;
    let (ada, bob) = (world.person("ada", &["dev"]).await, world.person("bob", &["sre"]).await);
    let name = ada.names(1).await.remove(0);
    let exec = async |more: &[&str]| ada.run(&[&["exec"], more, &[name.as_str(), "--", "true"]].concat()).await;
    assert!(exec(&[]).await.stderr.contains("--break-glass --reason 'why' goes in at once"));
    let silent = exec(&["--break-glass"]).await;
    assert!(silent.code == 255 && silent.stderr.contains("add --reason"), "{}", silent.stderr);
    assert_eq!(exec(&["--break-glass", "--reason", "the shop is down"]).await.code, 0);
    let alarm = pager.wait_for(1).await.remove(0);
    assert_eq!(
        (&alarm["event"], &alarm["user"], &alarm["reason"], &alarm["approvers"][0]),
        (&"break_glass".into(), &"ada@local".into(), &"the shop is down".into(), &"leads,sre".into())
    );
    let written = events(&world).await;
    let at = |wanted: &dyn Fn(&Event) -> bool| written.iter().position(wanted).unwrap();
    let broke = at(&|event| matches!(event, Event::BreakGlass(broke) if alarm["session"] == broke.session.to_string()));
    assert!(broke < at(&|event| matches!(event, Event::SessionAuthorised(_))), "the alarm comes first");
    // Who has an approval breaks nothing.
    let id = asked(&ada, &name, &["--action", "exec"]).await;
    assert_eq!(bob.run(&["approve", "--yes", &id]).await.code, 0);
    assert_eq!(exec(&["--break-glass", "--reason", "the shop is down"]).await.code, 0);
    assert_eq!(events(&world).await.iter().filter(|event| matches!(event, Event::BreakGlass(_))).count(), 1);
    assert_eq!(pager.taken().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_at_one_broker_counts_at_the_other() {
    let first = world(POLICY, |_| ()).await;
    let database = format!("sqlite://{}", first.state().join("broker.db").display());
    let second = world(POLICY, |config| config.database = Some(Secret::new(database))).await;
    let _web = second.agent("web").await;
    let (ada, bob) = (second.person("ada", &["dev"]).await, first.person("bob", &["sre"]).await);
    let name = ada.names(1).await.remove(0);
    let mut waiting = ada.ztctl(&["request", &name, "--action", "exec", "--reason", "ticket"]);
    let waiting = waiting.stderr(Stdio::piped()).spawn().unwrap();
    until("the request", async || !requests(&bob).await.is_empty()).await;
    let id = requests(&bob).await[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(bob.run(&["approve", "--yes", &id]).await.code, 0);
    let since = Instant::now();
    assert!(waiting.wait_with_output().await.unwrap().status.success());
    println!("approved at one broker -> the client at the other goes on {:?}", since.elapsed());
    let session = running(&ada, &name, &[]).await;
    let since = Instant::now();
    assert_eq!(bob.run(&["deny", &id]).await.code, 0);
    let output = tokio::time::timeout(Duration::from_secs(20), session.wait_with_output()).await.unwrap().unwrap();
    println!("taken back at one broker -> session at the other ended {:?}", since.elapsed());
    assert!(String::from_utf8_lossy(&output.stderr).contains("was taken back"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_counts_only_from_a_browser_that_was_given_it() {
    let world = world(POLICY, |_| ()).await;
    let _web = world.agent("web").await;
    let ada = world.person("ada", &["dev"]).await;
    for (name, groups) in [("bob", &["sre"][..]), ("dan", &["ops"])] {
        world.account(name, groups).await;
    }
    let name = ada.names(1).await.remove(0);
    let id = asked(&ada, &name, &[]).await;
    let (http, url) = (world.http(), format!("{}/requests/{id}", world.url));
    let form = async |cookie: Option<&str>, fields: &[(&str, &str)]| {
        let post = http.post(&url).form(fields);
        let post = cookie.iter().fold(post, |post, cookie| post.header("cookie", *cookie));
        let answer = post.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let page = http.get(&url).send().await.unwrap();
    let cookie = page.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let text = page.text().await.unwrap();
    let hidden = |text: &str, name: &str| {
        let rest = text.split_once(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name} in {text}")).1;
        rest.split_once('"').unwrap().0.to_owned()
    };
    let csrf = hidden(&text, "form");
    // What is random may have any letters.
    let shown = text.replace(&id, "").replace(&csrf, "");
    assert!(!shown.contains("ada") && !shown.contains("ticket 4711"), "nothing is shown to a stranger: {text}");
    let login = |name| [("username", name), ("password", PASSWORD), ("answer", "show")];
    // Without the token, without the cookie, with another's.
    let (status, text) = form(Some(&cookie), &login("bob")).await;
    assert!(status == 403 && !text.contains("ada@local"), "{text}");
    let with = |fields: &[(&'static str, &'static str)], csrf: &'static str| [fields, &[("form", csrf)]].concat();
    let csrf: &'static str = csrf.leak();
    assert_eq!(form(None, &with(&login("bob"), csrf)).await.0, 403);
    assert_eq!(form(Some(&cookie), &with(&login("bob"), "forged")).await.0, 403);
    assert_eq!(form(Some(&cookie), &with(&[("username", "bob"), ("password", "wrong")], csrf)).await.0, 401);
    assert_eq!(form(Some(&cookie), &with(&login("dan"), csrf)).await.0, 404, "who is not asked");
    let (_, own) = form(Some(&cookie), &with(&login("ada"), csrf)).await;
    assert!(own.contains("your own request") && !own.contains("value=\"approve\""), "{own}");

    let (status, shown) = form(Some(&cookie), &with(&login("bob"), csrf)).await;
    assert!(
        status == 200 && shown.contains("ada@local asks for shell as default in web-") && shown.contains("ticket 4711"),
        "{shown}"
    );
    let visit: &'static str = hidden(&shown, "visit").leak();
    // An answer without the token, without the visit, from another browser: none counts.
    let approve = [("answer", "approve"), ("visit", visit)];
    assert_eq!(form(Some(&cookie), &approve).await.0, 403);
    assert_eq!(form(Some(&cookie), &with(&[("answer", "approve")], csrf)).await.0, 403);
    let other = http.get(&url).send().await.unwrap();
    let other_cookie = other.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let other_csrf: &'static str = hidden(&other.text().await.unwrap(), "form").leak();
    assert_eq!(form(Some(&other_cookie), &with(&approve, other_csrf)).await.0, 403);
    assert_eq!(requests(&ada).await[0]["state"], "open");
    let (status, done) = form(Some(&cookie), &with(&approve, csrf)).await;
    assert!(status == 200 && done.contains("Approved"), "{done}");
    assert_eq!(requests(&ada).await[0]["state"], "approved");
    assert_eq!(form(Some(&cookie), &with(&approve, csrf)).await.0, 403, "a visit is for one answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_approved_in_a_real_browser() {
    let Some(browser) = Browser::start().await else { return };
    let world = world(POLICY, |_| ()).await;
    let _web = world.agent("web").await;
    let ada = world.person("ada", &["dev"]).await;
    world.account("bob", &["leads"]).await;
    let name = ada.names(1).await.remove(0);
    let id = asked(&ada, &name, &["--action", "exec", "--for", "30m"]).await;
    browser.open(&format!("{}/requests/{id}", world.url)).await;
    browser.fill("#username", "bob").await;
    browser.fill("#password", PASSWORD).await;
    browser.click("button[value=show]").await;
    browser.wait_for("ada@local asks for exec").await;
    let text = browser.text().await;
    for part in ["ticket 4711", "this container alone", "For 30m from the approval on"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    browser.click("button[value=approve]").await;
    browser.wait_for("Approved").await;
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 0);

    // Whoever has a second factor shows that as well.
    let carol = world.person("carol", &["leads"]).await;
    let (app, _) = enrol(&carol);
    let id = asked(&ada, &name, &["--action", "shell"]).await;
    browser.open(&format!("{}/requests/{id}", world.url)).await;
    browser.fill("#username", "carol").await;
    browser.fill("#password", PASSWORD).await;
    browser.click("button[value=show]").await;
    browser.wait_for("Second factor").await;
    assert!(!browser.text().await.contains("ada@local"), "nothing of it is shown yet");
    browser.fill("#code", &code(&app, 1)).await;
    browser.click("button[type=submit]").await;
    browser.wait_for("ada@local asks for shell").await;
    browser.click("button[value=deny]").await;
    browser.wait_for("Denied").await;
    assert!(requests(&ada).await.iter().any(|request| request["id"] == id && request["state"] == "denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_locked_out_lets_nobody_else_in() {
    let world = world(POLICY, |_| ()).await;
    let _web = world.agent("web").await;
    let ada = world.person("ada", &["dev"]).await;
    let bob = world.person("bob", &["leads"]).await;
    let name = ada.names(1).await.remove(0);
    let id = asked(&ada, &name, &["--action", "exec"]).await;
    let made = world.admin.add_lock(lock(LockWish::User("bob".parse().unwrap()), "a lost laptop")).await.unwrap();
    for words in [&["approve", "--yes"][..], &["deny"]] {
        let said = bob.run(&[words, &[&id]].concat()).await;
        assert_eq!(said.code, 4, "{}", said.stderr);
        assert!(said.stderr.contains("you are locked out: a lost laptop"), "{}", said.stderr);
    }
    assert_eq!(requests(&ada).await[0]["state"], "open");
    world.admin.remove_lock(&made.lock.id).await.unwrap();
    assert_eq!(bob.run(&["approve", "--yes", &id]).await.code, 0);
}
