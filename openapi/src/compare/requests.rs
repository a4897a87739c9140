use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    document::{Document, Operation, items, members},
    report::{Findings, Path, Subject},
    schema::{Direction, compare_schemas},
};

/// The parameters of an operation, those of its path included, by place and name. Those in the path
/// are known by their order instead, and headers in any case.
fn parameters<'d>(
    document: &'d Document,
    operation: &'d Operation,
) -> BTreeMap<(&'d str, String), &'d Value> {
    let shared = operation.shared.iter().chain(items(&operation.said["parameters"]));
    let named = shared.map(|parameter| {
        let parameter = document.resolved(parameter);
        let place = parameter["in"].as_str().unwrap_or_default();
        let name = parameter["name"].as_str().unwrap_or_default();
        let key = match place {
            "header" => name.to_lowercase(),
            "path" => position(&operation.path, name),
            _ => name.to_owned(),
        };
        ((place, key), parameter)
    });
    named.collect()
}

fn position(path: &str, name: &str) -> String {
    let named = |segment: &&str| segment.contains('{');
    let at = path.split('/').filter(named).position(|it| it.trim_matches(['{', '}']) == name);
    at.map_or_else(|| name.to_owned(), |at| at.to_string())
}

pub(super) fn compare_parameters(
    old: &Document,
    new: &Document,
    was: &Operation,
    is: &Operation,
    findings: &mut Findings,
) {
    let (before, after) = (parameters(old, was), parameters(new, is));
    for (key, was) in &before {
        let subject = subject(was);
        match after.get(key) {
            Some(is) => compare_parameter((old, was), (new, is), &subject, findings),
            None if key.0 == "header" => {
                findings.breaking(subject, "is gone: sent, it means nothing");
            }
            None => findings.breaking(subject, "is gone: sent, it is refused"),
        }
    }
    for (_, is) in after.iter().filter(|(key, _)| !before.contains_key(*key)) {
        if is["required"] == true {
            findings.breaking(subject(is), "is new and required");
        } else {
            findings.harmless(subject(is), "is new");
        }
    }
}

fn subject(parameter: &Value) -> Subject {
    let text = |key: &str| parameter[key].as_str().unwrap_or_default();
    let kind = match text("in") {
        "header" => "header".to_owned(),
        place => format!("{place} parameter"),
    };
    Subject::Parameter(format!("{kind} `{}`", text("name")), Path::default())
}

fn compare_parameter(
    (old, was): (&Document, &Value),
    (new, is): (&Document, &Value),
    subject: &Subject,
    findings: &mut Findings,
) {
    if was["in"] == "path" && was["name"] != is["name"] {
        let name = is["name"].as_str().unwrap_or_default();
        let said = format!("is called `{name}`: the same on the wire, another name in SDKs");
        findings.harmless(subject.clone(), said);
    }
    match (was["required"] == true, is["required"] == true) {
        (false, true) => findings.breaking(subject.clone(), "is required, optional before"),
        (true, false) => findings.harmless(subject.clone(), "is optional, required before"),
        _ => {}
    }
    if style(was) != style(is) {
        findings.breaking(subject.clone(), "is written in another way (`style`, `explode`)");
    }
    compare_media((old, was), (new, is), Direction::Request, subject, findings);
    if let (Some(before), Some(after)) = (was.get("schema"), is.get("schema")) {
        let (before, after) = ((old, before), (new, after));
        compare_schemas(before, after, Direction::Request, subject.clone(), findings);
    } else if was.get("schema").is_some() != is.get("schema").is_some() {
        findings.breaking(subject.clone(), "is written in another way (`schema`, `content`)");
    }
}

/// How a parameter is written, where it is not said: OpenAPI 3.1, Parameter Object.
fn style(parameter: &Value) -> (&str, bool) {
    let query = ["query", "cookie"].iter().any(|place| parameter["in"] == *place);
    let style = parameter["style"].as_str().unwrap_or(if query { "form" } else { "simple" });
    (style, parameter["explode"].as_bool().unwrap_or(style == "form"))
}

pub(super) fn compare_bodies(
    old: &Document,
    new: &Document,
    was: &Operation,
    is: &Operation,
    findings: &mut Findings,
) {
    let subject = Subject::Body(Path::default());
    match (was.said.get("requestBody"), is.said.get("requestBody")) {
        (None, None) => {}
        (None, Some(is)) if new.resolved(is)["required"] == true => {
            findings.breaking(subject, "is new and required");
        }
        (None, Some(_)) => findings.harmless(subject, "is new"),
        (Some(_), None) => findings.breaking(subject, "is gone: sent, it means nothing"),
        (Some(was), Some(is)) => {
            let (was, is) = (old.resolved(was), new.resolved(is));
            match (was["required"] == true, is["required"] == true) {
                (false, true) => findings.breaking(subject.clone(), "is required, optional before"),
                (true, false) => findings.harmless(subject.clone(), "is optional, required before"),
                _ => {}
            }
            compare_media((old, was), (new, is), Direction::Request, &subject, findings);
        }
    }
}

/// Compare what is said of each media type.
pub(super) fn compare_media(
    (old, was): (&Document, &Value),
    (new, is): (&Document, &Value),
    side: Direction,
    subject: &Subject,
    findings: &mut Findings,
) {
    for (media, before) in members(&was["content"]) {
        let Some(after) = is["content"].get(media) else {
            findings.breaking(subject.clone(), format!("is no longer `{media}`"));
            continue;
        };
        if before["encoding"] != after["encoding"] {
            let said = format!("has another `encoding` of its parts as `{media}`");
            findings.breaking(subject.clone(), said);
        }
        let (before, after) = ((old, &before["schema"]), (new, &after["schema"]));
        compare_schemas(before, after, side, subject.clone(), findings);
    }
    for (media, _) in members(&is["content"]) {
        if was["content"].get(media).is_none() {
            findings.harmless(subject.clone(), format!("may be `{media}`, which is new"));
        }
    }
}
