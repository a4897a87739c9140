//! Values from a schema of the document: one that is good, and those around each bound.

use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use crate::spec::document;

/// The schema with its reference followed; what stands beside the reference wins.
pub fn resolved(schema: &Value) -> Value {
    let Some(name) = schema["$ref"].as_str() else { return schema.clone() };
    let name = name.trim_start_matches("#/components/schemas/");
    let mut found = resolved(&document()["components"]["schemas"][name]);
    for (key, value) in schema.as_object().into_iter().flatten().filter(|(key, _)| *key != "$ref") {
        // Two descriptions are both true.
        found[key] = match (&found[key], value) {
            (Value::String(known), Value::String(more)) => json!(format!("{more}\n{known}")),
            _ => value.clone(),
        };
    }
    found
}

/// A value that the schema allows, with every property or with the required ones only.
///
/// # Panics
/// When the schema has a form that requests do not have yet.
pub fn good(schema: &Value, whole: bool) -> Value {
    let schema = resolved(schema);
    if let Some(example) = schema["examples"].get(0).or(schema["enum"].get(0)) {
        return example.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let wanted = |name: &str| whole || required(&schema).any(|it| it == name);
            let fields = properties(&schema).filter(|(name, _)| wanted(name));
            fields.map(|(name, schema)| (name.clone(), good(schema, whole))).collect()
        }
        Some("array") => json!([good(&schema["items"], whole)]),
        Some("string") if schema["format"] == "email" => json!("maya@example.com"),
        Some("string") => {
            let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
            json!("a".repeat(usize::try_from(most.min(12)).unwrap_or(12)))
        }
        Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1)),
        Some("boolean") => json!(true),
        other => panic!("a sample of {other:?} is not known: {schema}"),
    }
}

/// Values at each bound of the schema, just inside and just outside, and of every wrong type.
/// Whether one is good is for a validator to say.
pub fn edges(schema: &Value) -> Vec<Value> {
    let schema = resolved(schema);
    let mut edges = vec![
        json!(null),
        json!(true),
        json!(1),
        json!(-1.5),
        json!("1"),
        json!([]),
        json!(["a"]),
        json!({}),
        json!({ "a": 1 }),
    ];
    match schema["type"].as_str() {
        Some("string") => edges.extend(texts(&schema)),
        Some("array") => edges.extend(lists(&schema)),
        Some("integer" | "number") => edges.extend(numbers(&schema)),
        Some("object") => edges.extend(objects(&schema)),
        _ => {}
    }
    edges
}

fn texts(schema: &Value) -> Vec<Value> {
    let mut texts: Vec<String> = Vec::new();
    for bound in around(schema, &["minLength", "maxLength"]) {
        // One code point each: of one byte, of two, of four, and one of several that make up what
        // a person sees as one character.
        texts.extend(["a", "é", "𝒳", "\u{301}"].map(|one| one.repeat(bound)));
        if bound > 0 {
            texts.push(format!("{}\0", "a".repeat(bound - 1)));
        }
    }
    texts.extend(
        ["", "\0", "a\0b", " ", "\n", "\u{7f}", "\u{fffd}", "\u{10ffff}"].map(str::to_owned),
    );
    let bytes = byte_limits(schema);
    for bound in [*bytes.start(), *bytes.end()].into_iter().filter(|it| (1..1 << 20).contains(it)) {
        for bytes in bound - 1..=bound + 1 {
            texts.push("a".repeat(bytes));
            texts.push(format!("{}{}", "é".repeat(bytes / 2), "a".repeat(bytes % 2)));
        }
    }
    for value in schema["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        texts.extend([value.to_owned(), value.to_uppercase(), format!("{value} ")]);
    }
    if schema["format"] == "email" {
        texts.extend(ADDRESSES.map(str::to_owned));
        texts.extend([240, 241, 242, 243].map(|length| {
            // Labels may have 63 characters, an address 254.
            let domain = ["a".repeat(60), "b".repeat(60), "c".repeat(60), "d".repeat(length - 183)];
            format!("maya@{}.example", domain.join("."))
        }));
    }
    texts.into_iter().map(Value::from).collect()
}

const ADDRESSES: [&str; 24] = [
    "maya@example.com",
    "MAYA@EXAMPLE.COM",
    "maya+notes@example.com",
    "maya@mail.example.com",
    "maya@xn--exmple-cua.com",
    "o'hara@example.com",
    "maya",
    "maya@",
    "@example.com",
    "maya@@example.com",
    "maya@example",
    "maya@example..com",
    "maya@-example.com",
    "maya@example-.com",
    "maya@example.com.",
    ".maya@example.com",
    "maya.@example.com",
    "ma..ya@example.com",
    "ma ya@example.com",
    "maya@exam ple.com",
    "maya@example.com\n",
    "maya@[192.0.2.7]",
    "\"ma ya\"@example.com",
    "mäya@example.com",
];

fn lists(schema: &Value) -> Vec<Value> {
    let item = good(&schema["items"], true);
    let mut lists: Vec<_> = around(schema, &["minItems", "maxItems"])
        .map(|length| Value::from(vec![item.clone(); length]))
        .collect();
    lists.extend(edges(&schema["items"]).into_iter().map(|edge| json!([item, edge])));
    lists
}

fn numbers(schema: &Value) -> Vec<Value> {
    let mut numbers: Vec<Value> = Vec::new();
    for bound in ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"] {
        if let Some(bound) = schema[bound].as_i64() {
            numbers.extend([bound - 1, bound, bound + 1].map(Value::from));
        }
    }
    numbers.extend([json!(0), json!(-1), json!(i64::MAX), json!(u64::MAX), json!(1.5)]);
    numbers
}

/// Each property at each of its edges, each one left out, and one that is not known.
fn objects(schema: &Value) -> Vec<Value> {
    let whole = good(schema, true);
    let with = |name: &str, value: Value| {
        let mut object = whole.clone();
        object[name] = value;
        object
    };
    let mut objects = vec![whole.clone(), good(schema, false), with("unknown", json!(1))];
    for (name, property) in properties(schema) {
        let mut without = whole.as_object().cloned().unwrap_or_default();
        without.remove(name);
        objects.push(Value::Object(without));
        objects.push(Value::Object(Map::from_iter([(name.clone(), whole[name].clone())])));
        objects.extend(edges(property).into_iter().map(|edge| with(name, edge)));
    }
    objects
}

/// How many bytes a text may have: a rule that a schema cannot say, from the sentence that the rule
/// adds to the description.
///
/// # Panics
/// When the sentence has changed.
pub fn byte_limits(schema: &Value) -> RangeInclusive<usize> {
    let description = schema["description"].as_str().unwrap_or_default();
    let sentence = description.lines().find_map(|line| {
        let (_, rest) = line.split_once("It has ")?;
        rest.strip_suffix(" bytes in UTF-8.")
    });
    let Some(sentence) = sentence else { return 0..=usize::MAX };
    let number = |text: &str| text.parse::<usize>().expect("a limit is a number");
    if let Some((min, max)) = sentence.split_once(" to ") {
        number(min)..=number(max)
    } else if let Some(min) = sentence.strip_prefix("at least ") {
        number(min)..=usize::MAX
    } else {
        0..=number(sentence.trim_start_matches("at most "))
    }
}

/// The bounds that the schema has, with their neighbours.
fn around(schema: &Value, bounds: &[&str]) -> impl Iterator<Item = usize> {
    let bounds: Vec<_> = bounds.iter().filter_map(|bound| schema[*bound].as_u64()).collect();
    bounds
        .into_iter()
        .filter_map(|bound| usize::try_from(bound).ok())
        .flat_map(|bound| bound.saturating_sub(1)..=bound + 1)
}

/// The properties of an object's schema.
pub fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str)
}
