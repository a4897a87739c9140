//! Which of the table's changes reach the events function: the filter of the event source mapping,
//! made of what handlers declare.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Trigger;
use crate::http::Module;

/// The patterns of the mapping's `FilterCriteria`: a record goes through that one of them matches.
/// There are four at most, whatever is declared; a mapping takes five (Lambda Developer Guide,
/// "Control which events Lambda sends to your function"). deploy/template.yaml has the same, and
/// local-dev goes by them.
pub fn stream_filter(modules: &[Module]) -> Vec<Value> {
    let changed = kinds(modules, false);
    let created = &kinds(modules, true) - &changed;
    let mut patterns = Vec::new();
    if !created.is_empty() {
        // Where nothing was, or what had expired; and where a tombstone was, which counts on.
        patterns.push(json!({ "dynamodb": {
            "NewImage": { "kind": { "S": created }, "version": { "N": ["1"] } },
        } }));
        patterns.push(json!({ "dynamodb": {
            "NewImage": { "kind": { "S": created } },
            "OldImage": { "deletedAt": { "S": [{ "exists": true }] } },
        } }));
    }
    if !changed.is_empty() {
        patterns.push(json!({ "dynamodb": { "NewImage": { "kind": { "S": changed } } } }));
        // What leaves the table has no new image.
        patterns.push(json!({
            "eventName": ["REMOVE"],
            "dynamodb": { "OldImage": { "kind": { "S": changed } } },
        }));
    }
    patterns
}

/// What somebody listens to who wants to be told of new things alone, or of all changes.
fn kinds(modules: &[Module], only_created: bool) -> BTreeSet<&'static str> {
    let listeners = modules.iter().flat_map(|module| module.listeners());
    let listeners = listeners.filter(|listener| listener.only_created == only_created);
    let kinds = listeners.filter_map(|listener| match listener.trigger {
        Trigger::Change(kind) => Some(kind),
        _ => None,
    });
    kinds.collect()
}
