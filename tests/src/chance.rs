//! Values that a schema of the document allows, out of a seed.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use crate::samples::{byte_limits, properties, resolved};

/// The largest whole number that every reader of JSON keeps (RFC 8259, section 6).
const LARGEST: i64 = (1 << 53) - 1;

/// A value that the schema allows: each optional property is there or not, each text has characters
/// of one to four bytes.
///
/// # Panics
/// When the schema has a form that is not known here.
pub fn value(schema: &Value, rng: &mut Rng) -> Value {
    let schema = resolved(schema);
    if let Some(names) = schema["enum"].as_array() {
        return names[rng.usize(..names.len())].clone();
    }
    match schema["type"].as_str() {
        Some("object") => object(&schema, rng),
        Some("array") => {
            let most = whole(&schema["maxItems"], 5).min(20);
            let length = rng.usize(whole(&schema["minItems"], 0)..=most);
            (0..length).map(|_| value(&schema["items"], rng)).collect()
        }
        Some("string") => text(&schema, rng).into(),
        Some("integer") => {
            let most =
                schema["maximum"].as_i64().unwrap_or_else(|| match schema["format"].as_str() {
                    Some("int32") => i32::MAX.into(),
                    _ => LARGEST,
                });
            rng.i64(schema["minimum"].as_i64().unwrap_or(-most)..=most).into()
        }
        // A fraction of so many digits is the same for every reader.
        Some("number") => json!(f64::from(rng.i32(..)) / 1024.0),
        Some("boolean") => rng.bool().into(),
        other => panic!("a value of {other:?} is not known: {schema}"),
    }
}

fn object(schema: &Value, rng: &mut Rng) -> Value {
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    let mut object = Map::new();
    for (name, property) in properties(schema) {
        if required.iter().any(|it| *it == name) || rng.bool() {
            object.insert(name.clone(), value(property, rng));
        }
    }
    if schema["additionalProperties"].is_object() {
        for _ in 0..rng.usize(..4) {
            let name = ["min", "max", "equal", "__proto__", "ünïcode", ""][rng.usize(..6)];
            object.insert(name.to_owned(), value(&schema["additionalProperties"], rng));
        }
    }
    Value::Object(object)
}

fn text(schema: &Value, rng: &mut Rng) -> String {
    match schema["format"].as_str() {
        Some("uuid") => {
            let hex = format!("{:032x}", rng.u128(..));
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
        }
        Some("date-time") => {
            let (month, day) = (rng.u8(1..=12), rng.u8(1..=28));
            let (hour, minute, second) = (rng.u8(..24), rng.u8(..60), rng.u8(..60));
            let (year, millisecond) = (rng.u16(1970..=2100), rng.u16(..1000));
            format!(
                "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"
            )
        }
        Some("email") => format!("{}@{}.example", word(rng), word(rng)),
        _ => characters(schema, rng),
    }
}

fn word(rng: &mut Rng) -> String {
    (0..rng.usize(1..20)).map(|_| rng.alphanumeric()).collect()
}

/// As many code points as the schema wants, and no more bytes than its description says.
fn characters(schema: &Value, rng: &mut Rng) -> String {
    let bytes = byte_limits(schema);
    let most = whole(&schema["maxLength"], 40);
    // Long texts now and then: bodies would be nothing else.
    let most = if rng.u8(..50) == 0 { most } else { most.min(40) };
    let length = rng.usize(whole(&schema["minLength"], 0).min(most)..=most);
    let mut text = String::new();
    for count in 0.. {
        let enough = count >= length && text.len() >= *bytes.start();
        let one = character(rng);
        if enough || text.len() + one.len_utf8() > *bytes.end() {
            break;
        }
        text.push(one);
    }
    text
}

/// Neither U+0000, which no text has, nor half of a pair.
fn character(rng: &mut Rng) -> char {
    match rng.u8(..8) {
        0 => ['"', '\\', '/', '\n', '\u{7f}', '\u{2028}', '\u{feff}', '\u{1}'][rng.usize(..8)],
        1 => rng.char('\u{80}'..='\u{7ff}'),
        2 => rng.char('\u{800}'..='\u{ffff}'),
        3 => rng.char('\u{10000}'..='\u{10ffff}'),
        _ => rng.char(' '..='~'),
    }
}

fn whole(bound: &Value, otherwise: usize) -> usize {
    bound.as_u64().and_then(|bound| usize::try_from(bound).ok()).unwrap_or(otherwise)
}
