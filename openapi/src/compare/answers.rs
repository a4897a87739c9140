use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    document::{Document, Operation, members, texts},
    report::{Findings, Path, Subject},
    requests::compare_media,
    schema::{Direction, compare_schemas},
};

pub(super) fn compare_answers(
    old: &Document,
    new: &Document,
    was: &Operation,
    is: &Operation,
    findings: &mut Findings,
) {
    for (status, before) in members(&was.said["responses"]) {
        let before = old.resolved(before);
        let Some(after) = is.said["responses"].get(status) else {
            findings.breaking(Subject::Operation, format!("It no longer answers {status}"));
            continue;
        };
        let after = new.resolved(after);
        compare_codes(status, before, after, findings);
        let subject = Subject::Answer(vec![status.to_owned()], Path::default());
        if before["content"].is_object() && !after["content"].is_object() {
            findings.breaking(subject, "is gone");
        } else {
            compare_media((old, before), (new, after), Direction::Answer, &subject, findings);
        }
        compare_headers((old, before), (new, after), status, findings);
    }
    for (status, _) in members(&is.said["responses"]) {
        if was.said["responses"].get(status).is_none() {
            added(status, findings);
        }
    }
}

/// An app knows errors by their class (RFC 9110, section 15), and asks for 304 itself; what it is
/// to make of another success it does not know.
fn added(status: &str, findings: &mut Findings) {
    let said = format!("It may answer {status}, which is new");
    if (status.starts_with('2') || status.starts_with('3')) && status != "304" {
        findings.breaking(Subject::Operation, said);
    } else {
        findings.harmless(Subject::Operation, said);
    }
}

/// The codes of problems, which apps decide by.
fn compare_codes(status: &str, was: &Value, is: &Value, findings: &mut Findings) {
    let (before, after) = (texts(&was["x-problem-codes"]), texts(&is["x-problem-codes"]));
    for code in before.difference(&after) {
        let said = format!("The answer {status} no longer has the code `{code}`");
        findings.breaking(Subject::Operation, said);
    }
    for code in after.difference(&before) {
        let said = format!("The answer {status} may have the code `{code}`, which is new");
        findings.harmless(Subject::Operation, said);
    }
}

fn compare_headers(
    (old, was): (&Document, &Value),
    (new, is): (&Document, &Value),
    status: &str,
    findings: &mut Findings,
) {
    // Their names are in any case.
    let headers = |answer: &Value| -> BTreeMap<String, Value> {
        members(&answer["headers"]).map(|(name, it)| (name.to_lowercase(), it.clone())).collect()
    };
    let after = headers(is);
    let subject = |name: &str| Subject::Header(vec![status.to_owned()], name.to_owned());
    for (name, before) in members(&was["headers"]) {
        let Some(after) = after.get(&name.to_lowercase()) else {
            findings.breaking(subject(name), "is gone");
            continue;
        };
        let (before, after) = (old.resolved(before), new.resolved(after));
        if before["required"] == true && after["required"] != true {
            findings.breaking(subject(name), "is optional, required before");
        }
        let (before, after) = ((old, &before["schema"]), (new, &after["schema"]));
        compare_schemas(before, after, Direction::Answer, subject(name), findings);
    }
    let before = headers(was);
    for (name, _) in members(&is["headers"]) {
        if !before.contains_key(&name.to_lowercase()) {
            findings.harmless(subject(name), "is new");
        }
    }
}
