use std::{collections::BTreeMap, fmt::Display};

use models::wire::Violation;
use serde_path_to_error::{Error, Path, Segment};

/// What serde could not decode, as the one violation it stopped at. serde's own sentences quote
/// the value, so only what was expected is taken from them.
pub(crate) fn of_decoding<E: Display>(error: &Error<E>) -> Violation {
    let text = error.inner().to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let mut pointer = pointer(error.path());
    let unvisited = ["missing field ", "duplicate field "];
    if let Some(name) = unvisited.iter().find_map(|what| text.strip_prefix(what)) {
        pointer.push('/');
        pointer.push_str(name.trim_matches('`'));
    }
    let (code, message) = verdict(text);
    Violation { pointer, code: code.to_owned(), message, limits: BTreeMap::new() }
}

fn verdict(text: &str) -> (&'static str, String) {
    let expected = text.rsplit_once("expected ").map(|(_, expected)| expected);
    match (text.split(' ').next().unwrap_or_default(), expected) {
        _ if text.starts_with("missing field ") => ("required", "is required".to_owned()),
        _ if text.starts_with("unknown field ") => {
            ("unknown_field", "is not a field of this request".to_owned())
        }
        // The second is what serde_html_form says of several values where one is wanted.
        _ if text.starts_with("duplicate field ") || text == "unsupported value" => {
            ("duplicate", "must be given once".to_owned())
        }
        _ if text.starts_with("unknown variant ") => {
            let names = expected.unwrap_or("one of the names in the spec");
            ("unknown_value", format!("must be {}", names.replace('`', "\"")))
        }
        ("invalid", Some(expected)) => ("wrong_type", format!("must be {}", in_json(expected))),
        // What Rust says of numbers that are none, in a query string.
        _ if text.contains("float") => ("wrong_type", "must be a number".to_owned()),
        ("invalid" | "number" | "cannot", _) => {
            ("wrong_type", "must be a whole number of its range".to_owned())
        }
        // Our own types say what they want and never what they were given.
        _ => ("wrong_format", text.to_owned()),
    }
}

/// serde names some things as Rust does.
fn in_json(expected: &str) -> &str {
    match expected.split(' ').next() {
        Some("struct" | "map") => "an object",
        Some("enum" | "variant") => "one of the names in the spec",
        Some("tuple" | "sequence") => "a list",
        Some("unit") => "null",
        Some("u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize") => {
            "a whole number of its range"
        }
        Some("f32" | "f64") => "a number",
        _ => match expected {
            "a sequence" | "an array" => "a list",
            "a map" => "an object",
            _ => expected,
        },
    }
}

/// The longest name that is told: nobody's own fields are longer.
const LONGEST_NAME: usize = 100;

/// A JSON pointer (RFC 6901).
fn pointer(path: &Path) -> String {
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => String::new(),
        })
        .collect()
}

fn escaped(key: &str) -> String {
    let shown: String = key.chars().take(LONGEST_NAME).collect();
    shown.replace('~', "~0").replace('/', "~1")
}
