//! Events that are no requests: a file arrives, a queue has messages, a stream flows, something in
//! the table changes, time passes.
//!
//! A module declares handlers beside its routes, and the program `events` serves them:
//!
//! ```ignore
//! pub fn module() -> Module {
//!     Module::new("orders")
//!         .signed_in(endpoints![create_order])
//!         .on_message("charges", charge_card)
//!         .on_change(count_orders)
//!         .writing::<Statistics>()
//!         .every("rate(1 hour)", remind_of_orders)
//! }
//!
//! /// Charge what an order costs.
//! async fn charge_card(message: QueueMessage<Charge>, store: Store) -> events::Result { .. }
//! ```
//!
//! The first argument is the record, decoded. The others are what handlers of requests take too:
//! `Store`, `State<..>`, a [`Lease`](crate::http::Lease). What a handler writes happens together
//! with the mark that its record is done, so a record that comes again has no second effect; for
//! effects outside the table it takes a `Lease`. `docs/events.md` says what each source promises.

mod declare;
mod handler;
mod records;

#[cfg(feature = "events")]
mod attempt;
#[cfg(feature = "events")]
mod batch;
#[cfg(feature = "events")]
mod check;
#[cfg(feature = "events")]
mod declared;
#[cfg(feature = "events")]
mod event;
#[cfg(feature = "events")]
mod failures;
#[cfg(feature = "events")]
mod filter;
#[cfg(feature = "events")]
mod lease;
#[cfg(feature = "events")]
mod refused;
#[cfg(feature = "events")]
mod replay;
#[cfg(feature = "events")]
mod runner;

pub use declare::{Listener, Output, Trigger};
pub use handler::{Failure, Handler, IsReplay, Result};
pub use models::store::Change;
pub use records::{CustomEvent, ObjectCreated, QueueMessage, Record, StreamRecord, Tick};

#[cfg(feature = "events")]
pub use check::DeclarationsError;
#[cfg(feature = "events")]
pub use failures::{FailureStore, FailureStoreError, SetAside};
#[cfg(feature = "events")]
pub use filter::stream_filter;
#[cfg(feature = "events")]
pub(crate) use lease::Handling;
#[cfg(feature = "events")]
pub use refused::Refused;
#[cfg(feature = "events")]
pub use replay::Replayed;
#[cfg(feature = "events")]
pub use runner::{Answer, Events, Failed};
