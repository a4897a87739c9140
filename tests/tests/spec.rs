//! Driven by the document: what holds for every operation, those of tomorrow included.

use std::{collections::BTreeSet, fs, path::Path};

use http::Method;
use serde_json::{Value, json};
use tests::{
    Operation, World,
    samples::{good, resolved},
    spec::document,
};

mod every_operation {
    use super::*;

    #[tokio::test]
    async fn answers_a_good_request() {
        let world = World::new().await;
        let (admin, maya) = (world.admin().await, world.maya().await);
        let maya = maya.signed_in["account"]["id"].as_str().expect("an account has an id");

        for operation in Operation::all() {
            for whole in [false, true] {
                let (person, path) = if operation.scope().is_some() {
                    (admin.clone(), operation.at(maya))
                } else if operation.is_guarded() {
                    let email = format!("{}-{whole}@example.com", operation.id.replace('_', "-"));
                    let person = world.anonymous().register(&email, "Maya").await;
                    let path = operation.owned_by(&person).await;
                    (person, path)
                } else {
                    (world.anonymous(), operation.somewhere())
                };

                let answer = operation.request(&person, &path, whole).await;

                // That the status is declared is checked of every answer.
                assert!(answer.status.as_u16() < 500, "{}: {}", operation.id, answer.text());
                if operation.is_guarded() && !whole {
                    // A sample knows nobody's password.
                    let fine = answer.status.is_success()
                        || answer.json()["code"] == "credentials_invalid";
                    assert!(fine, "{}: {} {}", operation.id, answer.status, answer.text());
                }
            }
        }
    }

    #[tokio::test]
    async fn refuses_bodies_that_are_not_its_own() {
        let world = World::new().await;
        let (maya, admin) = (world.maya().await, world.admin().await);

        for operation in Operation::all() {
            let Some(schema) = operation.body() else { continue };
            let person = if operation.scope().is_some() { &admin } else { &maya };
            let path = operation.somewhere();
            // What is not there is not found before its body is read.
            let path =
                if operation.has_parameters() { operation.owned_by(person).await } else { path };
            let request = || person.request(operation.method.clone(), &path);
            let mut unknown = good(schema, true);
            unknown["unknown"] = json!(1);

            for (request, status, why) in [
                (request().json_text(""), 400, "an empty body"),
                (request().json_text("{"), 400, "half a body"),
                (request().json_text("[]"), 422, "a list"),
                (request().json(unknown), 422, "a field that is not known"),
                (request().json_text(" ".repeat(1024 * 1024 + 1)), 413, "too much"),
                (request().body(good(schema, true).to_string()), 415, "no content type"),
            ] {
                let answer = request.await;

                assert_eq!(answer.status, status, "{}: {why}", operation.id);
            }
        }
    }

    #[tokio::test]
    async fn has_the_name_of_its_handler_and_no_other_has_it() {
        let sources = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/src"));

        let mut ids = BTreeSet::new();
        for Operation { id, .. } in Operation::all() {
            assert!(ids.insert(id), "two operations are {id}");
            let handlers = sources.matches(&format!("async fn {id}(")).count();
            assert_eq!(handlers, 1, "handlers named {id}");
        }
    }

    fn sources(folder: &Path) -> String {
        let mut text = String::new();
        for entry in fs::read_dir(folder).expect("the folder is there") {
            let path = entry.expect("it can be read").path();
            if path.is_dir() {
                text += &self::sources(&path);
            } else {
                text += &fs::read_to_string(path).expect("sources are text");
            }
        }
        text
    }
}

mod every_guarded_operation {
    use super::*;

    #[tokio::test]
    async fn asks_for_a_token_before_anything_else() {
        let world = World::new().await;
        let anonymous = world.anonymous();

        for operation in Operation::all().iter().filter(|operation| operation.is_guarded()) {
            let path = operation.somewhere();
            let good = operation.request(&anonymous, &path, true);
            let bare = anonymous.request(operation.method.clone(), &path);
            let broken = bare.clone().json_text("{");

            for request in [good, bare, broken] {
                request.await.expect_problem(401, "token_missing");
            }
        }
    }

    #[tokio::test]
    async fn does_not_find_another_persons() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);

        let owned_ones = |it: &Operation| it.is_guarded() && it.scope().is_none();
        for operation in Operation::all().iter().filter(|it| owned_ones(it) && it.has_parameters())
        {
            let path = operation.owned_by(&maya).await;
            let (list, _) = path.rsplit_once('/').expect("a path has segments");
            let before = maya.get(list).await.expect(200).json();
            for whole in [false, true] {
                let answer = operation.request(&omar, &path, whole).await;

                // The same id among one's own things is another thing.
                if operation.method == Method::PUT {
                    assert!(answer.status.is_success(), "{}", operation.id);
                    continue;
                }
                assert_eq!(answer.status, 404, "{}", operation.id);
                assert_eq!(answer.json()["code"], "not_found", "{}", operation.id);
            }
            assert_eq!(maya.get(list).await.expect(200).json(), before, "{}", operation.id);
        }
    }
}

mod every_scoped_operation {
    use super::*;

    #[tokio::test]
    async fn asks_for_its_scope_before_anything_else() {
        let world = World::new().await;
        let maya = world.maya().await;

        for operation in Operation::all() {
            let Some(scope) = operation.scope() else { continue };
            let path = operation.somewhere();
            let good = operation.request(&maya, &path, true);
            let bare = maya.request(operation.method.clone(), &path);
            let broken = bare.clone().json_text("{");

            for request in [good, bare, broken] {
                let answer = request.await.expect_problem(403, "insufficient_scope");

                let challenge = format!(
                    "Bearer realm=\"api\", error=\"insufficient_scope\", scope=\"{scope}\""
                );
                assert_eq!(answer.header("www-authenticate"), challenge, "{}", operation.id);
            }
        }
    }
}

mod every_path {
    use super::*;

    #[tokio::test]
    async fn has_the_methods_of_the_document_and_no_others() {
        let world = World::new().await;
        let maya = world.maya().await;
        let operations = Operation::all();

        for Operation { path, .. } in &operations {
            let here = operations.iter().filter(|other| other.path == *path);
            let mut known: BTreeSet<_> = here.clone().map(|it| it.method.to_string()).collect();
            if known.contains("GET") {
                known.insert("HEAD".to_owned());
            }
            let somewhere = here.clone().next().expect("it is its own").somewhere();
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
                if known.contains(method) {
                    continue;
                }
                let method = method.parse::<Method>().expect("a method");

                let answer = maya.request(method.clone(), &somewhere).await;

                assert_eq!(answer.status, 405, "{method} {path}");
                let allow = answer.header("allow").split(',').map(|it| it.trim().to_owned());
                assert_eq!(allow.collect::<BTreeSet<_>>(), known, "{method} {path}");
            }
        }
    }

    #[tokio::test]
    async fn answers_head_as_it_answers_get() {
        let world = World::new().await;
        let maya = world.maya().await;

        for operation in Operation::all().iter().filter(|it| it.method == Method::GET) {
            let path = operation.somewhere();

            let get = maya.get(&path).await;
            let head = maya.request(Method::HEAD, &path).await;

            assert_eq!(head.status, get.status, "{path}");
            assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
            assert_eq!(head.text(), "", "{path}");
        }
    }
}

mod the_document {
    use super::*;

    #[test]
    fn is_the_committed_one_in_both_versions() {
        let spec = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/spec");
        let older = openapi::to_3_0(document()).expect("3.0 can say it");

        for (name, made) in [
            ("openapi.json", openapi::json().expect("declarations do not contradict each other")),
            ("openapi-3.0.json", openapi::pretty(&older)),
        ] {
            let committed = fs::read_to_string(format!("{spec}/{name}")).unwrap_or_default();

            if let Err(stale) = openapi::check(&committed, &made) {
                panic!("{name}: {}\nmend it: .ci/spec --write", stale.difference);
            }
        }
    }

    #[test]
    fn breaks_no_rule() {
        assert_eq!(openapi::lint(document()), []);
    }

    #[test]
    fn says_of_each_answer_its_headers_and_its_codes_with_an_example_of_each() {
        let mut statuses = BTreeSet::new();
        for Operation { id, said, .. } in Operation::all() {
            assert!(said["summary"].is_string(), "{id} has no summary");
            assert_eq!(said["tags"].as_array().map(Vec::len), Some(1), "{id} is in one module");
            for (status, answer) in said["responses"].as_object().expect("it answers") {
                let place = format!("{id} {status}");
                let description = answer["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{place} has no description");
                let header = |name: &str| answer["headers"][name].is_object();
                assert!(header("X-Request-Id"), "{place}");
                assert_eq!(header("Location"), status == "201", "{place}");
                assert!(header("Retry-After") || !["429", "503"].contains(&status.as_str()));
                assert!(header("WWW-Authenticate") || status != "401", "{place}");
                assert!(header("ETag") || status != "304", "{place}");
                if !status.starts_with(['4', '5']) {
                    assert!(answer.get("x-problem-codes").is_none(), "{place}");
                    continue;
                }
                let codes = answer["x-problem-codes"].as_array().expect("a problem has codes");
                let mut sorted = codes.clone();
                sorted.sort_by_key(ToString::to_string);
                assert_eq!(*codes, sorted, "{place}");
                let examples = &answer["content"]["application/problem+json"]["examples"];
                for code in codes {
                    let code = code.as_str().expect("a code is a text");
                    assert_eq!(examples[code]["value"]["code"], code, "{place}");
                    assert_eq!(examples[code]["value"]["status"].to_string(), *status, "{place}");
                }
                statuses.insert(status.clone());
            }
        }
        for status in ["400", "401", "403", "404", "409", "412", "422", "426", "429", "500", "503"]
        {
            assert!(statuses.contains(status), "nothing answers {status}: {statuses:?}");
        }
    }

    #[test]
    fn says_where_a_request_may_be_named_by_a_key() {
        for operation in Operation::all() {
            let created = ["POST", "PATCH"].contains(&operation.method.as_str());
            let keyed = operation.is_guarded() && created;

            assert_eq!(operation.header("Idempotency-Key").is_some(), keyed, "{}", operation.id);
            for (status, answer) in operation.said["responses"].as_object().expect("it answers") {
                let replayed = answer["headers"]["Idempotency-Replayed"].is_object();
                assert_eq!(replayed, keyed && status.starts_with('2'), "{} {status}", operation.id);
            }
        }
    }

    /// The record of a request with a key would keep them.
    #[test]
    fn lets_no_request_be_named_by_a_key_whose_answer_carries_tokens() {
        let mut carriers = Vec::new();
        for operation in Operation::all() {
            let answers = operation.said["responses"].as_object().expect("it answers");
            let carries = answers.values().any(|answer| reaches(answer, "Tokens"));
            let keyed = operation.header("Idempotency-Key").is_some();

            assert!(!(carries && keyed), "{}", operation.id);
            carriers.extend(carries.then_some(operation.id));
        }
        assert_eq!(carriers, ["create_account", "create_session", "refresh_session"]);
    }

    /// Whether a part of the document refers to this schema, by others too.
    fn reaches(part: &Value, schema: &str) -> bool {
        let mut parts = vec![part];
        let mut known = BTreeSet::new();
        while let Some(part) = parts.pop() {
            match part {
                Value::Object(members) => parts.extend(members.values()),
                Value::Array(items) => parts.extend(items),
                Value::String(text) if text.starts_with("#/") && known.insert(text.as_str()) => {
                    parts.extend(document().pointer(&text[1..]));
                }
                _ => {}
            }
        }
        known.contains(format!("#/components/schemas/{schema}").as_str())
    }

    #[test]
    fn is_imported_by_a_gateway_with_a_function_behind_every_route() {
        use openapi::{Authorizer, Integration, UnfitKeys, for_gateway, to_3_0};

        let rsa = json!({ "keys": [{ "kty": "RSA", "alg": "RS256" }] }).to_string();
        let ours = json!({ "keys": [{ "kty": "EC", "alg": "ES256" }] }).to_string();
        let issuer = "https://api.example.com".to_owned();
        let authorizer = |keys: &str| Authorizer::of(issuer.clone(), "api".to_owned(), keys);
        let integration = Integration {
            function_arn: Some("arn:aws:lambda:eu-central-1:123456789012:function:api".to_owned()),
            authorizer: Some(authorizer(&rsa).expect("RS256 will do")),
        };
        let older = to_3_0(document()).expect("3.0 can say it");

        let imported = for_gateway(&older, &integration);

        assert_eq!(authorizer(&ours).unwrap_err(), UnfitKeys::Algorithm("ES256".to_owned()));
        assert_eq!(authorizer("{}").unwrap_err(), UnfitKeys::NotKeys);
        assert_eq!(
            imported["paths"]["/$default"]["x-amazon-apigateway-any-method"]["isDefaultRoute"],
            true
        );
        for operation in Operation::all() {
            let method = operation.method.as_str().to_lowercase();
            let route = &imported["paths"][operation.path][method];
            assert_eq!(
                route["x-amazon-apigateway-integration"],
                json!({
                    "type": "aws_proxy",
                    "httpMethod": "POST",
                    "payloadFormatVersion": "2.0",
                    "uri": "arn:aws:lambda:eu-central-1:123456789012:function:api",
                }),
            );
            let scopes: Vec<_> = operation.scope().into_iter().collect();
            let security = json!([{ "accessToken": scopes }]);
            let security = operation.is_guarded().then_some(&security);
            assert_eq!(route.get("security"), security, "{}", operation.id);
        }
    }

    #[test]
    fn names_every_object_and_lets_nothing_be_null() {
        let schemas = document()["components"]["schemas"].as_object().expect("there are schemas");

        for (name, schema) in schemas {
            for (field, property) in tests::samples::properties(schema) {
                let inline = property["type"] == "object" && property["properties"].is_object();
                assert!(!inline, "{name}.{field} is an object without a name");
                assert!(
                    property["type"].is_string() || property["$ref"].is_string(),
                    "{name}.{field}"
                );
                assert_eq!(resolved(property)["type"].as_str().map(|it| it == "null"), Some(false));
            }
        }
    }
}

mod declarations_that_contradict_each_other {
    use api::{
        http::{Created, Json, Module, Path, Result, endpoints},
        platform::health::Health,
    };
    use auth::Caller;
    use models::Id;
    use openapi::{Contradiction, build};

    mod one {
        /// A schema.
        #[models::view]
        pub(super) struct Same {
            /// A text.
            pub(super) value: String,
        }
    }

    mod other {
        /// A schema.
        #[models::view]
        pub(super) struct Same {
            /// A number.
            pub(super) value: u32,
        }
    }

    mod elsewhere {
        use super::{Health, Json, Result};

        #[utoipa::path(get, path = "/elsewhere")]
        pub(super) async fn get_thing() -> Result<Json<Health>> {
            Ok(Json(Health { status: "ok".to_owned() }))
        }
    }

    #[utoipa::path(get, path = "/things")]
    async fn get_thing() -> Result<Json<Health>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }

    #[utoipa::path(get, path = "/things")]
    async fn get_things() -> Result<Json<Health>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }

    #[utoipa::path(get, path = "/one")]
    async fn get_one() -> Result<Json<one::Same>> {
        Ok(Json(one::Same { value: "a".to_owned() }))
    }

    #[utoipa::path(post, path = "/other")]
    async fn make_other() -> Result<Created<other::Same>> {
        Ok(Created::at("/other", other::Same { value: 1 }))
    }

    #[utoipa::path(get, path = "/mine")]
    async fn get_mine(_: Caller) -> Result<Json<Health>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }

    #[utoipa::path(get, path = "/named/{id}")]
    async fn get_named() -> Result<Json<Health>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }

    #[utoipa::path(get, path = "/nameless")]
    async fn get_nameless(Path(_): Path<Id>) -> Result<Json<Health>> {
        Ok(Json(Health { status: "ok".to_owned() }))
    }

    fn refused(module: Module) -> Contradiction {
        build(&[module]).map(drop).expect_err("they contradict each other")
    }

    #[test]
    fn are_two_handlers_of_one_name() {
        use elsewhere::{__path_get_thing as __path_also, get_thing as also};

        let module = Module::new("m").public(endpoints![get_thing, also]);

        assert_eq!(refused(module), Contradiction::OperationId("get_thing".to_owned()));
    }

    #[test]
    fn are_two_handlers_of_one_route() {
        let module = Module::new("m").public(endpoints![get_thing, get_things]);

        assert_eq!(refused(module), Contradiction::Route("get_things".to_owned()));
    }

    #[test]
    fn are_two_schemas_of_one_name() {
        let module = Module::new("m").public(endpoints![get_one, make_other]);

        assert_eq!(refused(module), Contradiction::Schema("Same".to_owned()));
    }

    #[test]
    fn are_a_public_endpoint_and_a_caller() {
        let module = Module::new("m").public(endpoints![get_mine]);

        assert_eq!(refused(module), Contradiction::PublicCaller("get_mine".to_owned()));
        let module = Module::new("m").signed_in(endpoints![get_mine]);
        assert!(build(&[module]).is_ok());
    }

    mod telling {
        use super::{Health, Json, Result};

        /// Get what has no code.
        #[utoipa::path(get, path = "/codeless", responses(
            (status = 409, description = "It is too late."),
        ))]
        pub(super) async fn get_codeless() -> Result<Json<Health>> {
            Ok(Json(Health { status: "ok".to_owned() }))
        }

        /// Get what has a code that nobody has declared.
        #[utoipa::path(get, path = "/late", responses(
            (status = 409, description = "`too_late`: it is."),
        ))]
        pub(super) async fn get_late() -> Result<Json<Health>> {
            Ok(Json(Health { status: "ok".to_owned() }))
        }

        /// Get what has a code of another status.
        #[utoipa::path(get, path = "/lost", responses(
            (status = 409, description = "`not_found`: it is."),
        ))]
        pub(super) async fn get_lost() -> Result<Json<Health>> {
            Ok(Json(Health { status: "ok".to_owned() }))
        }
    }

    #[test]
    fn are_an_answer_and_a_code_that_is_not_its_own() {
        use api::http::Code;
        use telling::{
            __path_get_codeless, __path_get_late, __path_get_lost, get_codeless, get_late, get_lost,
        };

        const TOO_LATE: Code = Code::new(http::StatusCode::CONFLICT, "too_late", "It is too late");
        let codeless = Module::new("m").public(endpoints![get_codeless]);
        let late = || Module::new("m").public(endpoints![get_late]);
        let lost = Module::new("m").public(endpoints![get_lost]);

        let id = |name: &str| name.to_owned();
        let answer = Contradiction::Answer(id("get_codeless"), id("409"));
        assert_eq!(refused(codeless), answer);
        assert_eq!(refused(late()), Contradiction::Code(id("get_late"), id("too_late")));
        let status = Contradiction::Status(id("get_lost"), id("not_found"), id("409"));
        assert_eq!(refused(lost), status);
        let document = build(&[late().problems([TOO_LATE])]).expect("it is declared");
        let told = &document["paths"]["/late"]["get"]["responses"]["409"];
        assert_eq!(told["x-problem-codes"], serde_json::json!(["too_late"]));
    }

    #[test]
    fn are_a_path_and_a_handler_of_other_parameters() {
        let module = Module::new("m").public(endpoints![get_named]);
        assert_eq!(refused(module), Contradiction::PathParameters("get_named".to_owned()));

        let module = Module::new("m").public(endpoints![get_nameless]);
        assert_eq!(refused(module), Contradiction::PathParameters("get_nameless".to_owned()));
    }
}
