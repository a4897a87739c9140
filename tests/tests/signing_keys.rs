//! Where the key that signs comes from, and what happens when it does not.

use std::time::Duration;

use auth::{KeptKey, Place, SigningKey};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use models::aws::Access;
use serde_json::{Value, json};
use tests::{Answer, Client, Function, Secrets, Setup, World, signing_key};

const NAME: &str = "/landline/signing-key";

fn parameter() -> Place {
    Place::Parameter(NAME.to_owned())
}

fn secret() -> Place {
    Place::Secret(NAME.to_owned())
}

/// Settings whose key is kept there; `public` is what tokens are checked with.
fn kept(place: Place, secrets: &Secrets, public: &SigningKey) -> auth::Settings {
    let key = KeptKey::new(place, Access::embedded(), Some(secrets.endpoint()));
    let auth = auth::Settings::new("https://api.example.com", "landline", key);
    auth::Settings { public_keys: vec![public.public_key().clone()], ..auth }
}

async fn world(place: Place, secrets: &Secrets) -> World {
    World::with(Setup { auth: kept(place, secrets, &signing_key()), ..Setup::default() }).await
}

fn register(client: &Client, email: &str) -> tests::Request {
    let password = "correct horse battery staple";
    let body = json!({ "email": email, "password": password, "displayName": "Maya" });
    client.post("/v1/accounts").json(body)
}

/// The one call that there is to each.
fn calls() -> [(Place, (String, Value)); 2] {
    let of_ssm = json!({ "Name": NAME, "WithDecryption": true });
    [
        (parameter(), ("AmazonSSM.GetParameter".to_owned(), of_ssm)),
        (secret(), ("secretsmanager.GetSecretValue".to_owned(), json!({ "SecretId": NAME }))),
    ]
}

mod a_key_that_is_kept_elsewhere {
    use super::*;

    #[tokio::test]
    async fn is_fetched_once_when_something_is_first_signed() {
        for (place, call) in calls() {
            let secrets = Secrets::start().await;
            secrets.keep(NAME, &signing_key().to_pem());
            let world = world(place, &secrets).await;

            let maya = world.maya().await;

            assert_eq!(secrets.calls(), [call]);
            maya.get("/v1/account").await.expect(200);
            maya.refreshed().await;
            world.omar().await;
            assert_eq!(secrets.calls(), []);
        }
    }

    #[tokio::test]
    async fn is_not_needed_to_check_tokens_and_to_publish_keys() {
        let secrets = Secrets::start().await;
        let world = World::new().await;
        let maya = world.maya().await;
        let other = world.beside(kept(secret(), &secrets, &signing_key()));

        maya.at(other.door()).get("/v1/account").await.expect(200);

        let published = |world: &World| world.anonymous().get("/.well-known/jwks.json");
        let (here, there) = (published(&world).await.json(), published(&other).await.json());
        assert_eq!(here, there);
        assert_eq!(secrets.calls(), []);
    }

    #[tokio::test]
    async fn is_fetched_once_by_twenty_who_come_at_once() {
        let secrets = Secrets::start().await;
        secrets.keep(NAME, &signing_key().to_pem());
        let world = world(parameter(), &secrets).await;
        let nobody = world.anonymous();

        let emails = (0..20).map(|number| format!("maya{number}@example.com"));
        let register = async |email: String| register(&nobody, &email).await;
        let answers = join_all(emails.map(register)).await;

        assert!(answers.iter().all(|answer| answer.status == 201));
        assert_eq!(secrets.calls().len(), 1);
    }

    #[tokio::test]
    async fn may_have_its_line_ends_written_out() {
        let secrets = Secrets::start().await;
        secrets.keep(NAME, &signing_key().to_pem().replace("\r\n", "\n").replace('\n', "\\n"));

        world(secret(), &secrets).await.maya().await;
    }
}

mod a_key_that_cannot_be_had {
    use super::*;

    #[track_caller]
    fn expect_nothing(answer: Answer) {
        let answer = answer.expect_problem(503, "unavailable");
        assert_eq!(answer.header("retry-after"), "1");
        let names: Vec<_> = answer.json().as_object().expect("a problem").keys().cloned().collect();
        assert_eq!(names, ["code", "detail", "requestId", "status", "title", "type"]);
    }

    #[tokio::test]
    async fn leaves_nothing_behind_and_is_asked_for_again() {
        for (place, _) in calls() {
            let secrets = Secrets::start().await;
            let world = world(place, &secrets).await;
            let nobody = world.anonymous();
            secrets.refuse(Some((400, "AccessDeniedException")));

            expect_nothing(register(&nobody, "maya@example.com").await);

            secrets.refuse(None);
            expect_nothing(register(&nobody, "maya@example.com").await);
            secrets.keep(NAME, &signing_key().to_pem());
            register(&nobody, "maya@example.com").await.expect(201);
            assert_eq!(secrets.calls().len(), 3);
        }
    }

    #[tokio::test]
    async fn ends_no_session_and_no_token() {
        let secrets = Secrets::start().await;
        let world = World::new().await;
        let maya = world.maya().await;
        let other = world.beside(kept(secret(), &secrets, &signing_key()));
        let maya = maya.at(other.door());

        let body = json!({ "refreshToken": maya.refresh_token() });
        expect_nothing(maya.anonymous().post("/v1/sessions/refresh").json(body).await);

        maya.get("/v1/account").await.expect(200);
        secrets.keep(NAME, &signing_key().to_pem());
        maya.refreshed().await;
    }

    /// The token in hand was not exchanged, so however late it comes again, it is not an old one.
    #[tokio::test]
    async fn ends_no_session_where_old_tokens_are_good_for_seconds() {
        let secrets = Secrets::start().await;
        let mut auth = kept(secret(), &secrets, &signing_key());
        auth.sessions.reuse = Some(Duration::from_secs(30));
        let world = World::new().await;
        let maya = world.maya().await;
        let other = world.beside(auth);
        let maya = maya.at(other.door());
        let body = json!({ "refreshToken": maya.refresh_token() });
        expect_nothing(maya.anonymous().post("/v1/sessions/refresh").json(body).await);

        world.advance(Duration::from_secs(60));
        secrets.keep(NAME, &signing_key().to_pem());

        maya.refreshed().await;
    }

    #[tokio::test]
    async fn is_told_in_the_log_without_what_was_kept() {
        let wrong = SigningKey::generate();
        let id = format!("the key {}… is not among the public keys", &wrong.id()[..8]);
        for (text, cause) in [
            (wrong.to_pem(), id.as_str()),
            ("hunter2".to_owned(), "what is kept is not a private key in PKCS#8 PEM"),
        ] {
            let secrets = Secrets::start().await;
            secrets.keep(NAME, &text);
            let world = world(secret(), &secrets).await;
            let log = tests::Log::listen();

            expect_nothing(register(&world.anonymous(), "maya@example.com").await);

            assert!(log.text().contains(cause), "{}", log.text());
            let secret = text.lines().nth(1).unwrap_or(&text);
            assert!(!log.text().contains(secret), "{}", log.text());
            secrets.keep(NAME, &signing_key().to_pem());
            register(&world.anonymous(), "maya@example.com").await.expect(201);
        }
    }

    #[tokio::test]
    async fn is_named_in_the_log_by_what_aws_says() {
        let secrets = Secrets::start().await;
        secrets.refuse(Some((400, "AccessDeniedException")));
        let world = world(parameter(), &secrets).await;
        let log = tests::Log::listen();

        expect_nothing(register(&world.anonymous(), "maya@example.com").await);

        assert!(log.text().contains("AccessDeniedException"), "{}", log.text());
    }
}

mod the_built_function {
    use super::*;

    /// The public half as `openssl pkey -pubout` writes it (RFC 5480).
    fn public_pem(key: &Value) -> String {
        let bytes = |name: &str| {
            BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().expect("a text")).expect("base64url")
        };
        let kind = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04";
        let der = [kind.to_vec(), bytes("x"), bytes("y")].concat();
        pem::encode(&pem::Pem::new("PUBLIC KEY", der))
    }

    #[tokio::test]
    async fn takes_the_place_from_its_environment() {
        let world = World::new().await;
        let keys = world.anonymous().get("/.well-known/jwks.json").await.expect(200).json();
        let public = public_pem(&keys["keys"][0]);
        for (service, endpoint, target) in [
            ("ssm", "AWS_ENDPOINT_URL_SSM", "AmazonSSM.GetParameter"),
            ("secretsmanager", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "secretsmanager.GetSecretValue"),
        ] {
            let secrets = Secrets::start().await;
            secrets.keep(NAME, &signing_key().to_pem());
            let function = Function::start(
                world.auth(),
                &world.connection(),
                &[
                    ("LANDLINE_SIGNING_KEY", &format!("{service}:{NAME}")),
                    ("LANDLINE_PUBLIC_KEYS", &public),
                    (endpoint, &secrets.endpoint()),
                ],
            )
            .await;

            let email = format!("{service}@example.com");
            let maya = function.anonymous().register(&email, "Maya").await;

            maya.get("/v1/account").await.expect(200);
            let calls = secrets.calls();
            assert_eq!(calls.iter().map(|(target, _)| target).collect::<Vec<_>>(), [target]);
        }
    }
}
