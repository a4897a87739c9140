use std::time::Duration;

use serde_json::{Value, json};
use tests::{Answer, Client, Log, World};

fn id(client: &Client) -> &str {
    client.signed_in["account"]["id"].as_str().expect("an account has an id")
}

fn path(client: &Client) -> String {
    format!("/v1/admin/accounts/{}", id(client))
}

async fn suspend(admin: &Client, person: &Client) -> Answer {
    admin.post(format!("{}/suspend", path(person))).await
}

async fn resume(admin: &Client, person: &Client) -> Answer {
    admin.post(format!("{}/resume", path(person))).await
}

/// Maya's account as an admin sees it, with these fields changed; null leaves one out.
fn as_managed(maya: &Client, changes: &Value) -> Value {
    let mut account = json!({
        "id": id(maya),
        "email": "maya@example.com",
        "displayName": "Maya",
        "roles": [],
        "createdAt": "2026-11-22T16:30:00.000Z",
        "updatedAt": "2026-11-22T16:30:00.000Z",
        "version": 1,
    });
    for (name, value) in changes.as_object().expect("an object") {
        account[name] = value.clone();
    }
    account
}

mod find_account {
    use super::*;

    async fn find(admin: &Client, email: &str) -> Answer {
        admin.post("/v1/admin/accounts/lookup").json(json!({ "email": email })).await
    }

    #[tokio::test]
    async fn shows_the_account_of_an_address_in_any_case() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);

        let answer = find(&admin, "MAYA@example.com").await.expect(200).json();

        assert_eq!(answer, as_managed(&maya, &json!({})));
    }

    #[tokio::test]
    async fn does_not_find_an_address_that_nobody_has() {
        let world = World::new().await;
        let admin = world.admin().await;

        let answer = find(&admin, "nobody@example.com").await.expect_problem(404, "not_found");

        assert_eq!(answer.json()["detail"], "There is no such account.");
    }

    #[tokio::test]
    async fn asks_for_an_address() {
        let world = World::new().await;
        let admin = world.admin().await;

        let answer = find(&admin, "maya").await;

        assert_eq!(answer.violations(), [("/email".to_owned(), "email".to_owned())]);
    }
}

mod inspect_account {
    use super::*;

    #[tokio::test]
    async fn shows_roles_too() {
        let world = World::new().await;
        let admin = world.admin().await;

        let answer = admin.get(path(&admin)).await.expect(200).json();

        let expected = json!({
            "id": id(&admin),
            "email": "admin@example.com",
            "displayName": "Ada",
            "roles": ["admin"],
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:30:00.000Z",
            "version": 2,
        });
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn does_not_find_what_is_not_there() {
        let world = World::new().await;
        let admin = world.admin().await;

        for id in ["01a20449-4b5b-7c92-8118-fa4b777793b3", "maya@example.com"] {
            admin.get(format!("/v1/admin/accounts/{id}")).await.expect_problem(404, "not_found");
        }
    }

    #[tokio::test]
    async fn is_for_admins_alone() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.get(path(&maya)).await.expect(403);
        maya.anonymous().get(path(&maya)).await.expect_problem(401, "token_missing");

        let expected = json!({
            "type": "urn:landline:problem:insufficient_scope",
            "title": "The access token is not for this",
            "status": 403,
            "code": "insufficient_scope",
            "detail": "The access token needs the scope `admin`.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        let challenge = r#"Bearer realm="api", error="insufficient_scope", scope="admin""#;
        assert_eq!(answer.header("www-authenticate"), challenge);
    }
}

mod suspend_account {
    use super::*;

    async fn sign_in(world: &World, password: &str) -> Answer {
        let body = json!({ "email": "maya@example.com", "password": password });
        world.anonymous().post("/v1/sessions").json(body).await
    }

    /// A thief who has an access token left does not set a password for later.
    #[tokio::test]
    async fn keeps_the_password_and_the_other_sessions_as_they_are() {
        let world = World::new().await;
        let maya = world.maya().await;
        let admin = world.admin().await;
        admin.post(format!("{}/suspend", path(&maya))).await.expect(200);

        let passwords = json!({
            "currentPassword": "correct horse battery staple",
            "newPassword": "incorrect zebra charger",
        });
        let change = maya.put("/v1/account/password").json(passwords).await;
        let others = maya.delete("/v1/sessions/others").await;

        change.expect_problem(403, "account_suspended");
        others.expect_problem(403, "account_suspended");
    }

    #[tokio::test]
    async fn says_since_when() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        world.advance(Duration::from_secs(60));

        let answer = suspend(&admin, &maya).await.expect(200).json();

        let changes = json!({ "suspendedAt": "2026-11-22T16:31:00.000Z", "version": 2 });
        assert_eq!(answer, as_managed(&maya, &changes));
    }

    #[tokio::test]
    async fn changes_nothing_when_it_is_done_already() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let first = suspend(&admin, &maya).await.expect(200).json();
        world.advance(Duration::from_secs(60));

        let second = suspend(&admin, &maya).await.expect(200).json();

        assert_eq!(second, first);
    }

    /// By then there is nothing to write.
    #[tokio::test]
    async fn is_answered_as_before_when_it_comes_again() {
        let world = World::new().await;
        let (admin, maya, omar) = (world.admin().await, world.maya().await, world.omar().await);
        let suspend_once = |person: &Client| {
            let post = admin.post(format!("{}/suspend", path(person)));
            post.header("idempotency-key", "a-key").into_future()
        };
        suspend(&admin, &omar).await.expect(200);

        let first = suspend_once(&maya).await.expect(200);
        let again = suspend_once(&maya).await.expect(200);
        let other = suspend_once(&omar).await;

        assert_eq!(first.header("idempotency-replayed"), "");
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.body, first.body);
        other.expect_problem(422, "idempotency_key_reused");
    }

    #[tokio::test]
    async fn refuses_new_tokens_at_once_and_keeps_the_session() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        suspend(&admin, &maya).await.expect(200);

        let answer = maya.exchange(maya.refresh_token()).await.expect(403);

        let expected = json!({
            "type": "urn:landline:problem:account_suspended",
            "title": "The account is suspended",
            "status": 403,
            "code": "account_suspended",
            "detail": "Ask whoever runs this service.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.headers.get("www-authenticate"), None);
        // Documented: access tokens live on for their fifteen minutes.
        world.advance(Duration::from_secs(899));
        maya.get("/v1/account").await.expect(200);
        world.advance(Duration::from_secs(1));
        maya.get("/v1/account").await.expect_problem(401, "token_expired");
        resume(&admin.refreshed().await, &maya).await.expect(200);
        maya.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn refuses_the_lost_answer_too_and_gives_it_later() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let lost = maya.refreshed().await;
        suspend(&admin, &maya).await.expect(200);

        let answer = maya.exchange(maya.refresh_token()).await;

        answer.expect_problem(403, "account_suspended");
        resume(&admin, &maya).await.expect(200);
        assert_eq!(maya.refreshed().await.refresh_token(), lost.refresh_token());
    }

    #[tokio::test]
    async fn does_not_hide_a_thief() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let newest = maya.refreshed().await.refreshed().await;
        suspend(&admin, &maya).await.expect(200);

        let answer = maya.exchange(maya.refresh_token()).await;

        answer.expect_problem(401, "session_revoked");
        resume(&admin, &maya).await.expect(200);
        let answer = newest.exchange(newest.refresh_token()).await;
        answer.expect_problem(401, "session_revoked");
    }

    #[tokio::test]
    async fn refuses_sign_in_to_those_who_know_the_password() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        suspend(&admin, &maya).await.expect(200);

        let right = sign_in(&world, "correct horse battery staple").await;
        let wrong = sign_in(&world, "incorrect horse").await;

        right.expect_problem(403, "account_suspended");
        wrong.expect_problem(401, "credentials_invalid");
        resume(&admin, &maya).await.expect(200);
        sign_in(&world, "correct horse battery staple").await.expect(201);
    }

    #[tokio::test]
    async fn tells_holders_of_forged_tokens_nothing() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let omar = world.omar().await;
        suspend(&admin, &maya).await.expect(200);

        // Maya's account and session, and a secret that is another's.
        let (mayas, omars) = (maya.refresh_token(), omar.refresh_token());
        let answer = maya.exchange(&format!("{}{}", &mayas[..48], &omars[48..])).await;

        answer.expect_problem(401, "session_revoked");
    }

    #[tokio::test]
    async fn is_not_for_the_admins_own_account() {
        let world = World::new().await;
        let admin = world.admin().await;

        for answer in [suspend(&admin, &admin).await, resume(&admin, &admin).await] {
            let expected = json!({
                "type": "urn:landline:problem:conflict",
                "title": "What is there does not allow it",
                "status": 409,
                "code": "conflict",
                "detail": "Nobody suspends or resumes their own account. Ask another admin.",
                "requestId": "test",
            });
            assert_eq!(answer.expect(409).json(), expected);
        }
        admin.refreshed().await;
    }

    #[tokio::test]
    async fn does_not_find_what_is_not_there() {
        let world = World::new().await;
        let admin = world.admin().await;

        for change in ["suspend", "resume"] {
            let path = format!("/v1/admin/accounts/01a20449-4b5b-7c92-8118-fa4b777793b3/{change}");
            admin.post(path).await.expect_problem(404, "not_found");
        }
    }
}

mod resume_account {
    use super::*;

    #[tokio::test]
    async fn changes_nothing_when_nothing_is_suspended() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);

        let answer = resume(&admin, &maya).await.expect(200).json();

        assert_eq!(answer, as_managed(&maya, &json!({})));
    }
}

mod every_action {
    use super::*;

    #[tokio::test]
    async fn is_a_line_of_the_log_that_says_who_and_whom() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let log = Log::listen();

        let body = json!({ "email": "maya@example.com" });
        admin.post("/v1/admin/accounts/lookup").json(body).await.expect(200);
        admin.get(path(&maya)).await.expect(200);
        suspend(&admin, &maya).await.expect(200);
        resume(&admin, &maya).await.expect(200);

        let line = |action| json!({ "message": action, "admin": id(&admin), "account": id(&maya) });
        let expected = [
            line("looked an account up"),
            line("looked an account up"),
            line("suspended an account"),
            line("resumed an account"),
        ];
        assert_eq!(told(&log), expected);
    }

    /// With a key or without, and nobody is said to have done what was done already.
    #[tokio::test]
    async fn is_a_look_up_in_the_log_when_nothing_is_changed() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let log = Log::listen();

        resume(&admin, &maya).await.expect(200);
        for _ in 0..2 {
            let post = admin.post(format!("{}/suspend", path(&maya)));
            post.header("idempotency-key", "a-key").await.expect(200);
        }
        suspend(&admin, &maya).await.expect(200);

        let actions: Vec<_> = told(&log).iter().map(|line| line["message"].clone()).collect();
        let looked_up = "looked an account up";
        assert_eq!(actions, [looked_up, "suspended an account", looked_up, looked_up]);
    }

    fn told(log: &Log) -> Vec<Value> {
        let told = log.lines().into_iter().map(|mut line| line["fields"].take());
        told.filter(|fields| fields["admin"].is_string()).collect()
    }
}

mod roles {
    use auth::Roles;
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

    use tests::{call_store, documented_command};

    use super::*;

    /// What the access token says, as whoever checks it reads it.
    fn claims(client: &Client) -> Value {
        let claims = client.token().split('.').nth(1).expect("a token has three parts");
        let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).expect("base64url");
        serde_json::from_slice(&claims).expect("claims are JSON")
    }

    #[tokio::test]
    async fn come_and_go_with_the_next_refresh() {
        let world = World::new().await;
        let maya = world.maya().await;
        let account = id(&maya).parse().unwrap();
        assert_eq!(
            (&claims(&maya)["roles"], &claims(&maya)["scope"]),
            (&json!(null), &json!(null))
        );

        world.accounts().give_role(account, "admin").await.unwrap();
        maya.get(path(&maya)).await.expect_problem(403, "insufficient_scope");
        let maya = maya.refreshed().await;
        maya.get(path(&maya)).await.expect(200);
        assert_eq!(claims(&maya)["roles"], json!(["admin"]));
        assert_eq!(claims(&maya)["scope"], "admin");

        world.accounts().take_role(account, "admin").await.unwrap();
        maya.get(path(&maya)).await.expect(200);
        let maya = maya.refreshed().await;
        maya.get(path(&maya)).await.expect_problem(403, "insufficient_scope");
    }

    /// The commands of docs/configuration.md, sent to the store that stands in for DynamoDB.
    #[tokio::test]
    async fn are_given_by_the_documented_commands() {
        let world = World::new().await;
        let maya = world.maya().await;
        let document = include_str!("../../docs/configuration.md");
        let hash = digest(&SHA256, b"maya@example.com");
        let hash = BASE64_URL_SAFE_NO_PAD.encode(hash);

        let lookup = documented_command(document, "get-item", &[("HASH", &hash)]);
        let claim = call_store(&world.connection(), "GetItem", &lookup).await;
        let account = claim["Item"]["accountId"]["S"].as_str().expect("the address is found");
        let give = documented_command(document, "update-item", &[("ID", account)]);
        let given = call_store(&world.connection(), "UpdateItem", &give).await;

        assert_eq!((account, &given), (id(&maya), &json!({})));
        let maya = maya.refreshed().await;
        let managed = maya.get(path(&maya)).await.expect(200).json();
        assert_eq!(managed, as_managed(&maya, &json!({ "roles": ["admin"], "version": 2 })));
    }

    #[tokio::test]
    async fn are_given_and_taken_once() {
        let world = World::new().await;
        let maya = world.maya().await;
        let account = id(&maya).parse().unwrap();
        let accounts = world.accounts();

        for (role, give, roles, version) in [
            ("admin", true, &["admin"][..], 2),
            ("admin", true, &["admin"], 2),
            ("auditor", true, &["admin", "auditor"], 3),
            ("admin", false, &["auditor"], 4),
            ("admin", false, &["auditor"], 4),
        ] {
            let changed = if give {
                accounts.give_role(account, role).await
            } else {
                accounts.take_role(account, role).await
            };

            let changed = changed.unwrap().expect("there is such an account");
            assert_eq!(
                (changed.roles, changed.version),
                (roles.iter().map(|role| (*role).to_owned()).collect(), version)
            );
        }
        let nobody = world.ambient().new_id();
        assert!(accounts.give_role(nobody, "admin").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn give_the_scopes_that_the_configuration_says() {
        let world = World::new().await;
        let maya = world.maya().await;
        world.accounts().give_role(id(&maya).parse().unwrap(), "support").await.unwrap();
        let roles = Roles::from([
            ("support".to_owned(), vec!["tickets".to_owned(), "admin".to_owned()]),
            ("admin".to_owned(), vec!["everything".to_owned()]),
        ]);

        let elsewhere = world.beside(auth::Settings { roles, ..world.auth().clone() });
        let maya = maya.at(elsewhere.door()).refreshed().await;

        assert_eq!(claims(&maya)["roles"], json!(["support"]));
        assert_eq!(claims(&maya)["scope"], "admin tickets");
        maya.get(path(&maya)).await.expect(200);
    }
}
