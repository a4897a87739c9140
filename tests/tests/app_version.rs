//! Apps that are too old are told so, and where the new one is.

use api::http::{Json, Module, Result, endpoints};
use http::Method;
use models::view;
use serde_json::{Value, json};
use tests::{Client, Door, Request, Setup, World};

/// Of iOS 2.3 is the oldest version, of Android 10; of all others every version is served.
async fn world() -> World {
    let apps = json!({
        "ios": { "minimumVersion": "2.3", "storeUrl": "https://apps.apple.com/app/id1" },
        "android": { "minimumVersion": "10.0.0.1" },
    });
    let mut setup = Setup::default();
    setup.config.apps = serde_json::from_value(apps).expect("the oldest versions");
    World::with(setup).await
}

fn from(request: Request, platform: &str, version: &str) -> Request {
    request.header("x-app-platform", platform).header("x-app-version", version)
}

mod an_old_version {
    use super::*;

    #[tokio::test]
    async fn is_told_where_the_new_one_is() {
        let world = world().await;

        let answer = from(world.anonymous().get("/v1/account"), "ios", "2.2.9").await.expect(426);

        let expected = json!({
            "type": "urn:landline:problem:upgrade_required",
            "title": "The app must be updated",
            "status": 426,
            "code": "upgrade_required",
            "detail": "Version 2.3.0 or newer is needed.",
            "requestId": "test",
            "storeUrl": "https://apps.apple.com/app/id1",
        });
        assert_eq!(answer.json(), expected);
        assert!(!answer.headers.contains_key("upgrade"));
    }

    #[tokio::test]
    async fn is_told_so_without_a_link_where_none_is_set() {
        let world = world().await;

        let request = from(world.anonymous().get("/v1/account"), "android", "10");
        let answer = request.await.expect_problem(426, "upgrade_required");

        assert_eq!(answer.json()["storeUrl"], Value::Null);
    }

    #[tokio::test]
    async fn is_told_before_anything_else_is_looked_at() {
        let world = world().await;
        let anonymous = world.anonymous();
        let maya = world.maya().await;

        for request in [
            maya.get("/v1/account"),
            maya.with_token("nonsense").get("/v1/account"),
            anonymous.post("/v1/sessions").json_text("{"),
            anonymous.post("/v1/accounts").body("x"),
            anonymous.get("/v1/a-route-of-long-ago"),
            anonymous.request(Method::PUT, "/v1/account"),
            anonymous.request(Method::HEAD, "/v1/account"),
        ] {
            let sent = request.to_string();
            assert_eq!(from(request, "ios", "1").await.status, 426, "{sent}");
        }
    }

    #[tokio::test]
    async fn reaches_what_is_for_every_version() {
        let world = world().await;

        for path in ["/health", "/.well-known/jwks.json", "/v1/config"] {
            from(world.anonymous().get(path), "ios", "1").await.expect(200);
            from(world.anonymous().request(Method::HEAD, path), "ios", "1").await.expect(200);
        }
    }

    #[tokio::test]
    async fn is_told_of_a_path_that_makes_no_sense_first() {
        let world = world().await;

        let request = from(world.anonymous().get("/v1/../x"), "ios", "1");

        request.await.expect_problem(400, "malformed_path");
    }
}

mod every_other_version {
    use super::*;

    #[tokio::test]
    async fn is_served_from_the_oldest_on() {
        let world = world().await;
        let maya = world.maya().await;

        for (platform, version) in [
            ("ios", "2.3"),
            ("ios", "2.3.0.0+7"),
            ("IOS", "2.10"),
            ("android", "10.0.0.1"),
            ("web", "0.1"),
        ] {
            from(maya.get("/v1/account"), platform, version).await.expect(200);
        }
    }

    #[tokio::test]
    async fn is_served_that_does_not_say_what_it_is() {
        let world = world().await;
        let maya = world.maya().await;

        maya.get("/v1/account").await.expect(200);
        maya.get("/v1/account").header("x-app-version", "1").await.expect(200);
        maya.get("/v1/account").header("x-app-platform", "ios").await.expect(200);
    }
}

mod a_header_that_makes_no_sense {
    use super::*;

    async fn refused(request: Request, detail: &str) {
        let answer = request.await.expect_problem(400, "malformed_request");
        assert_eq!(answer.json()["detail"], detail);
    }

    #[tokio::test]
    async fn is_refused_in_words() {
        let world = World::new().await;
        let request = || world.anonymous().post("/v1/sessions").json(json!({}));
        let version = "`X-App-Version` must be one to four numbers with dots, such as 2.3.0.";
        let platform = "`X-App-Platform` must be one of ios, android, web, macos, windows, linux.";

        for value in ["", "two", "2.3-beta", "1.2.3.4.5", "1234567890", "2,3", "ü"] {
            refused(request().header("x-app-version", value), version).await;
        }
        for value in ["", "palm", "ios 17", "ios,android"] {
            refused(request().header("x-app-platform", value), platform).await;
        }
    }

    #[tokio::test]
    async fn is_one_that_is_there_twice() {
        let world = World::new().await;
        let door = Door::Router(world.app().router());
        let client = Client::new(door);

        let request = client.get("/v1/account").header("x-app-version", "2");
        let answer = request.header("x-app-version", "3").await;

        answer.expect_problem(400, "malformed_request");
    }

    #[tokio::test]
    async fn does_not_keep_anybody_from_what_is_for_every_version() {
        let world = World::new().await;

        from(world.anonymous().get("/health"), "palm", "two").await.expect(200);
    }
}

mod a_module_of_a_teams_own {
    use super::*;

    #[view]
    struct Thing {
        name: String,
    }

    /// Get the thing.
    #[utoipa::path(get, path = "/thing")]
    async fn get_thing() -> Result<Json<Thing>> {
        Ok(Json(Thing { name: "a".to_owned() }))
    }

    #[tokio::test]
    async fn is_for_every_version_where_it_says_so() {
        for (open, status) in [(false, 426), (true, 200)] {
            let module = Module::new("things");
            let module = if open { module.for_every_version() } else { module };
            let mut setup =
                Setup { modules: vec![module.public(endpoints![get_thing])], ..Setup::default() };
            let apps = json!({ "ios": { "minimumVersion": "2" } });
            setup.config.apps = serde_json::from_value(apps).unwrap();
            let world = World::with(setup).await;

            // The document does not have the route.
            let request = world.anonymous().get("/thing").unspecified();
            from(request, "ios", "1").await.expect(status);
        }
    }
}

mod the_document {
    use tests::spec::document;

    use super::*;

    #[test]
    fn has_426_and_the_headers_wherever_the_version_matters() {
        let names = ["AppPlatform", "AppVersion"];
        let headers =
            names.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") }));
        let paths = document()["paths"].as_object().unwrap();
        let mut open = Vec::new();
        for (path, methods) in paths {
            for operation in methods.as_object().unwrap().values() {
                let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
                let gated = operation["responses"].get("426").is_some();
                let named = headers.iter().all(|header| parameters.contains(header));
                assert_eq!(named, gated || path == "/v1/config", "{path}");
                if !gated {
                    open.push(path.as_str());
                }
            }
        }
        let keys = ["/.well-known/jwks.json", "/.well-known/openid-configuration"];
        assert_eq!(open, [keys[0], keys[1], "/health", "/v1/config"]);
    }
}

mod a_page {
    use api::Web;
    use http::HeaderValue;

    use super::*;

    #[tokio::test]
    async fn may_send_the_headers() {
        let origin = "https://app.example.com";
        let web = Web { cors_origins: vec![HeaderValue::from_static(origin)], ..Web::default() };
        let world = World::with(Setup { web, ..Setup::default() }).await;

        let answer = world
            .anonymous()
            .request(Method::OPTIONS, "/v1/account")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "x-app-platform, x-app-version")
            .unspecified()
            .await
            .expect(200);

        let allowed = answer.header("access-control-allow-headers");
        assert!(allowed.contains("x-app-platform"), "{allowed}");
        assert!(allowed.contains("x-app-version"), "{allowed}");
    }
}
