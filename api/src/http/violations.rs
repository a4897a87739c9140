use std::{collections::BTreeMap, fmt::Display};

use models::wire::Violation;
use serde_path_to_error::{Error, Path, Segment};

/// What serde could not decode, as the one violation it stopped at. serde's own sentences quote
/// the value, so only what was expected is taken from them.
pub(super) fn of_decoding<E: Display>(error: &Error<E>) -> Violation {
    let text = error.inner().to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let at = pointer(error.path());
    let (pointer, code, message) = if let Some(rest) = text.strip_prefix("missing field ") {
        (format!("{at}/{}", quoted(rest)), "required", "is required".to_owned())
    } else if let Some(rest) = text.strip_prefix("unknown field ") {
        let parent = at.strip_suffix(&format!("/{}", escaped(quoted(rest)))).unwrap_or(&at);
        let pointer = format!("{parent}/{}", escaped(quoted(rest)));
        (pointer, "unknown_field", "is not a field of this request".to_owned())
    } else if let Some(rest) = text.strip_prefix("duplicate field ") {
        (format!("{at}/{}", quoted(rest)), "duplicate", "stands twice".to_owned())
    } else if text == "unsupported value" {
        // What serde_html_form says of several values where one is wanted.
        (at, "duplicate", "must be given once".to_owned())
    } else if text.starts_with("unknown variant ") {
        (at, "unknown_value", format!("must be {}", expected(text).replace('`', "\"")))
    } else if text.starts_with("invalid ") {
        (at, "wrong_type", format!("must be {}", expected(text)))
    } else {
        // Our own types say what they want and never what they were given.
        (at, "wrong_format", text.to_owned())
    };
    Violation { pointer, code: code.to_owned(), message, limits: BTreeMap::new() }
}

fn quoted(text: &str) -> &str {
    text.split('`').nth(1).unwrap_or_default()
}

fn expected(text: &str) -> &str {
    text.rsplit_once("expected ").map_or("something else", |(_, expected)| expected)
}

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
    key.replace('~', "~0").replace('/', "~1")
}
