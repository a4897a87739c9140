//! SPEC: the OpenAPI document of the app, built from what `api` declares.
//!
//! One rule: nothing in here names a module or a model. What a route, a signature or a guard says
//! is read there; what holds for all operations alike is added here.

mod build;
mod check;
pub mod compare;
mod deprecation;
mod general;
pub mod released;

pub use build::{Contradiction, build};
pub use check::{Stale, check};

use utoipa::openapi::{OpenApi, Server};

/// The app's document.
///
/// # Errors
/// When declarations contradict each other.
pub fn document() -> Result<OpenApi, Contradiction> {
    build(&api::route_table())
}

/// The document as it is committed and served: pretty JSON with a newline at its end.
///
/// # Errors
/// When declarations contradict each other.
pub fn json() -> Result<String, Contradiction> {
    Ok(pretty(&document()?))
}

/// The document for an API whose paths begin with `base`, such as `/prod`.
///
/// # Errors
/// When declarations contradict each other.
pub fn json_below(base: &str) -> Result<String, Contradiction> {
    let mut document = document()?;
    document.servers = Some(vec![Server::new(base)]);
    Ok(pretty(&document))
}

fn pretty(document: &OpenApi) -> String {
    serde_json::to_string_pretty(document).expect("a document is plain data") + "\n"
}
