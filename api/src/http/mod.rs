//! What stands between a route and its handler: the route table, what handlers take and give,
//! and the one body and the one table of errors.

mod answer;
pub(crate) mod app_version;
mod conditions;
mod deprecation;
mod describe;
mod extract;
mod idempotency;
pub(crate) mod json;
mod problem;
mod route_table;
pub(crate) mod violations;

pub use crate::endpoints;
pub use answer::{Answer, Created, NoContent, Public, Put};
pub use app_version::{device_parameters, device_schemas};
pub use conditions::{ENTITY_TAGS, Required};
pub(crate) use conditions::{answer_not_modified, refuse_unheeded};
pub use deprecation::Deprecation;
pub(crate) use deprecation::{DEPRECATION, SUNSET, deprecated, tell_of_deprecation};
pub use describe::{Decode, Describe, Description, Signature};
pub use extract::{Json, LARGEST_BODY, Path, PathParameters, Query};
pub use idempotency::Lease;
pub(crate) use idempotency::{IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, do_once, rebuild};
pub use problem::{Code, Problem, ProblemView};
pub use route_table::{Endpoint, Guard, Module};

/// What a handler gives: its answer, or the problem that is told instead.
pub type Result<T> = std::result::Result<T, Problem>;
