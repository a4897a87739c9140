//! THE LAPTOP: an HTTP server, the embedded store and a docs page around the same routes.
//!
//! One rule: nothing in here changes what a request is answered. Every request becomes the event
//! that a source in the cloud would send ([`Source`]) and goes through the app's one entry point
//! ([`Gateway`]); only `/docs`, `/openapi.json`, `/openapi-3.0.json` and `/dev` are answered here.
//!
//! [`Laptop`] puts an app on an [`EmbeddedStore`], and an [`EmbeddedBucket`] beside it, [`serve`] puts
//! it on a port, and [`run`] is the program. The guide is `docs/local-dev.md`.

mod address;
mod cli;
mod data;
mod dev;
mod discarded;
mod docs;
mod door;
mod filter;
mod function;
mod gateway;
mod greeting;
mod host;
#[cfg(feature = "s3")]
mod invocation;
mod kinesis;
mod laptop;
mod mail;
mod mapping;
mod network;
mod private;
mod producer;
mod queue;
mod reach;
mod role;
mod runtimes;
#[cfg(feature = "s3")]
mod s3;
mod schedule;
mod seed;
mod server;
mod store;
mod stream;
mod token;

pub use cli::run;
pub use data::{DataDir, DataError};
pub use function::Function;
pub use gateway::{Front, Gateway, Source, StageError};
pub use laptop::{Laptop, LaptopError, Ports, connection};
pub use mail::Mailbox;
pub use producer::{Pollers, Producer, SendError, deliver};
#[cfg(feature = "s3")]
pub use s3::{BUCKET, BucketError, EmbeddedBucket};
pub use server::serve;
pub use store::{EmbeddedStore, StoreError};
