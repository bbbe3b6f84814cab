//! What others say of who somebody is: OpenID Providers with their documents, keys, answers and claims, and the platforms of CI jobs.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value, from_slice, from_str, json};
use ztctl::broker::fuzzing::{claims, id_token};
use ztctl_fuzz::{mutated, split, text, texts};

struct Issuer {
    pair: Ed25519KeyPair,
    metadata: Vec<u8>,
    keys: Vec<u8>,
    token: String,
}

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let keys = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "one", "x": x}]});
    let metadata = json!({
        "issuer": "https://idp.example", "authorization_endpoint": "https://idp.example/auth",
        "token_endpoint": "https://idp.example/token", "jwks_uri": "https://idp.example/jwks",
        "response_types_supported": ["code"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    let token = sign(&pair, r#"{"alg":"EdDSA","kid":"one"}"#, &json!({
        "iss": "https://idp.example", "aud": "ztctl", "sub": "ada", "nonce": NONCE, "iat": 1_800_000_000, "exp": 1_800_000_300,
    }).to_string());
    Issuer { pair, metadata: metadata.to_string().into(), keys: keys.to_string().into(), token }
});

fuzz_target!(|bytes: &[u8]| {
    let issuer = &*ISSUER;
    let believed = |answer: &[u8]| id_token(&issuer.metadata, &issuer.keys, answer, NONCE);
    let (choice, bytes) = split(bytes);
    match choice % 6 {
        // The token with its bytes changed.
        0 => {
            let changed = String::from_utf8_lossy(&mutated(issuer.token.as_bytes(), bytes)).into_owned();
            let believed = believed(&answer(&changed)).is_some();
            assert!(believed || changed != issuer.token);
            // The library reads a signature whatever its last letter's unused bits are: what is signed is the same.
            assert!(!believed || signed(&changed) == signed(&issuer.token), "{changed}");
        }
        // Any header and claims, with the signature of another token; and whatever the issuer itself may say.
        1 => {
            let line = text(bytes);
            let [header, said, _] = texts(&line);
            let signature = issuer.token.rsplit('.').next().unwrap_or_default();
            let made = format!("{}.{}.{signature}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(said));
            assert!(made == issuer.token || believed(&answer(&made)).is_none(), "{made}");
            if believed(&answer(&sign(&issuer.pair, header, said))).is_some() {
                let said: Map<String, Value> = from_str(said).expect("claims");
                let audience = &said["aud"];
                assert!(audience == "ztctl" || audience.as_array().is_some_and(|all| all.iter().all(|one| one == "ztctl")));
                assert!(said["iss"] == "https://idp.example" && said["nonce"] == NONCE);
            }
        }
        // Any answer, any document, any keys.
        2 => assert!(believed(bytes).is_none() || text(bytes).contains(&issuer.token)),
        3 => drop(id_token(bytes, &issuer.keys, &answer(&issuer.token), NONCE)),
        4 => drop(id_token(&issuer.metadata, bytes, &answer(&issuer.token), NONCE)),
        // Claims that are believed.
        _ => {
            let line = text(bytes);
            let [first, second, _] = texts(&line);
            let (Ok(first), second) =
                (from_slice::<Map<String, Value>>(first.as_bytes()), from_str(second).unwrap_or_default())
            else {
                return;
            };
            if claims(&first, second).is_some() {
                assert_eq!(first["iss"], "https://ci.example");
                assert!(first["repository"].as_str().is_some_and(|name| name.starts_with("shop/")));
                assert!(first["protected"] == true || first["protected"] == "true");
                assert!(first["exp"].as_u64().is_some_and(|exp| exp > 1_800_000_000));
            }
        }
    }
});

/// A token without its signature.
fn signed(token: &str) -> Option<&str> {
    token.rsplit_once('.').map(|(signed, _)| signed)
}

fn answer(token: &str) -> Vec<u8> {
    json!({"access_token": "a", "token_type": "Bearer", "id_token": token}).to_string().into()
}

fn sign(pair: &Ed25519KeyPair, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}

const NONCE: &str = "a nonce";
