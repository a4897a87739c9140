//! Rules about operations: names, words, parameters and answers.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Findings, fields, items, reserved::is_reserved, step};

pub(super) fn look(document: &Value, findings: &mut Findings) {
    let mut described = BTreeSet::new();
    for (at, tag) in items(&document["tags"]).enumerate() {
        let name = tag["name"].as_str().unwrap_or_default();
        described.insert(name);
        if is_empty(&tag["description"]) {
            let instead =
                format!("say what the module is about: Module::new(\"{name}\").about(\"..\")");
            findings.add("tag-description", &format!("/tags/{at}"), instead);
        }
    }
    let mut ids = BTreeMap::new();
    for (path, methods) in fields(&document["paths"]) {
        for (method, operation) in fields(methods) {
            let place = step(&step("/paths", path), method);
            words(operation, &described, &place, findings);
            name(operation, &mut ids, &place, findings);
            path_parameters(path, document, operation, &place, findings);
            successes(operation, &place, findings);
            for (status, answer) in fields(&operation["responses"]) {
                self::answer(status, answer, &format!("{place}/responses/{status}"), findings);
            }
        }
    }
}

fn is_empty(text: &Value) -> bool {
    text.as_str().is_none_or(|text| text.trim().is_empty())
}

fn words(operation: &Value, tags: &BTreeSet<&str>, place: &str, findings: &mut Findings) {
    if is_empty(&operation["summary"]) {
        let instead = "put a doc line over the handler, such as `/// Create a note.`";
        findings.add("operation-summary", place, instead);
    }
    if is_empty(&operation["description"]) {
        let instead = "put a doc comment over the handler; its second paragraph is the description";
        findings.add("operation-description", place, instead);
    }
    let mut named = items(&operation["tags"]).filter_map(Value::as_str);
    if !named.next().is_some_and(|tag| tags.contains(tag)) || named.next().is_some() {
        let instead = "an operation has one tag, its module's: leave `tag` out of the attribute";
        findings.add("operation-tag", place, instead);
    }
    if !operation["security"].is_array() {
        let instead = "put the handler under a guard: public, anyone, signed_in or scoped";
        findings.add("operation-security", place, instead);
    }
}

fn name<'d>(
    operation: &'d Value,
    ids: &mut BTreeMap<String, &'d str>,
    place: &str,
    findings: &mut Findings,
) {
    let Some(id) = operation["operationId"].as_str().filter(|id| !id.is_empty()) else {
        let instead = "leave `operation_id` out of the attribute: the handler's name is the id";
        return findings.add("operation-id", place, instead);
    };
    if is_reserved(id) {
        let instead = format!(
            "`{id}` is a keyword where clients are written: name the handler by \
                               verb and noun, such as `{id}_note`"
        );
        findings.add("reserved-word", place, instead);
    }
    // What generators make of it: `get_note` and `getNote` are one method.
    let method = id.replace('_', "").to_lowercase();
    if let Some(other) = ids.insert(method, id) {
        let instead = format!("`{id}` and `{other}` are one name to a client: rename a handler");
        findings.add("duplicate-name", place, instead);
    }
}

fn path_parameters(
    path: &str,
    document: &Value,
    operation: &Value,
    place: &str,
    findings: &mut Findings,
) {
    let in_path: BTreeSet<_> =
        path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')).collect();
    let mut declared = BTreeSet::new();
    for parameter in items(&operation["parameters"]) {
        let named = parameter["$ref"].as_str().and_then(|name| name.strip_prefix('#'));
        let parameter =
            named.map_or(Some(parameter), |name| document.pointer(name)).unwrap_or(parameter);
        let name = parameter["name"].as_str().unwrap_or_default();
        let place = step(&format!("{place}/parameters"), name);
        if parameter["in"] == "path" {
            declared.insert(name);
        }
        if is_empty(&parameter["description"]) {
            let instead = format!("put a doc comment over the query's field `{name}`");
            findings.add("parameter-description", &place, instead);
        }
        if parameter["schema"]["enum"].is_array() {
            let instead =
                "give the list a type of its own; generators make one type an operation of it";
            findings.add("inline-enum", &place, instead);
        }
    }
    if in_path != declared {
        let instead = "take as many parameters as the path has: Path<Id>, Path<(Id, Id)>";
        findings.add("path-parameters", place, instead);
    }
}

fn successes(operation: &Value, place: &str, findings: &mut Findings) {
    let body = |answer: &Value| -> Vec<_> {
        fields(&answer["content"])
            .map(|(media, it)| (media.clone(), it["schema"].clone()))
            .collect()
    };
    let mut bodies = fields(&operation["responses"])
        .filter(|(status, _)| status.starts_with('2'))
        .map(|(_, answer)| body(answer));
    let first = bodies.next();
    if bodies.any(|it| Some(it) != first) {
        let instead = "a client's method gives one type: answer every success with the same view, \
                       or make two operations";
        findings.add("several-successes", place, instead);
    }
}

fn answer(status: &str, answer: &Value, place: &str, findings: &mut Findings) {
    if is_empty(&answer["description"]) {
        let instead = "give the answer of the attribute a description";
        findings.add("answer-description", place, instead);
    }
    let failed = status.starts_with(['4', '5']);
    if failed && items(&answer["x-problem-codes"]).next().is_none() {
        let instead = "begin the description with the problem's code: \
                       \"`not_found`: there is no such note.\"";
        findings.add("problem-codes", place, instead);
    }
}
