use std::collections::BTreeSet;

use time::Date;

use super::{
    answers::compare_answers,
    document::{Document, Operation, texts},
    report::{Findings, Subject},
    requests::{compare_bodies, compare_parameters},
    security::compare_guards,
};

/// An operation that was there before.
pub(super) fn gone(was: &Operation, today: Date) -> Findings {
    let mut findings = Findings::default();
    match was.sunset.filter(|_| was.is_deprecated()) {
        Some(sunset) if sunset <= today => {
            let said = format!("It is gone, as was said: its sunset was {sunset}");
            findings.harmless(Subject::Operation, said);
        }
        Some(sunset) => {
            let said = format!("It is gone, and its sunset is {sunset}");
            findings.breaking(Subject::Operation, said);
        }
        None if was.is_deprecated() => {
            let said = "It is gone; it was deprecated, and no sunset was said";
            findings.breaking(Subject::Operation, said);
        }
        None => findings.breaking(Subject::Operation, "It is gone"),
    }
    findings
}

/// An operation that is there in both.
pub(super) fn compare_operations(
    old: &Document,
    new: &Document,
    was: &Operation,
    is: &Operation,
) -> Findings {
    let mut findings = Findings::default();
    if was.id() != is.id() {
        let said = format!(
            "It is called `{}`, `{}` before, and so is the method in every SDK",
            is.id(),
            was.id()
        );
        findings.breaking(Subject::Operation, said);
    }
    if texts(&was.said["tags"]) != texts(&is.said["tags"]) {
        let said = "It has other tags: SDKs that have a class for each have it elsewhere";
        findings.harmless(Subject::Operation, said);
    }
    compare_deprecations(was, is, &mut findings);
    compare_guards(old, new, was, is, &mut findings);
    compare_parameters(old, new, was, is, &mut findings);
    compare_bodies(old, new, was, is, &mut findings);
    compare_answers(old, new, was, is, &mut findings);
    for unknown in unknown_keys(was).union(&unknown_keys(is)) {
        if was.said[unknown] != is.said[unknown] {
            let said = format!("Its `{unknown}` has changed, which is not looked into");
            findings.breaking(Subject::Operation, said);
        }
    }
    findings
}

const KNOWN: [&str; 10] = [
    "tags",
    "summary",
    "description",
    "externalDocs",
    "operationId",
    "parameters",
    "requestBody",
    "responses",
    "deprecated",
    "security",
];

fn unknown_keys(operation: &Operation) -> BTreeSet<&str> {
    let keys = operation.said.as_object().into_iter().flat_map(|said| said.keys());
    let keys = keys.map(String::as_str);
    keys.filter(|key| !KNOWN.contains(key) && !key.starts_with("x-")).collect()
}

/// What was said of the end of an operation is a promise: until then it is there.
fn compare_deprecations(was: &Operation, is: &Operation, findings: &mut Findings) {
    match (was.sunset, is.sunset) {
        (Some(said), Some(sunset)) if sunset < said => {
            let said = format!("Its sunset is {sunset}, and {said} was said");
            findings.breaking(Subject::Operation, said);
        }
        (said, Some(sunset)) if said != Some(sunset) => {
            findings.harmless(Subject::Operation, format!("Its sunset is {sunset}"));
        }
        _ => {}
    }
    match (was.is_deprecated(), is.is_deprecated()) {
        (false, true) => findings.harmless(Subject::Operation, "It is deprecated"),
        (true, false) => findings.harmless(Subject::Operation, "It is no longer deprecated"),
        _ => {}
    }
}
