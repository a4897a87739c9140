//! SPEC: the OpenAPI document of the app, built from what `api` declares.
//!
//! One rule: nothing in here names a module or a model. What a route, a signature or a guard says
//! is read there; what holds for all operations alike is added here.

mod answers;
mod build;
mod check;
mod example;
mod general;
mod print;

pub use build::{Contradiction, build};
pub use check::{Stale, check};

use serde_json::{Value, json};

/// The app's document, as OpenAPI 3.1.
///
/// # Errors
/// When declarations contradict each other.
pub fn document() -> Result<Value, Contradiction> {
    build(&api::route_table())
}

/// The document as it is committed and served: pretty JSON with a newline at its end.
///
/// # Errors
/// When declarations contradict each other.
pub fn json() -> Result<String, Contradiction> {
    Ok(print::pretty(&document()?))
}

/// The document for an API whose paths begin with `base`, such as `/prod`.
///
/// # Errors
/// When declarations contradict each other.
pub fn json_below(base: &str) -> Result<String, Contradiction> {
    let mut document = document()?;
    document["servers"] = json!([{ "url": base }]);
    Ok(print::pretty(&document))
}
