//! `ztctl ls`: containers come and go by themselves, and only what policy allows is there.

use std::time::Duration;

use ztctl::broker::AuditQuery;
use ztctl::broker::audit::Event;

use crate::screen::Screen;
use crate::world::World;

/// A container that starts or ends is seen within this, on however busy a machine; the benchmark has how long it takes.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn containers_come_and_go_by_themselves() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let empty = ada.run(&["ls"]).await;
    assert_eq!((empty.code, empty.stdout.as_str()), (0, ""));
    assert!(empty.stderr.contains("policy") && empty.stderr.contains("ada"), "{}", empty.stderr);
    let first = world.agent("tomcat").await;
    ada.names_within(1, SOON).await;
    let second = world.agent("tomcat").await;
    let names = ada.names_within(2, SOON).await;
    assert!(names.iter().all(|name| name.starts_with("tomcat-")) && names[0] != names[1], "{names:?}");
    first.stop().await;
    assert_eq!(ada.names_within(1, SOON).await.len(), 1);
    second.vanish();
    ada.names_within(0, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_restart_of_the_broker_whoever_asks_waits_for_the_agents_that_come_back() {
    let mut world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let agent = world.agent("web").await;
    let name = ada.names(1).await.remove(0);
    world.restart().await;
    assert_eq!(ada.run(&["ls", "--output", "name"]).await.stdout.trim(), name);
    // Another agent: one's attempts of two restarts add up, so that it may be later than anybody waits.
    agent.stop().await;
    ada.names_within(0, SOON).await;
    let agent = world.agent("web").await;
    let name = ada.names(1).await.remove(0);
    world.restart().await;
    assert_eq!(ada.run(&["exec", &name, "--", "echo", "at once"]).await.stdout, "at once\n");

    // One that does not come holds nobody up for long, and what is missing is said.
    world.stop().await;
    agent.stop().await;
    world.restart().await;
    let list = ada.run(&["ls"]).await;
    let warning =
        "warning: the broker has just started, and not every agent is back: for half a minute containers may be missing\n";
    assert_eq!((list.code, list.stdout.as_str(), list.stderr.as_str()), (0, "", warning));
    let begin = std::time::Instant::now();
    assert_eq!(
        ada.run(&["ls", "-o", "json"]).await.stdout.split_whitespace().collect::<String>(),
        r#"{"containers":[],"incomplete":true}"#
    );
    let absent = ada.run(&["exec", &name, "--", "true"]).await;
    assert!(absent.code == 255 && absent.stderr.contains("has just started"), "{absent:?}");
    assert!(begin.elapsed() < Duration::from_secs(5), "the time to wait is over: {:?}", begin.elapsed());
    // Who means all does not mean some.
    let mut all = ada.ztctl(&["exec", "--all", "--yes", "--", "true"]).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut said = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(all.stderr.take().unwrap()));
    let mut next = async || tokio::time::timeout(SOON, said.next_line()).await.unwrap().unwrap();
    let first = next().await.unwrap();
    assert!(first.contains("until every agent is back") && all.try_wait().unwrap().is_none(), "{first}");
    for agent in world.admin.agents().await.unwrap() {
        world.admin.remove_agent(agent.id).await.unwrap();
    }
    let last = next().await.unwrap();
    assert!(last.contains("no such container"), "{last}");
    all.wait().await.unwrap();
    let none = ada.run(&["ls"]).await.stderr;
    assert!(none.contains("no containers") && !none.contains("has just started"), "nobody waits for a removed one: {none}");

    // Nor for one that had left before.
    let agent = world.agent("db").await;
    ada.names_within(1, SOON).await;
    let id = world.admin.agents().await.unwrap()[0].id;
    agent.stop().await;
    ada.names_within(0, SOON).await;
    let deadline = std::time::Instant::now() + SOON;
    let left = |event: &Event| matches!(event, Event::AgentGone { agent, .. } if *agent == id);
    while !world.admin.audit(AuditQuery::default()).await.unwrap().iter().any(|record| left(&record.event)) {
        assert!(std::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    world.restart().await;
    assert!(ada.run(&["ls"]).await.stderr.contains("no containers"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_hangs_without_a_word_leaves_the_list() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    // A process of its own, so that it can be stopped without its connections being closed.
    let token = world.join_token(1).await.encode();
    let file = world.root().with_file_name("join");
    std::fs::write(&file, token.expose()).unwrap();
    let mut agent = std::process::Command::new(env!("CARGO_BIN_EXE_ztagent"))
        .args(["run", "--app", "frozen", "--join-token-file", &file.display().to_string(), "--", "sleep", "600"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    ada.names_within(1, Duration::from_secs(5)).await;
    let pid = rustix::process::Pid::from_raw(agent.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    ada.names_within(0, Duration::from_secs(15)).await;
    // And it comes back by itself.
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    ada.names_within(1, Duration::from_secs(6)).await;
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    agent.wait().unwrap();
    ada.names_within(0, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_sees_what_policy_allows_and_names_are_unique_for_the_viewer() {
    let world = World::with_policy(
        r#"
        @id("web for developers")
        permit (principal in Group::"developers", action in [Action::"list", Action::"shell", Action::"exec"], resource)
        when { resource.app == "web" };
        @id("operators see all")
        permit (principal in Group::"operators", action == Action::"list", resource);
        "#,
    )
    .await;
    let (_web, _db) = (world.agent("web").await, world.agent("db").await);
    let (dev, ops) = (world.person("dev", &["developers"]).await, world.person("ops", &["operators"]).await);
    let nobody = world.person("nobody", &[]).await;
    let all = ops.names(2).await;
    let web = dev.names(1).await.remove(0);
    assert!(web.starts_with("web-"));
    assert_eq!(nobody.names(0).await.len(), 0);
    let db = all.iter().find(|name| name.starts_with("db-")).unwrap();
    // One that may not be listed and one that never was: the same words, the same status.
    let hidden = dev.run(&["exec", db, "--", "true"]).await;
    let absent = dev.run(&["exec", "db-000", "--", "true"]).await;
    assert_eq!(hidden.stderr.replace(db.as_str(), "NAME"), absent.stderr.replace("db-000", "NAME"));
    assert_eq!((hidden.code, absent.code), (255, 255));
    // Seen, but no more than that.
    let seen = ops.run(&["exec", &web, "--", "true"]).await;
    assert_eq!(seen.code, 255);
    assert!(seen.stderr.contains("policy does not allow you exec"), "{}", seen.stderr);
    assert_eq!(dev.run(&["exec", &web, "--", "true"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_for_people_and_for_programs() {
    let world = World::start().await;
    let _agent = world.agent("tomcat").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let table = ada.run(&["ls"]).await.stdout;
    let titles: Vec<&str> = table.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(titles, ["NAME", "APP", "IMAGE", "WHERE", "STATE", "AGE", "AGENT"]);
    assert!(table.lines().nth(1).unwrap().starts_with(&name));
    let json: serde_json::Value = serde_json::from_str(&ada.run(&["ls", "--output", "json"]).await.stdout).unwrap();
    let row = &json["containers"][0];
    assert_eq!(
        (row["app"].as_str(), row["state"].as_str(), row["location"].as_str()),
        (Some("tomcat"), Some("running"), Some("testhost"))
    );
    assert!(row["full_name"].as_str().unwrap().starts_with(&name));
}

#[tokio::test(flavor = "multi_thread")]
async fn names_resolve_and_are_never_guessed() {
    let world = World::start().await;
    let (_one, _two) = (world.agent("tomcat").await, world.agent("tomcat").await);
    let ada = world.person("ada", &[]).await;
    let names = ada.names(2).await;
    let json: serde_json::Value = serde_json::from_str(&ada.run(&["ls", "--output", "json"]).await.stdout).unwrap();
    let row = &json["containers"][0];
    for target in [row["name"].as_str(), row["full_name"].as_str(), row["id"].as_str()] {
        let said = ada.run(&["exec", target.unwrap(), "--", "true"]).await;
        assert_eq!(said.code, 0, "{target:?}: {}", said.stderr);
    }
    let ambiguous = ada.run(&["exec", "tomcat", "--", "true"]).await;
    assert_eq!(ambiguous.code, 255);
    assert!(names.iter().all(|name| ambiguous.stderr.contains(name.as_str())), "{}", ambiguous.stderr);
    let unknown = ada.run(&["exec", "nothing-like-it", "--", "true"]).await;
    assert!(unknown.code == 255 && unknown.stderr.contains("ztctl ls"), "{unknown:?}");
    // No terminal to pick at: the names instead.
    let unnamed = ada.run(&["shell"]).await;
    assert!(unnamed.code != 0 && names.iter().all(|name| unnamed.stderr.contains(name.as_str())), "{unnamed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_chosen_sorted_marked_and_watched() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let _web = world.agent("web").await;
    ada.names_within(1, SOON).await;
    let _db = world.agent("db").await;
    let names = ada.names_within(2, SOON).await;
    let shown = async |words: &[&str]| ada.run(&[&["ls", "--output", "name"], words].concat()).await.stdout;
    assert_eq!(shown(&["-l", "app=web,tier=test"]).await.lines().collect::<Vec<_>>(), [names[1].as_str()]);
    assert_eq!(shown(&["-l", "app!=web"]).await.lines().collect::<Vec<_>>(), [names[0].as_str()]);
    assert_eq!(shown(&["--namespace", "none"]).await, "");
    assert_eq!(shown(&["--sort", "app"]).await.lines().count(), 2);
    let wide = ada.run(&["ls", "--wide"]).await.stdout;
    assert!(wide.lines().next().unwrap().ends_with("ID") && wide.contains("tier=test"), "{wide}");
    assert_eq!(ada.run(&["ls", "-l", "=x"]).await.code, 2);
    assert!(ada.run(&["ls", "--watch"]).await.stderr.contains("draws on a terminal"));
    // What has to be typed stands out, unless the person does not want that.
    let ls = |more: &[(&str, &str)], words: &[&str]| {
        let environment: Vec<_> =
            more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain(ada.environment()).collect();
        Screen::spawn(&[&[env!("CARGO_BIN_EXE_ztctl"), "ls"], words].concat(), &environment, 20, 100)
    };
    let screen = ls(&[], &[]);
    screen.wait_for("AGENT");
    assert_eq!(screen.wait_exit(), 0);
    assert!(screen.is_bold("web-") && !screen.is_bold("test"));
    let plain = ls(&[("NO_COLOR", "1")], &[]);
    plain.wait_for("AGENT");
    assert_eq!(plain.wait_exit(), 0);
    assert!(!plain.is_bold("web-"));
    // Watched: rows come and go where the table stands.
    let watching = ls(&[], &["--watch"]);
    watching.wait_for(&names[0]);
    let late = world.agent("late").await;
    watching.wait_for("late-");
    late.stop().await;
    watching.wait_until("a row less", |screen| !screen.contents().contains("late-") && screen.contents().contains("NAME"));
    assert_eq!(watching.contents().matches("NAME").count(), 1, "{}", watching.contents());
    // As the terminal does for Ctrl-C, and for the program alone.
    watching.signal(rustix::process::Signal::INT);
    assert_eq!(watching.wait_exit(), 130);
    watching.wait_as_before();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picker_begins_with_the_last_choice_and_with_what_a_word_fits() {
    let world = World::start().await;
    let ada = world.person("ada", &[]).await;
    let (_one, _other) = (world.agent("alpha").await, world.agent("beta").await);
    let names = ada.names_within(2, SOON).await;
    let shell =
        |words: &[&str]| Screen::spawn(&[&[env!("CARGO_BIN_EXE_ztctl"), "shell"], words].concat(), &ada.environment(), 20, 100);
    let leave = |mut screen: Screen| {
        screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
        screen.type_keys("exit 4\r");
        assert_eq!(screen.wait_exit(), 4);
    };
    // By a word that is no name, and by labels: only those.
    let mut screen = shell(&["registry.example"]);
    screen.wait_for("Several match");
    screen.type_keys("beta");
    screen.wait_until("one row", |screen| screen.contents().contains(&format!("❯ {}", names[1])));
    screen.type_keys("\r");
    leave(screen);
    // The last choice stands first.
    let mut screen = shell(&[]);
    screen.wait_until("the last one first", |screen| screen.contents().contains(&format!("❯ {}", names[1])));
    screen.type_keys("\r");
    leave(screen);
    let mut screen = shell(&["-l", "app=alpha"]);
    screen.wait_until("only that", |screen| {
        screen.contents().contains(&format!("❯ {}", names[0])) && !screen.contents().contains(&names[1])
    });
    screen.type_keys("\x1b");
    assert_eq!(screen.wait_exit(), 130);
    assert!(ada.run(&["shell", "-l", "app=nothing"]).await.stderr.contains("none of 2 containers has these labels"));
}
