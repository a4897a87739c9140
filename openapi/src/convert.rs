//! The same document as OpenAPI 3.0.3, which Amazon's import and several generators want.

use serde_json::{Map, Value, json};

/// The document has something that 3.0 has no words for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("OpenAPI 3.0 cannot say `{keyword}` (at {place}); write the type without it")]
pub struct Inexpressible {
    keyword: String,
    place: String,
}

/// Keywords of JSON Schema 2020-12 that 3.0 lacks and that have no equivalent there.
const UNKNOWN: [&str; 14] = [
    "$defs",
    "contains",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "patternProperties",
    "prefixItems",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "contentSchema",
];

/// A 3.1 document of ours as 3.0.3. What stands beside a `$ref` is left out, since 3.0 ignores it:
/// the description of a field whose type has a name is in the 3.1 document only.
///
/// # Errors
/// When a schema says what 3.0 cannot.
pub fn to_3_0(document: &Value) -> Result<Value, Inexpressible> {
    let mut document = document.clone();
    document["openapi"] = json!("3.0.3");
    if let Some(license) = document["info"]["license"].as_object_mut()
        && license.remove("identifier").is_some()
    {
        license.insert("url".to_owned(), json!("https://spdx.org/licenses/"));
    }
    for (_, item) in document["paths"].as_object_mut().into_iter().flatten() {
        for (_, operation) in item.as_object_mut().into_iter().flatten() {
            move_scopes(operation);
        }
    }
    walk(&mut document, "")?;
    Ok(document)
}

/// In 3.0 only OAuth schemes have scopes.
fn move_scopes(operation: &mut Value) {
    let mut scopes = Vec::new();
    for way in operation["security"].as_array_mut().into_iter().flatten() {
        for (_, asked) in way.as_object_mut().into_iter().flatten() {
            scopes.extend(asked.as_array_mut().into_iter().flat_map(std::mem::take));
        }
    }
    if !scopes.is_empty() {
        operation["x-required-scopes"] = json!(scopes);
    }
}

fn walk(value: &mut Value, place: &str) -> Result<(), Inexpressible> {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = format!("{place}/{name}");
                match name.as_str() {
                    "example" | "examples" => {}
                    "schema" => schema(value, &place)?,
                    "schemas" => each(value, &place)?,
                    _ => walk(value, &place)?,
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                walk(item, place)?;
            }
        }
        _ => {}
    }
    Ok(())
}

fn each(schemas: &mut Value, place: &str) -> Result<(), Inexpressible> {
    for (name, value) in schemas.as_object_mut().into_iter().flatten() {
        schema(value, &format!("{place}/{name}"))?;
    }
    Ok(())
}

fn schema(value: &mut Value, place: &str) -> Result<(), Inexpressible> {
    let Some(fields) = value.as_object_mut() else { return Ok(()) };
    if fields.contains_key("$ref") {
        fields.retain(|name, _| name == "$ref");
        return Ok(());
    }
    let unknown = UNKNOWN.iter().find(|keyword| fields.contains_key(**keyword));
    if let Some(keyword) = unknown {
        return Err(Inexpressible { keyword: (*keyword).to_owned(), place: place.to_owned() });
    }
    rename(fields);
    for (name, value) in fields.iter_mut() {
        let place = format!("{place}/{name}");
        match name.as_str() {
            "properties" => each(value, &place)?,
            "items" | "additionalProperties" | "not" => schema(value, &place)?,
            "allOf" | "anyOf" | "oneOf" => {
                for item in value.as_array_mut().into_iter().flatten() {
                    schema(item, &place)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Says what 3.0 says in other words.
fn rename(fields: &mut Map<String, Value>) {
    // The names of an object's fields are texts anyway.
    fields.remove("propertyNames");
    if let Some(examples) = fields.remove("examples") {
        fields.insert("example".to_owned(), examples[0].clone());
    }
    if let Some(only) = fields.remove("const") {
        fields.insert("enum".to_owned(), json!([only]));
    }
    if let Some(Value::Array(types)) = fields.get("type") {
        let (null, others): (Vec<_>, Vec<_>) = types.iter().cloned().partition(|it| it == "null");
        if let [one] = others.as_slice() {
            let one = one.clone();
            fields.insert("type".to_owned(), one);
            if !null.is_empty() {
                fields.insert("nullable".to_owned(), json!(true));
            }
        }
    }
    for (exclusive, inclusive) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")]
    {
        if let Some(bound) = fields.get(exclusive).filter(|bound| bound.is_number()).cloned() {
            fields.insert(inclusive.to_owned(), bound);
            fields.insert(exclusive.to_owned(), json!(true));
        }
    }
    if fields.remove("contentEncoding").is_some_and(|encoding| encoding == "base64") {
        fields.insert("format".to_owned(), json!("byte"));
    }
    if fields.remove("contentMediaType").is_some() {
        fields.entry("format").or_insert_with(|| json!("binary"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::to_3_0;

    #[test]
    fn says_in_3_0_what_3_1_says() {
        for (new, old) in [
            (json!({ "examples": ["a", "b"] }), json!({ "example": "a" })),
            (json!({ "const": "a" }), json!({ "enum": ["a"] })),
            (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
            (
                json!({ "exclusiveMinimum": 0, "exclusiveMaximum": 9 }),
                json!({
                    "minimum": 0, "exclusiveMinimum": true,
                    "maximum": 9, "exclusiveMaximum": true,
                }),
            ),
            (
                json!({ "type": "string", "contentEncoding": "base64" }),
                json!({ "type": "string", "format": "byte" }),
            ),
            (json!({ "$ref": "#/a", "description": "b" }), json!({ "$ref": "#/a" })),
            (
                json!({ "properties": { "const": { "const": 1 } } }),
                json!({ "properties": { "const": { "enum": [1] } } }),
            ),
        ] {
            let document = json!({ "components": { "schemas": { "A": new } } });

            assert_eq!(to_3_0(&document).unwrap()["components"]["schemas"]["A"], old);
        }
    }

    #[test]
    fn leaves_examples_and_scopes_where_they_belong() {
        let document = json!({
            "info": { "license": { "name": "MIT", "identifier": "MIT" } },
            "paths": { "/a": { "get": {
                "security": [{ "accessToken": ["admin"] }],
                "content": { "examples": { "example": { "value": { "schema": { "const": 1 } } } } },
            } } },
        });

        let converted = to_3_0(&document).unwrap();

        let operation = &converted["paths"]["/a"]["get"];
        assert_eq!(operation["security"], json!([{ "accessToken": [] }]));
        assert_eq!(operation["x-required-scopes"], json!(["admin"]));
        assert_eq!(operation["content"], document["paths"]["/a"]["get"]["content"]);
        assert_eq!(converted["info"]["license"]["url"], "https://spdx.org/licenses/");
    }

    #[test]
    fn refuses_what_3_0_cannot_say() {
        let document = json!({ "components": { "schemas": { "A": { "prefixItems": [] } } } });

        let error = to_3_0(&document).unwrap_err().to_string();

        assert_eq!(
            error,
            "OpenAPI 3.0 cannot say `prefixItems` (at /components/schemas/A); write the type \
             without it"
        );
    }
}
