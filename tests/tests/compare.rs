//! Whether a document breaks apps that were built for another one.

use std::fs;

use openapi::{
    compare::{Comparison, Date, Document, compare},
    released::{ReleaseError, Standing, release, standing},
};
use serde_json::{Value, json};
use tests::{mutation::mutations, spec::document};

/// 2026-11-22.
fn today() -> Date {
    Date::from_ordinal_date(2026, 326).expect("there is such a day")
}

fn read(document: &Value) -> Document {
    Document::read(document.clone()).expect("it is a document")
}

/// Two operations with much to change.
fn base() -> Value {
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Things", "version": "1.2.0" },
        "paths": { "/things/{thingId}": {
            "put": {
                "operationId": "put_thing",
                "parameters": [
                    { "name": "thingId", "in": "path", "required": true,
                      "schema": { "type": "string", "format": "uuid" } },
                    { "name": "mode", "in": "query",
                      "schema": { "type": "string", "default": "slow" } },
                ],
                "requestBody": { "required": true, "content": { "application/json": {
                    "schema": { "$ref": "#/components/schemas/PutThing" },
                } } },
                "responses": {
                    "200": { "description": "Done.", "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Thing" },
                    } } },
                    "409": { "description": "No.", "x-problem-codes": ["conflict", "taken"] },
                    "412": { "description": "No.", "x-problem-codes": ["precondition_failed"] },
                },
            },
        } },
        "components": { "schemas": {
            "PutThing": {
                "type": "object",
                "required": ["name"],
                "additionalProperties": false,
                "properties": {
                    "name": { "type": "string", "minLength": 1, "maxLength": 200 },
                    "size": { "type": "integer", "format": "int64", "multipleOf": 10 },
                    "colour": { "type": "string", "enum": ["red", "blue"] },
                    "tags": { "type": "array", "maxItems": 10, "items": { "type": "string" } },
                },
            },
            "Thing": {
                "type": "object",
                "required": ["id", "state"],
                "properties": {
                    "id": { "type": "string", "format": "uuid" },
                    "state": { "type": "string", "enum": ["on", "off"] },
                    "count": { "type": "integer", "minimum": 0, "maximum": 100 },
                    "owner": { "oneOf": [
                        { "$ref": "#/components/schemas/Person" },
                        { "$ref": "#/components/schemas/Team" },
                    ], "discriminator": { "propertyName": "type" } },
                    "parts": { "type": "array", "items": { "$ref": "#/components/schemas/Thing" } },
                },
            },
            "Person": { "type": "object", "properties": { "type": { "type": "string" } } },
            "Team": { "type": "object", "properties": { "type": { "type": "string" } } },
        } },
    })
}

/// The base with this value in this place.
fn with(pointer: &str, value: Value) -> Value {
    let mut document = base();
    let (parent, key) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let parent = document.pointer_mut(parent).expect("the place is there");
    parent[key.replace("~1", "/")] = value;
    document
}

fn sentences(old: &Value, new: &Value) -> (Vec<String>, Vec<String>) {
    let comparison = compare(&read(old), &read(new), today());
    let said = |it: &openapi::compare::Change| it.sentence.clone();
    (comparison.breaking().map(said).collect(), comparison.harmless().map(said).collect())
}

const PUT: &str = "/paths/~1things~1{thingId}/put";
const SENT: &str = "/components/schemas/PutThing";
const SHOWN: &str = "/components/schemas/Thing";

mod a_change_that_breaks {
    use super::*;

    #[test]
    fn is_told_in_one_sentence() {
        for (place, value, sentence) in [
            (
                format!("{PUT}/operationId"),
                json!("keep_thing"),
                "It is called `keep_thing`, `put_thing` before, and so is the method in every SDK.",
            ),
            (
                format!("{PUT}/security"),
                json!([{ "token": ["admin"] }]),
                "It asks for `token`, which it did not.",
            ),
            (
                format!("{PUT}/parameters/1/schema/default"),
                json!("fast"),
                "The query parameter `mode` is `\"fast\"` when absent, `\"slow\"` before.",
            ),
            (
                format!("{PUT}/parameters/1/required"),
                json!(true),
                "The query parameter `mode` is required, optional before.",
            ),
            (
                format!("{PUT}/parameters/1/name"),
                json!("speed"),
                "The query parameter `mode` is gone: sent, it is refused.",
            ),
            (
                format!("{PUT}/responses/409/x-problem-codes"),
                json!(["conflict"]),
                "The answer 409 no longer has the code `taken`.",
            ),
            (
                format!("{PUT}/responses/409/x-problem-codes"),
                json!(["conflict", "Taken"]),
                "The answer 409 no longer has the code `taken`.",
            ),
            (
                format!("{PUT}/responses/202"),
                json!({ "description": "Later." }),
                "It may answer 202, which is new.",
            ),
            (
                format!("{PUT}/callbacks"),
                json!({}),
                "Its `callbacks` has changed, which is not looked into.",
            ),
            (
                format!("{SENT}/properties/name/maxLength"),
                json!(100),
                "`name` of the request's body takes at most 100 characters, at most 200 characters before.",
            ),
            (
                format!("{SENT}/properties/size/multipleOf"),
                json!(20),
                "`size` of the request's body takes multiples of 20, multiples of 10 before.",
            ),
            (
                format!("{SENT}/properties/size/format"),
                json!("int32"),
                "`size` of the request's body has the format `int32`, the format `int64` before.",
            ),
            (
                format!("{SENT}/properties/size/exclusiveMinimum"),
                json!(0),
                "`size` of the request's body takes more than 0, without that limit before.",
            ),
            (
                format!("{SENT}/properties/colour/enum"),
                json!(["red"]),
                "`colour` of the request's body is no longer `\"blue\"`.",
            ),
            (
                format!("{SENT}/properties/tags/items/type"),
                json!("integer"),
                "`tags[]` of the request's body is an integer, a string before.",
            ),
            (
                format!("{SENT}/properties/tags/uniqueItems"),
                json!(true),
                "`tags` of the request's body takes nothing twice, without that limit before.",
            ),
            (
                format!("{SENT}/required"),
                json!(["name", "size"]),
                "`size` of the request's body is required, optional before.",
            ),
            (
                format!("{SENT}/not"),
                json!({}),
                "The request's body has another `not`, which is not looked into.",
            ),
            (
                format!("{SHOWN}/properties/state/enum"),
                json!(["on", "off", "broken"]),
                "`state` of the body of the answer 200 may be `\"broken\"`, which is new.",
            ),
            (
                format!("{SHOWN}/properties/count/maximum"),
                json!(5_000_000_000_u64),
                "`count` of the body of the answer 200 may be a number that does not fit into 32 bits.",
            ),
            (
                format!("{SHOWN}/properties/id"),
                json!({ "type": "string" }),
                "`id` of the body of the answer 200 has no format, the format `uuid` before.",
            ),
            (
                format!("{SHOWN}/properties/id/type"),
                json!(["string", "null"]),
                "`id` of the body of the answer 200 may be null.",
            ),
            (
                format!("{SHOWN}/properties/owner/discriminator/propertyName"),
                json!("kind"),
                "`owner` of the body of the answer 200 is told apart by another property.",
            ),
            (
                format!("{SHOWN}/required"),
                json!(["id"]),
                "`state` of the body of the answer 200 is optional, required before.",
            ),
        ] {
            let (breaking, _) = sentences(&base(), &with(&place, value));

            assert_eq!(breaking, [sentence], "{place}");
        }
    }

    #[test]
    fn in_several_answers_is_told_once() {
        let mut old = base();
        old["paths"]["/things/{thingId}"]["put"]["responses"]["201"] =
            old["paths"]["/things/{thingId}"]["put"]["responses"]["200"].clone();
        let mut new = old.clone();
        new["components"]["schemas"]["Thing"]["properties"]["count"]["type"] = json!("string");

        let (breaking, _) = sentences(&old, &new);

        let expected =
            "`count` of the body of the answers 200, 201 is a string, an integer before.";
        assert_eq!(breaking, [expected]);
    }

    #[test]
    fn is_a_variant_that_is_new_in_an_answer() {
        let place = format!("{SHOWN}/properties/owner/oneOf");
        let new = with(
            &place,
            json!([
                { "$ref": "#/components/schemas/Person" },
                { "$ref": "#/components/schemas/Team" },
                { "$ref": "#/components/schemas/Thing" },
            ]),
        );

        let (breaking, _) = sentences(&base(), &new);

        assert_eq!(
            breaking,
            ["`owner` of the body of the answer 200 may be `Thing`, which is new."]
        );
        assert_eq!(
            sentences(&new, &base()).1,
            ["`owner` of the body of the answer 200 is no longer `Thing`."]
        );
    }
}

mod a_change_that_breaks_nothing {
    use super::*;

    #[test]
    fn is_told_apart() {
        for (place, value, sentence) in [
            (
                format!("{SENT}/properties/name/maxLength"),
                json!(300),
                "`name` of the request's body is at most 300 characters, at most 200 characters before.",
            ),
            (
                format!("{SENT}/properties/size/multipleOf"),
                json!(5),
                "`size` of the request's body is multiples of 5, multiples of 10 before.",
            ),
            (
                format!("{SENT}/properties/size/type"),
                json!("number"),
                "`size` of the request's body is a number, an integer before.",
            ),
            (
                format!("{SENT}/properties/colour/enum"),
                json!(["red", "blue", "green"]),
                "`colour` of the request's body may be `\"green\"`, which is new.",
            ),
            (
                format!("{SENT}/additionalProperties"),
                json!(true),
                "The request's body may have properties that are not named.",
            ),
            (
                format!("{SHOWN}/properties/state/enum"),
                json!(["on"]),
                "`state` of the body of the answer 200 is no longer `\"off\"`.",
            ),
            (
                format!("{PUT}/responses/304"),
                json!({ "description": "Known." }),
                "It may answer 304, which is new.",
            ),
            (
                format!("{PUT}/tags"),
                json!(["others"]),
                "It has other tags: SDKs that have a class for each have it elsewhere.",
            ),
        ] {
            let (breaking, harmless) = sentences(&base(), &with(&place, value));

            assert_eq!(breaking, [""; 0], "{place}");
            assert_eq!(harmless, [sentence], "{place}");
        }
    }

    #[test]
    fn is_another_way_to_write_the_same() {
        let mut inline = base();
        inline["components"]["schemas"]["Thing"]["properties"]["id"] = json!({
            "allOf": [{ "type": "string" }, { "format": "uuid" }],
        });

        assert_eq!(sentences(&base(), &inline), (vec![], vec![]));
        assert_eq!(sentences(&base(), &base()), (vec![], vec![]));
    }

    #[test]
    fn is_another_name_for_a_path_parameter_since_it_is_the_same_on_the_wire() {
        let text = base().to_string().replace("thingId", "id");
        let new: Value = serde_json::from_str(&text).expect("it is JSON");

        let (breaking, harmless) = sentences(&base(), &new);

        assert_eq!(breaking, [""; 0]);
        let expected = "The path parameter `thingId` is called `id`: the same on the wire, another \
                        name in SDKs.";
        assert_eq!(harmless, [expected]);
    }
}

mod an_operation_that_is_gone {
    use super::*;

    fn gone(deprecated: Value) -> (Vec<String>, Vec<String>) {
        let mut old = base();
        let operation = &mut old["paths"]["/things/{thingId}"]["put"];
        for (key, value) in deprecated.as_object().expect("an object") {
            operation[key] = value.clone();
        }
        let mut new = base();
        new["paths"] = json!({});
        sentences(&old, &new)
    }

    #[test]
    fn breaks_nothing_once_its_sunset_has_passed() {
        let (none, some) = (Vec::<String>::new(), |text: &str| vec![text.to_owned()]);
        for (deprecated, breaking, harmless) in [
            (json!({}), some("It is gone."), none.clone()),
            (
                json!({ "deprecated": true }),
                some("It is gone; it was deprecated, and no sunset was said."),
                none.clone(),
            ),
            (
                json!({ "deprecated": true, "x-sunset": "2026-11-23" }),
                some("It is gone, and its sunset is 2026-11-23."),
                none.clone(),
            ),
            (json!({ "x-sunset": "2026-11-22" }), some("It is gone."), none.clone()),
            (
                json!({ "deprecated": true, "x-sunset": "2026-11-22" }),
                none,
                some("It is gone, as was said: its sunset was 2026-11-22."),
            ),
        ] {
            assert_eq!(gone(deprecated.clone()), (breaking, harmless), "{deprecated}");
        }
    }

    #[test]
    fn is_gone_no_earlier_than_was_said() {
        let sunset = |day: &str| {
            let mut document = with(&format!("{PUT}/deprecated"), json!(true));
            document["paths"]["/things/{thingId}"]["put"]["x-sunset"] = json!(day);
            document
        };

        let (breaking, _) = sentences(&sunset("2027-05-01"), &sunset("2027-04-30"));

        assert_eq!(breaking, ["Its sunset is 2027-04-30, and 2027-05-01 was said."]);
        assert!(sentences(&sunset("2027-05-01"), &sunset("2027-05-02")).0.is_empty());
    }
}

mod what_is_no_document {
    use super::*;

    #[test]
    fn is_refused_and_the_place_is_named() {
        for (document, why) in [
            (json!([]), "it is not an OpenAPI document of version 3.0 or 3.1"),
            (json!({ "swagger": "2.0" }), "it is not an OpenAPI document of version 3.0 or 3.1"),
            (
                with(&format!("{SHOWN}/items"), json!({ "$ref": "#/components/schemas/Lost" })),
                "`#/components/schemas/Lost` refers to nothing in the document",
            ),
            (
                with(&format!("{PUT}/responses"), json!([])),
                "/paths/~1things~1{thingId}/put/responses must be an object",
            ),
            (
                with(&format!("{PUT}/parameters"), json!({})),
                "/paths/~1things~1{thingId}/put/parameters must be a list",
            ),
            (
                with(&format!("{PUT}/x-sunset"), json!("soon")),
                "/paths/~1things~1{thingId}/put/x-sunset must be a date such as 2027-05-01",
            ),
        ] {
            let error = Document::read(document).err().map(|error| error.to_string());

            assert_eq!(error.as_deref(), Some(why));
        }
        assert!("{".parse::<Document>().is_err());
    }
}

mod seeded_changes {
    use super::*;

    /// LANDLINE_SEED names the changes, LANDLINE_MUTATIONS says how often one of every kind, and
    /// LANDLINE_MUTATIONS_TO a folder to write them to, for another comparer.
    #[expect(clippy::print_stdout, reason = "a seed that fails says so")]
    #[test]
    fn are_all_told_apart_and_the_operations_named() {
        let number = |name: &str| std::env::var(name).ok().and_then(|it| it.parse::<u64>().ok());
        let first = number("LANDLINE_SEED").unwrap_or(1);
        let folder = std::env::var("LANDLINE_MUTATIONS_TO").ok();
        let old = read(document());

        for seed in first..first + number("LANDLINE_MUTATIONS").unwrap_or(1) {
            println!("seed {seed}");
            let all = mutations(document(), seed);
            let breaking = all.iter().filter(|mutation| !mutation.breaks.is_empty()).count();
            assert!(breaking >= 40 && all.len() - breaking >= 20, "{breaking} of {}", all.len());
            for (at, mutation) in all.into_iter().enumerate() {
                let kind = mutation.kind;
                if let Some(folder) = &folder {
                    let breaks = if mutation.breaks.is_empty() { "harmless" } else { "breaking" };
                    let name =
                        format!("{folder}/{seed}-{at:02}-{breaks}-{}.json", kind.replace(' ', "-"));
                    fs::write(name, mutation.document.to_string()).expect("it can be written");
                }
                let comparison = compare(&old, &read(&mutation.document), today());
                let named = comparison.breaking().map(|change| change.operation.clone());

                assert_eq!(
                    named.collect::<std::collections::BTreeSet<_>>(),
                    mutation.breaks,
                    "seed {seed}, {kind}:\n{}",
                    Comparison::by_operation(comparison.changes.iter())
                );
            }
        }
    }
}

mod released_documents {
    use super::*;

    fn of_version(version: &str, document: Value) -> String {
        let mut document = document;
        document["info"]["version"] = json!(version);
        document.to_string()
    }

    fn broken() -> Value {
        with(&format!("{PUT}/operationId"), json!("keep_thing"))
    }

    #[test]
    fn protect_nobody_while_there_are_none() {
        let folder = tempfile::tempdir().expect("there is room");

        let standing =
            standing(&folder.path().join("released"), &of_version("1.0.0", base()), today());

        assert!(matches!(standing, Ok(Standing::NothingReleased)));
    }

    #[test]
    fn are_kept_by_what_follows_within_their_major_version() {
        let folder = tempfile::tempdir().expect("there is room");
        let folder = folder.path();
        // 1.10.0 is newer than 1.9.0, though not in the order of names.
        release(folder, &of_version("1.9.0", broken()), today()).expect("it is the first");
        fs::write(folder.join("1.10.0.json"), of_version("1.10.0", base())).expect("there is room");

        let next = of_version("1.11.0", broken());
        let refused = release(folder, &next, today()).expect_err("it breaks 1.10.0");

        assert!(
            matches!(&refused, ReleaseError::Breaks { newest, .. } if newest.to_string() == "1.10.0")
        );
        assert!(refused.to_string().contains("It is called `keep_thing`"), "{refused}");
        assert!(!folder.join("1.11.0.json").exists());
        let major = of_version("2.0.0", broken());
        assert!(matches!(standing(folder, &major, today()), Ok(Standing::NewMajor { .. })));
        release(folder, &major, today()).expect("a new major version may");
        assert!(matches!(
            standing(folder, &of_version("1.12.0", base()), today()),
            Err(ReleaseError::Older { .. })
        ));
    }

    #[test]
    fn stay_as_they_are() {
        let folder = tempfile::tempdir().expect("there is room");
        let first = of_version("1.0.0", base());
        release(folder.path(), &first, today()).expect("it is the first");
        let other = of_version("1.0.0", with(&format!("{PUT}/tags"), json!(["others"])));

        assert!(matches!(release(folder.path(), &other, today()), Err(ReleaseError::Taken(_))));
        release(folder.path(), &first, today()).expect("it is the same");
        let kept = fs::read_to_string(folder.path().join("1.0.0.json")).expect("it is there");
        assert_eq!(kept, first);
    }
}
