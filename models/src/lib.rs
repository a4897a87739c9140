//! WIRE + STORE: what a client may say, what is kept, what is shown, and how it is kept.
//!
//! One rule: nothing in here names axum, a status code, a token or the environment. Only
//! [`store`] names the DynamoDB SDK.
//!
//! A new entity in three steps:
//! 1. `entities/reminders.rs`: the request models ([`request`]), the entity
//!    ([`Entity`](store::Entity)), its view ([`view`]) and its access patterns
//!    (`impl` [`Owned`](store::Owned)`<Reminder>`).
//! 2. A line in `entities/mod.rs`.
//! 3. The module of the same name in `api/src/modules/`.

// What the macros write names this crate from inside and from outside alike.
extern crate self as models;

mod ambient;
pub mod aws;
mod causes;
pub mod entities;
mod id;
pub mod platform;
pub mod store;
mod timestamp;
pub mod wire;

pub use ambient::Ambient;
pub use causes::causes;
pub use id::{Id, InvalidId};
pub use models_macros::{request, view};
pub use timestamp::{InvalidTimestamp, Timestamp};
