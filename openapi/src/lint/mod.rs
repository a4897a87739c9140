//! What breaks generators, or the apps that were made with them, is refused: each rule by its name,
//! with where it is broken and what to write instead.

mod examples;
mod operations;
mod reserved;
mod schemas;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

/// A rule that the document breaks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Where: a JSON pointer (RFC 6901) into the document.
    pub place: String,
    /// The rule's name.
    pub rule: &'static str,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.place, self.rule, self.instead)
    }
}

/// Every rule that a 3.1 document breaks, in order of the places; none of a good one.
pub fn lint(document: &Value) -> Vec<Finding> {
    let mut findings = Findings::default();
    operations::look(document, &mut findings);
    schemas::look(document, &mut findings);
    examples::look(document, &mut findings);
    findings.0.sort();
    findings.0.dedup();
    findings.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, rule: &'static str, place: &str, instead: impl Into<String>) {
        self.0.push(Finding { place: place.to_owned(), rule, instead: instead.into() });
    }
}

fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// One step of a JSON pointer.
fn step(place: &str, name: &str) -> String {
    format!("{place}/{}", name.replace('~', "~0").replace('/', "~1"))
}
