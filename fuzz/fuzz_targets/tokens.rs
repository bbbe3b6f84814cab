//! Signed tokens of others: no text is believed that the issuer did not sign, whatever its header and whatever keys there are beside.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use ztctl::broker::fuzzing::token;
use ztctl_fuzz::{mutated, split, text, texts};

struct Issuer {
    keys: String,
    token: String,
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    let point = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let key = format!(r#"{{"kty":"OKP","crv":"Ed25519","use":"sig","alg":"EdDSA","kid":"one","x":"{point}"}}"#);
    let signed = format!("{}.{}", part(r#"{"alg":"EdDSA","kid":"one"}"#), part(r#"{"sub":"ada","aud":"ztctl","exp":1}"#));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).as_ref());
    Issuer { keys: format!(r#"{{"keys":[{key}]}}"#), token: format!("{signed}.{signature}") }
});

fuzz_target!(|bytes: &[u8]| {
    let issuer = &*ISSUER;
    assert!(token(&issuer.token, issuer.keys.as_bytes()).is_some());
    let (choice, bytes) = split(bytes);
    let line = text(bytes);
    match choice % 4 {
        // Any text.
        0 => assert!(token(&line, issuer.keys.as_bytes()).is_none(), "{line}"),
        // Any header and claims, with the signature of another token or none.
        1 => {
            let [header, claims, signature] = texts(&line);
            let theirs = issuer.token.rsplit('.').next().unwrap_or_default();
            for signature in [signature, theirs] {
                let made = format!("{}.{}.{signature}", part(header), part(claims));
                assert!(made == issuer.token || token(&made, issuer.keys.as_bytes()).is_none(), "{made}");
            }
        }
        // The token with its bytes changed.
        2 => {
            let changed = String::from_utf8_lossy(&mutated(issuer.token.as_bytes(), bytes)).into_owned();
            assert!(changed == issuer.token || token(&changed, issuer.keys.as_bytes()).is_none(), "{changed}");
        }
        // Any set of keys.
        _ => drop(token(&issuer.token, bytes)),
    }
});

fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}
