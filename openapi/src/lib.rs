//! SPEC: the OpenAPI document of the app, built from what `api` declares.
//!
//! One rule: nothing in here names a module or a model. What a route, a signature or a guard says
//! is read there; what holds for all operations alike is added here.

mod answers;
mod build;
mod check;
pub mod compare;
mod convert;
mod deprecation;
mod example;
mod gateway;
mod general;
mod lint;
mod print;
pub mod released;

pub use build::{Contradiction, build};
pub use check::{Stale, check};
pub use convert::{Inexpressible, to_3_0};
pub use gateway::{Authorizer, Integration, UnfitKeys, for_gateway};
pub use lint::{Finding, lint};
pub use print::pretty;

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
    Ok(pretty(&document()?))
}

/// The documents for an API whose paths begin with `base`, such as `/prod`: as 3.1, and as 3.0.3.
///
/// # Errors
/// When declarations contradict each other, or say what 3.0 cannot.
pub fn json_below(base: &str) -> Result<[String; 2], Box<dyn std::error::Error>> {
    let mut document = document()?;
    if !base.is_empty() {
        document["servers"] = json!([{ "url": base }]);
    }
    Ok([pretty(&document), pretty(&to_3_0(&document)?)])
}
