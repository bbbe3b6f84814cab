use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::*;

struct Folder {
    _temporary: tempfile::TempDir,
    paths: Paths,
}

fn folder() -> Folder {
    let temporary = tempfile::tempdir().unwrap();
    let paths = Paths::new(temporary.path().join("config"), temporary.path().join("state"));
    Folder { _temporary: temporary, paths }
}

fn holding(text: &str) -> Folder {
    let folder = folder();
    private::write(&folder.paths.config_file(), Guard::Trusted, text.as_bytes()).unwrap();
    folder
}

#[tokio::test]
async fn what_is_saved_reads_back_and_is_private() {
    let folder = folder();
    assert_eq!(Config::load(&folder.paths).unwrap(), Config::default());
    let url: BrokerUrl = "https://broker.example.com:8443".parse().unwrap();
    use crate::proto::ca::CaSet;
    let ca = CaSet { user: vec!["ssh-ed25519 AAAA".into()], host: vec!["ssh-ed25519 BBBB".into()] };
    let saved = Config::update(&folder.paths, |config| {
        config.last = Some(url.clone());
        let broker = config.broker_mut(&url);
        broker.tls_root = Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".into());
        broker.upgrade = Upgrade::WebSocket;
        broker.login =
            Some(LoginEntry { user: "ada@local".into(), store: StoreKind::File, ca: PinnedCa { sequence: 2, set: ca } });
    })
    .await
    .unwrap();
    assert_eq!(Config::load(&folder.paths).unwrap(), saved);
    assert_eq!(saved.logins().count(), 1);
    let mode = fs::metadata(folder.paths.config_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
}

#[test]
fn a_newer_version_is_refused_whatever_else_it_holds() {
    for text in ["version = 2\n", "version = 7\nshiny = true\n[[broker]]\nurl = 3\n"] {
        let folder = holding(text);
        assert!(matches!(Config::load(&folder.paths), Err(ConfigError::Newer { .. })), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_named_by_its_line() {
    for (text, expected) in [
        ("version = 1\n\n[[broker]]\nurl = 'http://broker.example.com'\n", 4),
        ("version = 1\nlast = 'https://a.example'\ncolour = 'red'\n", 3),
        ("version = 1\n\nlast = \n", 3),
        ("", 1),
    ] {
        let folder = holding(text);
        match Config::load(&folder.paths) {
            Err(ConfigError::Malformed { line, .. }) => assert_eq!(line, expected, "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn a_file_that_others_may_change_is_refused() {
    let folder = holding("version = 1\n");
    fs::set_permissions(folder.paths.config_file(), fs::Permissions::from_mode(0o666)).unwrap();
    assert!(matches!(Config::load(&folder.paths), Err(ConfigError::File(FileError::Loose { .. }))));
}

#[test]
fn a_root_is_a_certificate_or_a_fingerprint() {
    assert!(matches!(trust(&format!("sha256:{}", "0".repeat(64))), Ok(Trust::Roots(Roots::Fingerprint(_)))));
    assert!(trust("sha256:1234").is_err());
    assert!(trust("root.pem").is_err());
}
