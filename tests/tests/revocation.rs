//! What ends several sessions at once, and what races with it.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use tests::{Answer, Client, Fault, Faults, Hold, World, call_store};

const OLD: &str = "correct horse battery staple";
const NEW: &str = "incorrect zebra charger paperclip";

async fn change_password(client: &Client, current: &str, new: &str) -> Answer {
    let body = json!({ "currentPassword": current, "newPassword": new });
    client.put("/v1/account/password").json(body).await
}

async fn sign_in(client: &Client, password: &str) -> Answer {
    let body = json!({ "email": "maya@example.com", "password": password });
    client.anonymous().post("/v1/sessions").json(body).await
}

async fn expect_over(client: &Client) {
    let answer = client.exchange(client.refresh_token()).await;
    answer.expect_problem(401, "session_revoked");
}

/// The sessions that the caller is shown.
async fn listed(client: &Client) -> Vec<Value> {
    let page = client.get("/v1/sessions").await.expect(200).json();
    let items = page["items"].as_array().expect("a page has items");
    items.iter().map(|item| item["id"].clone()).collect()
}

mod delete_other_sessions {
    use super::*;

    #[tokio::test]
    async fn signs_every_other_device_out_and_nobody_else() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;
        let laptop = phone.sign_in("maya@example.com").await;
        let omar = world.omar().await;

        tablet.delete("/v1/sessions/others").await.expect(204);

        expect_over(&phone).await;
        expect_over(&laptop).await;
        assert_eq!(listed(&tablet).await, [tablet.signed_in["session"]["id"].clone()]);
        tablet.refreshed().await.refreshed().await.get("/v1/account").await.expect(200);
        omar.refreshed().await;
        phone.sign_in("maya@example.com").await.refreshed().await;
    }

    #[tokio::test]
    async fn can_be_asked_twice() {
        let world = World::new().await;
        let phone = world.maya().await;

        phone.delete("/v1/sessions/others").await.expect(204);
        phone.delete("/v1/sessions/others").await.expect(204);

        phone.refreshed().await;
    }

    /// A token that was exchanged before must not find its way around the new epoch.
    #[tokio::test]
    async fn ends_the_tokens_that_led_to_the_newest_too() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;
        let newest = phone.refreshed().await;

        tablet.delete("/v1/sessions/others").await.expect(204);

        expect_over(&phone).await;
        expect_over(&newest).await;
    }

    #[tokio::test]
    async fn is_not_for_a_session_that_has_ended_itself() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;
        let lost = phone.sign_in("maya@example.com").await;
        lost.delete("/v1/sessions/current").await.expect(204);
        phone.delete("/v1/sessions/others").await.expect(204);

        for ended in [&tablet, &lost] {
            let answer = ended.delete("/v1/sessions/others").await;
            answer.expect_problem(401, "session_revoked");
            let answer = change_password(ended, OLD, NEW).await;
            answer.expect_problem(401, "session_revoked");
        }

        expect_over(&tablet).await;
        phone.refreshed().await;
    }
}

mod change_password {
    use super::*;

    #[tokio::test]
    async fn takes_the_new_password_and_no_other_from_then_on() {
        let world = World::new().await;
        let maya = world.maya().await;

        change_password(&maya, OLD, NEW).await.expect(204);

        sign_in(&maya, OLD).await.expect_problem(401, "credentials_invalid");
        sign_in(&maya, NEW).await.expect(201);
    }

    #[tokio::test]
    async fn ends_every_other_session_and_keeps_this_one() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;
        let lost = phone.refreshed().await;

        change_password(&phone, OLD, NEW).await.expect(204);

        expect_over(&tablet).await;
        assert_eq!(listed(&phone).await, [phone.signed_in["session"]["id"].clone()]);
        // This phone has lost the answer to an exchange; it stays signed in all the same.
        let again = phone.refreshed().await;
        assert_eq!(again.refresh_token(), lost.refresh_token());
        again.refreshed().await;
    }

    #[tokio::test]
    async fn counts_as_a_change_of_the_account() {
        let world = World::new().await;
        let maya = world.maya().await;
        world.advance(std::time::Duration::from_secs(60));

        change_password(&maya, OLD, NEW).await.expect(204);

        let account = maya.get("/v1/account").await.expect(200).json();
        assert_eq!(account["updatedAt"], "2026-11-22T16:31:00.000Z");
        assert_eq!(account["version"], 2);
    }

    #[tokio::test]
    async fn refuses_a_wrong_current_password_and_changes_nothing() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;

        let answer = change_password(&phone, "incorrect horse", NEW).await.expect(401);

        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"api\"");
        let expected = json!({
            "type": "urn:landline:problem:credentials_invalid",
            "title": "Address and password do not match",
            "status": 401,
            "code": "credentials_invalid",
            "detail": "The current password is another one.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        tablet.refreshed().await;
        sign_in(&phone, NEW).await.expect_problem(401, "credentials_invalid");
    }

    #[tokio::test]
    async fn holds_each_rule_at_its_edge() {
        let world = World::new().await;
        let maya = world.maya().await;

        for (field, value, rule) in [
            ("currentPassword", json!(""), "bytes"),
            ("currentPassword", json!("p".repeat(1025)), "bytes"),
            ("currentPassword", json!(null), "wrong_type"),
            ("newPassword", json!("7 bytes"), "bytes"),
            ("newPassword", json!("p".repeat(1025)), "bytes"),
            ("newPassword", json!("8 bytes\0"), "nul"),
            ("email", json!("maya@example.com"), "unknown_field"),
        ] {
            let mut body = json!({ "currentPassword": OLD, "newPassword": NEW });
            body[field] = value.clone();
            let answer = maya.put("/v1/account/password").json(body).await;

            let expected = [(format!("/{field}"), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{field}: {value}");
        }
    }

    /// Two who know the old password: the second to be written is compared with the first's.
    #[tokio::test]
    async fn is_done_by_one_of_two_at_once() {
        let world = World::new().await;
        let maya = world.maya().await;

        let (one, other) =
            join(change_password(&maya, OLD, NEW), change_password(&maya, OLD, "a third one"))
                .await;

        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 401]);
        let chosen = if one.status == 204 { NEW } else { "a third one" };
        sign_in(&maya, chosen).await.expect(201);
    }
}

/// Items from before there were epochs, roles and suspensions.
mod stored_accounts_and_sessions {
    use super::*;

    async fn forget(world: &World, sort: String, owner: &str, attribute: &str) {
        let store = world.connection();
        let request = json!({
            "TableName": store.table,
            "Key": { "pk": { "S": format!("ACCOUNT#{owner}") }, "sk": { "S": sort } },
            "ConditionExpression": "attribute_exists(pk)",
            "UpdateExpression": "REMOVE #attribute",
            "ExpressionAttributeNames": { "#attribute": attribute },
        });
        assert_eq!(call_store(&store, "UpdateItem", &request).await, json!({}));
    }

    #[tokio::test]
    async fn stay_readable_without_what_they_did_not_have() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;
        let account = phone.signed_in["account"]["id"].as_str().expect("an id");
        let session = phone.signed_in["session"]["id"].as_str().expect("an id");

        for attribute in ["sessionEpoch", "roles"] {
            forget(&world, format!("PROFILE#{account}"), account, attribute).await;
        }
        forget(&world, format!("SESSION#{session}"), account, "epoch").await;

        let phone = phone.refreshed().await;
        phone.delete("/v1/sessions/others").await.expect(204);
        expect_over(&tablet).await;
        phone.refreshed().await;
    }
}

/// Held at one write, with the revocation done before it: the interleavings that would leave
/// somebody signed in.
mod races {
    use super::*;

    /// A phone, one call of which to the store waits for the hold.
    struct Held {
        phone: Client,
        /// The same session on the way past the hold.
        elsewhere: Client,
        /// Another session of the same person, on that way too.
        tablet: Client,
        hold: Hold,
        _worlds: [World; 2],
        _faults: Faults,
    }

    /// The phone's next write waits.
    async fn held() -> Held {
        held_at("PutItem", 1).await
    }

    /// The call of this operation that comes as the so manyth waits.
    async fn held_at(operation: &'static str, number: usize) -> Held {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let past = world.beside(world.auth().clone());
        let phone = world.maya().await;
        let elsewhere = phone.at(past.door());
        let tablet = elsewhere.sign_in("maya@example.com").await;
        let hold = Hold::default();
        faults.next(number - 1, operation, Fault::None);
        faults.next(1, operation, Fault::Held(hold.clone()));
        Held { phone, elsewhere, tablet, hold, _worlds: [world, past], _faults: faults }
    }

    #[tokio::test]
    async fn an_exchange_that_had_begun_leaves_no_usable_token() {
        let Held { phone, tablet, hold, .. } = &held().await;

        let revoke = async {
            hold.reached().await;
            tablet.delete("/v1/sessions/others").await.expect(204);
            hold.release();
        };
        let (answer, ()) = join(phone.exchange(phone.refresh_token()), revoke).await;

        let phone = phone.as_signed_in(answer.expect(200).json());
        expect_over(&phone).await;
        assert_eq!(listed(tablet).await, [tablet.signed_in["session"]["id"].clone()]);
        tablet.refreshed().await;
    }

    #[tokio::test]
    async fn an_exchange_of_the_session_that_is_spared_loses_and_looks_again() {
        let Held { phone, elsewhere, tablet, hold, .. } = &held().await;

        let revoke = async {
            hold.reached().await;
            elsewhere.delete("/v1/sessions/others").await.expect(204);
            hold.release();
        };
        let (answer, ()) = join(phone.exchange(phone.refresh_token()), revoke).await;

        phone.as_signed_in(answer.expect(200).json()).refreshed().await;
        expect_over(tablet).await;
    }

    /// Between its two reads: the session that is spared must not look as if it had ended.
    #[tokio::test]
    async fn an_exchange_that_has_read_the_account_goes_on_where_its_session_is_spared() {
        let Held { phone, elsewhere, tablet, hold, .. } = &held_at("GetItem", 2).await;

        let revoke = async {
            hold.reached().await;
            elsewhere.delete("/v1/sessions/others").await.expect(204);
            hold.release();
        };
        let (answer, ()) = join(phone.exchange(phone.refresh_token()), revoke).await;

        phone.as_signed_in(answer.expect(200).json()).refreshed().await;
        expect_over(tablet).await;
    }

    #[tokio::test]
    async fn an_exchange_that_has_read_the_account_leaves_no_usable_token_otherwise() {
        let Held { phone, tablet, hold, .. } = &held_at("GetItem", 2).await;

        let revoke = async {
            hold.reached().await;
            tablet.delete("/v1/sessions/others").await.expect(204);
            hold.release();
        };
        let (answer, ()) = join(phone.exchange(phone.refresh_token()), revoke).await;

        expect_over(&phone.as_signed_in(answer.expect(200).json())).await;
        tablet.refreshed().await;
    }

    #[tokio::test]
    async fn an_exchange_that_had_begun_does_not_bring_a_session_back() {
        let Held { phone, elsewhere, hold, .. } = &held().await;

        let sign_out = async {
            hold.reached().await;
            elsewhere.delete("/v1/sessions/current").await.expect(204);
            hold.release();
        };
        let (answer, ()) = join(phone.exchange(phone.refresh_token()), sign_out).await;

        answer.expect_problem(401, "session_revoked");
    }

    #[tokio::test]
    async fn a_sign_in_with_the_password_of_before_is_over_before_it_is_used() {
        let Held { phone, tablet, hold, .. } = &held().await;

        let change = async {
            hold.reached().await;
            change_password(tablet, OLD, NEW).await.expect(204);
            hold.release();
        };
        let (answer, ()) = join(sign_in(phone, OLD), change).await;

        let intruder = phone.as_signed_in(answer.expect(201).json());
        expect_over(&intruder).await;
        assert_eq!(listed(tablet).await, [tablet.signed_in["session"]["id"].clone()]);
    }

    #[tokio::test]
    async fn many_at_once_leave_one_session() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;

        let refreshes = join_all((0..20).map(|_| phone.exchange(phone.refresh_token())));
        let revoke = async { tablet.delete("/v1/sessions/others").await.expect(204) };
        let (answers, _) = join(refreshes, revoke).await;

        for answer in answers {
            match answer.status.as_u16() {
                200 => expect_over(&phone.as_signed_in(answer.json())).await,
                _ => drop(answer.expect_problem(401, "session_revoked")),
            }
        }
        tablet.refreshed().await;
    }
}
