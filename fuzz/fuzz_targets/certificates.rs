//! Certificates, keys and proofs. A certificate is accepted as what it says, for its login and container and in its window, or not at all;
//! one whose bytes were changed is not.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ztctl::proto::agent::Kind;
use ztctl::proto::ca::CaSet;
use ztctl::proto::name::Login;
use ztctl::proto::{Action, ContainerId, SessionId, VariableNames};
use ztctl::ssh::cert::host::HostCertificate;
use ztctl::ssh::cert::user::UserCertificate;
use ztctl::ssh::{Authorities, Certificate, PrivateKey, new_key, proof, public_key, public_line};
use ztctl_fuzz::{mutated, split, text, texts};

const NOW: u64 = 1_800_000_000;

struct Scene {
    ca: PrivateKey,
    key: PrivateKey,
    authorities: Authorities,
    container: ContainerId,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let (ca, key) = (new_key().expect("a key"), new_key().expect("a key"));
    let line = public_line(ca.public_key()).expect("a line");
    let set = CaSet { user: vec![line.clone()], host: vec![line] };
    let authorities = Authorities::of_users(&set).expect("an authority");
    Scene { ca, key, authorities, container: ContainerId::derived(&[b"fuzz"]) }
});

fuzz_target!(|bytes: &[u8]| {
    let scene = &*SCENE;
    let (choice, bytes) = split(bytes);
    let line = text(bytes);
    match choice % 5 {
        // Whatever calls itself a certificate: nobody whom we know has signed it.
        0 => {
            let certificate = Certificate::from_bytes(bytes).or_else(|_| Certificate::from_openssh(&line));
            if let Ok(certificate) = certificate {
                let user = UserCertificate::check(&certificate, &scene.authorities, "root", scene.container, NOW);
                assert!(user.is_err());
                let host = HostCertificate { container: scene.container, as_typed: "web-7f9".parse().expect("a name") };
                assert!(host.check(&certificate, &scene.authorities, NOW).is_err());
            }
        }
        // One of ours with other critical options, signed: it says what it says.
        1 => {
            let [session, actions, rest] = texts(&line);
            let mut builder = user(scene).to_builder(scene.key.public_key(), NOW, 120).expect("a certificate");
            for (name, value) in [("session@ztctl", session), ("actions@ztctl", actions), ("made-up@ztctl", rest)] {
                if !value.is_empty() {
                    let _ = builder.critical_option(name, value);
                }
            }
            if let Ok(certificate) = builder.sign(&scene.ca) {
                let _ = UserCertificate::check(&certificate, &scene.authorities, "root", scene.container, NOW);
            }
        }
        // One of ours with its bytes changed.
        2 => {
            let certificate = user(scene).to_builder(scene.key.public_key(), NOW, 120).expect("a certificate");
            let whole = certificate.sign(&scene.ca).expect("signed").to_bytes().expect("bytes");
            let changed = mutated(&whole, bytes);
            if let Ok(certificate) = Certificate::from_bytes(&changed) {
                let said = UserCertificate::check(&certificate, &scene.authorities, "root", scene.container, NOW);
                assert_eq!(said.is_ok(), certificate.to_bytes().ok().as_deref() == Some(&whole[..]), "{said:?}");
            }
        }
        // Another login at another time.
        3 => {
            let certificate = user(scene).to_builder(scene.key.public_key(), NOW, 120).expect("a certificate");
            let certificate = certificate.sign(&scene.ca).expect("signed");
            let [login, time, _] = texts(&line);
            let now = time.parse().unwrap_or(NOW);
            let said = UserCertificate::check(&certificate, &scene.authorities, login, scene.container, now);
            assert!(said.is_err() || login == "root" && (NOW - 30..NOW + 120).contains(&now), "{login} at {now}");
        }
        _ => {
            if let Ok(key) = public_key(&line) {
                let line = public_line(&key).expect("a line");
                assert_eq!(public_key(&line), Ok(key));
            }
            assert!(proof::verify(scene.key.public_key(), Kind::Control, "nonce", &line).is_err());
        }
    }
});

fn user(scene: &Scene) -> UserCertificate {
    UserCertificate {
        user: "ada@local".to_owned(),
        session: SessionId::derived(&[b"fuzz"]),
        login: "root".parse::<Login>().expect("a login"),
        container: scene.container,
        actions: [Action::Shell].into_iter().collect(),
        force_command: None,
        deadline: NOW + 3600,
        record: false,
        env: VariableNames::default(),
        idle: None,
    }
}
