//! What a configuration file may say, and how a mistake in it is told.

use super::*;

fn load(text: &str) -> Result<Config, ConfigError> {
    let path = Path::new("/etc/ztbroker/ztbroker.toml");
    file::File::parse(path, text)?.resolve(Path::new("/etc/ztbroker"))
}

fn complaint(text: &str) -> String {
    load(text).unwrap_err().to_string()
}

#[test]
fn the_example_says_what_the_defaults_are() {
    let example = load(include_str!("../../../deploy/ztbroker.toml")).unwrap();
    let defaults = load("version = 1\n").unwrap();
    assert_eq!(format!("{example:?}"), format!("{defaults:?}"));
}

#[test]
fn a_file_sets_what_it_names() {
    let config = load(
        "version = 1\nlisten = \"0.0.0.0:443\"\npublic_url = \"https://broker.example.com\"\nstate = \"state\"\n\
         database = \"postgres://ada:hunter2@db/zt\"\npolicy = \"/p\"\ntrusted_proxies = [\"10.0.0.0/8\"]\n\
         certificate_lifetime = \"30s\"\nmax_session = \"1d\"\nlogin_lifetime = \"90m\"\nsessions_per_user = 7\ndirectory = false\nrequire_totp = true\nlog = \"debug\"\n\
         [tls]\ncert = \"cert.pem\"\nkey = \"/key.pem\"\n",
    )
    .unwrap();
    assert_eq!(config.state, Path::new("/etc/ztbroker/state"));
    assert_eq!(config.tls, Tls::Files { cert: "/etc/ztbroker/cert.pem".into(), key: "/key.pem".into() });
    let lengths = [config.certificate_lifetime, config.max_session, config.login_lifetime].map(|length| length.as_secs());
    assert_eq!((lengths, config.sessions_per_user), ([30, 86_400, 5400], 7));
    assert!(config.trusts("10.1.2.3".parse().unwrap()) && !config.directory && config.require_totp);
    assert!(!format!("{config:?}").contains("hunter2"));
}

/// A lock must not wait until somebody has found a misspelt word.
#[test]
fn the_way_to_a_running_broker_does_not_depend_on_the_rest_of_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ztbroker.toml");
    for (text, state) in [
        ("version = 1\nstate = \"here\"\nmax_sesion = \"1h\"\n", folder.path().join("here")),
        ("version = 99\nstate = \"/there\"\n", "/there".into()),
        ("listen = 7\n", STATE.into()),
    ] {
        std::fs::write(&path, text).unwrap();
        assert!(Config::load(&path).is_err());
        assert_eq!(Config::state_of(&path).unwrap(), state);
    }
    std::fs::write(&path, "state = \n").unwrap();
    assert!(Config::state_of(&path).unwrap_err().to_string().contains("ztbroker.toml:1:"));
}

#[test]
fn a_cluster_is_named_with_its_keys_and_its_account() {
    let cluster = |rest: &str| {
        let text = format!("version = 1\n[[cluster]]\nname = \"prod\"\nissuer = \"i\"\nnamespaces = [\"shop\"]\n{rest}");
        load(&text).map(|config| config.clusters[0].clone()).map_err(|error| error.to_string())
    };
    let good = cluster("jwks = \"keys.json\"\n").unwrap();
    assert_eq!(good.keys, Source::File("/etc/ztbroker/keys.json".into()));
    assert_eq!((good.namespace.as_str(), good.service_account.as_str()), ("ztctl", "ztagent"));
    assert_eq!(
        good.asserts().words(),
        [("cluster", "prod".into()), ("namespace", "shop".into()), ("runtime", "kubernetes".into())]
    );
    for url in ["https://keys.example.com/jwks", "http://127.0.0.1:8001/openid/v1/jwks", "http://[::1]/"] {
        assert!(cluster(&format!("jwks_url = \"{url}\"\njwks_ca = \"ca.pem\"\n")).is_ok(), "{url}");
    }
    for (rest, why) in [
        ("", "one of them"),
        ("jwks = \"a\"\njwks_url = \"https://b\"\n", "one of them"),
        ("jwks = \"a\"\njwks_ca = \"b\"\n", "jwks_url only"),
        ("jwks_url = \"http://keys.example.com\"\n", "https://"),
        ("jwks_url = \"http://localhost\"\n", "https://"),
        ("jwks = \"a\"\nnamespace = \"\"\n", "empty"),
        ("jwks = \"a\"\njkws = \"b\"\n", "jkws"),
    ] {
        let said = cluster(rest).unwrap_err();
        assert!(said.contains(why), "{rest}: {said}");
    }
    let one = "[[cluster]]\nname = \"prod\"\nissuer = \"i\"\nnamespaces = [\"*\"]\njwks = \"a\"\n";
    assert!(complaint(&format!("version = 1\n{one}{one}")).contains("two clusters called \"prod\""));
}

#[test]
fn an_audit_sink_is_stdout_a_file_or_a_webhook() {
    let sinks =
        |rest: &str| load(&format!("version = 1\n{rest}")).map(|config| config.audit.sinks).map_err(|error| error.to_string());
    let webhook =
        "[[audit.sink]]\nkind = \"webhook\"\nname = \"siem\"\nurl = \"https://siem.example.com/\"\nsecret = \"siem.secret\"\n";
    let found = sinks(&format!("[[audit.sink]]\nkind = \"stdout\"\n[[audit.sink]]\nkind = \"file\"\npath = \"/a\"\n{webhook}"))
        .unwrap();
    assert_eq!(found[0], Sink { name: "stdout".into(), to: Destination::Stdout });
    assert_eq!(found[1], Sink { name: "file".into(), to: Destination::File("/a".into()) });
    let Destination::Webhook { secret, .. } = &found[2].to else { panic!("{found:?}") };
    assert_eq!((found[2].name.as_str(), secret.as_path()), ("siem", Path::new("/etc/ztbroker/siem.secret")));
    let one = |rest: &str| sinks(&format!("[[audit.sink]]\n{rest}")).unwrap_err();
    for (rest, why) in [
        ("kind = \"stdout\"\npath = \"a\"\n", "without path"),
        ("kind = \"file\"\n", "needs path"),
        ("kind = \"webhook\"\nurl = \"https://a/\"\n", "secret = FILE"),
        ("kind = \"webhook\"\nurl = \"http://a.example/\"\nsecret = \"s\"\n", "https://"),
        ("kind = \"file\"\npath = \"a\"\nname = \"../x\"\n", "lower-case"),
        ("kind = \"syslog\"\n", "unknown variant"),
        ("kind = \"file\"\npath = \"a\"\n[[audit.sink]]\nkind = \"file\"\npath = \"b\"\n", "two audit sinks called \"file\""),
    ] {
        let said = one(rest);
        assert!(said.contains(why), "{rest}: {said}");
    }
}

#[test]
fn servers_are_told_of_all_or_of_what_they_name() {
    let notify =
        |rest: &str| load(&format!("version = 1\n{rest}")).map(|config| config.notify).map_err(|error| error.to_string());
    let one = "[[notify]]\nurl = \"https://pager.example.com/\"\nsecret = \"pager.secret\"\n";
    let found = notify(&format!(
        "{one}[[notify]]\nname = \"chat\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"/s\"\nca = \"c\"\nevents = [\"break_glass\"]\n"
    ));
    let found = found.unwrap();
    assert_eq!((found[0].name.as_str(), found[0].events.len()), ("webhook", 3));
    assert_eq!(found[0].secret, Path::new("/etc/ztbroker/pager.secret"));
    assert_eq!(
        (found[1].events.as_slice(), found[1].ca.as_deref()),
        (&[NotifyOf::BreakGlass][..], Some(Path::new("/etc/ztbroker/c")))
    );
    for (rest, why) in [
        (format!("{one}{one}"), "two [[notify]] called \"webhook\""),
        (format!("{one}name = \"../x\"\n"), "lower-case"),
        (format!("{one}events = []\n"), "leave it out"),
        (format!("{one}events = [\"lunch\"]\n"), "unknown variant"),
        (one.replace("https://pager.example.com", "http://pager.example.com"), "https://"),
        ("[[notify]]\nurl = \"https://a/\"\n".to_owned(), "secret"),
    ] {
        let said = notify(&rest).unwrap_err();
        assert!(said.contains(why), "{rest}: {said}");
    }
}

#[test]
fn a_newer_version_is_refused_whatever_else_it_says() {
    let said = complaint("version = 2\nteleport = true\n");
    assert!(said.contains("version 2") && said.contains("update ztbroker"), "{said}");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    for (text, line) in [
        ("version = 1\nlisten = \"nowhere\"\n", 2),
        ("version = 1\n\nlissten = \"127.0.0.1:1\"\n", 3),
        ("version = 1\nmax_session = \"a while\"\n", 2),
        ("version = 1\nmax_session = \"99999999999999999999d\"\n", 2),
        ("version = 1\nstate = [\n", 3),
        ("version = 0\n", 1),
    ] {
        match load(text) {
            Err(ConfigError::Line { line: found, .. }) => assert!(found == line || found + 1 == line, "{text}: line {found}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn traps_are_refused() {
    for (text, word) in [
        ("version = 1\nlisten = \"0.0.0.0:443\"\n", "public_url"),
        ("version = 1\nlisten = \"0.0.0.0:80\"\npublic_url = \"https://b.example\"\n[tls]\nmode = \"none\"\n", "loopback"),
        ("version = 1\npublic_url = \"http://b.example\"\n", "https"),
        ("version = 1\npublic_url = \"https://b.example/zt\"\n", "path"),
        ("version = 1\ncertificate_lifetime = \"10m\"\n", "300s"),
        ("version = 1\nmax_session = \"0s\"\n", "max_session"),
        ("version = 1\nsessions_per_user = 0\n", "sessions_per_user"),
        ("version = 1\n[audit]\ncheckpoint_events = 0\n", "at least 1"),
        ("version = 1\n[tls]\ncert = \"c\"\n", "key"),
        ("version = 1\n[tls]\nmode = \"self-made\"\ncert = \"c\"\nkey = \"k\"\n", "files"),
    ] {
        let said = complaint(text);
        assert!(said.contains(word), "{text}: {said}");
    }
}

#[test]
fn a_broker_that_listens_everywhere_is_called_by_its_loopback_address() {
    let config = Config::dev("/s".into(), "0.0.0.0:9443".parse().unwrap(), "/p".into());
    assert_eq!(config.public_url.as_str(), "https://127.0.0.1:9443/");
    let six = Config::dev("/s".into(), "[::]:9443".parse().unwrap(), "/p".into());
    assert_eq!(six.public_url.as_str(), "https://[::1]:9443/");
}

#[test]
fn an_identity_provider_is_named_with_its_issuer() {
    let folder = tempfile::tempdir().unwrap();
    let mode = |name: &str, mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(folder.path().join(name), permissions).unwrap();
    };
    for name in ["secret", "open"] {
        std::fs::write(folder.path().join(name), "hunter2\n").unwrap();
        mode(name, 0o600);
    }
    mode("secret", 0o640);
    mode("open", 0o644);
    let provider = |name: &str, rest: &str| {
        let text = format!("version = 1\n[[identity_provider]]\nname = \"{name}\"\nclient_id = \"ztctl\"\n{rest}");
        let file = file::File::parse(Path::new("/f"), &text).map_err(|error| error.to_string())?;
        file.resolve(folder.path()).map(|config| config.providers).map_err(|error| error.to_string())
    };
    let good = provider("corp", "issuer = \"https://sso.example.com/realm\"\nclient_secret_file = \"secret\"\n").unwrap();
    assert_eq!((good[0].title.as_str(), good[0].client_secret.as_ref().unwrap().expose().as_str()), ("corp", "hunter2"));
    assert!(good[0].takes_group("anything") && !format!("{good:?}").contains("hunter2"));
    let issuer = "issuer = \"https://sso.example.com\"\n";
    let twice = format!("{issuer}[[identity_provider]]\nname = \"corp\"\nclient_id = \"b\"\n{issuer}");
    for (name, rest, why) in [
        ("local", issuer, "local"),
        ("Corp", issuer, "lower-case"),
        ("corp", "issuer = \"http://sso.example.com\"\n", "https://"),
        ("corp", "issuer = \"https://sso.example.com?x\"\n", "https://"),
        ("corp", &format!("{issuer}client_secret_file = \"missing\"\n"), "missing"),
        ("corp", &format!("{issuer}client_secret_file = \"open\"\n"), "chmod g-w,o="),
        ("corp", &format!("{issuer}colour = 1\n"), "colour"),
        ("corp", &twice, "two identity providers"),
    ] {
        let refused = provider(name, rest).unwrap_err();
        assert!(refused.contains(why), "{rest}: {refused}");
    }
}

#[test]
fn a_job_is_named_with_what_its_token_has_to_say() {
    let job = |rest: &str| {
        let text = format!(
            "version = 1\n[[job]]\nname = \"ci\"\nissuer = \"https://ci\"\njwks = \"k\"\nuser = \"deploy\"\nactions = [\"exec\"]\n{rest}"
        );
        load(&text).map(|config| config.jobs[0].clone()).map_err(|error| error.to_string())
    };
    let good = job("claims = { repository = \"acme/*\" }\n").unwrap();
    assert_eq!((good.lifetime.as_secs(), good.keys), (900, Source::File("/etc/ztbroker/k".into())));
    for (rest, why) in [
        ("", "claims"),
        ("claims = {}\n", "at least one claim"),
        ("claims = { repository = \"*\" }\n", "what it has to say"),
        ("claims = { a = \"b\" }\nlifetime = \"2h\"\n", "between 1s and 1h"),
        ("claims = { a = \"b\" }\njwks_url = \"https://k\"\n", "one of them"),
    ] {
        let refused = job(rest).unwrap_err();
        assert!(refused.contains(why), "{rest}: {refused}");
    }
    let both = "version = 1\n[[identity_provider]]\nname = \"ci\"\nissuer = \"https://sso\"\nclient_id = \"a\"\n[[job]]\nname = \"ci\"\n\
                issuer = \"https://ci\"\njwks = \"k\"\nuser = \"deploy\"\nactions = [\"exec\"]\nclaims = { a = \"b\" }\n";
    assert!(complaint(both).contains("both called"));
}
