use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    document::{Document, Operation, items, members, texts},
    report::{Findings, Subject},
};

/// One way in: each scheme that it takes, with its scopes.
type Way<'d> = BTreeMap<&'d str, BTreeSet<&'d str>>;

/// The ways in. Without any, everybody gets in (OpenAPI 3.1, Operation Object).
fn ways<'d>(document: &'d Document, operation: &'d Operation) -> Vec<Way<'d>> {
    let security = operation.said.get("security").unwrap_or(&document.root["security"]);
    let way = |way: &'d Value| members(way).map(|(name, scopes)| (name, texts(scopes))).collect();
    let ways: Vec<_> = items(security).map(way).collect();
    if ways.is_empty() { vec![Way::new()] } else { ways }
}

/// Whoever got in must get in still.
pub(super) fn compare_guards(
    old: &Document,
    new: &Document,
    was: &Operation,
    is: &Operation,
    findings: &mut Findings,
) {
    let (before, after) = (ways(old, was), ways(new, is));
    let mut missing = BTreeSet::new();
    for way in &before {
        // What the way lacks, by the new way that it lacks least of.
        let lacking = after.iter().map(|new_way| lacking(way, new_way));
        missing.extend(lacking.min_by_key(Vec::len).unwrap_or_default());
    }
    for lack in &missing {
        findings.breaking(Subject::Operation, format!("It asks for {lack}, which it did not"));
    }
    if missing.is_empty() && before != after {
        findings.harmless(Subject::Operation, "It asks for less to be let in");
    }
    let used: BTreeSet<_> = before.iter().flat_map(BTreeMap::keys).collect();
    for scheme in used.into_iter().filter(|name| after.iter().any(|way| way.contains_key(*name))) {
        if defined(old, scheme) != defined(new, scheme) {
            let said = format!("`{scheme}` is another way of showing who one is");
            findings.breaking(Subject::Operation, said);
        }
    }
}

fn lacking(way: &Way<'_>, new_way: &Way<'_>) -> Vec<String> {
    let mut lacking = Vec::new();
    for (scheme, scopes) in new_way {
        match way.get(scheme) {
            None => lacking.push(format!("`{scheme}`")),
            Some(known) => {
                lacking.extend(scopes.difference(known).map(|scope| format!("the scope `{scope}`")))
            }
        }
    }
    lacking
}

/// What a scheme is, but for its words.
fn defined<'d>(document: &'d Document, name: &str) -> BTreeMap<&'d str, &'d Value> {
    let scheme = document.resolved(&document.root["components"]["securitySchemes"][name]);
    members(scheme).filter(|(key, _)| !["description", "bearerFormat"].contains(key)).collect()
}
