//! What a table says of deprecated endpoints reaches every answer, the log and the document.

use api::{
    Web,
    http::{Deprecation, Endpoint, Json, Module, Result, endpoints},
    platform::health::Health,
};
use auth::Caller;
use http::{HeaderValue, Method};
use serde_json::json;
use tests::{Answer, Log, Setup, World};

/// Get what there was.
#[utoipa::path(get, path = "/old")]
async fn get_old(_: Caller) -> Result<Json<Health>> {
    Ok(Json(Health { status: "ok".to_owned() }))
}

/// Panic, as ever.
#[utoipa::path(post, path = "/old")]
async fn make_old() -> Result<Json<Health>> {
    panic!("it was never good")
}

/// Get what there is.
#[utoipa::path(put, path = "/old")]
async fn put_new() -> Result<Json<Health>> {
    Ok(Json(Health { status: "ok".to_owned() }))
}

fn deprecated() -> Deprecation {
    Deprecation::since("2026-11-01").sunset("2027-05-01").link("https://example.com/old")
}

fn module() -> Module {
    Module::new("old")
        .signed_in(deprecated().of(endpoints![get_old]))
        .public(Deprecation::since("2026-11-01").of(endpoints![make_old]))
        .public(endpoints![put_new])
}

async fn world() -> World {
    let modules = api::route_table().into_iter().chain([module()]).collect();
    let web = Web {
        cors_origins: vec![HeaderValue::from_static("https://app.example.com")],
        ..Web::default()
    };
    World::with(Setup { modules, web, ..Setup::default() }).await
}

fn expect_told(answer: &Answer) {
    assert_eq!(answer.header("deprecation"), "@1793491200");
    assert_eq!(answer.header("sunset"), "Sat, 01 May 2027 00:00:00 GMT");
    let links = "<https://example.com/old>; rel=\"deprecation\", \
                 <https://example.com/old>; rel=\"sunset\"";
    assert_eq!(answer.header("link"), links);
}

mod every_answer {
    use super::*;

    #[tokio::test]
    async fn of_a_deprecated_operation_says_so() {
        let world = world().await;
        let maya = world.maya().await;

        let good = maya.get("/old").unspecified().await.expect(200);
        let head = maya.request(Method::HEAD, "/old").unspecified().await.expect(200);
        let nobody = world.anonymous().get("/old").unspecified().await.expect(401);
        let condition =
            maya.get("/old").header("x-app-version", "?").unspecified().await.expect(400);

        for answer in [good, head, nobody, condition] {
            expect_told(&answer);
        }
        let panicked = world.anonymous().post("/old").unspecified().await.expect(500);
        assert_eq!(panicked.header("deprecation"), "@1793491200");
        assert!(!panicked.headers.contains_key("sunset"));
        assert!(!panicked.headers.contains_key("link"));
    }

    #[tokio::test]
    async fn of_another_operation_does_not() {
        let world = world().await;

        let beside = world.anonymous().put("/old").unspecified().await.expect(200);
        let elsewhere = world.anonymous().get("/health").await.expect(200);
        let no_method = world.anonymous().delete("/old").unspecified().await.expect(405);

        for answer in [beside, elsewhere, no_method] {
            assert!(!answer.headers.contains_key("deprecation"));
        }
    }

    #[tokio::test]
    async fn may_be_read_by_pages_of_other_origins() {
        let world = world().await;

        let request = world.anonymous().get("/old").header("origin", "https://app.example.com");
        let answer = request.unspecified().await.expect(401);

        let exposed = answer.header("access-control-expose-headers");
        for name in ["deprecation", "sunset", "link"] {
            assert!(exposed.contains(name), "{exposed}");
        }
        expect_told(&answer);
    }
}

mod the_log {
    use super::*;

    #[tokio::test]
    async fn has_which_version_of_the_app_still_calls() {
        let world = world().await;
        let log = Log::listen();
        let request = world.anonymous().get("/old").unspecified();
        let request = request.without("x-app-platform").without("x-app-version");

        request.header("x-app-platform", "ios").header("x-app-version", "2.3.0").await.expect(401);
        world.anonymous().get("/health").await.expect(200);

        let lines = log.lines();
        let mut answered = lines.iter().filter(|line| line["fields"]["message"] == "answered");
        let old = answered.next().expect("it was answered");
        assert_eq!(old["span"]["deprecated"], true, "{old}");
        assert_eq!(old["span"]["app_platform"], "ios");
        assert_eq!(old["span"]["app_version"], "2.3.0");
        let health = answered.next().expect("it was answered");
        assert!(health["span"].get("deprecated").is_none(), "{health}");
    }
}

mod the_document {
    use super::*;

    #[test]
    fn says_so_of_the_operation_and_of_every_answer() {
        let document = openapi::build(&[module()]).expect("nothing contradicts itself");
        let old = &document["paths"]["/old"]["get"];

        assert_eq!(old["deprecated"], true);
        assert_eq!(old["x-sunset"], "2027-05-01");
        let words = "Deprecated since 2026-11-01. It is gone on 2027-05-01 or later. Instead: \
                     <https://example.com/old>.";
        let description = old["description"].as_str().unwrap_or_default();
        assert!(description.ends_with(words), "{description}");
        for (status, answer) in old["responses"].as_object().expect("it answers") {
            for name in ["Deprecation", "Sunset", "Link"] {
                assert_eq!(answer["headers"][name]["required"], true, "{status} {name}");
            }
        }
        assert_eq!(document["paths"]["/old"]["post"]["deprecated"], true);
        assert_eq!(document["paths"]["/old"]["post"].get("x-sunset"), None);
        let new = &document["paths"]["/old"]["put"];
        assert_eq!(new.get("deprecated"), None);
        assert_eq!(new["responses"]["200"]["headers"].get("Deprecation"), None);
        assert_ne!(new["responses"], json!(null));
    }
}

mod a_table {
    use std::panic::catch_unwind;

    use super::*;

    fn refused(make: impl FnOnce() -> Vec<Endpoint> + std::panic::UnwindSafe) -> String {
        let panic = catch_unwind(make).map(drop).expect_err("it is refused");
        panic.downcast_ref::<String>().expect("it says why").clone()
    }

    #[test]
    fn is_not_built_with_days_that_make_no_sense() {
        assert_eq!(
            refused(|| Deprecation::since("1 May 2027").of(endpoints![put_new])),
            "`1 May 2027` is not a day such as 2026-11-01"
        );
        assert_eq!(
            refused(|| Deprecation::since("2027-02-29").of(endpoints![put_new])),
            "`2027-02-29` is not a day such as 2026-11-01"
        );
        assert_eq!(
            refused(|| {
                Deprecation::since("2027-05-02").sunset("2027-05-01").of(endpoints![put_new])
            }),
            "the sunset 2027-05-01 is before the deprecation, 2027-05-02"
        );
        assert_eq!(
            refused(|| {
                Deprecation::since("2027-05-02").link("https://a>b").of(endpoints![put_new])
            }),
            "`https://a>b` is not a URL that begins with https://"
        );
    }
}
