//! Tokens of other issuers, and what becomes of them when those cannot be asked.

use std::time::Duration;

use api::http::{Json, Module, Result, endpoints};
use auth::Caller;
use futures_util::future::join_all;
use models::{Id, view};
use serde_json::{Value, json};
use tests::{
    Answer, Issuer, Setup, World,
    issuer::{DISCOVERY, KEYS, Reply, TokenKey, trusting},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Who is calling, as handlers see it.
#[view]
struct Seen {
    account: Id,
    session: Option<Id>,
    scopes: Vec<String>,
    roles: Vec<String>,
}

/// Look at the caller.
#[utoipa::path(get, path = "/caller")]
async fn get_caller(caller: Caller) -> Result<Json<Seen>> {
    let Caller { account, session, scopes, roles } = caller;
    Ok(Json(Seen { account, session, scopes, roles }))
}

/// Look at a caller who may do everything.
#[utoipa::path(get, path = "/admin-caller")]
async fn get_admin_caller(caller: Caller) -> Result<Json<Seen>> {
    get_caller(caller).await
}

/// A world that trusts under these rules, with a module that shows the caller.
async fn world(auth: auth::Settings) -> World {
    let mirror = Module::new("mirror")
        .signed_in(endpoints![get_caller])
        .scoped("admin", endpoints![get_admin_caller]);
    let modules = api::route_table().into_iter().chain([mirror]).collect();
    World::with(Setup { modules, auth, ..Setup::default() }).await
}

/// An issuer, and a world that trusts it as most are trusted.
async fn trusted() -> (Issuer, World) {
    let issuer = Issuer::start().await;
    let world = world(trusting(&[issuer.rules(json!({}))])).await;
    (issuer, world)
}

/// What a caller with this token is answered.
async fn call(world: &World, token: &str) -> Answer {
    world.anonymous().with_token(token).get("/v1/sessions").await
}

async fn expect_invalid(world: &World, token: &str, why: &str) {
    let answer = call(world, token).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["code"]),
        (401, &json!("token_invalid")),
        "{why}"
    );
}

/// 503, and when to try again: neither "sign in again" nor silence.
#[track_caller]
fn expect_unavailable(answer: Answer) {
    let answer = answer.expect_problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

/// The caller that handlers see.
async fn seen(world: &World, token: &str) -> Value {
    let client = world.anonymous().with_token(token);
    client.get("/caller").unspecified().await.expect(200).json()
}

mod a_token_of_another_issuer {
    use super::*;

    #[tokio::test]
    async fn is_taken_wherever_ours_are() {
        let (issuer, world) = trusted().await;

        let answer = call(&world, &issuer.token(&world, json!({}))).await.expect(200);

        assert_eq!(answer.json(), json!({ "items": [] }));
        assert_eq!(issuer.requests(), [DISCOVERY, KEYS]);
    }

    #[tokio::test]
    async fn is_taken_without_discovery_where_the_key_set_is_named() {
        let issuer = Issuer::start().await;
        let keys = format!("{}{KEYS}", issuer.url());
        let world = world(trusting(&[issuer.rules(json!({ "keySetUrl": keys }))])).await;

        call(&world, &issuer.token(&world, json!({}))).await.expect(200);

        assert_eq!(issuer.requests(), [KEYS]);
    }

    #[tokio::test]
    async fn may_be_signed_with_rsa() {
        let issuer = Issuer::with_key(TokenKey::rs256("first")).await;
        let rules = issuer.rules(json!({ "algorithms": ["RS256"] }));
        let world = world(trusting(&[rules])).await;

        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
    }

    #[tokio::test]
    async fn gives_neither_a_session_nor_a_role_nor_a_scope() {
        let (issuer, world) = trusted().await;
        let claims = json!({ "scope": "admin things:read", "roles": ["admin"], "sid": "s" });

        let token = issuer.token(&world, claims);
        let caller = seen(&world, &token).await;

        let expected = json!({ "account": caller["account"], "scopes": [], "roles": [] });
        assert_eq!(caller, expected);
        let admin = world.anonymous().with_token(token).get("/admin-caller").unspecified();
        admin.await.expect_problem(403, "insufficient_scope");
    }

    #[tokio::test]
    async fn gives_the_scopes_that_the_issuer_may_give() {
        let issuer = Issuer::start().await;
        let rules = issuer.rules(json!({ "scopes": ["admin", "things:read"] }));
        let world = world(trusting(&[rules])).await;

        let token = issuer.token(&world, json!({ "scope": "openid admin" }));

        assert_eq!(seen(&world, &token).await["scopes"], json!(["admin"]));
        let admin = world.anonymous().with_token(token).get("/admin-caller").unspecified();
        admin.await.expect(200);
        expect_invalid(&world, &issuer.token(&world, json!({ "scope": ["admin"] })), "a list")
            .await;
    }

    #[tokio::test]
    async fn is_of_somebody_without_an_account_of_ours() {
        let (issuer, world) = trusted().await;
        let client = world.anonymous().with_token(issuer.token(&world, json!({})));

        client.get("/v1/account").await.expect_problem(404, "not_found");
        let change = client.patch("/v1/account").json(json!({ "displayName": "Maya" }));
        change.await.expect_problem(404, "not_found");
        client.delete("/v1/sessions/current").await.expect(204);
        let others = client.delete("/v1/sessions/others").await;
        others.expect_problem(404, "not_found");
        let passwords = json!({
            "currentPassword": "correct horse battery staple",
            "newPassword": "incorrect zebra charger",
        });
        let change = client.put("/v1/account/password").json(passwords).await;
        change.expect_problem(404, "not_found");
    }

    #[tokio::test]
    async fn is_always_of_the_same_account() {
        let (issuer, world) = trusted().await;
        let first = seen(&world, &issuer.token(&world, json!({}))).await;
        issuer.rotate(TokenKey::es256("second"));
        world.advance(2 * HOUR);

        let second = seen(&world, &issuer.token(&world, json!({ "scope": "x" }))).await;

        assert_eq!(second["account"], first["account"]);
        let omar = seen(&world, &issuer.token(&world, json!({ "sub": "omar" }))).await;
        assert_ne!(omar["account"], first["account"]);
    }

    #[tokio::test]
    async fn is_of_another_person_than_the_same_subject_of_another_issuer() {
        let (one, other) = (Issuer::start().await, Issuer::start().await);
        let rules = [one.rules(json!({})), other.rules(json!({}))];
        let world = world(trusting(&rules)).await;

        let of_one = seen(&world, &one.token(&world, json!({}))).await;
        let of_other = seen(&world, &other.token(&world, json!({}))).await;

        assert_ne!(of_one["account"], of_other["account"]);
    }

    #[tokio::test]
    async fn is_checked_with_its_own_issuers_keys() {
        let (one, other) = (Issuer::start().await, Issuer::start().await);
        let rules = [one.rules(json!({})), other.rules(json!({}))];
        let world = world(trusting(&rules)).await;

        let forged = other.token(&world, json!({ "iss": one.url() }));

        expect_invalid(&world, &forged, "the same key id, another key").await;
    }

    #[tokio::test]
    async fn of_nobody_that_is_trusted_is_refused_and_nobody_is_asked() {
        let (issuer, world) = trusted().await;
        let stranger = Issuer::start().await;

        expect_invalid(&world, &stranger.token(&world, json!({})), "a stranger's").await;

        for name in [format!("{}/", issuer.url()), issuer.url().to_uppercase()] {
            let token = issuer.token(&world, json!({ "iss": name }));
            expect_invalid(&world, &token, &name).await;
        }
        assert_eq!(issuer.requests(), [""; 0]);
        assert_eq!(stranger.requests(), [""; 0]);
    }
}

mod claims {
    use super::*;

    #[tokio::test]
    async fn that_break_a_rule_are_refused() {
        let (issuer, world) = trusted().await;
        let now = world.ambient().now().unix_seconds();
        for claims in [
            json!({ "aud": "another" }),
            json!({ "aud": ["another"] }),
            json!({ "aud": [] }),
            json!({ "aud": null }),
            json!({ "aud": 5 }),
            json!({ "aud": "App" }),
            json!({ "aud": "app " }),
            json!({ "aud": null, "client_id": "app" }),
            json!({ "sub": null }),
            json!({ "sub": "" }),
            json!({ "sub": 7 }),
            json!({ "sub": "s".repeat(256) }),
            json!({ "exp": null }),
            json!({ "exp": (now + 60).to_string() }),
            json!({ "nbf": now + 31 }),
            json!({ "iat": now + 31 }),
            json!({ "iat": "now" }),
        ] {
            let why = claims.to_string();
            expect_invalid(&world, &issuer.token(&world, claims), &why).await;
        }
    }

    #[tokio::test]
    async fn that_hold_each_rule_at_its_edge_are_taken() {
        let (issuer, world) = trusted().await;
        let now = world.ambient().now().unix_seconds();
        for claims in [
            json!({ "aud": ["another", "app"] }),
            json!({ "sub": "s".repeat(255) }),
            json!({ "sub": "é".repeat(255) }),
            json!({ "exp": now - 29 }),
            json!({ "nbf": now + 30 }),
            json!({ "iat": null }),
            json!({ "azp": "another", "nonce": 5 }),
        ] {
            call(&world, &issuer.token(&world, claims)).await.expect(200);
        }
    }

    #[tokio::test]
    async fn that_have_ended_ask_for_another_token() {
        let (issuer, world) = trusted().await;
        let now = world.ambient().now().unix_seconds();
        let ended = issuer.token(&world, json!({ "exp": now - 30 }));

        call(&world, &ended).await.expect_problem(401, "token_expired");

        let foreign = issuer.token(&world, json!({ "exp": now - 30, "aud": "another" }));
        expect_invalid(&world, &foreign, "ended, and not for us").await;
    }

    #[tokio::test]
    async fn are_held_against_the_issuers_own_rules() {
        let issuer = Issuer::start().await;
        let rules = issuer.rules(json!({
            "audiences": ["phone", "watch"],
            "audienceClaim": "client_id",
            "claims": { "token_use": "access", "email_verified": true },
            "leewaySeconds": 0,
        }));
        let world = world(trusting(&[rules])).await;
        let now = world.ambient().now().unix_seconds();
        let token = |change: Value| {
            let mut claims = json!({ "client_id": "watch", "token_use": "access",
                "email_verified": true, "aud": null });
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            issuer.token(&world, claims)
        };

        call(&world, &token(json!({}))).await.expect(200);

        for change in [
            json!({ "client_id": "app" }),
            json!({ "client_id": null, "aud": "watch" }),
            json!({ "token_use": "id" }),
            json!({ "token_use": null }),
            json!({ "email_verified": "true" }),
            json!({ "email_verified": 1 }),
            json!({ "iat": now + 1 }),
        ] {
            expect_invalid(&world, &token(change.clone()), &change.to_string()).await;
        }
        let ended = call(&world, &token(json!({ "exp": now }))).await;
        ended.expect_problem(401, "token_expired");
    }
}

mod headers {
    use super::*;

    #[tokio::test]
    async fn that_break_a_rule_are_refused() {
        let (issuer, world) = trusted().await;
        for header in [
            json!({ "typ": "at+jwt" }),
            json!({ "typ": "" }),
            json!({ "typ": 5 }),
            json!({ "alg": "RS256" }),
            json!({ "alg": "ES384" }),
            json!({ "alg": "none" }),
            json!({ "alg": null }),
            json!({ "kid": null }),
            json!({ "kid": "" }),
            json!({ "kid": "second" }),
            json!({ "crit": ["exp"] }),
        ] {
            let token = issuer.token_with_header(&world, header.clone(), json!({}));
            expect_invalid(&world, &token, &header.to_string()).await;
        }
    }

    #[tokio::test]
    async fn may_name_the_type_or_not() {
        let (issuer, world) = trusted().await;
        for typ in [json!(null), json!("JWT"), json!("jwt"), json!("application/jwt")] {
            let token = issuer.token_with_header(&world, json!({ "typ": typ }), json!({}));
            call(&world, &token).await.expect(200);
        }
    }

    #[tokio::test]
    async fn must_name_the_type_that_the_issuer_is_said_to_use() {
        let issuer = Issuer::start().await;
        let world = world(trusting(&[issuer.rules(json!({ "tokenType": "at+jwt" }))])).await;
        let token = |typ: Value| issuer.token_with_header(&world, json!({ "typ": typ }), json!({}));

        call(&world, &token(json!("at+jwt"))).await.expect(200);

        for typ in [json!(null), json!("JWT"), json!("dpop+jwt")] {
            expect_invalid(&world, &token(typ.clone()), &typ.to_string()).await;
        }
    }

    #[tokio::test]
    async fn bring_no_key_of_their_own() {
        let (issuer, world) = trusted().await;
        let stranger = Issuer::start().await;
        let keys = format!("{}{KEYS}", stranger.url());
        let own = stranger.newest_key().jwk();
        for header in [json!({ "jku": keys }), json!({ "jwk": own }), json!({ "x5u": keys })] {
            let claims = issuer.claims(&world);
            let token = stranger.token_with_header(&world, header.clone(), claims);
            expect_invalid(&world, &token, &header.to_string()).await;
        }
        assert_eq!(stranger.requests(), [""; 0]);
    }

    #[tokio::test]
    async fn go_with_their_signature() {
        let (issuer, world) = trusted().await;
        let token = issuer.token(&world, json!({}));
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let other = issuer.token(&world, json!({ "sub": "omar" }));
        let other = other.rsplit_once('.').expect("three parts").1.to_owned();

        for signature in ["", &other, &signature[..signature.len() - 4]] {
            expect_invalid(&world, &format!("{message}.{signature}"), signature).await;
        }
    }
}

mod the_guide {
    use super::*;

    /// Its blocks of JSON, with what a reader puts in as it stands between the braces.
    fn examples() -> Vec<Value> {
        let guide = include_str!("../../docs/issuers.md");
        let blocks = guide.split("```json\n").skip(1);
        let blocks = blocks.map(|rest| rest.split("```").next().expect("a block ends"));
        blocks.map(|json| filled(serde_json::from_str(json).expect("JSON"))).collect()
    }

    fn filled(value: Value) -> Value {
        match value {
            Value::String(text) => json!(text.replace(['{', '}'], "")),
            Value::Array(items) => items.into_iter().map(filled).collect(),
            Value::Object(members) => {
                members.into_iter().map(|(name, value)| (name, filled(value))).collect()
            }
            other => other,
        }
    }

    #[test]
    fn shows_what_the_app_takes() {
        let mut examples = examples();
        assert_eq!(examples.len(), 6);
        let Value::Array(first) = examples.remove(0) else { panic!("the first is a list") };

        trusting(&first);
        trusting(&examples);
    }
}

mod a_token_of_ours {
    use super::*;

    #[tokio::test]
    async fn asks_no_other_issuer() {
        let (issuer, world) = trusted().await;
        let maya = world.maya().await;

        maya.get("/v1/account").await.expect(200);

        assert_eq!(issuer.requests(), [""; 0]);
    }

    /// Another issuer cannot speak for us: whose keys are tried is said by the name alone.
    #[tokio::test]
    async fn is_signed_by_nobody_else() {
        let (issuer, world) = trusted().await;
        let forged = issuer.token(&world, json!({ "iss": world.auth().issuer }));

        expect_invalid(&world, &forged, "their key, our name").await;
        assert_eq!(issuer.requests(), [""; 0]);
    }
}

mod the_keys_of_an_issuer {
    use super::*;

    #[tokio::test]
    async fn are_asked_for_once_an_hour() {
        let (issuer, world) = trusted().await;
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        world.advance(HOUR);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        assert_eq!(issuer.requests(), [DISCOVERY, KEYS]);

        world.advance(SECOND);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);

        assert_eq!(issuer.requests(), [DISCOVERY, KEYS]);
    }

    #[tokio::test]
    async fn are_asked_for_when_a_new_one_is_used_and_old_ones_end_then() {
        let (issuer, world) = trusted().await;
        let old = issuer.token(&world, json!({}));
        call(&world, &old).await.expect(200);
        issuer.rotate(TokenKey::es256("second"));
        let new = issuer.token(&world, json!({}));
        world.advance(MINUTE);

        call(&world, &new).await.expect(200);

        expect_invalid(&world, &old, "of a key that was withdrawn").await;
    }

    #[tokio::test]
    async fn are_asked_for_an_unknown_one_once_per_cool_down() {
        let (issuer, world) = trusted().await;
        let unknown =
            |name: &str| issuer.token_with_header(&world, json!({ "kid": name }), json!({}));
        expect_invalid(&world, &unknown("a"), "the first of all").await;
        assert_eq!(issuer.requests(), [DISCOVERY, KEYS]);

        world.advance(MINUTE - SECOND);
        expect_invalid(&world, &unknown("b"), "within the cool-down").await;
        assert_eq!(issuer.requests(), [""; 0]);

        world.advance(SECOND);
        expect_invalid(&world, &unknown("c"), "after it").await;
        expect_invalid(&world, &unknown("d"), "within the next").await;
        assert_eq!(issuer.requests(), [DISCOVERY, KEYS]);
    }

    #[tokio::test]
    async fn are_asked_for_once_by_fifty_who_come_at_once() {
        let (issuer, world) = trusted().await;
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        issuer.requests();
        issuer.rotate(TokenKey::es256("second"));
        let token = issuer.token(&world, json!({}));
        world.advance(MINUTE);

        let answers = join_all((0..50).map(|_| call(&world, &token))).await;

        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!(issuer.requests(), [DISCOVERY, KEYS]);
    }

    #[tokio::test]
    async fn are_tried_one_by_one_and_the_unusable_are_left_out() {
        let (issuer, world) = trusted().await;
        let good = issuer.newest_key().jwk();
        let with = |member: &str, value: Value| {
            let mut jwk = good.clone();
            jwk[member] = value;
            jwk["kid"] = json!(format!("bad-{member}"));
            jwk
        };
        let small = json!({ "kty": "RSA", "kid": "bad-small", "n": "v".repeat(170), "e": "AQAB" });
        let bad = [
            with("use", json!("enc")),
            with("key_ops", json!(["sign"])),
            with("alg", json!("ES384")),
            with("kty", json!("RSA")),
            with("crv", json!("P-384")),
            with("x", json!("AAAA")),
            small,
        ];
        let mut keys = vec![json!("not a key"), json!({ "kty": "EC" })];
        keys.extend(bad.clone());
        keys.push(good);
        issuer.reply(KEYS, Reply::json(&json!({ "keys": keys })));

        call(&world, &issuer.token(&world, json!({}))).await.expect(200);

        for key in bad {
            let header = json!({ "kid": key["kid"] });
            let token = issuer.token_with_header(&world, header, json!({}));
            expect_invalid(&world, &token, &key.to_string()).await;
        }
    }

    #[tokio::test]
    async fn of_one_id_are_the_first_that_is_usable() {
        let (issuer, world) = trusted().await;
        let good = issuer.newest_key().jwk();
        let mut unusable = good.clone();
        unusable["use"] = json!("enc");
        let another = TokenKey::es256("first").jwk();
        let keys = json!({ "keys": [unusable, good, another] });
        issuer.reply(KEYS, Reply::json(&keys));

        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
    }
}

mod an_issuer_that_is_down {
    use super::*;

    #[tokio::test]
    async fn leaves_its_last_keys_for_a_day_and_is_asked_again_after_the_cool_down() {
        let (issuer, world) = trusted().await;
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        issuer.requests();
        issuer.reply_everywhere(Reply::Closed);

        world.advance(2 * HOUR);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        assert_eq!(issuer.requests(), [DISCOVERY]);

        world.advance(22 * HOUR);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
        assert_eq!(issuer.requests(), [DISCOVERY]);

        world.advance(MINUTE);
        expect_unavailable(call(&world, &issuer.token(&world, json!({}))).await);

        issuer.reply_everywhere(Reply::Well);
        expect_unavailable(call(&world, &issuer.token(&world, json!({}))).await);
        world.advance(MINUTE);
        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
    }

    #[tokio::test]
    async fn leaves_open_whether_an_unknown_key_is_its_own() {
        let (issuer, world) = trusted().await;
        let old = issuer.token(&world, json!({}));
        call(&world, &old).await.expect(200);
        issuer.rotate(TokenKey::es256("second"));
        let new = issuer.token(&world, json!({}));
        issuer.reply(KEYS, Reply::Closed);
        world.advance(MINUTE);

        expect_unavailable(call(&world, &new).await);

        expect_unavailable(call(&world, &new).await);
        call(&world, &old).await.expect(200);
    }

    #[tokio::test]
    async fn from_the_start_is_503_and_ours_go_on() {
        let (issuer, world) = trusted().await;
        let token = issuer.token(&world, json!({}));
        drop(issuer);
        tokio::task::yield_now().await;

        expect_unavailable(call(&world, &token).await);

        world.maya().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn is_told_apart_in_the_log_without_the_token() {
        let (issuer, world) = trusted().await;
        issuer.reply(KEYS, Reply::With(500, Vec::new(), String::new()));
        let token = issuer.token(&world, json!({}));
        let log = tests::Log::listen();

        expect_unavailable(call(&world, &token).await);

        let lines = log.lines();
        let line = lines.iter().find(|line| line["level"] == "WARN").expect("a warning");
        assert_eq!(line["fields"]["issuer"], issuer.url());
        assert_eq!(line["fields"]["cause"], "it answered with status 500");
        let (_, signature) = token.rsplit_once('.').expect("three parts");
        assert!(!log.text().contains(signature), "{}", log.text());
    }

    #[tokio::test]
    async fn keeps_nobody_waiting() {
        let issuer = Issuer::start().await;
        let patient = trusting(&[issuer.rules(json!({}))]);
        let patience = Duration::from_millis(50);
        let world = world(auth::Settings { issuer_patience: patience, ..patient }).await;
        issuer.reply_everywhere(Reply::Never);
        let token = issuer.token(&world, json!({}));
        let log = tests::Log::listen();

        let answers = join_all((0..10).map(|_| call(&world, &token))).await;

        answers.into_iter().for_each(expect_unavailable);
        assert_eq!(log.text().matches("it did not answer in time").count(), 1, "{}", log.text());
    }
}

mod what_an_issuer_publishes {
    use super::*;

    /// The cause that is logged, while the caller is answered 503.
    async fn cause(path: &'static str, reply: Reply) -> String {
        let (issuer, world) = trusted().await;
        issuer.reply(path, reply);
        let log = tests::Log::listen();

        expect_unavailable(call(&world, &issuer.token(&world, json!({}))).await);

        let lines = log.lines();
        let line = lines.iter().find(|line| line["level"] == "WARN").expect("a warning");
        line["fields"]["cause"].as_str().expect("a text").to_owned()
    }

    #[tokio::test]
    async fn must_be_where_it_is_looked_for() {
        let elsewhere = Issuer::start().await;
        for (path, status) in [(DISCOVERY, 302), (KEYS, 301), (KEYS, 307), (KEYS, 308)] {
            let place = vec![("location", format!("{}{path}", elsewhere.url()))];

            let cause = cause(path, Reply::With(status, place, String::new())).await;

            assert_eq!(cause, format!("it answered with status {status}"), "{path}");
        }
        assert_eq!(elsewhere.requests(), [""; 0]);
    }

    #[tokio::test]
    async fn must_be_small_json() {
        let html = vec![("content-type", "text/html".to_owned())];
        let padded = |bytes: usize| Reply::text(format!("{{}}{}", " ".repeat(bytes - 2)));
        let keys = |many: usize| {
            let keys = (0..many).map(|number| TokenKey::es256(&number.to_string()).jwk());
            Reply::json(&json!({ "keys": keys.collect::<Vec<_>>() }))
        };
        for (path, reply, expected) in [
            (DISCOVERY, padded(64 * 1024 + 1), "it answered with more than 64 KiB"),
            (DISCOVERY, padded(64 * 1024), "it answered with something else than JSON"),
            (KEYS, padded(64 * 1024 + 1), "it answered with more than 64 KiB"),
            (KEYS, padded(64 * 1024), "its key set is none"),
            (DISCOVERY, Reply::text("{"), "it answered with something else than JSON"),
            (KEYS, Reply::text("{\"keys\":"), "its key set is none"),
            (
                KEYS,
                Reply::With(200, html, "{}".into()),
                "it answered with something else than JSON",
            ),
            (KEYS, keys(101), "its key set has more than 100 keys"),
            (KEYS, Reply::json(&json!({ "keys": [] })), "its key set has no usable key"),
            (KEYS, Reply::json(&json!({ "keys": {} })), "its key set is none"),
        ] {
            assert_eq!(cause(path, reply).await, expected, "{path}");
        }
    }

    #[tokio::test]
    async fn may_have_a_hundred_keys() {
        let (issuer, world) = trusted().await;
        let mut keys: Vec<_> = (0..99).map(|it| TokenKey::es256(&it.to_string()).jwk()).collect();
        keys.push(issuer.newest_key().jwk());
        issuer.reply(KEYS, Reply::json(&json!({ "keys": keys })));

        call(&world, &issuer.token(&world, json!({}))).await.expect(200);
    }

    #[tokio::test]
    async fn must_be_its_own_and_over_https() {
        let issuer = Issuer::start().await;
        let keys = format!("{}{KEYS}", issuer.url());
        let http = keys.replace("https:", "http:");
        let foreign = "its discovery document is of another issuer";
        let no_url = "its discovery document has no https:// URL of a key set";
        for (name, keys, expected) in [
            (format!("{}/", issuer.url()), keys.clone(), foreign),
            ("https://issuer.example.com".to_owned(), keys.clone(), foreign),
            (String::new(), keys, foreign),
        ] {
            let document = json!({ "issuer": name, "jwks_uri": keys });
            assert_eq!(cause(DISCOVERY, Reply::json(&document)).await, expected, "{document}");
        }
        let world = world(trusting(&[issuer.rules(json!({}))])).await;
        let document = json!({ "issuer": issuer.url(), "jwks_uri": http });
        issuer.reply(DISCOVERY, Reply::json(&document));
        let log = tests::Log::listen();
        expect_unavailable(call(&world, &issuer.token(&world, json!({}))).await);
        assert!(log.text().contains(no_url), "{}", log.text());
        assert_eq!(issuer.requests(), [DISCOVERY]);
    }

    #[tokio::test]
    async fn must_come_from_a_host_whose_certificate_is_trusted() {
        let issuer = Issuer::start().await;
        let settings = trusting(&[issuer.rules(json!({}))]);
        let world = world(auth::Settings { extra_roots: None, ..settings }).await;

        expect_unavailable(call(&world, &issuer.token(&world, json!({}))).await);

        assert_eq!(issuer.requests(), [""; 0]);
    }
}
