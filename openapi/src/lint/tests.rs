//! A bad sample for each rule, and the sentence that it is refused with.

use serde_json::{Value, json};

use super::lint;

/// A document that breaks no rule: something to send, something to be shown, one operation.
fn good() -> Value {
    json!({
        "tags": [{ "name": "things", "description": "Things." }],
        "paths": { "/things/{thingId}": { "put": {
            "operationId": "put_thing",
            "summary": "Put a thing.",
            "description": "Put a thing.",
            "tags": ["things"],
            "security": [],
            "parameters": [{
                "name": "thingId", "in": "path", "description": "The id of the thing.",
                "schema": { "type": "string", "format": "uuid" },
            }],
            "requestBody": { "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/PutThing" },
                "examples": { "example": { "value": { "name": "a" } } },
            } } },
            "responses": {
                "200": {
                    "description": "Done.",
                    "content": { "application/json": {
                        "schema": { "$ref": "#/components/schemas/Thing" },
                        "examples": { "example": { "value": { "name": "a" } } },
                    } },
                },
                "404": { "description": "`not_found`.", "x-problem-codes": ["not_found"] },
            },
        } } },
        "components": { "schemas": {
            "PutThing": {
                "type": "object",
                "additionalProperties": false,
                "properties": { "name": { "type": "string", "maxLength": 9 } },
            },
            "Thing": { "type": "object", "properties": { "name": { "type": "string" } } },
        } },
    })
}

/// The rules that the good document breaks with this value at this place, which ends in a new name
/// or in one that is there; null takes it away.
fn broken(place: &str, value: Value) -> Vec<(&'static str, String)> {
    let mut document = good();
    let (parent, name) = place.rsplit_once('/').expect("a pointer");
    let parent = document.pointer_mut(parent).expect("it is there");
    match (parent, value) {
        (Value::Object(fields), Value::Null) => drop(fields.remove(name)),
        (Value::Object(fields), value) => drop(fields.insert(name.to_owned(), value)),
        _ => panic!("{place} is in no object"),
    }
    lint(&document).into_iter().map(|finding| (finding.rule, finding.instead)).collect()
}

const OPERATION: &str = "/paths/~1things~1{thingId}/put";
const SENT: &str = "/components/schemas/PutThing/properties";
const SHOWN: &str = "/components/schemas/Thing/properties";

#[test]
fn a_good_document_breaks_no_rule() {
    assert_eq!(lint(&good()), []);
}

/// A whole number of 64 bits with these bounds.
fn integer(mut bounds: Value) -> Value {
    bounds["type"] = json!("integer");
    bounds["format"] = json!("int64");
    bounds
}

#[test]
fn a_whole_number_that_every_client_keeps_breaks_no_rule() {
    let largest = 9_007_199_254_740_991_i64;

    for (least, most) in [("minimum", "maximum"), ("exclusiveMinimum", "exclusiveMaximum")] {
        let bounds = json!({ least: -largest, most: largest });

        assert_eq!(broken(&format!("{SHOWN}/a"), integer(bounds)), []);
    }
}

#[test]
fn each_rule_refuses_what_it_is_there_for() {
    let at = |parent: &str, name: &str| format!("{parent}/{name}");
    let thing = json!({ "$ref": "#/components/schemas/Thing" });
    let object = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
    let mut twin = good()["paths"]["/things/{thingId}"]["put"].clone();
    twin["operationId"] = json!("putThing");
    for (place, bad, rule, instead) in [
        (at(SHOWN, "a"), json!({ "oneOf": [{ "type": "null" }, thing] }), "nullable-ref", "absent"),
        (at(SHOWN, "a"), json!({ "type": ["string", "null"] }), "nullable", "#[view]"),
        (
            at(SHOWN, "a"),
            json!({ "type": "array", "items": { "type": ["string", "null"] } }),
            "nullable-items",
            "a Vec of values",
        ),
        (at(SHOWN, "a"), json!({ "oneOf": [thing, thing] }), "untagged-union", "`type: String`"),
        (at(SHOWN, "a"), json!({ "anyOf": [thing, thing] }), "untagged-union", "`type: String`"),
        (at(SHOWN, "a"), json!({ "allOf": [thing] }), "flattened", "#[serde(flatten)]"),
        (at(SHOWN, "a"), object.clone(), "inline-object", "#[schema(inline)]"),
        (at(SHOWN, "a"), json!({ "type": "object" }), "free-object", "make it a struct"),
        (at(SHOWN, "a"), json!({ "type": "string", "enum": ["a"] }), "closed-enum", "value_type"),
        (at(SHOWN, "a"), json!({ "type": "integer" }), "number-format", "u32, i64, f64"),
        (at(SHOWN, "a"), integer(json!({ "minimum": 0 })), "unsafe-integer", "maximum ="),
        (at(SHOWN, "a"), integer(json!({ "maximum": 9 })), "unsafe-integer", "a minimum"),
        (
            at(SHOWN, "a"),
            integer(json!({ "minimum": 0, "maximum": 9_007_199_254_740_992_i64 })),
            "unsafe-integer",
            "2^53 - 1",
        ),
        (
            at(SENT, "a"),
            integer(json!({ "minimum": -9_007_199_254_740_992_i64, "maximum": 9 })),
            "unsafe-integer",
            "range(max",
        ),
        (at(SHOWN, "class"), json!({ "type": "string" }), "reserved-word", "serde(rename"),
        (
            at(SHOWN, "a"),
            json!({ "type": "string", "default": null }),
            "null-default",
            "leave `default` out",
        ),
        (at(SENT, "a"), json!({ "type": "string" }), "unbounded-text", "length(max"),
        (
            at(SENT, "a"),
            json!({ "type": "array", "items": { "type": "boolean" } }),
            "unbounded-list",
            "length(max",
        ),
        (
            "/components/schemas/PutThing/additionalProperties".to_owned(),
            Value::Null,
            "open-request",
            "#[request]",
        ),
        (
            "/components/schemas/Thing/additionalProperties".to_owned(),
            json!(true),
            "closed-answer",
            "deny_unknown_fields",
        ),
        ("/components/schemas/Page_Thing".to_owned(), object.clone(), "generic-name", "page_view!"),
        ("/components/schemas/thing".to_owned(), object, "duplicate-name", "schema(as"),
        (at(OPERATION, "operationId"), Value::Null, "operation-id", "handler's name"),
        (at(OPERATION, "operationId"), json!("delete"), "reserved-word", "verb and noun"),
        ("/paths/~1other".to_owned(), json!({ "put": twin }), "duplicate-name", "one name"),
        (at(OPERATION, "summary"), Value::Null, "operation-summary", "doc line"),
        (at(OPERATION, "description"), Value::Null, "operation-description", "doc comment"),
        (at(OPERATION, "tags"), json!(["others"]), "operation-tag", "leave `tag` out"),
        (at(OPERATION, "security"), Value::Null, "operation-security", "public, anyone"),
        (at(OPERATION, "parameters"), Value::Null, "path-parameters", "Path<Id>"),
        (
            at(OPERATION, "parameters"),
            json!([{ "name": "thingId", "in": "path", "schema": { "format": "uuid" } }]),
            "parameter-description",
            "`thingId`",
        ),
        (
            at(OPERATION, "parameters"),
            json!([{
                "name": "thingId",
                "in": "path",
                "description": "Which.",
                "schema": { "type": "string", "enum": ["a", "b"] },
            }]),
            "inline-enum",
            "a type of its own",
        ),
        ("/tags".to_owned(), json!([{ "name": "things" }]), "tag-description", ".about("),
        (format!("{OPERATION}/responses/200/description"), Value::Null, "answer-description", "a"),
        (
            at(OPERATION, "responses/204"),
            json!({ "description": "Done." }),
            "several-successes",
            "the same view",
        ),
        (
            format!("{OPERATION}/responses/404/x-problem-codes"),
            Value::Null,
            "problem-codes",
            "begin the description",
        ),
        (
            format!("{OPERATION}/requestBody/content/application~1json/examples"),
            Value::Null,
            "no-example",
            "schema(examples",
        ),
        (
            format!("{OPERATION}/requestBody/content/application~1json/examples"),
            json!({ "example": { "value": { "name": "too long a name" } } }),
            "wrong-example",
            "schema(examples",
        ),
        (
            at(SHOWN, "a"),
            json!({ "type": "array", "items": { "type": "string", "examples": [["a"]] } }),
            "wrong-example",
            "one of its items",
        ),
    ] {
        let told = broken(&place, bad);

        let fits = |(name, sentence): &(&str, String)| *name == rule && sentence.contains(instead);
        assert!(told.iter().any(fits), "{place} should be {rule} ({instead}): {told:?}");
    }
}
