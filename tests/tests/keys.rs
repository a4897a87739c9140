use auth::{PublicKey, SigningKey};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey,
};
use serde_json::{Value, json};
use tests::{
    Client, World,
    forger::{decoded, ed25519_key, rsa_key},
    signing_key,
};

fn bytes(text: &Value) -> Vec<u8> {
    decoded(text.as_str().expect("a text"))
}

/// A world like this one whose tokens are signed with `key`, and which accepts `more`.
fn signing_with(world: &World, key: &SigningKey, more: &[&SigningKey]) -> World {
    let more = more.iter().map(|key| key.public_key().clone());
    let auth = world.auth().clone();
    world.beside(auth::Settings {
        signing: key.clone().into(),
        public_keys: more.collect(),
        ..auth
    })
}

async fn key_set(world: &World) -> Value {
    world.anonymous().get("/.well-known/jwks.json").await.expect(200).json()
}

mod get_key_set {
    use super::*;

    #[tokio::test]
    async fn shows_the_public_half_of_the_signing_key_and_nothing_else() {
        let world = World::new().await;

        let answer = key_set(&world).await;

        let key = &answer["keys"][0];
        let expected = json!({ "keys": [{
            "kty": "EC",
            "crv": "P-256",
            "x": key["x"],
            "y": key["y"],
            "kid": signing_key().id(),
            "alg": "ES256",
            "use": "sig",
        }] });
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn shows_what_each_kind_of_key_is_made_of() {
        let world = World::new().await;
        let (rsa, ed25519) = (rsa_key(), ed25519_key());

        let answer = key_set(&signing_with(&world, &rsa, &[&ed25519])).await;

        let [n, x] = [&answer["keys"][0]["n"], &answer["keys"][1]["x"]];
        assert_eq!([bytes(n).len(), bytes(x).len()], [256, 32]);
        let expected = json!({ "keys": [
            { "kty": "RSA", "n": n, "e": "AQAB", "kid": rsa.id(), "alg": "RS256", "use": "sig" },
            {
                "kty": "OKP",
                "crv": "Ed25519",
                "x": x,
                "kid": ed25519.id(),
                "alg": "EdDSA",
                "use": "sig",
            },
        ] });
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn may_be_kept_for_five_minutes() {
        let world = World::new().await;

        let answer = world.anonymous().get("/.well-known/jwks.json").await.expect(200);

        assert_eq!(answer.header("cache-control"), "public, max-age=300");
    }

    #[tokio::test]
    async fn gives_others_what_they_need_to_check_an_access_token() {
        let world = World::new().await;
        let maya = world.maya().await;
        let keys = key_set(&world).await;

        let key = &keys["keys"][0];
        let point = [vec![4], bytes(&key["x"]), bytes(&key["y"])].concat();
        let (signed, signature) = maya.token().rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let read = |part: &str| serde_json::from_slice::<Value>(&decoded(part)).unwrap();

        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &decoded(signature))
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

    /// By the published key alone, as a gateway's own authorizer does it.
    #[tokio::test]
    async fn gives_them_the_same_of_rsa_and_ed25519() {
        let world = World::new().await;
        world.maya().await;

        for (key, alg) in [(rsa_key(), "RS256"), (ed25519_key(), "EdDSA")] {
            let world = signing_with(&world, &key, &[]);
            let maya = world.anonymous().sign_in("maya@example.com").await;
            let published = key_set(&world).await["keys"][0].take();

            let (signed, signature) = maya.token().rsplit_once('.').unwrap();
            let (signed_bytes, signature) = (signed.as_bytes(), decoded(signature));
            let header: Value = serde_json::from_slice(&decoded(signed.split_once('.').unwrap().0))
                .expect("a header is JSON");
            let checked = if alg == "RS256" {
                RsaPublicKeyComponents { n: bytes(&published["n"]), e: bytes(&published["e"]) }
                    .verify(&RSA_PKCS1_2048_8192_SHA256, signed_bytes, &signature)
            } else {
                UnparsedPublicKey::new(&ED25519, bytes(&published["x"]))
                    .verify(signed_bytes, &signature)
            };

            checked.unwrap_or_else(|_| panic!("the key set does not check a token of {alg}"));
            assert_eq!(header, json!({ "typ": "at+jwt", "alg": alg, "kid": key.id() }));
            maya.get("/v1/account").await.expect(200);
        }
    }
}

mod get_openid_configuration {
    use super::*;

    #[tokio::test]
    async fn says_where_the_keys_are_and_what_they_sign_with() {
        let world = World::new().await;
        let (rsa, ed25519, another) = (rsa_key(), ed25519_key(), SigningKey::generate());
        let world = signing_with(&world, &rsa, &[&signing_key(), &ed25519, &another]);

        let answer = world.anonymous().get("/.well-known/openid-configuration").await.expect(200);

        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let expected = json!({
            "issuer": "https://api.example.com",
            "jwks_uri": "https://api.example.com/.well-known/jwks.json",
            "id_token_signing_alg_values_supported": ["ES256", "EdDSA", "RS256"],
            "response_types_supported": ["none"],
            "subject_types_supported": ["public"],
            "claims_supported": ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "scope", "roles"],
        });
        assert_eq!(answer.json(), expected);
    }
}

mod a_key_that_takes_over {
    use super::*;

    async fn ids(world: &World) -> Vec<String> {
        let set = key_set(world).await;
        let keys = set["keys"].as_array().expect("a list");
        keys.iter().map(|key| key["kid"].as_str().expect("an id").to_owned()).collect()
    }

    /// What this world answers to a token that another one gave out.
    async fn code(world: &World, of: &Client) -> Value {
        let answer = of.at(world.door()).get("/v1/account").await;
        if answer.status == 200 { Value::Null } else { answer.json()["code"].take() }
    }

    /// Publish the next key, sign with it, drop the one before: nobody's token is refused who has
    /// not had it for longer than it is good.
    #[tokio::test]
    async fn is_published_before_and_leaves_time_after() {
        let before = World::new().await;
        let (first, second) = (signing_key(), SigningKey::generate());
        let published = signing_with(&before, &first, &[&second]);
        let signing = signing_with(&before, &second, &[&first]);
        let after = signing_with(&before, &second, &[]);
        let maya = before.maya().await;

        let of_the_second = signing.anonymous().sign_in("maya@example.com").await;

        assert_eq!(ids(&before).await, [first.id()]);
        assert_eq!(ids(&published).await, [first.id(), second.id()]);
        assert_eq!(ids(&signing).await, [second.id(), first.id()]);
        assert_eq!(ids(&after).await, [second.id()]);
        for (world, of_the_first_key, of_the_second_key) in [
            (&before, Value::Null, json!("token_invalid")),
            (&published, Value::Null, Value::Null),
            (&signing, Value::Null, Value::Null),
            (&after, json!("token_invalid"), Value::Null),
        ] {
            let known = ids(world).await;
            assert_eq!(code(world, &maya).await, of_the_first_key, "{known:?}");
            assert_eq!(code(world, &of_the_second).await, of_the_second_key, "{known:?}");
        }
        // Sessions do not depend on it.
        let refreshed = maya.at(after.door()).refreshed().await;
        refreshed.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn may_be_of_another_kind() {
        let before = World::new().await;
        let maya = before.maya().await;

        for next in [rsa_key(), ed25519_key()] {
            let overlap = signing_with(&before, &next, &[&signing_key()]);
            let of_the_next = overlap.anonymous().sign_in("maya@example.com").await;

            assert_eq!(code(&overlap, &maya).await, Value::Null);
            assert_eq!(code(&overlap, &of_the_next).await, Value::Null);
            assert_eq!(code(&before, &of_the_next).await, "token_invalid");
        }
    }

    #[tokio::test]
    async fn is_published_once_however_often_it_is_listed() {
        let world = World::new().await;
        let key = signing_key();

        let world = signing_with(&world, &key, &[&key, &key]);

        assert_eq!(ids(&world).await, [key.id()]);
    }

    /// As `LANDLINE_PUBLIC_KEYS` has them.
    #[tokio::test]
    async fn is_read_from_pem() {
        let before = World::new().await;
        let maya = before.maya().await;
        let point = tests::forger::Forger::new(&signing_key(), &maya).point();
        let prefix = decoded("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgA");
        let pem = tests::forger::pem("PUBLIC KEY", &[&prefix[..], &point].concat());

        let public_keys = PublicKey::all_from_pem(&pem).unwrap();
        let signing = SigningKey::generate().into();
        let after = before.beside(auth::Settings { signing, public_keys, ..before.auth().clone() });

        assert_eq!(code(&after, &maya).await, Value::Null);
    }
}
