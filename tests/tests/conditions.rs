use http::Method;
use serde_json::json;
use tests::{Answer, Client, World};

async fn rename(client: &Client, if_match: &str) -> Answer {
    let body = json!({ "displayName": "Maya Lindqvist" });
    client.patch("/v1/account").header("if-match", if_match).json(body).await
}

mod if_match {
    use futures_util::future::join_all;

    use super::*;

    #[tokio::test]
    async fn lets_the_version_that_it_names_be_changed() {
        let world = World::new().await;
        let maya = world.maya().await;
        let known = maya.get("/v1/account").await.expect(200);
        assert_eq!(known.header("etag"), r#""1""#);

        let changed = rename(&maya, known.header("etag")).await.expect(200);

        assert_eq!(changed.header("etag"), r#""2""#);
        assert_eq!(changed.json()["version"], 2);
    }

    #[tokio::test]
    async fn keeps_another_version_as_it_is() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = rename(&maya, r#""2""#).await.expect(412);

        let expected = json!({
            "type": "urn:landline:problem:precondition_failed",
            "title": "The resource is another by now",
            "status": 412,
            "code": "precondition_failed",
            "detail": "Get it again, and decide anew.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(maya.get("/v1/account").await.json(), maya.signed_in["account"]);
    }

    #[tokio::test]
    async fn holds_for_any_of_its_tags_and_never_for_a_weak_or_a_foreign_one() {
        let world = World::new().await;
        let maya = world.maya().await;

        for tags in [r#""7""#, r#"W/"1""#, r#""01""#, r#""+1""#, r#""a,1""#, r#""""#, ""] {
            rename(&maya, tags).await.expect_problem(412, "precondition_failed");
        }
        rename(&maya, r#""7", "1""#).await.expect(200);
        rename(&maya, "*").await.expect(200);
        let twice = maya.patch("/v1/account").header("if-match", r#""9""#);
        twice.header("if-match", r#""3""#).json(json!({})).await.expect(200);
    }

    #[tokio::test]
    async fn is_refused_where_it_cannot_be_read() {
        let world = World::new().await;
        let maya = world.maya().await;

        for tags in ["1", r#""1"#, r#"1""#, r#""1" "2""#, r#"w/"1""#, r#"*, "1""#, "\"\u{e9}\""] {
            rename(&maya, tags).await.expect_problem(400, "malformed_request");
        }
        let both = maya.patch("/v1/account").header("if-match", r#""1""#);
        let both = both.header("if-none-match", "*").json(json!({}));
        both.await.expect_problem(400, "malformed_request");
    }

    #[tokio::test]
    async fn lets_one_of_two_writers_win() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answers = join_all((0..2).map(|_| rename(&maya, r#""1""#))).await;

        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412]);
        assert_eq!(maya.get("/v1/account").await.json()["version"], 2);
    }
}

mod if_none_match {
    use super::*;

    #[tokio::test]
    async fn is_answered_with_nothing_where_the_client_has_it_already() {
        let world = World::new().await;
        let maya = world.maya().await;

        for tags in [r#""1""#, r#"W/"1""#, r#""9", "1""#, "*"] {
            for method in [Method::GET, Method::HEAD] {
                let answer = maya.request(method, "/v1/account").header("if-none-match", tags);
                let answer = answer.await.expect(304);

                assert_eq!(answer.header("etag"), r#""1""#, "{tags}");
                assert_eq!(answer.header("content-type"), "", "{tags}");
                assert_eq!(answer.body, b"", "{tags}");
            }
        }
    }

    #[tokio::test]
    async fn is_answered_in_full_where_it_is_another_by_now() {
        let world = World::new().await;
        let maya = world.maya().await;
        rename(&maya, "*").await.expect(200);

        let answer = maya.get("/v1/account").header("if-none-match", r#""1""#).await.expect(200);

        assert_eq!(answer.header("etag"), r#""2""#);
        assert_eq!(answer.json()["displayName"], "Maya Lindqvist");
    }

    #[tokio::test]
    async fn means_nothing_where_there_is_no_version() {
        let world = World::new().await;
        let maya = world.maya().await;

        for path in ["/v1/sessions", "/health"] {
            let answer = maya.get(path).header("if-none-match", "*").await.expect(200);

            assert_eq!(answer.header("etag"), "", "{path}");
        }
    }

    #[tokio::test]
    async fn is_refused_where_it_cannot_be_read() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.get("/v1/account").header("if-none-match", "1").await;

        answer.expect_problem(400, "malformed_request");
    }
}

mod an_operation_that_takes_none {
    use tests::Operation;

    use super::*;

    /// A condition that nobody looks at would be taken for met.
    #[tokio::test]
    async fn refuses_each_and_does_nothing() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let account = maya.get("/v1/account").await.expect(200).json();
        let mut refused = 0;

        for operation in Operation::all() {
            if operation.method == Method::GET || operation.header("If-Match").is_some() {
                continue;
            }
            let person = match operation.scope() {
                Some(_) => admin.clone(),
                None if operation.is_guarded() => maya.clone(),
                None => world.anonymous(),
            };
            for name in ["if-match", "if-none-match"] {
                let path = operation.somewhere();
                let answer = operation.request(&person, &path, true).header(name, "*").await;

                assert_eq!(answer.status, 400, "{}: {}", operation.id, answer.text());
                let answer = answer.expect_problem(400, "malformed_request").json();
                let detail = "This takes no condition: neither `If-Match` nor `If-None-Match`.";
                assert_eq!(answer["detail"], detail, "{}", operation.id);
                refused += 1;
            }
        }
        assert!(refused > 10, "{refused}");
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), account);
        maya.refreshed().await;
    }

    #[tokio::test]
    async fn asks_for_a_token_first() {
        let world = World::new().await;

        let delete = world.anonymous().delete("/v1/sessions/others").header("if-match", "*");

        delete.await.expect_problem(401, "token_missing");
    }
}

mod required {
    use api::http::{Module, NoContent, Required, Result, endpoints};
    use models::store::Precondition;
    use tests::Setup;

    use super::*;

    /// Touch nothing, on a condition.
    #[utoipa::path(put, path = "/careful")]
    async fn put_carefully(_: Required<Precondition>) -> Result<NoContent> {
        Ok(NoContent)
    }

    #[tokio::test]
    async fn is_said_by_the_handlers_signature() {
        let modules = vec![Module::new("careful").public(endpoints![put_carefully])];
        let spec = openapi::build(&modules).expect("nothing contradicts");
        let world = World::with(Setup { modules, ..Setup::default() }).await;
        let put = || world.anonymous().request(Method::PUT, "/careful").unspecified();

        let answer = put().await.expect(428);
        put().header("if-match", r#""1""#).await.expect(204);
        put().header("if-none-match", "*").await.expect(204);

        let expected = json!({
            "type": "urn:landline:problem:precondition_required",
            "title": "A precondition is needed",
            "status": 428,
            "code": "precondition_required",
            "detail": "Send the resource's `ETag` as `If-Match`.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        let put = &spec["paths"]["/careful"]["put"];
        assert_eq!(put["parameters"][0]["name"], "If-Match");
        assert!(put["responses"]["428"].is_object(), "{put}");
    }
}
