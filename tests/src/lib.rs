//! The harness. Every test goes through the front door: an HTTP request goes in as the event that
//! API Gateway sends, and the answer comes out as a phone would get it.
//!
//! One rule: every answer that a test receives is held against the spec ([`spec::check`]), so no
//! test has to think of that.
//!
//! Another: nothing that a test makes anybody log, down to `debug`, and no answer but a success has
//! a password, a token, a key, a hash or an address in it ([`scan`]). What does fails the test, on
//! whatever thread it was logged.
//!
//! A test of a module stands in `tests/tests/<module>.rs`, in a `mod` per endpoint, and reads as a
//! sentence. It has three parts with a blank line between them: a world, one act, what must hold.
//!
//! ```ignore
//! mod update_account {
//!     #[tokio::test]
//!     async fn changes_the_name() {
//!         let world = World::new().await;
//!         let maya = world.maya().await;
//!
//!         let body = json!({ "displayName": "Maya Lindqvist" });
//!         let answer = maya.patch("/v1/account").json(body).await.expect(200);
//!
//!         assert_eq!(answer.json()["displayName"], "Maya Lindqvist");
//!     }
//! }
//! ```
//!
//! - [`World`]: an app in this process with a store in memory of its own, a clock that stands
//!   still until [`World::advance`] and ids that come from a seed. Worlds share nothing, so tests
//!   run side by side.
//! - [`Client`]: somebody who calls, named by who it is: `world.anonymous()`, `world.maya()`,
//!   `world.omar()`, `world.admin()`. `maya.post("/v1/reminders").json(json!({ .. })).await` gives an [`Answer`].
//! - Every request carries `X-Request-Id: test`, so that problem documents can be compared whole.
//!   Ids come from the answers: a literal would change with every draw from the seed before it.
//! - [`Faults`]: what goes wrong between the app and its table, for a world that stands behind them
//!   (`World::behind(&faults)`); also counts the calls and what they cost ([`Cost`]). [`Log`]: what the app logs meanwhile.
//! - [`things`]: a resource for tests of what holds for all of them.
//! - [`simulation`]: a network and a table out of a seed, for histories of many clients in no time.
//! - [`Issuer`]: somebody else who issues tokens, for a world that trusts it ([`issuer::trusting`]).
//! - [`Secrets`]: where AWS keeps the key that signs, for a world that has it not in hand.
//! - [`batches`]: events that are no requests, as AWS sends them. [`Bucket`]: where failures are kept.
//! - [`Function`] and [`LocalDev`]: the built programs, for what can only be seen from outside.
//!   They have clients of the same kind.
//!
//! A new module in three steps: `tests/tests/reminders.rs`, a line in `tests/tests/main.rs`, and
//! one `mod` for each endpoint. A module's tests are in its own file and nowhere else, so that it
//! can be deleted with its module. The spec-driven tests (`spec.rs`, `models.rs`, `costs.rs`) find
//! it by themselves ([`Operation`]).

mod answer;
pub mod batches;
mod bucket;
pub mod chance;
mod client;
mod door;
mod emulator;
pub mod event;
pub mod evolution;
mod faults;
mod fixtures;
pub mod forger;
mod function;
pub mod issuer;
mod laptop;
mod log;
pub mod mutation;
mod operation;
mod operator;
mod programs;
pub mod receiver;
pub mod samples;
pub mod scan;
mod secrets;
pub mod simulation;
pub mod spec;
pub mod things;
mod watch;
mod world;

pub use answer::Answer;
pub use bucket::Bucket;
pub use client::{Client, Request};
pub use door::Door;
pub use emulator::{Emulator, Invocation};
pub use faults::{Cost, Fault, Faults, Hold};
pub use fixtures::aws_events;
pub use function::Function;
pub use issuer::Issuer;
pub use laptop::LocalDev;
pub use log::Log;
pub use operation::Operation;
pub use operator::{call_store, documented_command};
pub use programs::{Outcome, program, run};
pub use receiver::Reply;
pub use secrets::Secrets;
pub use world::{Setup, World, signing_key};
