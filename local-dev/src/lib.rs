//! THE LAPTOP: an HTTP server, the embedded store and a docs page around the same routes.
//!
//! One rule: nothing in here changes what a request is answered. Every request becomes the event
//! that a source in the cloud would send ([`Source`]) and goes through the app's one entry point
//! ([`Gateway`]); only `/docs`, `/openapi.json` and `/openapi-3.0.json` are answered here.
//!
//! [`Laptop`] puts an app on an [`EmbeddedStore`], [`serve`] puts it on a port, and [`run`] is the
//! program. The guide is `docs/local-dev.md`.

mod cli;
mod data;
mod docs;
mod gateway;
mod greeting;
mod laptop;
mod network;
mod outbox;
mod private;
mod reach;
mod role;
mod seed;
mod server;
mod store;
mod token;

pub use cli::run;
pub use data::{DataDir, DataError};
pub use gateway::{Front, Gateway, Source, StageError};
pub use laptop::{Laptop, LaptopError, connection};
pub use server::serve;
pub use store::{EmbeddedStore, StoreError};
