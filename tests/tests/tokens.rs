//! Tokens that are not quite right, by every way that we know of: each is brought to the front
//! door, and each has its answer. Where it is not the signature that is wrong, it is a right one.

use std::time::Duration;

use auth::{Auth, SigningKey};
use aws_lc_rs::{
    digest, hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    },
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use models::store::Store;
use serde_json::{Value, json};
use tests::{
    Answer, Client, Faults, World,
    forger::{Forger, decoded, der, encoded, rsa_key, with},
    signing_key,
};

/// When every world begins, in seconds.
const NOW: i64 = 1_795_365_000;

const GOOD: Option<&str> = None;
const MISSING: Option<&str> = Some("token_missing");
const EXPIRED: Option<&str> = Some("token_expired");
const INVALID: Option<&str> = Some("token_invalid");

async fn maya() -> (World, Client, Forger) {
    let world = World::new().await;
    let maya = world.maya().await;
    let forger = Forger::new(&signing_key(), &maya);
    (world, maya, forger)
}

/// One who has seen everything and has a key of their own.
fn stranger(maya: &Client) -> Forger {
    Forger::new(&SigningKey::generate(), maya)
}

#[track_caller]
fn check(name: &str, answer: &Answer, expected: Option<&str>) {
    let Some(code) = expected else {
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        return;
    };
    assert_eq!(answer.status, 401, "{name}: {}", answer.text());
    assert_eq!(answer.json()["code"], code, "{name}");
    let challenge = if code == "token_missing" { "" } else { ", error=\"invalid_token\"" };
    let challenge = format!("Bearer realm=\"api\"{challenge}");
    assert_eq!(answer.header("www-authenticate"), challenge, "{name}");
}

async fn bring<const N: usize>(maya: &Client, tokens: [(&str, String, Option<&str>); N]) {
    for (name, token, expected) in tokens {
        let answer = maya.with_token(token).get("/v1/account").await;

        check(name, &answer, expected);
    }
}

#[tokio::test]
async fn the_good_one_is_good_when_it_is_made_by_hand() {
    let (_world, maya, forger) = maya().await;
    let attacker = json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" });

    bring(
        &maya,
        [
            ("as it was", forger.token(forger.header.to_string(), forger.claims.to_string()), GOOD),
            ("the type in capitals", forger.header_with("typ", json!("AT+JWT")), GOOD),
            ("the whole type", forger.header_with("typ", json!("Application/at+jwt")), GOOD),
            ("a header that nobody knows", forger.header_with("x-more", json!([1])), GOOD),
            ("a claim that nobody knows", forger.claim("email", json!("maya@example.com")), GOOD),
            ("a key of another, not looked at", forger.header_with("jwk", attacker), GOOD),
            ("a place of keys, not looked at", forger.header_with("jku", json!("http://x")), GOOD),
            ("issued in 30 s", forger.claim("iat", json!(NOW + 30)), GOOD),
            ("good in 30 s", forger.claim("nbf", json!(NOW + 30)), GOOD),
            ("a second left", forger.claim("exp", json!(NOW + 1)), GOOD),
            ("a decimal point", forger.claim_written("exp", "1795365900.0"), GOOD),
            ("a power of ten", forger.claim_written("exp", "1.7953659e9"), GOOD),
            ("the last second of 9999", forger.claim("exp", json!(253_402_300_799_i64)), GOOD),
            ("scopes", forger.claim("scope", json!("profile openid")), GOOD),
        ],
    )
    .await;
}

mod an_algorithm {
    use super::*;

    /// The message of the good token under another header.
    fn message(forger: &Forger, header: &Value) -> String {
        format!("{}.{}", encoded(header.to_string()), encoded(forger.claims.to_string()))
    }

    fn under(forger: &Forger, algorithm: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
        let message = message(forger, &with(&forger.header, "alg", json!(algorithm)));
        let signature = encoded(sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    fn hs(algorithm: hmac::Algorithm, secret: &[u8]) -> impl Fn(&[u8]) -> Vec<u8> {
        let key = hmac::Key::new(algorithm, secret);
        move |message| hmac::sign(&key, message).as_ref().to_vec()
    }

    #[tokio::test]
    async fn of_no_signature_is_refused() {
        let (_world, maya, forger) = maya().await;
        let none = |alg: &str| under(&forger, alg, |_| Vec::new());

        bring(
            &maya,
            [
                ("none", none("none"), INVALID),
                ("None", none("None"), INVALID),
                ("NONE", none("NONE"), INVALID),
                ("nOnE", none("nOnE"), INVALID),
                ("an empty name", none(""), INVALID),
                ("none under a real signature", forger.header_with("alg", json!("none")), INVALID),
                ("ES256 without a signature", none("ES256"), INVALID),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn of_a_shared_secret_is_refused_whatever_the_secret_is() {
        let (_world, maya, forger) = maya().await;
        let keys = maya.get("/.well-known/jwks.json").await.expect(200).json();
        let jwk = keys["keys"][0].to_string();
        let prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let prefix = (0..prefix.len()).step_by(2).map(|at| &prefix[at..at + 2]);
        let prefix = prefix.map(|hex| u8::from_str_radix(hex, 16).expect("hex"));
        let spki = prefix.chain(forger.point()).collect::<Vec<_>>();
        let pem = tests::forger::pem("PUBLIC KEY", &spki);
        let (point, id) = (forger.point(), signing_key().id().to_owned());
        let sha256 = |secret: &[u8]| under(&forger, "HS256", hs(hmac::HMAC_SHA256, secret));

        bring(
            &maya,
            [
                ("HS256 with the public key as PEM", sha256(pem.as_bytes()), INVALID),
                ("the same without its last line end", sha256(pem.trim().as_bytes()), INVALID),
                ("HS256 with the public key as DER", sha256(&spki), INVALID),
                ("HS256 with the point", sha256(&point), INVALID),
                ("HS256 with the point's coordinates", sha256(&point[1..]), INVALID),
                ("HS256 with the published key", sha256(jwk.as_bytes()), INVALID),
                ("HS256 with the key's id", sha256(id.as_bytes()), INVALID),
                ("HS256 with an empty secret", sha256(b""), INVALID),
                (
                    "HS384 with the public key",
                    under(&forger, "HS384", hs(hmac::HMAC_SHA384, pem.as_bytes())),
                    INVALID,
                ),
                (
                    "HS512 with the public key",
                    under(&forger, "HS512", hs(hmac::HMAC_SHA512, pem.as_bytes())),
                    INVALID,
                ),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn of_another_kind_is_refused_with_a_key_of_that_kind() {
        let (_world, maya, forger) = maya().await;
        let random = SystemRandom::new();
        let rsa = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
        let rs = |padding| {
            let (rsa, random) = (&rsa, &random);
            move |message: &[u8]| {
                let mut signature = vec![0; rsa.public_modulus_len()];
                rsa.sign(padding, random, message, &mut signature).unwrap();
                signature
            }
        };
        let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        let es384 = |message: &[u8]| p384.sign(&random, message).unwrap().as_ref().to_vec();
        let ed25519 = Ed25519KeyPair::generate().unwrap();
        let eddsa = |message: &[u8]| ed25519.sign(message).as_ref().to_vec();
        let own = |message: &[u8]| forger.sign(std::str::from_utf8(message).unwrap());

        bring(
            &maya,
            [
                ("RS256", under(&forger, "RS256", rs(&RSA_PKCS1_SHA256)), INVALID),
                ("PS256", under(&forger, "PS256", rs(&RSA_PSS_SHA256)), INVALID),
                ("ES256 by an RSA key", under(&forger, "ES256", rs(&RSA_PKCS1_SHA256)), INVALID),
                ("ES384", under(&forger, "ES384", es384), INVALID),
                ("ES256 by a P-384 key", under(&forger, "ES256", es384), INVALID),
                ("EdDSA", under(&forger, "EdDSA", eddsa), INVALID),
                ("ES256 by an Ed25519 key", under(&forger, "ES256", eddsa), INVALID),
                ("ES384 by the real key", under(&forger, "ES384", own), INVALID),
                ("RS256 by the real key", under(&forger, "RS256", own), INVALID),
                ("EdDSA by the real key", under(&forger, "EdDSA", own), INVALID),
                ("ES256K by the real key", under(&forger, "ES256K", own), INVALID),
                ("ES512 by the real key", under(&forger, "ES512", own), INVALID),
            ],
        )
        .await;
    }

    /// A key is for one algorithm (RFC 8725, section 3.1), and an RSA key could do six.
    #[tokio::test]
    async fn is_the_keys_own_even_among_those_that_it_could_do() {
        let (world, maya, forger) = maya().await;
        let key = rsa_key();
        let world =
            world.beside(auth::Settings { signing: key.clone().into(), ..world.auth().clone() });
        let maya = maya.at(world.door());
        let pair = RsaKeyPair::from_pkcs8(&der(&key.to_pem())).unwrap();
        let by = |algorithm: &str, padding| {
            let mut header = with(&forger.header, "kid", json!(key.id()));
            header["alg"] = json!(algorithm);
            let message = message(&forger, &header);
            let mut signature = vec![0; pair.public_modulus_len()];
            pair.sign(padding, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
            format!("{message}.{}", encoded(signature))
        };

        bring(
            &maya,
            [
                ("RS256", by("RS256", &RSA_PKCS1_SHA256), GOOD),
                ("RS384", by("RS384", &RSA_PKCS1_SHA384), INVALID),
                ("RS512", by("RS512", &RSA_PKCS1_SHA512), INVALID),
                ("PS256", by("PS256", &RSA_PSS_SHA256), INVALID),
                ("PS384", by("PS384", &RSA_PSS_SHA384), INVALID),
                ("PS512", by("PS512", &RSA_PSS_SHA512), INVALID),
                ("PS256 as RS256", by("RS256", &RSA_PSS_SHA256), INVALID),
                ("RS384 as RS256", by("RS256", &RSA_PKCS1_SHA384), INVALID),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn is_one_name_written_as_it_is() {
        let (_world, maya, forger) = maya().await;
        let alg = |value| forger.header_with("alg", value);
        let claims = forger.claims.to_string();
        let rest = format!(r#""typ":"at+jwt","kid":"{}""#, signing_key().id());
        let twice = |members: &str| forger.token(format!("{{{members},{rest}}}"), &claims);

        bring(
            &maya,
            [
                ("no algorithm", forger.header_without("alg"), INVALID),
                ("small letters", alg(json!("es256")), INVALID),
                ("a space after it", alg(json!("ES256 ")), INVALID),
                ("NUL after it", alg(json!("ES256\0")), INVALID),
                ("null", alg(json!(null)), INVALID),
                ("a number", alg(json!(256)), INVALID),
                ("true", alg(json!(true)), INVALID),
                ("a list", alg(json!(["ES256"])), INVALID),
                ("an object", alg(json!({ "ES256": null })), INVALID),
                ("none, then ES256", twice(r#""alg":"none","alg":"ES256""#), INVALID),
                ("ES256, then none", twice(r#""alg":"ES256","alg":"none""#), INVALID),
                ("twice the same", twice(r#""alg":"ES256","alg":"ES256""#), INVALID),
                ("the second in escapes", twice(r#""alg":"ES256","\u0061lg":"none""#), INVALID),
                ("under another name", twice(r#""Alg":"ES256""#), INVALID),
                ("in capitals beside it", twice(r#""ALG":"none","alg":"ES256""#), GOOD),
            ],
        )
        .await;
    }
}

mod a_key {
    use super::*;

    #[tokio::test]
    async fn is_named_by_its_id_and_is_one_of_ours() {
        let (_world, maya, forger) = maya().await;
        let kid = |value| forger.header_with("kid", value);
        let id = signing_key().id().to_owned();
        let swapped: String = id
            .chars()
            .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();

        bring(
            &maya,
            [
                ("no id", forger.header_without("kid"), INVALID),
                ("null", kid(json!(null)), INVALID),
                ("an empty id", kid(json!("")), INVALID),
                ("a number", kid(json!(0)), INVALID),
                ("a list with the id", kid(json!([id])), INVALID),
                ("an unknown id", kid(json!(SigningKey::generate().id())), INVALID),
                ("the id in other letters", kid(json!(swapped)), INVALID),
                ("the beginning of the id", kid(json!(id[..20])), INVALID),
                ("the id and more", kid(json!(format!("{id}="))), INVALID),
                ("a file", kid(json!("../../../../../../dev/null")), INVALID),
                ("SQL", kid(json!("x' UNION SELECT 'secret' --")), INVALID),
                ("a command", kid(json!("|/usr/bin/id")), INVALID),
                ("a URL", kid(json!("https://evil.example/key")), INVALID),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn that_a_token_brings_along_is_not_looked_at() {
        let (_world, maya, _) = maya().await;
        let stranger = stranger(&maya);
        let point = stranger.point();
        let jwk = json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig",
            "x": encoded(&point[1..33]), "y": encoded(&point[33..]), "kid": signing_key().id(),
        });
        let certificate = BASE64_STANDARD.encode(&point);
        let brought = |name: &str, value: Value| stranger.header_with(name, value);
        let named = |name: &str, value: Value| {
            let header = with(&stranger.header, "kid", json!("theirs"));
            stranger.token(with(&header, name, value).to_string(), stranger.claims.to_string())
        };

        bring(
            &maya,
            [
                ("nothing", brought("x-more", json!(0)), INVALID),
                ("jwk under our id", brought("jwk", jwk.clone()), INVALID),
                ("jwk under its own id", named("jwk", with(&jwk, "kid", json!("theirs"))), INVALID),
                ("jwks", brought("jwks", json!({ "keys": [jwk] })), INVALID),
                ("jku", brought("jku", json!("https://evil.example/jwks.json")), INVALID),
                (
                    "jku at home",
                    named("jku", json!("https://api.example.com@evil.example")),
                    INVALID,
                ),
                ("x5u", brought("x5u", json!("https://evil.example/chain.pem")), INVALID),
                ("x5c", brought("x5c", json!([certificate])), INVALID),
                ("x5t", named("x5t", json!(encoded([0; 20]))), INVALID),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
    let (_world, maya, forger) = maya().await;
    let typ = |value| forger.header_with("typ", value);

    bring(
        &maya,
        [
            ("no type", forger.header_without("typ"), INVALID),
            ("any token", typ(json!("JWT")), INVALID),
            ("any token, in small letters", typ(json!("jwt")), INVALID),
            ("an ID token", typ(json!("id_token+jwt")), INVALID),
            ("a logout token", typ(json!("logout+jwt")), INVALID),
            ("a proof of possession", typ(json!("dpop+jwt")), INVALID),
            ("another tree of types", typ(json!("text/at+jwt")), INVALID),
            ("the prefix twice", typ(json!("application/application/at+jwt")), INVALID),
            ("the prefix alone", typ(json!("application/")), INVALID),
            ("a parameter", typ(json!("at+jwt;v=1")), INVALID),
            ("a space before it", typ(json!(" at+jwt")), INVALID),
            ("letters that look alike", typ(json!("ａt+jwt")), INVALID),
            ("null", typ(json!(null)), INVALID),
            ("a list", typ(json!(["at+jwt"])), INVALID),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_extension_that_must_be_understood_is_refused() {
    let (_world, maya, forger) = maya().await;
    let both = with(&forger.header, "crit", json!(["b64"]));
    let both = with(&both, "b64", json!(false)).to_string();
    let claims = forger.claims.to_string();
    // RFC 7797: the payload stands there as it is.
    let message = format!("{}.{claims}", encoded(&both));
    let unencoded = format!("{message}.{}", encoded(forger.sign(&message)));

    bring(
        &maya,
        [
            ("one that is not there", forger.header_with("crit", json!(["exp"])), INVALID),
            ("one of the standard's own", forger.header_with("crit", json!(["alg"])), INVALID),
            ("none", forger.header_with("crit", json!([])), INVALID),
            ("null", forger.header_with("crit", json!(null)), INVALID),
            ("a text", forger.header_with("crit", json!("b64")), INVALID),
            ("b64", forger.token(&both, &claims), INVALID),
            ("b64 and a payload as it is", unencoded, INVALID),
            ("b64 without crit", forger.header_with("b64", json!(false)), INVALID),
            ("b64 that changes nothing", forger.header_with("b64", json!(true)), INVALID),
        ],
    )
    .await;
}

mod a_form {
    use super::*;

    #[tokio::test]
    async fn of_other_parts_is_refused() {
        let (_world, maya, forger) = maya().await;
        let token = maya.token();
        let parts: Vec<_> = token.split('.').collect();
        let [header, payload, signature] = parts[..] else { panic!("{token}") };
        let json = json!({ "payload": payload, "protected": header, "signature": signature });
        let jwe = json!({ "alg": "dir", "enc": "A256GCM", "typ": "at+jwt" }).to_string();
        let nested = with(&forger.header, "cty", json!("JWT")).to_string();

        bring(
            &maya,
            [
                ("one part", payload.to_owned(), INVALID),
                ("two parts", format!("{header}.{payload}"), INVALID),
                ("four parts", format!("{token}.{signature}"), INVALID),
                ("an empty fourth part", format!("{token}."), INVALID),
                ("an empty first part", format!(".{token}"), INVALID),
                ("five parts, as if encrypted", format!("{}.AA.AA.AA.AA", encoded(jwe)), INVALID),
                ("points only", "..".to_owned(), INVALID),
                ("no payload", format!("{header}..{signature}"), INVALID),
                ("a detached payload", detached(&forger), INVALID),
                ("as JSON", json.to_string(), INVALID),
                ("a token in a token", forger.token(&nested, token), INVALID),
                ("a token as a text", forger.token(&nested, json!(token).to_string()), INVALID),
            ],
        )
        .await;
    }

    /// Signed over its payload, and sent without (RFC 7515, appendix F).
    fn detached(forger: &Forger) -> String {
        let token = forger.token(forger.header.to_string(), forger.claims.to_string());
        let parts: Vec<_> = token.split('.').collect();
        format!("{}..{}", parts[0], parts[2])
    }

    /// RFC 7515, section 2: no padding, no line ends, the alphabet of RFC 4648, section 5; and no
    /// bits that mean nothing, or one token would have several forms.
    #[tokio::test]
    async fn of_another_base64_is_refused() {
        let (_world, maya, forger) = maya().await;
        let header = encoded(forger.header.to_string());
        let signed_over = |header: &str, payload: &str| {
            let message = format!("{header}.{payload}");
            format!("{message}.{}", encoded(forger.sign(&message)))
        };
        // 64 bytes of signature leave four bits of the last character without a meaning, one byte
        // more than a multiple of three does too.
        let padded = |text: &str| text.to_owned() + &" ".repeat(3 - (text.len() + 2) % 3);
        let claims = padded(&forger.claims.to_string());
        let payload = encoded(&claims);
        let good = signed_over(&header, &payload);
        let question = with(&forger.claims, "jti", json!("???>>>~~~")).to_string();
        let for_urls = encoded(&question);
        let standard = BASE64_STANDARD.encode(&question).trim_end_matches('=').to_owned();
        assert!(standard.contains(['+', '/']), "{standard}");

        bring(
            &maya,
            [
                ("none of it", good.clone(), GOOD),
                ("spare bits in the payload", signed_over(&header, &spared(&payload)), INVALID),
                ("spare bits in the signature", spared(&good), INVALID),
                ("padding of the payload", signed_over(&header, &format!("{payload}==")), INVALID),
                ("padding of the signature", format!("{good}=="), INVALID),
                ("padding in escapes", format!("{good}%3D%3D"), INVALID),
                ("the alphabet for URLs", signed_over(&header, &for_urls), GOOD),
                ("the standard alphabet", signed_over(&header, &standard), INVALID),
                ("a space inside", good.replacen('.', ". ", 1), INVALID),
                ("a tab inside", good.replacen('.', ".\t", 1), INVALID),
                ("quotation marks around", format!("\"{good}\""), INVALID),
                ("a comma after it", format!("{good},"), INVALID),
                ("a letter of another alphabet", good.replacen("ey", "еy", 1), INVALID),
            ],
        )
        .await;
    }

    /// The text with the lowest bit of its last character set, where that means nothing.
    fn spared(text: &str) -> String {
        const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let (rest, last) = text.split_at(text.len() - 1);
        let place = ALPHABET.find(last).expect("base64url");
        assert_eq!(place % 16, 0, "the last four bits mean nothing");
        format!("{rest}{}", &ALPHABET[place + 1..place + 2])
    }

    #[tokio::test]
    async fn that_is_not_a_json_object_is_refused() {
        let (_world, maya, forger) = maya().await;
        let (header, claims) = (forger.header.to_string(), forger.claims.to_string());
        let payload = |payload: &[u8]| forger.token(&header, payload);
        let begun = claims.trim_end_matches('}').to_owned();
        let not_utf8 = [begun.as_bytes(), b",\"x\":\"\xff\"}"].concat();
        let utf16: Vec<_> = claims.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let deep = format!("{}1{}", "[".repeat(2000), "]".repeat(2000));

        bring(
            &maya,
            [
                ("a header that is a list", forger.token(format!("[{header}]"), &claims), INVALID),
                ("a header that is a text", forger.token("\"at+jwt\"", &claims), INVALID),
                ("an empty header", forger.token("{}", &claims), INVALID),
                ("a header and more", forger.token(format!("{header}{header}"), &claims), INVALID),
                ("claims that are a list", payload(format!("[{claims}]").as_bytes()), INVALID),
                ("claims that are a number", payload(b"1"), INVALID),
                ("claims that are null", payload(b"null"), INVALID),
                ("no claims", payload(b"{}"), INVALID),
                ("claims and more", payload(format!("{claims} {claims}").as_bytes()), INVALID),
                ("claims without an end", payload(begun.as_bytes()), INVALID),
                ("a comma too many", payload(format!("{begun},}}").as_bytes()), INVALID),
                ("a comment", payload(format!("{begun}/**/}}").as_bytes()), INVALID),
                ("a byte order mark", payload(format!("\u{feff}{claims}").as_bytes()), INVALID),
                ("not UTF-8", payload(&not_utf8), INVALID),
                ("UTF-16", payload(&utf16), INVALID),
                ("deep nesting", payload(deep.as_bytes()), INVALID),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn of_more_than_eight_kibibytes_is_refused() {
        let (_world, maya, forger) = maya().await;
        let filled = |length: usize| forger.claim("x", json!("x".repeat(length)));
        // Three bytes of claims are four of the token; some lengths cannot be had.
        let length = (0..8192).rev().find(|length| filled(*length).len() <= 8192);
        let length = length.expect("a token that fits");
        assert!(filled(length).len() > 8188);

        bring(
            &maya,
            [
                ("as long as can be", filled(length), GOOD),
                ("a little longer", filled(length + 3), INVALID),
                ("much longer", "x".repeat(9_000), INVALID),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn a_signature_that_is_not_the_keys_own_is_refused() {
    /// The order of P-256's base point (SEC 2, section 2.4.2).
    const ORDER: &str = "_____wAAAAD__________7zm-q2nF56E87nKwvxjJVE";
    let (_world, maya, forger) = maya().await;
    let token = maya.token();
    let (message, signature) = token.rsplit_once('.').unwrap();
    let bytes = decoded(signature);
    let (r, s) = bytes.split_at(32);
    let signed = |signature: &[u8]| format!("{message}.{}", encoded(signature));
    let mut flipped = bytes.clone();
    flipped[40] ^= 1;
    let (mut zero_one, mut one_zero) = ([0; 64], [0; 64]);
    (zero_one[63], one_zero[31]) = (1, 1);
    let order = decoded(ORDER);
    let another = forger.claim("jti", json!("another"));
    let (_, of_another) = another.rsplit_once('.').unwrap();
    let strangers = stranger(&maya).sign(message);
    let hash = digest::digest(&digest::SHA256, message.as_bytes());

    bring(
        &maya,
        [
            ("its own", signed(&bytes), GOOD),
            ("nothing", signed(b""), INVALID),
            ("a byte too few", signed(&bytes[..63]), INVALID),
            ("a byte too many", signed(&[&bytes[..], &[0]].concat()), INVALID),
            ("a zero before each half", signed(&[&[0], r, &[0], s].concat()), INVALID),
            ("a half", signed(r), INVALID),
            ("the halves in the other order", signed(&[s, r].concat()), INVALID),
            ("twice", signed(&[&bytes[..], &bytes[..]].concat()), INVALID),
            ("one bit other", signed(&flipped), INVALID),
            ("zeros (CVE-2022-21449)", signed(&[0; 64]), INVALID),
            ("r of zero", signed(&zero_one), INVALID),
            ("s of zero", signed(&one_zero), INVALID),
            ("the order of the group", signed(&[&order[..], &order].concat()), INVALID),
            ("ones", signed(&[0xff; 64]), INVALID),
            ("DER", signed(&asn1(r, s)), INVALID),
            ("the hash of the message", signed(&[hash.as_ref(), hash.as_ref()].concat()), INVALID),
            ("of another token", format!("{message}.{of_another}"), INVALID),
            ("of another key", signed(&strangers), INVALID),
        ],
    )
    .await;
}

/// The signature as X.509 has it (RFC 3279, section 2.2.3).
fn asn1(r: &[u8], s: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| [&[2, 33, 0], bytes].concat();
    let both = [integer(r), integer(s)].concat();
    [&[0x30, u8::try_from(both.len()).expect("short")], &both[..]].concat()
}

mod claims {
    use super::*;

    /// Names are compared as they are (RFC 7519, section 2, StringOrURI).
    #[tokio::test]
    async fn of_another_issuer_or_audience_are_refused() {
        let (_world, maya, forger) = maya().await;
        let iss = |value| forger.claim("iss", value);
        let aud = |value| forger.claim("aud", value);
        let ours = "https://api.example.com";

        bring(
            &maya,
            [
                ("no issuer", forger.claim_without("iss"), INVALID),
                ("issuer null", iss(json!(null)), INVALID),
                ("issuer a number", iss(json!(1)), INVALID),
                ("issuer a list", iss(json!([ours])), INVALID),
                ("issuer empty", iss(json!("")), INVALID),
                ("issuer with a slash", iss(json!("https://api.example.com/")), INVALID),
                ("issuer in capitals", iss(json!("https://API.example.com")), INVALID),
                ("issuer without a lock", iss(json!("http://api.example.com")), INVALID),
                ("issuer with a port", iss(json!("https://api.example.com:443")), INVALID),
                ("issuer with a space", iss(json!("https://api.example.com ")), INVALID),
                ("another issuer", iss(json!("https://evil.example")), INVALID),
                (
                    "two issuers",
                    forger.claim_written("iss", &format!("\"{ours}\",\"iss\":\"{ours}\"")),
                    INVALID,
                ),
                ("no audience", forger.claim_without("aud"), INVALID),
                ("audience null", aud(json!(null)), INVALID),
                ("audience 5", aud(json!(5)), INVALID),
                ("audience empty", aud(json!("")), INVALID),
                ("audience in capitals", aud(json!("Landline")), INVALID),
                ("another audience", aud(json!("billing")), INVALID),
                ("a list of ours", aud(json!(["landline"])), INVALID),
                ("a list with ours", aud(json!(["billing", "landline"])), INVALID),
                ("an empty list", aud(json!([])), INVALID),
                ("ours among words", aud(json!("landline billing")), INVALID),
                ("an object of ours", aud(json!({ "landline": true })), INVALID),
                (
                    "two audiences",
                    forger.claim_written("aud", r#""landline","aud":"landline""#),
                    INVALID,
                ),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn of_times_that_are_none_or_are_not_now_are_refused() {
        let (_world, maya, forger) = maya().await;
        let exp = |value| forger.claim("exp", value);
        let nbf = |value| forger.claim("nbf", value);
        let iat = |value| forger.claim("iat", value);

        bring(
            &maya,
            [
                ("no end", forger.claim_without("exp"), INVALID),
                ("an end that is null", exp(json!(null)), INVALID),
                ("an end that is a text", exp(json!("1795365900")), INVALID),
                ("an end that is true", exp(json!(true)), INVALID),
                ("an end in a list", exp(json!([NOW + 900])), INVALID),
                ("an end at infinity", forger.claim_written("exp", "1e300"), INVALID),
                ("an end beyond numbers", forger.claim_written("exp", "1e999"), INVALID),
                ("an end that is NaN", forger.claim_written("exp", "NaN"), INVALID),
                ("an end in milliseconds", exp(json!((NOW + 900) * 1000)), INVALID),
                ("an end after 9999", exp(json!(253_402_300_800_i64)), INVALID),
                ("the largest end", exp(json!(u64::MAX)), INVALID),
                ("an end before 1970", exp(json!(-1)), INVALID),
                ("the smallest end", exp(json!(i64::MIN)), INVALID),
                ("two ends", forger.claim_written("exp", "1,\"exp\":1795365900"), INVALID),
                ("an end in hexadecimal", forger.claim_written("exp", "0x6B02F9CC"), INVALID),
                ("an end now", exp(json!(NOW)), EXPIRED),
                ("an end a moment ago", exp(json!(NOW - 1)), EXPIRED),
                ("an end within this second", exp(json!(NOW as f64 + 0.9)), EXPIRED),
                ("an end in 1970", exp(json!(0)), EXPIRED),
                ("good in 31 s", nbf(json!(NOW + 31)), INVALID),
                ("good in a year", nbf(json!(NOW + 31_536_000)), INVALID),
                ("good from a text on", nbf(json!("0")), INVALID),
                ("good from null on", nbf(json!(null)), INVALID),
                ("never good", forger.claim_written("nbf", "1e300"), INVALID),
                ("no beginning", forger.claim_without("iat"), INVALID),
                ("issued in 31 s", iat(json!(NOW + 31)), INVALID),
                ("issued at a text", iat(json!("1795365000")), INVALID),
                ("issued at null", iat(json!(null)), INVALID),
                ("issued before 1970", iat(json!(-1)), INVALID),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn of_nobody_are_refused() {
        let (_world, maya, forger) = maya().await;
        let sub = |value| forger.claim("sub", value);
        let sid = |value| forger.claim("sid", value);
        let id = forger.claims["sub"].as_str().unwrap().to_owned();

        bring(
            &maya,
            [
                ("no account", forger.claim_without("sub"), INVALID),
                ("account null", sub(json!(null)), INVALID),
                ("account empty", sub(json!("")), INVALID),
                ("account a number", sub(json!(1)), INVALID),
                ("account an address", sub(json!("maya@example.com")), INVALID),
                ("account a list", sub(json!([id])), INVALID),
                ("account a key of the table", sub(json!(format!("{id}#PROFILE"))), INVALID),
                ("account without hyphens", sub(json!(id.replace('-', ""))), INVALID),
                (
                    "two accounts",
                    forger.claim_written("sub", &format!("\"{id}\",\"sub\":\"{id}\"")),
                    INVALID,
                ),
                ("no session", forger.claim_without("sid"), INVALID),
                ("session null", sid(json!(null)), INVALID),
                ("session no id", sid(json!("current")), INVALID),
                ("scopes in a list", forger.claim("scope", json!(["admin"])), INVALID),
                ("scopes null", forger.claim("scope", json!(null)), INVALID),
                ("roles in a text", forger.claim("roles", json!("admin")), INVALID),
                ("roles that are numbers", forger.claim("roles", json!([1])), INVALID),
            ],
        )
        .await;
    }

    /// Only who could have had a good token is told that it has expired.
    #[tokio::test]
    async fn are_not_looked_at_before_the_signature() {
        let (_world, maya, forger) = maya().await;
        let stranger = stranger(&maya);
        let late = with(&forger.claims, "exp", json!(NOW - 1));
        let elsewhere = with(&late, "aud", json!("billing")).to_string();

        bring(
            &maya,
            [
                ("expired, of another key", stranger.claim("exp", json!(NOW - 1)), INVALID),
                (
                    "expired, for others",
                    forger.token(forger.header.to_string(), elsewhere),
                    INVALID,
                ),
            ],
        )
        .await;
    }
}

#[tokio::test]
async fn what_is_no_access_token_is_refused() {
    let (_world, maya, _) = maya().await;
    let session = maya.signed_in["session"]["id"].as_str().unwrap().to_owned();

    bring(
        &maya,
        [
            ("the refresh token", maya.refresh_token().to_owned(), INVALID),
            ("the session's id", session, INVALID),
            ("a password", "correct horse battery staple".to_owned(), INVALID),
            ("null", "null".to_owned(), INVALID),
        ],
    )
    .await;
}

mod a_request {
    use super::*;

    #[tokio::test]
    async fn carries_one_token_in_one_place() {
        let (_world, maya, _) = maya().await;
        let token = maya.token();
        let bearer = format!("Bearer {token}");

        for (name, headers, expected) in [
            ("small letters", vec![("authorization", format!("bearer {token}"))], GOOD),
            ("nothing", vec![], MISSING),
            ("an empty header", vec![("authorization", String::new())], MISSING),
            ("a scheme alone", vec![("authorization", "Bearer".to_owned())], MISSING),
            ("a token alone", vec![("authorization", token.to_owned())], MISSING),
            ("Basic", vec![("authorization", "Basic bWF5YTptYXlh".to_owned())], MISSING),
            ("the token as Basic", vec![("authorization", format!("Basic {token}"))], MISSING),
            ("DPoP", vec![("authorization", format!("DPoP {token}"))], MISSING),
            ("a longer scheme", vec![("authorization", format!("Bearers {token}"))], MISSING),
            ("a colon", vec![("authorization", format!("Bearer: {token}"))], MISSING),
            ("a tab", vec![("authorization", format!("Bearer\t{token}"))], MISSING),
            ("two tokens", vec![("authorization", format!("{bearer} {token}"))], INVALID),
            ("a list", vec![("authorization", format!("{bearer}, {bearer}"))], INVALID),
            (
                "two headers",
                vec![("authorization", bearer.clone()), ("authorization", bearer.clone())],
                INVALID,
            ),
            (
                "two headers, the first of another scheme",
                // The gateway joins them, and it is the first that has a scheme.
                vec![("authorization", "Basic eA==".to_owned()), ("authorization", bearer.clone())],
                MISSING,
            ),
            ("a cookie", vec![("cookie", format!("access_token={token}"))], MISSING),
            ("another header", vec![("x-authorization", bearer.clone())], MISSING),
            ("the proxy's header", vec![("proxy-authorization", bearer.clone())], MISSING),
        ] {
            let request = maya.anonymous().get("/v1/account");
            let request =
                headers.iter().fold(request, |request, (name, value)| request.header(name, value));

            check(name, &request.await, expected);
        }
        // RFC 6750, section 2.3, which RFC 9700 forbids: URLs stand in logs.
        let path = format!("/v1/account?access_token={token}");
        check("the query", &maya.anonymous().get(path).unspecified().await, MISSING);
    }
}

mod checking_a_token_of_ours {
    use super::*;

    #[tokio::test]
    async fn calls_the_store_for_nothing() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        let expired = Forger::new(&signing_key(), &maya).claim("exp", json!(NOW));
        faults.calls();

        // The guard lets it pass, and the path is none: the handler does not begin.
        maya.delete("/v1/sessions/none").await.expect_problem(404, "not_found");
        maya.with_token(expired).delete("/v1/sessions/none").await.expect(401);

        assert_eq!(faults.calls(), [""; 0]);
    }

    #[tokio::test]
    async fn goes_on_without_the_store() {
        let world = World::new().await;
        let maya = world.maya().await;
        let door = world.lose_the_store().await;

        maya.at(door).delete("/v1/sessions/none").await.expect_problem(404, "not_found");
    }

    /// Whoever waits for the network is not done when asked once, and cannot even begin outside of
    /// a runtime.
    #[test]
    fn waits_for_nobody() {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (auth, headers, account) = runtime.block_on(async {
            let world = World::new().await;
            let maya = world.maya().await;
            let store = Store::connect(world.connection(), world.ambient().clone());
            let bearer = HeaderValue::try_from(format!("Bearer {}", maya.token())).unwrap();
            let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);
            let account = maya.signed_in["account"]["id"].as_str().unwrap().to_owned();
            (Auth::new(world.auth().clone(), &store), headers, account)
        });
        runtime.shutdown_timeout(Duration::from_secs(5));

        let caller = auth.caller(&headers).now_or_never().expect("it asks nobody").unwrap();

        assert_eq!(caller.account.to_string(), account);
    }
}
