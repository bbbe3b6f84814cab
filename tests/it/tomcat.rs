//! The story that started the project, with everything real: a Docker engine, an unchanged Tomcat with the agent in front of
//! `catalina.sh run`, two replicas, a broker that is killed and comes back.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::dock::{Container, bridge, docker};
use crate::peer;
use crate::stack::Stack;

#[test]
fn two_tomcats_with_the_agent_as_their_entrypoint() {
    let Some(agent) = peer::static_agent() else { return };
    if !peer::docker() || !peer::tomcat() {
        return;
    }
    let mut stack = Stack::start_at(&bridge());
    let image = image_with(&stack, &agent);
    let token = stack.join_token();
    let mount = format!("{}:/run/join:ro", token.display());
    let tomcats: Vec<Container> = (0..2).map(|_| Container::run(&["--volume", &mount, &image])).collect();

    // Both are in the list by themselves, and Tomcat answers as before.
    let names = stack.names(2, Duration::from_secs(10));
    assert!(names.iter().all(|name| name.starts_with("tomcat-")), "{names:?}");
    for tomcat in &tomcats {
        answers(tomcat, Duration::from_secs(60));
    }

    // Root in the one that was chosen, and in no other.
    let hostnames: Vec<String> = names.iter().map(|name| stack.run(name, &["hostname"]).trim().to_owned()).collect();
    assert!(hostnames[0] != hostnames[1]);
    for (name, hostname) in names.iter().zip(&hostnames) {
        assert!(tomcats.iter().any(|tomcat| tomcat.id.starts_with(hostname.as_str())), "{hostname}");
        assert_eq!(stack.run(name, &["id", "-u"]).trim(), "0");
        assert!(stack.run(name, &["sh", "-c", "tr '\\0' ' ' </proc/1/cmdline"]).contains("ztagent"));
        assert!(stack.run(name, &["ls", "/var/lib/tomcat10/logs"]).contains("catalina"));
    }

    // A broker that dies is noticed by nobody but the agents, and they come back by themselves.
    stack.kill_broker();
    for tomcat in &tomcats {
        answers(tomcat, Duration::from_secs(2));
    }
    stack.restart_broker();
    let back = Instant::now();
    stack.names(2, Duration::from_secs(5));
    println!("agents were back {} ms after the broker", back.elapsed().as_millis());
    assert_eq!(stack.run(&names[0], &["hostname"]).trim(), hostnames[0]);

    // `docker stop` is Tomcat's own orderly end, well within the grace of ten seconds, with Tomcat's own status.
    let stopping = Instant::now();
    docker(&["stop", "--time", "10", &tomcats[0].id]);
    assert!(stopping.elapsed() < Duration::from_secs(9), "killed after {:?}", stopping.elapsed());
    let logs = tomcats[0].logs();
    assert!(logs.contains("Stopping service [Catalina]") || logs.contains("Destroying ProtocolHandler"), "{logs}");
    assert_eq!(docker(&["inspect", "--format", "{{.State.ExitCode}}", &tomcats[0].id]).trim(), "143");
    stack.names(1, Duration::from_secs(1));
}

#[test]
fn an_image_from_scratch_needs_nothing_else() {
    let Some(agent) = peer::static_agent() else { return };
    let busybox = Path::new("/bin/busybox");
    if !peer::docker() || !peer::present("busybox", busybox.is_file()) {
        return;
    }
    let stack = Stack::start_at(&bridge());
    // An app that is one static program, and the agent: no library, no user database, no shell.
    let build = stack.folder().join("scratch");
    std::fs::create_dir(&build).unwrap();
    std::fs::copy(&agent, build.join("ztagent")).unwrap();
    std::fs::copy(busybox, build.join("sleep")).unwrap();
    std::fs::write(build.join("Dockerfile"), "FROM scratch\nCOPY ztagent sleep /\nENTRYPOINT [\"/ztagent\", \"run\"]\n")
        .unwrap();
    docker(&["build", "--quiet", "--tag", "ztctl-test-scratch", &build.display().to_string()]);
    let mount = format!("{}:/join:ro", stack.join_token().display());
    let image = ["--volume", &mount, "ztctl-test-scratch", "--app", "lonely", "--join-token-file", "/join", "--"];
    let _container = Container::run(&[&image[..], &["/sleep", "600"]].concat());
    let name = stack.names(1, Duration::from_secs(10)).remove(0);
    assert!(name.starts_with("lonely-"), "{name}");
    assert_eq!(stack.run(&name, &["/sleep", "0"]), "");
    let shell = stack.ztctl().args(["exec", &name, "--", "sh", "-c", "id"]).output().unwrap();
    let said = String::from_utf8_lossy(&shell.stderr).into_owned();
    assert_eq!(shell.status.code(), Some(127), "{said}");
    assert!(said.contains("no shell") || said.contains("not found"), "{said}");
    // A program that ends at once ends its container, with its status.
    let ended = Container::run(&[&image[..], &["/ztagent", "no-such-verb"]].concat());
    assert_eq!(docker(&["wait", &ended.id]).trim(), "2");
}

/// Tomcat's image with the agent in front of its entrypoint, which is all that is added.
fn image_with(stack: &Stack, agent: &Path) -> String {
    let build = stack.folder().join("image");
    std::fs::create_dir(&build).unwrap();
    std::fs::copy(agent, build.join("ztagent")).unwrap();
    let dockerfile = "FROM tomcat:local\nCOPY ztagent /ztagent\n\
        ENTRYPOINT [\"/ztagent\", \"run\", \"--app\", \"tomcat\", \"--join-token-file\", \"/run/join\", \"--\", \"/usr/share/tomcat10/bin/catalina.sh\", \"run\"]\n";
    std::fs::write(build.join("Dockerfile"), dockerfile).unwrap();
    docker(&["build", "--quiet", "--tag", "ztctl-test-tomcat", &build.display().to_string()]);
    "ztctl-test-tomcat".to_owned()
}

/// Waits until Tomcat speaks HTTP on 8080.
fn answers(tomcat: &Container, limit: Duration) {
    use std::io::{Read, Write};
    let (address, deadline) = (tomcat.address(), Instant::now() + limit);
    loop {
        let answer = std::net::TcpStream::connect(format!("{address}:8080")).and_then(|mut stream| {
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.take(1024).read_to_end(&mut answer).map(|_| answer)
        });
        if answer.as_ref().is_ok_and(|answer| answer.starts_with(b"HTTP/1.1 ")) {
            return;
        }
        assert!(Instant::now() < deadline, "no answer from {address}: {answer:?}\n{}", tomcat.logs());
        std::thread::sleep(Duration::from_millis(100));
    }
}
