//! Each way in which a certificate can be wrong, refused; russh alone accepts most of them.

use russh::keys::ssh_key::certificate::{Builder, CertType};
use russh::keys::ssh_key::{Algorithm, Certificate, EcdsaCurve, PrivateKey};

use super::host::HostCertificate;
use super::user::UserCertificate;
use super::{LIFETIME, MAX_LIFETIME, Refusal};
use crate::proto::ca::CaSet;
use crate::proto::{Action, ContainerId, SessionId, VariableNames};
use crate::ssh::{Authorities, new_key};

const NOW: u64 = 1_800_000_000;

struct Fixture {
    ca: PrivateKey,
    key: PrivateKey,
    user: UserCertificate,
}

impl Fixture {
    fn new() -> Self {
        let user = UserCertificate {
            user: "ada@local".into(),
            session: SessionId::random(),
            login: "root".parse().unwrap(),
            container: ContainerId::random(),
            actions: [Action::Shell].into_iter().collect(),
            force_command: None,
            deadline: NOW + 3600,
            record: false,
            env: VariableNames::default(),
            idle: None,
        };
        Self { ca: new_key().unwrap(), key: new_key().unwrap(), user }
    }

    fn authorities(&self) -> Authorities {
        let line = self.ca.public_key().to_openssh().unwrap();
        Authorities::of_users(&CaSet { user: vec![line.clone()], host: vec![line] }).unwrap()
    }

    fn builder(&self) -> Builder {
        self.user.to_builder(self.key.public_key(), NOW, LIFETIME).unwrap()
    }

    fn check_at(&self, certificate: &Certificate, now: u64) -> Result<UserCertificate, Refusal> {
        UserCertificate::check(certificate, &self.authorities(), "root", self.user.container, now)
    }

    fn check(&self, certificate: &Certificate) -> Result<UserCertificate, Refusal> {
        self.check_at(certificate, NOW)
    }

    /// A certificate with nothing but what `fill` puts in.
    fn bare(&self, fill: impl FnOnce(&mut Builder)) -> Certificate {
        let mut builder =
            Builder::new_with_random_nonce(&mut rand::rng(), self.key.public_key().clone(), NOW - 30, NOW + 120).unwrap();
        builder.key_id(format!("ada@local/{}", self.user.session)).unwrap();
        fill(&mut builder);
        builder.sign(&self.ca).unwrap()
    }
}

#[test]
fn what_was_built_is_what_is_read() {
    let mut fixture = Fixture::new();
    assert!(fixture.builder().sign(&fixture.ca).unwrap().critical_options().get("env@ztctl").is_none());
    fixture.user.force_command = Some("cat '/var/log/a b'".into());
    fixture.user.idle = Some(std::time::Duration::from_secs(1800));
    fixture.user.env = "APP_*,DEBUG".parse().unwrap();
    let certificate = fixture.builder().sign(&fixture.ca).unwrap();
    assert_eq!(fixture.check(&certificate).as_ref(), Ok(&fixture.user));
    assert!(UserCertificate::permits_pty(&certificate));
    assert_eq!(certificate.key_id(), format!("ada@local/{}", fixture.user.session));
}

#[test]
fn the_window_is_half_open() {
    let fixture = Fixture::new();
    let certificate = fixture.builder().sign(&fixture.ca).unwrap();
    assert!(fixture.check_at(&certificate, NOW - 30).is_ok());
    assert!(fixture.check_at(&certificate, NOW + 119).is_ok());
    for now in [0, NOW - 31, NOW + 120, u64::MAX] {
        assert!(matches!(fixture.check_at(&certificate, now), Err(Refusal::Window { .. })), "{now}");
    }
}

#[test]
fn another_authority_is_refused() {
    let fixture = Fixture::new();
    let certificate = fixture.builder().sign(&new_key().unwrap()).unwrap();
    assert_eq!(fixture.check(&certificate), Err(Refusal::Authority));
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let fixture = Fixture::new();
    let bytes = fixture.builder().sign(&fixture.ca).unwrap().to_bytes().unwrap();
    for index in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[index] ^= 1;
        if let Ok(certificate) = Certificate::from_bytes(&changed) {
            assert!(fixture.check(&certificate).is_err(), "bit {index} of {}", bytes.len());
        }
    }
}

#[test]
fn a_host_certificate_is_no_user_certificate_and_the_other_way_round() {
    let fixture = Fixture::new();
    let host = HostCertificate { container: fixture.user.container, as_typed: "web-1".parse().unwrap() };
    let certificate = host.to_builder(fixture.key.public_key(), NOW, LIFETIME).unwrap().sign(&fixture.ca).unwrap();
    assert_eq!(host.check(&certificate, &fixture.authorities(), NOW), Ok(()));
    assert_eq!(fixture.check(&certificate), Err(Refusal::Type));
    let user = fixture.builder().sign(&fixture.ca).unwrap();
    assert_eq!(host.check(&user, &fixture.authorities(), NOW), Err(Refusal::Type));
}

#[test]
fn a_host_certificate_is_for_its_container_and_its_name() {
    let fixture = Fixture::new();
    let host = HostCertificate { container: fixture.user.container, as_typed: "web-1".parse().unwrap() };
    let certificate = host.to_builder(fixture.key.public_key(), NOW, LIFETIME).unwrap().sign(&fixture.ca).unwrap();
    let authorities = fixture.authorities();
    let elsewhere = HostCertificate { container: ContainerId::random(), ..host.clone() };
    assert_eq!(elsewhere.check(&certificate, &authorities, NOW), Err(Refusal::Principal));
    let misnamed = HostCertificate { as_typed: "db-1".parse().unwrap(), ..host.clone() };
    assert_eq!(misnamed.check(&certificate, &authorities, NOW), Err(Refusal::Principal));
    assert!(matches!(host.check(&certificate, &authorities, NOW + 121), Err(Refusal::Window { .. })));
    let mut optioned = host.to_builder(fixture.key.public_key(), NOW, LIFETIME).unwrap();
    optioned.critical_option("force-command", "true").unwrap();
    let optioned = optioned.sign(&fixture.ca).unwrap();
    assert!(matches!(host.check(&optioned, &authorities, NOW), Err(Refusal::UnknownOption(_))));
}

#[test]
fn another_login_or_container_is_refused() {
    let fixture = Fixture::new();
    let certificate = fixture.builder().sign(&fixture.ca).unwrap();
    let authorities = fixture.authorities();
    for (user, container) in
        [("www-data", fixture.user.container), ("root", ContainerId::random()), ("", fixture.user.container)]
    {
        let checked = UserCertificate::check(&certificate, &authorities, user, container, NOW);
        assert_eq!(checked, Err(Refusal::Principal), "{user}");
    }
}

#[test]
fn a_golden_ticket_and_a_second_principal_are_refused() {
    let fixture = Fixture::new();
    let golden = fixture.bare(|builder| {
        builder.cert_type(CertType::User).unwrap().all_principals_valid().unwrap();
    });
    assert_eq!(fixture.check(&golden), Err(Refusal::Principal));
    let mut two = fixture.builder();
    two.valid_principal("root@everything").unwrap();
    assert_eq!(fixture.check(&two.sign(&fixture.ca).unwrap()), Err(Refusal::Principal));
}

#[test]
fn an_unknown_critical_option_is_refused() {
    let fixture = Fixture::new();
    for option in ["source-address", "verify-required", "made-up@ztctl"] {
        let mut builder = fixture.builder();
        builder.critical_option(option, "x").unwrap();
        let certificate = builder.sign(&fixture.ca).unwrap();
        assert_eq!(fixture.check(&certificate), Err(Refusal::UnknownOption(option.into())));
    }
}

#[test]
fn each_of_our_options_is_required() {
    let fixture = Fixture::new();
    let options = [
        ("session@ztctl", fixture.user.session.to_string()),
        ("deadline@ztctl", (NOW + 60).to_string()),
        ("actions@ztctl", "shell".to_owned()),
        ("record@ztctl", "off".to_owned()),
    ];
    for (missing, _) in &options {
        let certificate = fixture.bare(|builder| {
            builder.cert_type(CertType::User).unwrap().valid_principal(fixture.user.principal()).unwrap();
            for (name, value) in options.iter().filter(|(name, _)| name != missing) {
                builder.critical_option(*name, value.clone()).unwrap();
            }
        });
        assert_eq!(fixture.check(&certificate), Err(Refusal::MissingOption(missing)));
    }
    for (malformed, _) in &options {
        let certificate = fixture.bare(|builder| {
            builder.cert_type(CertType::User).unwrap().valid_principal(fixture.user.principal()).unwrap();
            for (name, value) in &options {
                let value = if name == malformed { "sudo".to_owned() } else { value.clone() };
                builder.critical_option(*name, value).unwrap();
            }
        });
        assert_eq!(fixture.check(&certificate), Err(Refusal::MalformedOption(malformed)));
    }
}

#[test]
fn a_window_that_never_ends_is_refused() {
    let fixture = Fixture::new();
    let long = fixture.user.to_builder(fixture.key.public_key(), NOW, MAX_LIFETIME + 1).unwrap();
    assert_eq!(fixture.check(&long.sign(&fixture.ca).unwrap()), Err(Refusal::TooLong));
    for window in [(u64::MAX - 1, u64::MAX), (i64::MAX as u64 + 1, u64::MAX), (0, u64::MAX)] {
        let key = fixture.key.public_key().clone();
        // The builder itself refuses some of these; those that can be made must not be accepted.
        let Ok(mut builder) = Builder::new_with_random_nonce(&mut rand::rng(), key, window.0, window.1) else { continue };
        builder.cert_type(CertType::User).unwrap().valid_principal(fixture.user.principal()).unwrap();
        if let Ok(certificate) = builder.sign(&fixture.ca) {
            assert!(fixture.check(&certificate).is_err(), "{window:?}");
        }
    }
}

#[test]
fn a_passed_deadline_is_refused() {
    let mut fixture = Fixture::new();
    fixture.user.deadline = NOW;
    let certificate = fixture.builder().sign(&fixture.ca).unwrap();
    assert_eq!(fixture.check(&certificate), Err(Refusal::Deadline));
}

#[test]
fn other_algorithms_are_refused() {
    let fixture = Fixture::new();
    let ecdsa = PrivateKey::random(&mut rand::rng(), Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 }).unwrap();
    let certificate = fixture.user.to_builder(ecdsa.public_key(), NOW, LIFETIME).unwrap().sign(&fixture.ca).unwrap();
    assert_eq!(fixture.check(&certificate), Err(Refusal::Algorithm));
    let certificate = fixture.builder().sign(&ecdsa).unwrap();
    assert_eq!(fixture.check(&certificate), Err(Refusal::Algorithm));
}

#[test]
fn a_list_of_variables_that_no_policy_can_have_is_refused() {
    let fixture = Fixture::new();
    for value in ["LD_PRELOAD", "A B", ""] {
        let mut builder = fixture.builder();
        builder.critical_option("env@ztctl", value).unwrap();
        let certificate = builder.sign(&fixture.ca).unwrap();
        assert_eq!(fixture.check(&certificate), Err(Refusal::MalformedOption("env@ztctl")), "{value}");
    }
}
