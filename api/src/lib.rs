//! THE APP: what a request meets on its way, and the modules that answer it.
//!
//! One rule: everything that is known of an operation stands at its handler and in its module's
//! route table, once; router, spec, guards and tests read it there.
//!
//! A new module in three steps:
//! 1. The entity in `models/src/entities/reminders.rs`.
//! 2. `modules/reminders.rs` with `pub fn module() -> Module`, then the handlers in URL order.
//! 3. A line in `modules/mod.rs`.
//!
//! And its tests, in the file of the same name in `tests/tests/`.

mod app;
pub mod edge;
pub mod events;
pub mod http;
pub mod modules;
pub mod platform;
pub mod program;
mod settings;

pub use app::{App, Services, log_panics};
pub use settings::{Settings, SettingsError, Web, log_filter};

use http::Module;

/// All modules of the app, Landline's own first: the route table.
pub fn route_table() -> Vec<Module> {
    let mut modules = platform::modules();
    modules.extend(modules::modules());
    modules
}
