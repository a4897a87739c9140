use std::collections::BTreeMap;

use serde::{Serialize, Serializer};
use serde_json::Value;

/// Pretty JSON with a newline at its end, the same to the byte for the same document: names stand
/// in one order whatever the map behind them does.
pub fn pretty(document: &Value) -> String {
    serde_json::to_string_pretty(&Ordered(document)).expect("a document is plain data") + "\n"
}

/// What a reader looks for first.
const FIRST: [&str; 9] = [
    "openapi",
    "info",
    "servers",
    "tags",
    "paths",
    "operationId",
    "summary",
    "description",
    "name",
];

struct Ordered<'a>(&'a Value);

impl Serialize for Ordered<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let place = |name: &str| FIRST.iter().position(|it| *it == name).unwrap_or(FIRST.len());
        match self.0 {
            Value::Object(fields) => serializer.collect_map(
                fields
                    .iter()
                    .map(|(name, value)| ((place(name), name), value))
                    .collect::<BTreeMap<_, _>>()
                    .into_iter()
                    .map(|((_, name), value)| (name, Ordered(value))),
            ),
            Value::Array(items) => serializer.collect_seq(items.iter().map(Ordered)),
            plain => plain.serialize(serializer),
        }
    }
}
