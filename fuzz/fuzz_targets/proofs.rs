//! What is believed because a key has signed it: proofs of possession, and statements about the certificate authorities.
#![no_main]

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;
use ztctl::broker::fuzzing::{Proved, proof};
use ztctl::proto::ca::{CaOffer, CaSet, Chain};
use ztctl::proto::dpop::{hash, thumbprint};
use ztctl::ssh::{PrivateKey, new_key, public_line, statement};
use ztctl_fuzz::{mutated, split, text, texts};

const REQUEST: Proved<'_> = Proved {
    method: "POST",
    path: "/v1/requests",
    connect: Some(b"eyJjb25uZWN0IjoxfQ"),
    body: Some(br#"{"container":"web-7f9"}"#),
    token: "zta_token",
};

struct Holder {
    pair: Ed25519KeyPair,
    x: String,
    proof: String,
}

static HOLDER: LazyLock<Holder> = LazyLock::new(|| {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    let header = json!({"typ": "dpop+jwt", "alg": "EdDSA", "jwk": {"kty": "OKP", "crv": "Ed25519", "x": x}});
    let claims = json!({
        "jti": "0123456789abcdef", "htm": REQUEST.method, "htu": "https://broker.example/v1/requests", "iat": 1_800_000_000,
        "ath": hash(REQUEST.token), "zth": REQUEST.connect.map(hash), "zbh": REQUEST.body.map(hash),
    });
    let proof = sign(&pair, &header.to_string(), &claims.to_string());
    Holder { pair, x, proof }
});

/// Two rotations, each of two steps.
static HISTORY: LazyLock<Chain> = LazyLock::new(|| {
    let keys: Vec<[PrivateKey; 2]> = (0..3).map(|_| [new_key().expect("a key"), new_key().expect("a key")]).collect();
    let set = |indices: &[usize]| {
        let lines = |role: usize| {
            let line = |index: &usize| public_line(keys[*index][role].public_key()).expect("a line");
            let mut lines: Vec<String> = indices.iter().map(line).collect();
            lines.sort_unstable();
            lines
        };
        CaSet { user: lines(0), host: lines(1) }
    };
    let mut chain = Chain::new(set(&[0]).into());
    for (signer, indices) in [(0, &[0, 1][..]), (1, &[1]), (1, &[1, 2]), (2, &[2])] {
        let [user, host] = &keys[signer];
        chain.statements.push(statement::sign(&chain.newest(), set(indices), user, host).expect("a statement"));
    }
    chain
});

fuzz_target!(|bytes: &[u8]| {
    let holder = &*HOLDER;
    let own = thumbprint(&holder.x);
    let (choice, bytes) = split(bytes);
    match choice % 5 {
        // The proof with its bytes changed is nobody's.
        0 => {
            let changed = mutated(holder.proof.as_bytes(), bytes);
            let believed = proof(&REQUEST, &changed);
            assert_eq!(believed.is_some(), changed == holder.proof.as_bytes(), "{}", String::from_utf8_lossy(&changed));
            assert!(believed.is_none_or(|key| key == own));
        }
        // The request with anything changed is not the one that it is about.
        1 => {
            let line = text(bytes);
            let [one, other, more] = texts(&line);
            let changed = match choice / 5 % 5 {
                0 => Proved { method: one, ..REQUEST },
                1 => Proved { path: one, ..REQUEST },
                2 => Proved { connect: (!one.is_empty()).then_some(one.as_bytes()), ..REQUEST },
                3 => Proved { body: (!other.is_empty()).then_some(more.as_bytes()), ..REQUEST },
                _ => Proved { token: one, ..REQUEST },
            };
            // The path is compared as a URL has it.
            let same = changed == REQUEST || changed.path != REQUEST.path;
            assert!(same || proof(&changed, holder.proof.as_bytes()).is_none(), "{changed:?}");
        }
        // Whatever header and claims somebody signs, their key is not another's.
        2 => {
            let line = text(bytes);
            let [header, claims, _] = texts(&line);
            let header = header.replace("KEY", &holder.x);
            let made = sign(&holder.pair, &header, claims);
            assert!(proof(&REQUEST, made.as_bytes()).is_none_or(|key| key == own), "{made}");
            let stolen = holder.proof.rsplit('.').next().unwrap_or_default();
            let made = format!("{}.{}.{stolen}", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(claims));
            assert!(made == holder.proof || proof(&REQUEST, made.as_bytes()).is_none(), "{made}");
        }
        // Any text.
        3 => drop(proof(&REQUEST, bytes)),
        // A chain with its bytes changed leads nowhere that the keys have not signed.
        _ => {
            let history = &*HISTORY;
            let whole = serde_json::to_vec(history).expect("JSON");
            let (_, changes) = split(bytes);
            let chain = match choice / 5 % 2 {
                0 => serde_json::from_slice::<Chain>(&mutated(&whole, changes)).ok(),
                _ => serde_json::from_slice::<CaOffer>(bytes).ok().map(CaOffer::into_chain),
            };
            let Some(chain) = chain else { return };
            for (sequence, set) in history.sets() {
                let pinned = ztctl::proto::ca::PinnedCa { sequence, set: set.clone() };
                for reached in [statement::follow(&pinned, &chain), statement::follow_from(&set.fingerprint(), &chain)] {
                    let Ok(reached) = reached else { continue };
                    assert!(history.sets().any(|(_, known)| *known == reached.set), "{reached:?}");
                    assert!(history.sets().any(|(known, _)| known == reached.sequence), "{reached:?}");
                }
            }
        }
    }
});

fn sign(pair: &Ed25519KeyPair, header: &str, claims: &str) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(pair.sign(signed.as_bytes()).as_ref());
    format!("{signed}.{signature}")
}
