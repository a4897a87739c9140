//! Whether apps that were made for one document still work with another.
//!
//! Breaking is what an app notices that was built for the old document and is not built anew: what
//! it sends is refused or means something else, or what it gets cannot be decoded or is missing.
//! One name counts besides: the id of an operation, which is the method in every SDK.

mod answers;
mod document;
mod limits;
mod operation;
mod report;
mod requests;
mod schema;
mod security;
mod shape;

pub use document::{Document, Unreadable};
pub use report::{Change, Comparison};
pub use time::Date;

use operation::compare_operations;
use report::{Findings, Subject};

/// Compare two documents. `today` decides whether the sunset of an operation has passed.
pub fn compare(old: &Document, new: &Document, today: Date) -> Comparison {
    let mut comparison = Comparison::default();
    let mut everywhere = Findings::default();
    for server in old.servers().difference(&new.servers()) {
        everywhere.breaking(Subject::Operation, format!("The API is no longer at `{server}`"));
    }
    if old.root["webhooks"] != new.root["webhooks"] {
        everywhere
            .breaking(Subject::Operation, "The webhooks have changed, which is not looked into");
    }
    comparison.add("Every operation", everywhere);
    for (key, was) in &old.operations {
        match new.operations.get(key) {
            Some(is) => comparison.add(&was.title(), compare_operations(old, new, was, is)),
            None => comparison.add(&was.title(), operation::gone(was, today)),
        }
    }
    for (key, is) in &new.operations {
        if !old.operations.contains_key(key) {
            let mut findings = Findings::default();
            findings.harmless(Subject::Operation, "It is new");
            comparison.add(&is.title(), findings);
        }
    }
    comparison
}
