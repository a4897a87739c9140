//! Driven by the document: what holds for every operation, those of tomorrow included.

use std::{collections::BTreeSet, fs, path::Path};

use http::Method;
use serde_json::{Value, json};
use tests::{
    Answer, Client, Request, World,
    samples::{good, resolved},
    spec::document,
};

/// An operation as the document has it.
struct Operation {
    method: Method,
    path: &'static str,
    id: &'static str,
    said: &'static Value,
}

impl Operation {
    fn all() -> Vec<Self> {
        let paths = document()["paths"].as_object().expect("the document has paths");
        let methods = |(path, methods): (&'static String, &'static Value)| {
            let methods = methods.as_object().expect("a path has methods");
            methods.iter().map(|(method, said)| Self {
                method: method.to_uppercase().parse().expect("a method"),
                path,
                id: said["operationId"].as_str().expect("an operation has an id"),
                said,
            })
        };
        paths.iter().flat_map(methods).collect()
    }

    /// Whether nobody gets in without a token; an empty requirement lets everybody in.
    fn is_guarded(&self) -> bool {
        let ways = self.said["security"].as_array();
        ways.is_some_and(|ways| ways.iter().all(|way| *way != json!({})))
    }

    /// The scope that it asks of a token, if any.
    fn scope(&self) -> Option<&str> {
        self.said["security"][0]["accessToken"][0].as_str()
    }

    fn body(&self) -> Option<&Value> {
        self.said["requestBody"]["content"]
            .get("application/json")
            .map(|content| &content["schema"])
    }

    fn has_parameters(&self) -> bool {
        self.path.contains('{')
    }

    /// The path with an id of nothing for each parameter.
    fn somewhere(&self) -> String {
        self.at("019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d")
    }

    /// The path with this id for each parameter.
    fn at(&self, id: &str) -> String {
        let segment = |segment| if str::starts_with(segment, '{') { id } else { segment };
        self.path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// The parameters in this place, each with a good value: all that can be said, or as little as
    /// is needed.
    fn parameters(&self, place: &str, whole: bool) -> Vec<(&'static str, String)> {
        let parameters = self.said["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|it| match it["$ref"].as_str() {
            Some(name) => document().pointer(&name[1..]).expect("what is referred to is there"),
            None => it,
        });
        parameters
            .filter(|it| it["in"] == place && (whole || it["required"] == true))
            // Whether a condition holds depends on what is there.
            .filter(|it| !it["name"].as_str().is_some_and(|name| name.starts_with("If-")))
            .map(|it| {
                let value = good(&it["schema"], whole);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (it["name"].as_str().unwrap_or_default(), text)
            })
            .collect()
    }

    /// A good request of this operation, with all that can be said or as little as is needed.
    fn request(&self, client: &Client, path: &str, whole: bool) -> Request {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(self.parameters("query", whole));
        let query = pairs.finish();
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let request = client.request(self.method.clone(), path);
        let headers = self.parameters("header", whole).into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        match self.body() {
            Some(schema) => request.json(good(schema, whole)),
            None => request,
        }
    }
}

/// The path of something that belongs to this person: each parameter is taken from the list at the
/// path so far, and made there when the list is empty.
async fn owned(person: &Client, template: &str) -> String {
    let mut path = String::new();
    let mut known = String::new();
    for segment in template.split('/').skip(1) {
        if segment.starts_with('{') {
            path = format!("{path}/{}", first_id(person, &path, &known).await);
        } else {
            path = format!("{path}/{segment}");
        }
        known = format!("{known}/{segment}");
    }
    path
}

async fn first_id(person: &Client, path: &str, template: &str) -> String {
    let first = |answer: Answer| answer.json()["items"][0]["id"].as_str().map(str::to_owned);
    if let Some(id) = first(person.get(path).await.expect(200)) {
        return id;
    }
    let create = Operation::all()
        .into_iter()
        .find(|operation| operation.path == template && operation.method == Method::POST)
        .unwrap_or_else(|| panic!("nothing can be made at {template}"));
    create.request(person, path, false).await.expect(201);
    first(person.get(path).await.expect(200)).expect("what was made is listed")
}

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
                    let path = owned(&person, operation.path).await;
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
                if operation.has_parameters() { owned(person, operation.path).await } else { path };
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
            let path = owned(&maya, operation.path).await;
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
