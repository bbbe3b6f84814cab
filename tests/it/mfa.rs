//! The second factor: set up at a terminal, asked for in place where a policy wants it, and told where nobody can be asked.

use totp_rs::{Builder, Secret, Totp};
use ztctl::broker::AuditQuery;
use ztctl::broker::audit::Event;

use crate::peer;
use crate::screen::Screen;
use crate::world::{Person, World};

const ZTCTL: &str = env!("CARGO_BIN_EXE_ztctl");

/// Everybody may see everything, and do it with a second factor.
const POLICY: &str = r#"
    permit (principal, action == Action::"list", resource);
    @id("careful") @mfa("15m") permit (principal, action, resource) unless { action == Action::"list" };
"#;

fn at(person: &Person, arguments: &[&str]) -> Screen {
    Screen::spawn(&[&[ZTCTL], arguments].concat(), &person.environment(), 50, 100)
}

/// Sets a second factor up as a person does; the app, and the recovery codes.
pub fn enrol(person: &Person) -> (Totp, Vec<String>) {
    let mut screen = at(person, &["totp", "enroll"]);
    screen.wait_for("code: ");
    let shown = screen.contents();
    let secret = shown.lines().map(str::trim).find(|line| is_secret(line)).unwrap_or_else(|| panic!("no secret: {shown}"));
    assert!(shown.contains(['▀', '▄', '█']), "no QR code: {shown}");
    let app = Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap();
    screen.type_keys("12345\r");
    screen.wait_for("that code is wrong");
    screen.type_keys(&format!("{}\r", code(&app, 0)));
    screen.wait_for("your second factor is set up");
    assert_eq!(screen.wait_exit(), 0);
    let codes: Vec<String> =
        screen.contents().lines().map(str::trim).filter(|line| is_recovery(line)).map(str::to_owned).collect();
    assert_eq!(codes.len(), 10, "{}", screen.contents());
    (app, codes)
}

fn is_secret(line: &str) -> bool {
    line.len() == 32 && line.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

fn is_recovery(line: &str) -> bool {
    line.len() == 19 && line.split('-').count() == 4 && line.split('-').all(|part| part.len() == 4)
}

/// The code of the step that is `later` steps from now. The next one is taken too, so that nobody has to wait.
pub fn code(app: &Totp, later: u64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    app.generate(now + later * 30).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shell_asks_for_a_code_in_place_and_goes_on() {
    let world = World::with_policy(POLICY).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let said = ada.run(&["exec", &name, "--", "true"]).await;
    assert_eq!(said.code, 255, "{}", said.stderr);
    assert!(said.stderr.contains("second factor") && said.stderr.contains("ztctl totp enroll"), "{}", said.stderr);
    let (app, codes) = enrol(&ada);
    // The login in which it was set up has shown it; another one has not.
    assert_eq!(ada.run(&["exec", &name, "--", "true"]).await.code, 0);
    ada.log_in(&world).await;
    let said = ada.run(&["exec", &name, "--", "true"]).await;
    assert_eq!(said.code, 255, "{}", said.stderr);
    assert!(said.stderr.contains("ztctl totp verify"), "{}", said.stderr);
    let said = ada.run(&["logs", &name]).await;
    assert_eq!(said.code, 4, "{}", said.stderr);
    let why = ada.run(&["why", &name]).await;
    assert!(why.stdout.contains("with a second factor"), "{}", why.stdout);

    let mut screen = at(&ada, &["shell", &name]);
    screen.wait_for("code: ");
    screen.type_keys("000000\r");
    screen.wait_for("that code is wrong");
    screen.type_keys(&format!("{}\r", code(&app, 1)));
    screen.wait_until("a prompt", |screen| screen.contents().contains(['#', '$']));
    screen.type_keys("exit 3\r");
    assert_eq!(screen.wait_exit(), 3);
    screen.wait_as_before();
    // It counts for a while, also where nobody can be asked.
    let said = ada.run(&["exec", &name, "--", "echo", "in"]).await;
    assert_eq!((said.code, said.stdout.as_str()), (0, "in\n"), "{}", said.stderr);
    assert!(ada.run(&["status"]).await.stdout.contains("a second one, shown"));
    let events = world.admin.audit(AuditQuery::default()).await.unwrap();
    let shown = events.iter().rev().find_map(|record| match &record.event {
        Event::SessionAuthorised(begun) => Some(begun.mfa_at.is_some_and(|at| at <= record.time)),
        _ => None,
    });
    assert_eq!(shown, Some(true), "the journal says when it was shown");

    // Without the app, a recovery code.
    ada.log_in(&world).await;
    let mut screen = at(&ada, &["exec", &name, "--", "echo", "in with a recovery code"]);
    screen.wait_for("code: ");
    screen.type_keys(&format!("{}\r", codes[0]));
    screen.wait_for("in with a recovery code");
    assert_eq!(screen.wait_exit(), 0);
    let status = ada.run(&["totp", "status"]).await;
    assert!(status.stdout.contains("9 recovery codes"), "{}", status.stdout);
    // Ctrl-C is no. (Typed, it would reach the shell around the program as well.)
    ada.log_in(&world).await;
    let screen = at(&ada, &["shell", &name]);
    screen.wait_for("code: ");
    screen.signal(rustix::process::Signal::INT);
    assert_eq!(screen.wait_exit(), 130);
    screen.wait_as_before();
    assert_eq!(ada.run(&["totp", "enroll"]).await.code, 2, "without a terminal");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_asked_for_at_the_terminal_also_where_standard_input_is_a_pipe() {
    let world = World::with_policy(POLICY).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    // Whoever has none is not asked for a code.
    for verb in ["verify", "remove", "recovery-codes"] {
        let screen = at(&ada, &["totp", verb]);
        screen.wait_for("no second factor is set up for you");
        assert_eq!(screen.wait_exit(), 4, "{verb}");
    }
    let (_, codes) = enrol(&ada);
    ada.log_in(&world).await;
    let line = format!("echo through the pipe | {ZTCTL} exec {name} -- cat");
    let mut screen = Screen::spawn(&["sh", "-c", &line], &ada.environment(), 50, 100);
    screen.wait_for("code: ");
    screen.type_keys("wrong\r");
    screen.wait_for("that code is wrong");
    screen.type_keys(&format!("{}\r", codes[0]));
    screen.wait_for("through the pipe");
    assert_eq!(screen.wait_exit(), 0);
    // A process group from outside of a PID namespace has the number 0 in it.
    if peer::namespaces() {
        ada.log_in(&world).await;
        let line = format!("echo through the namespace | exec {ZTCTL} exec {name} -- cat");
        let unshare = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "sh", "-c", &line];
        let mut screen = Screen::spawn(&unshare, &ada.environment(), 50, 100);
        screen.wait_for("code: ");
        screen.type_keys(&format!("{}\r", codes[2]));
        screen.wait_for("through the namespace");
        assert_eq!(screen.wait_exit(), 0);
    }
    // Stock ssh starts the proxy with pipes.
    if !peer::present("openssh", peer::program("ssh").is_some()) {
        return;
    }
    ada.log_in(&world).await;
    std::fs::create_dir_all(ada.home().join(".ssh")).unwrap();
    assert_eq!(ada.run(&["ssh-config"]).await.code, 0);
    let (config, host) = (ada.home().join(".ssh/config"), format!("{name}.zt"));
    let ssh = ["ssh", "-F", config.to_str().unwrap(), &host, "echo", "in by stock ssh"];
    let mut screen = Screen::spawn(&ssh, &ada.environment(), 50, 100);
    screen.wait_for("code: ");
    screen.type_keys(&format!("{}\r", codes[1]));
    screen.wait_for("in by stock ssh");
    assert_eq!(screen.wait_exit(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_code_is_for_all_of_several_and_nothing_is_said_while_it_is_asked_for() {
    let world = World::with_policy(
        r#"
        permit (principal, action == Action::"list", resource);
        permit (principal, action, resource) unless { resource.app like "db*" };
        @mfa("15m") permit (principal, action == Action::"exec", resource) when { resource.app like "db*" };
        "#,
    )
    .await;
    let _agents = (world.agent("web").await, world.agent("db-1").await, world.agent("db-2").await);
    let ada = world.person("ada", &[]).await;
    ada.names(3).await;
    let (_, codes) = enrol(&ada);
    ada.log_in(&world).await;
    // Web is free to talk, and does for two seconds.
    let talk = "i=0; while [ $i -lt 100 ]; do echo tick; i=$((i + 1)); sleep 0.02; done";
    let mut screen = Screen::spawn(&[ZTCTL, "exec", "--all", "--yes", "--", "sh", "-c", talk], &ada.environment(), 400, 100);
    screen.wait_for("code: ");
    let (first, rest) = codes[0].split_at(9);
    screen.type_keys(first);
    // What was typed stands behind the question, and nothing between them.
    screen.wait_for(&format!("code: {first}"));
    screen.type_keys(&format!("{rest}\r"));
    screen.wait_for("3 of 3 ended with status 0");
    assert_eq!((screen.wait_exit(), screen.contents().matches("tick\n").count()), (0, 300));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_cannot_show_one_and_is_told() {
    let world = World::with_policy(POLICY).await;
    let _agent = world.agent("web").await;
    let ada = world.person("ada", &[]).await;
    let name = ada.names(1).await.remove(0);
    let spec = serde_json::json!({"user": "ada", "ttl": 3600});
    let token = world.admin.create_user_token(serde_json::from_value(spec).unwrap()).await.unwrap();
    let mut command = ada.ztctl(&["exec", &name, "--", "true"]);
    command.env("ZTCTL_TOKEN", token.expose());
    let output = command.output().await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(255), "{said}");
    assert!(said.contains("a user token cannot show one"), "{said}");
}
