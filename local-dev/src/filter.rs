//! Lambda's event filtering, as far as the app's own patterns use it
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html>).

use api::http::Module;
use serde_json::Value;

/// Which records the events function is called with.
pub(crate) struct Filter(Vec<Value>);

impl Filter {
    /// What these modules listen to. Of the app's it is the filter of deploy/template.yaml.
    pub(crate) fn of(modules: &[Module]) -> Self {
        Self(api::events::stream_filter(modules))
    }

    /// Whether one of the patterns matches. Lambda drops the other records for good.
    pub(crate) fn lets_through(&self, record: &Value) -> bool {
        self.0.iter().any(|pattern| matches(pattern, Some(record)))
    }
}

/// A pattern has the record's form: each field has a list of what it may be.
fn matches(pattern: &Value, value: Option<&Value>) -> bool {
    match pattern {
        Value::Object(fields) => fields
            .iter()
            .all(|(name, pattern)| matches(pattern, value.and_then(|value| value.get(name)))),
        Value::Array(allowed) => allowed.iter().any(|allowed| match allowed.get("exists") {
            Some(exists) => *exists == Value::Bool(value.is_some()),
            None => value == Some(allowed),
        }),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Filter, matches};

    #[test]
    fn takes_what_a_field_may_be() {
        let pattern = json!({ "eventName": ["INSERT", "MODIFY"], "a": { "b": ["1"] } });
        for (record, expected) in [
            (json!({ "eventName": "MODIFY", "a": { "b": "1", "c": "2" } }), true),
            (json!({ "eventName": "REMOVE", "a": { "b": "1" } }), false),
            (json!({ "eventName": "INSERT", "a": { "b": 1 } }), false),
            (json!({ "eventName": "INSERT" }), false),
        ] {
            assert_eq!(matches(&pattern, Some(&record)), expected, "{record}");
        }
    }

    #[test]
    fn knows_what_is_there_and_what_is_not() {
        for (exists, record, expected) in [
            (true, json!({ "a": { "b": "1" } }), true),
            (true, json!({ "a": {} }), false),
            (true, json!({}), false),
            (false, json!({ "a": { "b": "1" } }), false),
            (false, json!({}), true),
        ] {
            let pattern = json!({ "a": { "b": [{ "exists": exists }] } });

            assert_eq!(matches(&pattern, Some(&record)), expected, "{exists} {record}");
        }
    }

    /// A message starts the function once, not again when it is deleted and when its tombstone goes.
    #[test]
    fn lets_a_message_through_when_it_is_committed_and_never_again() {
        let message = json!({ "kind": { "S": "OUTBOX" }, "version": { "N": "1" } });
        let tombstone = json!({
            "kind": { "S": "OUTBOX" },
            "version": { "N": "2" },
            "deletedAt": { "S": "2026-11-22T16:30:00.000Z" },
        });
        let session = json!({ "kind": { "S": "SESSION" }, "version": { "N": "1" } });
        let filter = Filter::of(&api::route_table());

        for (name, images, expected) in [
            ("INSERT", json!({ "NewImage": message }), true),
            ("MODIFY", json!({ "OldImage": message, "NewImage": tombstone }), false),
            ("REMOVE", json!({ "OldImage": tombstone }), false),
            ("REMOVE", json!({ "OldImage": message }), false),
            ("INSERT", json!({ "NewImage": session }), false),
        ] {
            let record = json!({ "eventName": name, "dynamodb": images });

            assert_eq!(filter.lets_through(&record), expected, "{record}");
        }
    }
}
