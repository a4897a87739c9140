//! Rules about schemas. Optional means absent; every object has a name; what a client sends has
//! bounds; what it is shown may grow.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Findings, fields, items, reserved::is_reserved, step};

/// Which way a value goes; a schema may go both.
#[derive(Clone, Copy, Default)]
struct Ways {
    /// A client sends it.
    sent: bool,
    /// A client is shown it.
    shown: bool,
}

pub(super) fn look(document: &Value, findings: &mut Findings) {
    let schemas = &document["components"]["schemas"];
    let (sent, shown) = used(document);
    names(schemas, findings);
    for (name, schema) in fields(schemas) {
        let ways = Ways { sent: sent.contains(name), shown: shown.contains(name) };
        let place = step("/components/schemas", name);
        visit(schema, ways, true, &place, findings);
    }
    for (place, way, schema) in bodies(document) {
        visit(schema, way, false, &place, findings);
    }
}

/// The schemas that stand in operations and parameters, and which way they go.
fn bodies(document: &Value) -> Vec<(String, Ways, &Value)> {
    let (sent, shown) = (Ways { sent: true, shown: false }, Ways { sent: false, shown: true });
    let mut found = Vec::new();
    for (path, methods) in fields(&document["paths"]) {
        for (method, operation) in fields(methods) {
            let place = step(&step("/paths", path), method);
            for (at, parameter) in items(&operation["parameters"]).enumerate() {
                found.push((format!("{place}/parameters/{at}"), sent, &parameter["schema"]));
            }
            for (media, it) in fields(&operation["requestBody"]["content"]) {
                found.push((step(&format!("{place}/requestBody"), media), sent, &it["schema"]));
            }
            for (status, answer) in fields(&operation["responses"]) {
                for (media, it) in fields(&answer["content"]) {
                    let place = step(&format!("{place}/responses/{status}"), media);
                    found.push((place, shown, &it["schema"]));
                }
            }
        }
    }
    for (name, parameter) in fields(&document["components"]["parameters"]) {
        found.push((step("/components/parameters", name), sent, &parameter["schema"]));
    }
    found
}

/// The names of the schemas that clients send, and of those that they are shown.
fn used(document: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut sent, mut shown) = (BTreeSet::new(), BTreeSet::new());
    for (_, ways, schema) in bodies(document) {
        let known = if ways.sent { &mut sent } else { &mut shown };
        follow(schema, document, known);
    }
    (sent, shown)
}

fn follow(value: &Value, document: &Value, known: &mut BTreeSet<String>) {
    if let Some(name) = value["$ref"].as_str().and_then(|name| name.rsplit('/').next())
        && known.insert(name.to_owned())
    {
        follow(&document["components"]["schemas"][name], document, known);
    }
    match value {
        Value::Object(_) => fields(value).for_each(|(_, value)| follow(value, document, known)),
        Value::Array(_) => items(value).for_each(|item| follow(item, document, known)),
        _ => {}
    }
}

fn names(schemas: &Value, findings: &mut Findings) {
    let mut known = BTreeMap::new();
    for (name, _) in fields(schemas) {
        let place = step("/components/schemas", name);
        if name.contains(['_', '<', '.']) {
            let instead = "a generic type reaches clients under an invented name: declare one of \
                           its own, a page with page_view!";
            findings.add("generic-name", &place, instead);
        }
        if let Some(other) = known.insert(name.to_lowercase(), name) {
            let instead = format!(
                "`{name}` and `{other}` are one file to a client on most \
                                   machines: rename a type, or say #[schema(as = ..)]"
            );
            findings.add("duplicate-name", &place, instead);
        }
    }
}

fn visit(schema: &Value, ways: Ways, named: bool, place: &str, findings: &mut Findings) {
    unions(schema, place, findings);
    nothing(schema, place, findings);
    if schema["type"] == "object" || schema["properties"].is_object() {
        object(schema, ways, named, place, findings);
    }
    values(schema, ways, place, findings);
    for (name, property) in fields(&schema["properties"]) {
        let place = step(&format!("{place}/properties"), name);
        if is_reserved(name) {
            let instead = format!(
                "`{name}` is a keyword where clients are written: rename the \
                                   field, or say #[serde(rename = \"..\")]"
            );
            findings.add("reserved-word", &place, instead);
        }
        visit(property, ways, false, &place, findings);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            visit(&schema[inner], ways, false, &format!("{place}/{inner}"), findings);
        }
    }
}

fn unions(schema: &Value, place: &str, findings: &mut Findings) {
    for word in ["oneOf", "anyOf"] {
        if !schema[word].is_array() {
            continue;
        }
        let null = items(&schema[word]).any(|it| it["type"] == "null");
        if null {
            let instead = "optional means absent, never null: an Option in a #[view] or #[request] \
                           is; elsewhere say #[schema(nullable = false)] and skip_serializing_if";
            findings.add("nullable-ref", place, instead);
        } else if !schema["discriminator"].is_object() {
            let instead = "clients cannot tell the variants apart: make it a flat struct with a \
                           `type: String` and an Option for what only some have";
            findings.add("untagged-union", place, instead);
        }
    }
    if schema["allOf"].is_array() {
        let instead = "generators make two types of it, or lose one: instead of \
                       #[serde(flatten)] repeat the fields, or make them a field of their own";
        findings.add("flattened", place, instead);
    }
}

fn nothing(schema: &Value, place: &str, findings: &mut Findings) {
    let nullable = schema["nullable"] == true
        || items(&schema["type"]).any(|kind| kind == "null")
        || schema["type"] == "null";
    if nullable && place.ends_with("/items") {
        let instead = "a list has no gaps: make it a Vec of values, not of Options";
        findings.add("nullable-items", place, instead);
    } else if nullable {
        let instead = "optional means absent, never null: stand #[view] or #[request] on the type \
                       above all other attributes, or say #[schema(nullable = false)]";
        findings.add("nullable", place, instead);
    }
    if schema.get("default").is_some_and(Value::is_null) {
        let instead = "absent has no value to name: leave `default` out of #[schema(..)]";
        findings.add("null-default", place, instead);
    }
}

fn object(schema: &Value, ways: Ways, named: bool, place: &str, findings: &mut Findings) {
    let has_fields = schema["properties"].is_object();
    let more = schema.get("additionalProperties");
    if has_fields && !named {
        let instead = "give the object a type of its own: a struct with #[view] or #[request], and \
                       no #[schema(inline)]";
        findings.add("inline-object", place, instead);
    }
    if !has_fields && !more.is_some_and(Value::is_object) {
        let instead = "an object of anything tells a client nothing: make it a struct, or a map of \
                       one kind of values";
        findings.add("free-object", place, instead);
    }
    if !has_fields {
        return;
    }
    if ways.sent && more != Some(&json!(false)) {
        let instead = "stand #[request] on what a client sends: it refuses unknown fields";
        findings.add("open-request", place, instead);
    }
    if !ways.sent && ways.shown && more.is_some() {
        let instead = "an answer may grow and has no fields without names: leave \
                       deny_unknown_fields and flattened maps out of a #[view]";
        findings.add("closed-answer", place, instead);
    }
}

fn values(schema: &Value, ways: Ways, place: &str, findings: &mut Findings) {
    if ways.shown && schema["enum"].is_array() {
        let instead = "a new value would crash installed apps: show it as \
                       #[schema(value_type = String, examples(\"..\"))]";
        findings.add("closed-enum", place, instead);
    }
    let number = ["integer", "number"].iter().any(|kind| schema["type"] == *kind);
    if number && !schema["format"].is_string() {
        let instead = "clients take it for 32 bits, or for 64: use a type that utoipa has a format \
                       for (u32, i64, f64), or say #[schema(format = Int64)]";
        findings.add("number-format", place, instead);
    }
    if schema["format"] == "int64" && !is_safe(schema) {
        let instead = "JavaScript rounds whole numbers beyond 2^53 - 1: use a u32, or say \
                       #[schema(maximum = 9007199254740991i64)] (of what is sent \
                       #[validate(range(max = 9007199254740991))]), and a minimum of an i64; a \
                       larger one is a String";
        findings.add("unsafe-integer", place, instead);
    }
    if !ways.sent {
        return;
    }
    let limited = ["maxLength", "enum", "const"].iter().any(|it| schema.get(*it).is_some())
        || ["uuid", "date-time", "date"].iter().any(|format| schema["format"] == *format)
        // Gateways bound headers; which ones there are, the framework says.
        || place.contains("/parameters/") && schema["pattern"].is_string();
    if schema["type"] == "string" && !limited {
        let instead = "a text that a client sends has a bound: #[validate(length(max = 1000))]";
        findings.add("unbounded-text", place, instead);
    }
    if schema["type"] == "array" && schema.get("maxItems").is_none() {
        let instead = "a list that a client sends has a bound: #[validate(length(max = 100))]";
        findings.add("unbounded-list", place, instead);
    }
}

/// The largest whole number up to which JavaScript has them all (ECMA-262, Number.MAX_SAFE_INTEGER).
const LARGEST: i64 = 9_007_199_254_740_991;

/// Whether the bounds of the schema leave no number that a client would round.
fn is_safe(schema: &Value) -> bool {
    let bound = |words: [&str; 2]| words.iter().find_map(|word| schema[*word].as_i64());
    let least = bound(["minimum", "exclusiveMinimum"]);
    let most = bound(["maximum", "exclusiveMaximum"]);
    least.is_some_and(|it| it >= -LARGEST) && most.is_some_and(|it| it <= LARGEST)
}
