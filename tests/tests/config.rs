//! What an app asks at its start, and which flags are on for whom.

use std::{collections::BTreeSet, time::Duration};

use models::{
    Ambient, Id, Timestamp,
    platform::{
        app::{Device, Platform},
        config::{Config, Flags},
    },
};
use serde_json::{Value, json};
use tests::{Client, Faults, Request, Setup, World};

fn config(apps: Value, flags: Value) -> Config {
    Config {
        apps: serde_json::from_value(apps).expect("the oldest versions"),
        flags: serde_json::from_value(flags).expect("flags"),
    }
}

async fn world(apps: Value, flags: Value) -> World {
    World::with(Setup { config: config(apps, flags), ..Setup::default() }).await
}

fn asked(client: &Client, platform: &str, version: &str) -> Request {
    let request = client.get("/v1/config");
    request.header("x-app-platform", platform).header("x-app-version", version)
}

async fn flags(request: Request) -> Value {
    request.await.expect(200).json()["flags"].clone()
}

mod get_config {
    use super::*;

    #[tokio::test]
    async fn says_nothing_where_nothing_is_set() {
        let world = World::new().await;

        let answer = world.anonymous().get("/v1/config").await.expect(200);

        assert_eq!(answer.json(), json!({ "apps": [], "flags": [] }));
    }

    #[tokio::test]
    async fn names_the_oldest_versions_and_what_is_on() {
        let apps = json!({
            "android": { "minimumVersion": "2.1+7" },
            "ios": { "minimumVersion": "2.3.0", "storeUrl": "https://apps.apple.com/app/id1" },
        });
        let flags = json!({ "newEditor": {}, "dark_mode": {}, "never": { "percentage": 0 } });
        let world = world(apps, flags).await;

        let answer = world.anonymous().get("/v1/config").await.expect(200);

        let expected = json!({
            "apps": [
                {
                    "platform": "ios",
                    "minimumVersion": "2.3.0",
                    "storeUrl": "https://apps.apple.com/app/id1",
                },
                { "platform": "android", "minimumVersion": "2.1.0" },
            ],
            "flags": ["dark_mode", "newEditor"],
        });
        assert_eq!(answer.json(), expected);
    }

    #[tokio::test]
    async fn answers_apps_that_are_too_old() {
        let world = world(json!({ "ios": { "minimumVersion": "2.3" } }), json!({})).await;

        let answer = asked(&world.anonymous(), "ios", "1.0").await.expect(200);

        assert_eq!(answer.json()["apps"][0]["minimumVersion"], "2.3.0");
    }

    #[tokio::test]
    async fn tells_an_expired_token_from_none() {
        let world = World::new().await;
        let maya = world.maya().await;
        maya.get("/v1/config").await.expect(200);

        world.advance(Duration::from_secs(15 * 60));

        maya.get("/v1/config").await.expect_problem(401, "token_expired");
        let nonsense = maya.with_token("nonsense").get("/v1/config");
        nonsense.await.expect_problem(401, "token_invalid");
        world.anonymous().get("/v1/config").await.expect(200);
    }

    #[tokio::test]
    async fn refuses_headers_that_make_no_sense() {
        let world = World::new().await;

        asked(&world.anonymous(), "ios", "two").await.expect_problem(400, "malformed_request");
    }

    #[tokio::test]
    async fn asks_the_store_nothing() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        faults.calls();

        asked(&maya, "ios", "2.3").await.expect(200);

        assert_eq!(faults.calls(), [""; 0]);
    }
}

mod a_flag {
    use super::*;

    #[tokio::test]
    async fn is_on_for_its_platforms() {
        let on = json!({ "a": { "platforms": ["ios", "macos"] } });
        let world = world(json!({}), on).await;
        let anonymous = world.anonymous();

        assert_eq!(flags(asked(&anonymous, "ios", "1")).await, json!(["a"]));
        assert_eq!(flags(asked(&anonymous, "MacOS", "1")).await, json!(["a"]));
        assert_eq!(flags(asked(&anonymous, "android", "1")).await, json!([]));
        assert_eq!(flags(anonymous.get("/v1/config")).await, json!([]));
    }

    #[tokio::test]
    async fn is_on_from_its_version_on() {
        let world = world(json!({}), json!({ "a": { "minimumVersion": "2.4" } })).await;
        let anonymous = world.anonymous();

        assert_eq!(flags(asked(&anonymous, "ios", "2.4.0")).await, json!(["a"]));
        assert_eq!(flags(asked(&anonymous, "ios", "2.10")).await, json!(["a"]));
        assert_eq!(flags(asked(&anonymous, "ios", "2.3.999999999")).await, json!([]));
        assert_eq!(flags(anonymous.get("/v1/config")).await, json!([]));
    }

    #[tokio::test]
    async fn is_on_for_nobody_at_0_and_for_everybody_at_100() {
        let on = json!({ "all": { "percentage": 100 }, "none": { "percentage": 0 } });
        let world = world(json!({}), on).await;
        let maya = world.maya().await;

        assert_eq!(flags(maya.get("/v1/config")).await, json!(["all"]));
        assert_eq!(flags(world.anonymous().get("/v1/config")).await, json!(["all"]));
    }

    #[tokio::test]
    async fn below_100_is_off_for_whoever_is_not_signed_in() {
        let world = world(json!({}), json!({ "most": { "percentage": 99 } })).await;

        assert_eq!(flags(world.anonymous().get("/v1/config")).await, json!([]));
    }

    #[tokio::test]
    async fn is_the_same_for_an_account_on_every_device() {
        let on: Value =
            (0..50).map(|n| (format!("flag{n}"), json!({ "percentage": 50 }))).collect();
        let world = world(json!({}), on).await;
        let maya = world.maya().await;

        let phone = flags(maya.get("/v1/config")).await;
        let tablet = flags(maya.sign_in("maya@example.com").await.get("/v1/config")).await;

        let many = phone.as_array().map_or(0, Vec::len);
        assert!((10..=40).contains(&many), "{many} of 50 flags are on");
        assert_eq!(tablet, phone);
    }

    #[tokio::test]
    async fn needs_all_of_its_restrictions() {
        let on = json!({ "a": { "platforms": ["ios"], "minimumVersion": "2", "percentage": 100 } });
        let world = world(json!({}), on).await;
        let anonymous = world.anonymous();

        assert_eq!(flags(asked(&anonymous, "ios", "2")).await, json!(["a"]));
        assert_eq!(flags(asked(&anonymous, "ios", "1")).await, json!([]));
        assert_eq!(flags(asked(&anonymous, "web", "2")).await, json!([]));
    }
}

mod a_share_of_accounts {
    use super::*;

    /// A thousand ids, always the same.
    fn accounts() -> Vec<Id> {
        let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), 11);
        (0..1000).map(|_| ambient.new_id()).collect()
    }

    /// Those of them for whom a flag of this percentage is on.
    fn chosen(name: &str, percentage: u8) -> BTreeSet<Id> {
        let flags = json!({ name: { "percentage": percentage } });
        let flags: Flags = serde_json::from_value(flags).expect("flags");
        let on = |id: &Id| !flags.on(Device::default(), Some(*id)).is_empty();
        accounts().into_iter().filter(on).collect()
    }

    #[test]
    fn is_close_to_the_percentage() {
        for percentage in [1, 5, 25, 50, 75, 99] {
            let many = i32::try_from(chosen("newEditor", percentage).len()).unwrap();

            // Three standard deviations of a thousand draws are 47 at the most.
            let off = (many - 10 * i32::from(percentage)).abs();
            assert!(off <= 47, "{many} of 1000 at {percentage} %");
        }
    }

    #[test]
    fn only_grows_with_the_percentage() {
        let mut before = BTreeSet::new();
        for percentage in 0..=100 {
            let now = chosen("newEditor", percentage);

            assert!(before.is_subset(&now), "somebody lost it at {percentage} %");
            before = now;
        }
        assert_eq!(before.len(), 1000);
    }

    #[test]
    fn of_one_flag_says_nothing_of_another() {
        let both = chosen("newEditor", 50).intersection(&chosen("newSearch", 50)).count();

        // Half of a half, within three standard deviations.
        assert!((209..=291).contains(&both), "{both} of 1000 have both");
    }

    #[test]
    fn does_not_depend_on_the_device() {
        let flags = json!({ "a": { "percentage": 50 } });
        let flags: Flags = serde_json::from_value(flags).expect("flags");
        let device = Device {
            platform: Some(Platform::Ios),
            version: Some("2.3".parse().expect("a version")),
        };

        for account in accounts() {
            let somewhere = flags.on(Device::default(), Some(account));
            assert_eq!(flags.on(device, Some(account)), somewhere);
        }
    }
}
