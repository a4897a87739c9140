use api::http::Deprecation;
use serde_json::{Value, json};

/// Say of an operation what its table says: `deprecated`, in words, as `x-sunset` for programs, and
/// the headers of every answer.
pub(crate) fn mark_deprecated(operation: &mut Value, deprecation: &Deprecation) {
    operation["deprecated"] = json!(true);
    let known = operation["description"].as_str().map(|known| format!("{known}\n\n"));
    operation["description"] = json!(known.unwrap_or_default() + &deprecation.words());
    if let Some(day) = deprecation.sunset_day() {
        operation["x-sunset"] = json!(day);
    }
    for (_, answer) in operation["responses"].as_object_mut().into_iter().flatten() {
        for (name, value, said) in deprecation.headers() {
            // As the RFCs write it; it is the same in any case.
            let mut name = name.to_string();
            name[..1].make_ascii_uppercase();
            let example = value.to_str().unwrap_or_default();
            answer["headers"][name] = json!({
                "description": said,
                "required": true,
                "schema": { "type": "string", "examples": [example] },
            });
        }
    }
}
