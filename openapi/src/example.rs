//! Whole examples, composed of those of the fields, so that nobody writes one twice.

use serde_json::{Map, Value, json};

/// Give each body of a request and of an answer its example, and each parameter that has no other.
pub(crate) fn fill(document: &mut Value) {
    let schemas = document["components"]["schemas"].take();
    each_content(document, &mut |content| {
        if content.get("examples").is_none()
            && let Some(value) = example(&content["schema"], &schemas)
        {
            content.insert("examples".to_owned(), json!({ "example": { "value": value } }));
        }
    });
    document["components"]["schemas"] = schemas;
}

fn each_content(place: &mut Value, visit: &mut impl FnMut(&mut Map<String, Value>)) {
    match place {
        Value::Object(fields) => {
            for (name, value) in fields {
                if name == "content" {
                    let kinds = value.as_object_mut().into_iter().flatten();
                    kinds.filter_map(|(_, content)| content.as_object_mut()).for_each(&mut *visit);
                } else {
                    each_content(value, visit);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_content(item, visit)),
        _ => {}
    }
}

/// An example of this schema: the one that it has, or one that its parts make up. None where a
/// pattern or a shape leaves it to the author.
pub(crate) fn example(schema: &Value, schemas: &Value) -> Option<Value> {
    if let Some(name) = schema["$ref"].as_str() {
        let named = schema["examples"].get(0).cloned();
        let name = name.rsplit('/').next().unwrap_or_default();
        return named.or_else(|| example(&schemas[name], schemas));
    }
    let said = schema["examples"].get(0).or(schema.get("example")).or(schema.get("const"));
    if let Some(said) = said.or(schema.get("default")).or(schema["enum"].get(0)) {
        return Some(said.clone());
    }
    match schema["type"].as_str()? {
        "object" => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let fields = properties.map(|(name, it)| Some((name.clone(), example(it, schemas)?)));
            fields.collect::<Option<Map<_, _>>>().map(Value::Object)
        }
        "array" => {
            let items = schema["minItems"].as_u64().unwrap_or(1).max(1);
            let item = example(&schema["items"], schemas)?;
            Some(Value::Array(vec![item; usize::try_from(items).ok()?]))
        }
        "string" => text(schema).map(Value::String),
        "integer" | "number" => Some(number(schema)),
        "boolean" => Some(json!(true)),
        _ => None,
    }
}

/// What `#[request]` says of every text.
const NO_NUL: &str = r"^[^\u0000]*$";

fn text(schema: &Value) -> Option<String> {
    let known = match schema["format"].as_str().unwrap_or_default() {
        "email" => "maya@example.com",
        "uuid" => "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d",
        "date-time" => "2026-11-22T16:30:00.000Z",
        "date" => "2026-11-22",
        "uri" | "url" => "https://example.com/",
        _ if schema["pattern"].as_str().is_some_and(|pattern| pattern != NO_NUL) => return None,
        _ => "",
    };
    if !known.is_empty() {
        return Some(known.to_owned());
    }
    let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).ok()?;
    let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(u64::MAX)).ok()?;
    let letters = "text ".chars().cycle().take(least.max(4).min(most));
    Some(letters.collect::<String>().trim_end().to_owned()).filter(|text| text.len() >= least)
}

fn number(schema: &Value) -> Value {
    let least = schema["minimum"].as_i64();
    let least = least.or(schema["exclusiveMinimum"].as_i64().map(|bound| bound + 1));
    let most = schema["maximum"].as_i64();
    let most = most.or(schema["exclusiveMaximum"].as_i64().map(|bound| bound - 1));
    json!(1.max(least.unwrap_or(i64::MIN)).min(most.unwrap_or(i64::MAX)))
}
