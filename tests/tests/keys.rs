use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tests::World;

fn bytes(text: &Value) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text.as_str().expect("a text")).expect("base64url")
}

mod get_key_set {
    use super::*;

    #[tokio::test]
    async fn shows_the_public_half_of_the_signing_key_and_nothing_else() {
        let world = World::new().await;

        let answer = world.anonymous().get("/.well-known/jwks.json").await.expect(200).json();

        let key = &answer["keys"][0];
        let expected = json!({ "keys": [{
            "kty": "EC",
            "crv": "P-256",
            "x": key["x"],
            "y": key["y"],
            "kid": tests::signing_key().id(),
            "alg": "ES256",
            "use": "sig",
        }] });
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn gives_others_what_they_need_to_check_an_access_token() {
        let world = World::new().await;
        let maya = world.maya().await;
        let keys = world.anonymous().get("/.well-known/jwks.json").await.expect(200).json();

        let key = &keys["keys"][0];
        let point = [vec![4], bytes(&key["x"]), bytes(&key["y"])].concat();
        let (signed, signature) = maya.token().rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&bytes(&json!(part))).unwrap();

        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &bytes(&json!(signature)))
            .expect("the key set checks the token");
        let header = read(header);
        assert_eq!(header, json!({ "typ": "at+jwt", "alg": "ES256", "kid": key["kid"] }));
        let claims = read(claims);
        let expected = json!({
            "iss": "https://api.example.com",
            "aud": "landline",
            "sub": maya.signed_in["account"]["id"],
            "sid": maya.signed_in["session"]["id"],
            "jti": claims["jti"],
            "iat": 1_795_365_000,
            "exp": 1_795_365_900,
        });
        assert_eq!(claims, expected);
    }
}
