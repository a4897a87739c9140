//! Driven by the document: what holds for every operation, those of tomorrow included.

use std::{collections::BTreeSet, fs, path::Path};

use http::Method;
use serde_json::json;
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
    fn is_the_committed_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi/spec/openapi.json");
        let committed = fs::read_to_string(path).expect("the document is committed");
        let made = openapi::json().expect("declarations do not contradict each other");

        if let Err(stale) = openapi::check(&committed, &made) {
            panic!(
                "{}\nmend it: cargo run -p openapi > openapi/spec/openapi.json",
                stale.difference
            );
        }
    }

    #[test]
    fn has_what_generators_need() {
        let mut statuses = BTreeSet::new();
        for Operation { id, said, .. } in Operation::all() {
            assert!(said["summary"].is_string(), "{id} has no summary");
            assert_eq!(said["tags"].as_array().map(Vec::len), Some(1), "{id} is in one module");
            for (status, answer) in said["responses"].as_object().expect("it answers") {
                let description = answer["description"].as_str().unwrap_or_default();
                assert!(!description.is_empty(), "{id} {status} has no description");
                statuses.insert(status.as_str());
            }
        }
        assert!(statuses.contains("200") && statuses.contains("500"), "{statuses:?}");
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

    #[test]
    fn are_a_path_and_a_handler_of_other_parameters() {
        let module = Module::new("m").public(endpoints![get_named]);
        assert_eq!(refused(module), Contradiction::PathParameters("get_named".to_owned()));

        let module = Module::new("m").public(endpoints![get_nameless]);
        assert_eq!(refused(module), Contradiction::PathParameters("get_nameless".to_owned()));
    }
}
