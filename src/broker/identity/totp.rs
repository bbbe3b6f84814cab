//! One-time codes of an authenticator (RFC 6238, as every app understands it: SHA-1, six digits, 30 seconds), and recovery codes.
//!
//! A secret is kept sealed under the database's own key. That helps where a table, a log or a backup of a part gets out, and not
//! against whoever reads the whole database.

use totp_rs::{Algorithm, Builder, Totp};

use super::{seal, token};
use crate::proto::Secret;

/// The secret of an authenticator.
pub(crate) struct Authenticator(Totp);

/// What a person typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// Six digits.
    Code(String),
    /// The hash of what may be a recovery code.
    Recovery([u8; 32]),
    /// Neither.
    Nonsense,
}

impl Authenticator {
    /// A fresh one for `account` at what people call `issuer`.
    pub(crate) fn fresh(issuer: &str, account: &str) -> Option<Self> {
        Self::of(rand::random::<[u8; 20]>().to_vec(), issuer, account)
    }

    fn of(secret: Vec<u8>, issuer: &str, account: &str) -> Option<Self> {
        // A colon parts the two in the address.
        let plain = |text: &str| text.replace(':', ".");
        let builder = Builder::new()
            .with_algorithm(Algorithm::SHA1)
            .with_digits(6)
            .with_skew(1)
            .with_step_duration(STEP)
            .with_secret(secret)
            .with_issuer(Some(plain(issuer)))
            .with_account_name(plain(account));
        builder.build().ok().map(Self)
    }

    /// As the database has it.
    pub(crate) fn sealed(&self, key: &Secret<[u8; 32]>) -> String {
        seal::seal(key, USE, self.0.secret().as_bytes().to_vec())
    }

    /// Out of the database.
    pub(crate) fn open(key: &Secret<[u8; 32]>, sealed: &str, issuer: &str, account: &str) -> Option<Self> {
        Self::of(seal::open(key, USE, sealed)?, issuer, account)
    }

    /// The secret as people type it into an app: base32.
    pub(crate) fn secret(&self) -> Secret<String> {
        Secret::new(self.0.secret().to_base32())
    }

    /// The `otpauth://` address that a QR code holds.
    pub(crate) fn url(&self) -> Option<Secret<String>> {
        self.0.to_url().ok().map(Secret::new)
    }

    /// The time step whose code this is, where it is now, the one before or the one after.
    pub(crate) fn step(&self, code: &str, now: u64) -> Option<u64> {
        self.0.check(code, now)
    }
}

impl Typed {
    /// Reads what `account` typed; spaces and dashes are for the eye.
    pub(crate) fn read(account: &str, text: &str) -> Self {
        let letters = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').take(RECOVERY + 1);
        let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        if plain.len() == 6 && plain.bytes().all(|byte| byte.is_ascii_digit()) {
            Self::Code(plain)
        } else if plain.len() == RECOVERY && plain.bytes().all(|byte| ALPHABET.contains(&byte)) {
            Self::Recovery(recovery_hash(account, &plain))
        } else {
            Self::Nonsense
        }
    }
}

/// Fresh recovery codes for `account`, as they are shown once, and what is kept of them.
pub(crate) fn recovery_codes(account: &str) -> (Vec<Secret<String>>, Vec<[u8; 32]>) {
    let one = |_| {
        let letter = || char::from(ALPHABET[usize::from(rand::random::<u8>()) % ALPHABET.len()]);
        let plain: String = (0..RECOVERY).map(|_| letter()).collect();
        let shown = [&plain[..4], &plain[4..8], &plain[8..12], &plain[12..]].join("-");
        (Secret::new(shown), recovery_hash(account, &plain))
    };
    (0..RECOVERY_CODES).map(one).unzip()
}

/// 80 bits are guessed by nobody, so that a fast hash is enough.
fn recovery_hash(account: &str, plain: &str) -> [u8; 32] {
    token::hash(&format!("recovery code of {account}: {plain}"))
}

/// How many recovery codes there are at a time.
const RECOVERY_CODES: usize = 10;

/// The letters of one.
const RECOVERY: usize = 16;

/// 32 letters and digits, none of which looks like another.
const ALPHABET: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";

/// What RFC 6238 proposes, in seconds.
const STEP: u64 = 30;

const USE: &[u8] = b"ztctl totp secret 1";

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn authenticator() -> Authenticator {
        Authenticator::of(b"12345678901234567890".to_vec(), "ztctl [::1]", "ada@local").unwrap()
    }

    #[test]
    fn codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, the last six digits.
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
            assert_eq!(authenticator().step(code, time), Some(time / STEP), "{time}");
        }
    }

    #[test]
    fn one_step_of_skew() {
        let code = authenticator().0.generate(NOW).to_string();
        for (time, good) in [(NOW - 60, false), (NOW - 30, true), (NOW, true), (NOW + 30, true), (NOW + 60, false)] {
            assert_eq!(authenticator().step(&code, time).is_some(), good, "{time}");
        }
        assert!(authenticator().step("+12345", NOW).is_none() && authenticator().step("", NOW).is_none());
    }

    #[test]
    fn a_secret_is_sealed_at_rest_and_reads_as_an_address() {
        let (key, other) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let sealed = authenticator().sealed(&key);
        assert!(!sealed.contains("12345678901234567890") && !sealed.contains(authenticator().secret().expose().as_str()));
        let open = |key| Authenticator::open(key, &sealed, "ztctl", "ada@local");
        assert_eq!(open(&key).unwrap().secret().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(open(&other).is_none());
        let url = authenticator().url().unwrap();
        assert!(url.expose().starts_with("otpauth://totp/") && url.expose().contains("GEZDGNBVGY3TQOJQ"), "{}", url.expose());
    }

    #[test]
    fn what_is_typed_is_a_code_or_a_recovery_code() {
        assert_eq!(Typed::read("ada", " 123 456"), Typed::Code("123456".into()));
        for nonsense in ["", "12345", "1234567", "é", "abcd-efgh-jkmn-pqr!", &"a".repeat(1000)] {
            assert_eq!(Typed::read("ada", nonsense), Typed::Nonsense, "{nonsense}");
        }
        let (shown, kept) = recovery_codes("ada");
        assert_eq!((shown.len(), kept.len()), (10, 10));
        let upper = shown[3].expose().to_uppercase().replace('-', " ");
        assert_eq!(Typed::read("ada", &upper), Typed::Recovery(kept[3]));
        assert_ne!(Typed::read("bob", &upper), Typed::Recovery(kept[3]));
    }
}
