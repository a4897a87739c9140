//! Every example is one: of its own schema, and there where a client looks for it.

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::{Findings, fields, items, step};

pub(super) fn look(document: &Value, findings: &mut Findings) {
    let components = &document["components"];
    for (name, schema) in fields(&components["schemas"]) {
        of_schema(schema, components, &step("/components/schemas", name), findings);
    }
    for (path, methods) in fields(&document["paths"]) {
        for (method, operation) in fields(methods) {
            let place = step(&step("/paths", path), method);
            for (at, parameter) in items(&operation["parameters"]).enumerate() {
                let place = format!("{place}/parameters/{at}/schema");
                of_schema(&parameter["schema"], components, &place, findings);
            }
            let body = &operation["requestBody"]["content"];
            of_content(body, components, &format!("{place}/requestBody/content"), findings);
            for (status, answer) in fields(&operation["responses"]) {
                let place = format!("{place}/responses/{status}/content");
                of_content(&answer["content"], components, &place, findings);
            }
        }
    }
}

fn of_content(content: &Value, components: &Value, place: &str, findings: &mut Findings) {
    for (media, it) in fields(content) {
        let place = step(place, media);
        if fields(&it["examples"]).next().is_none() {
            let instead = "no example can be made up: give the fields that have a pattern \
                           #[schema(examples(\"..\"))]";
            findings.add("no-example", &place, instead);
        }
        for (name, example) in fields(&it["examples"]) {
            let place = step(&format!("{place}/examples"), name);
            try_one(&example["value"], &it["schema"], components, &place, findings);
        }
    }
}

/// The examples of a schema and of the schemas in it.
fn of_schema(schema: &Value, components: &Value, place: &str, findings: &mut Findings) {
    for (at, example) in items(&schema["examples"]).enumerate() {
        try_one(example, schema, components, &format!("{place}/examples/{at}"), findings);
    }
    for word in ["example", "default"] {
        if let Some(example) = schema.get(word) {
            try_one(example, schema, components, &format!("{place}/{word}"), findings);
        }
    }
    for (name, property) in fields(&schema["properties"]) {
        of_schema(property, components, &step(&format!("{place}/properties"), name), findings);
    }
    if schema["items"].is_object() {
        of_schema(&schema["items"], components, &format!("{place}/items"), findings);
    }
}

fn try_one(
    example: &Value,
    schema: &Value,
    components: &Value,
    place: &str,
    findings: &mut Findings,
) {
    let instead = match validator(schema, components) {
        Ok(validator) => validator.iter_errors(example).next().map(|error| {
            let at = error.instance_path();
            format!(
                "{at} {error}: mend #[schema(examples(..))]; that of a list is one of its items"
            )
        }),
        Err(why) => Some(why),
    };
    if let Some(instead) = instead {
        findings.add("wrong-example", place, instead.trim());
    }
}

fn validator(schema: &Value, components: &Value) -> Result<Validator, String> {
    let mut root = schema.clone();
    root["components"] = components.clone();
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .build(&root)
        .map_err(|error| format!("not a schema: {error}"))
}
