//! Project Wycheproof's signatures through the path that a token's signature takes: known answers,
//! and all that implementations have got wrong.
#![expect(clippy::print_stdout, reason = "how many there were is worth a line")]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use wycheproof::{TestResult, ecdsa, eddsa, rsa_pkcs1_verify as pkcs1, rsa_pss_verify as pss};

use super::VerifyingKey;

/// How many were accepted and refused.
#[derive(Default)]
struct Count {
    accepted: usize,
    refused: usize,
}

impl Count {
    /// Cases that may be either way, such as PKCS#1 padding without its NULL, are refused too: who
    /// signs tokens has no reason for them.
    fn case(&mut self, set: &str, id: usize, expected: TestResult, verified: bool) {
        assert_eq!(verified, expected == TestResult::Valid, "{set}, case {id}");
        *(if verified { &mut self.accepted } else { &mut self.refused }) += 1;
    }
}

fn verifies(key: &Value, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::of_jwk(key, &[algorithm]);
    let signature = URL_SAFE_NO_PAD.encode(signature);
    key.is_some_and(|key| key.verifies(algorithm, message, &signature))
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The number as RFC 7518 writes it: ASN.1 puts a zero before one whose first bit is set.
fn number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    encoded(&bytes[zeros..])
}

#[test]
fn of_ecdsa_are_told_apart() {
    use ecdsa::TestName::{EcdsaSecp256r1Sha256P1363, EcdsaSecp384r1Sha384P1363};
    for (name, algorithm, curve, expected) in [
        (EcdsaSecp256r1Sha256P1363, Algorithm::ES256, "P-256", (173, 89)),
        (EcdsaSecp384r1Sha384P1363, Algorithm::ES384, "P-384", (193, 87)),
    ] {
        let mut count = Count::default();
        for group in ecdsa::TestSet::load(name).expect("the set is whole").test_groups {
            let [4, point @ ..] = &group.key.key[..] else { panic!("a whole point") };
            let (x, y) = point.split_at(point.len() / 2);
            let (x, y) = (encoded(x), encoded(y));
            let key = json!({ "kty": "EC", "crv": curve, "kid": "1", "x": x, "y": y });
            for test in group.tests {
                let verified = verifies(&key, algorithm, &test.msg, &test.sig);
                count.case(curve, test.tc_id, test.result, verified);
            }
        }
        println!("{curve}: {} accepted, {} refused", count.accepted, count.refused);
        assert_eq!((count.accepted, count.refused), expected);
    }
}

#[test]
fn of_ed25519_are_told_apart() {
    let mut count = Count::default();
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the set is whole");
    for group in set.test_groups {
        let x = encoded(&group.key.pk);
        let key = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "1", "x": x });
        for test in group.tests {
            let verified = verifies(&key, Algorithm::EdDSA, &test.msg, &test.sig);
            count.case("Ed25519", test.tc_id, test.result, verified);
        }
    }
    println!("Ed25519: {} accepted, {} refused", count.accepted, count.refused);
    assert_eq!((count.accepted, count.refused), (88, 63));
}

#[test]
fn of_rsa_are_told_apart() {
    use pkcs1::TestName as Name;
    let sets = [
        (Name::Rsa2048Sha256, Algorithm::RS256),
        (Name::Rsa3072Sha256, Algorithm::RS256),
        (Name::Rsa4096Sha256, Algorithm::RS256),
        (Name::Rsa8192Sha256, Algorithm::RS256),
        (Name::Rsa2048Sha384, Algorithm::RS384),
        (Name::Rsa3072Sha384, Algorithm::RS384),
        (Name::Rsa4096Sha384, Algorithm::RS384),
        (Name::Rsa8192Sha384, Algorithm::RS384),
        (Name::Rsa2048Sha512, Algorithm::RS512),
        (Name::Rsa3072Sha512, Algorithm::RS512),
        (Name::Rsa4096Sha512, Algorithm::RS512),
        (Name::Rsa8192Sha512, Algorithm::RS512),
    ];
    let mut count = Count::default();
    for (name, algorithm) in sets {
        for group in pkcs1::TestSet::load(name).expect("the set is whole").test_groups {
            let (n, e) = (number(&group.key.n), number(&group.key.e));
            let key = json!({ "kty": "RSA", "kid": "1", "n": n, "e": e });
            for test in group.tests {
                let verified = verifies(&key, algorithm, &test.msg, &test.sig);
                count.case(&format!("{name:?}"), test.tc_id, test.result, verified);
            }
        }
    }
    println!("RSA, PKCS#1: {} accepted, {} refused", count.accepted, count.refused);
    assert_eq!((count.accepted, count.refused), (89, 3017));
}

#[test]
fn of_rsa_with_pss_are_told_apart() {
    use pss::TestName as Name;
    let sets = [
        (Name::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::PS256),
        (Name::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::PS256),
        (Name::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::PS256),
        (Name::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::PS384),
        (Name::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::PS384),
        (Name::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::PS512),
    ];
    let mut count = Count::default();
    for (name, algorithm) in sets {
        for group in pss::TestSet::load(name).expect("the set is whole").test_groups {
            let (n, e) = (number(&group.key.n), number(&group.key.e));
            let key = json!({ "kty": "RSA", "kid": "1", "n": n, "e": e });
            for test in group.tests {
                let verified = verifies(&key, algorithm, &test.msg, &test.sig);
                count.case(&format!("{name:?}"), test.tc_id, test.result, verified);
            }
        }
    }
    println!("RSA, PSS: {} accepted, {} refused", count.accepted, count.refused);
    assert_eq!((count.accepted, count.refused), (511, 274));
}

/// Whole tokens, with their keys as JWKs. The crate leaves these sets out; `WYCHEPROOF` names a
/// checkout of <https://github.com/C2SP/wycheproof>.
mod jose {
    use std::{env, fs, path::Path};

    use super::*;
    use crate::jwt::Jwt;

    const ALGORITHMS: [Algorithm; 9] = [
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::EdDSA,
    ];

    /// Cases that we answer in another way than they say. (372 and 373 are mislabelled too: a `?`
    /// in the base64 is to be valid. They are of shared secrets, which are refused.)
    const OTHERWISE: [(&str, u64, &str); 5] = [
        ("signature", 346, "mislabelled: its key is for PS256, and it is signed by PS384"),
        ("signature", 347, "mislabelled: its key is for `ES521`; and P-521 is not served here"),
        ("signature", 350, "as 346"),
        ("signature", 351, "as 347"),
        ("key", 7, "the key is weak by ROCA (CVE-2017-15361), which is not looked for"),
    ];

    fn groups(name: &str) -> Vec<Value> {
        let place = env::var("WYCHEPROOF").expect("WYCHEPROOF names a checkout of Wycheproof");
        let file = format!("testvectors_v1/json_web_{name}_test.json");
        let text = fs::read_to_string(Path::new(&place).join(file)).expect("the set is there");
        let set: Value = serde_json::from_str(&text).expect("the set is JSON");
        set["testGroups"].as_array().expect("groups").clone()
    }

    fn is_accepted(jws: &str, keys: &[Value]) -> bool {
        let Ok(token) = Jwt::read(jws) else { return false };
        let keys = keys.iter().filter_map(|key| VerifyingKey::of_jwk(key, &ALGORITHMS));
        let mut keys = keys.filter(|key| token.header.key.as_deref() == Some(key.id()));
        keys.any(|key| token.is_signed_by(&key))
    }

    #[test]
    #[ignore = "needs a checkout of Wycheproof"]
    fn tokens_are_told_apart() {
        for name in ["signature", "key"] {
            let (mut count, mut secret) = (Count::default(), 0);
            for group in groups(name) {
                let public = &group["public"];
                let keys = public["keys"].as_array().cloned().unwrap_or(vec![public.clone()]);
                for test in group["tests"].as_array().expect("tests") {
                    let id = test["tcId"].as_u64().expect("a number");
                    let accepted = is_accepted(test["jws"].as_str().unwrap_or_default(), &keys);
                    let otherwise =
                        OTHERWISE.iter().any(|(set, case, _)| (*set, *case) == (name, id));
                    if public.is_null() {
                        // A shared secret, which nobody's tokens are signed with here.
                        assert!(!accepted, "{name} {id}");
                        secret += 1;
                    } else {
                        let valid = test["result"] == "valid";
                        assert_eq!(accepted, valid != otherwise, "{name} {id}");
                        *(if accepted { &mut count.accepted } else { &mut count.refused }) += 1;
                    }
                }
            }
            let Count { accepted, refused } = count;
            println!("{name}: {accepted} accepted, {refused} refused, {secret} of shared secrets");
        }
    }
}
