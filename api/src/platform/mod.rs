//! Landline's own modules, written the way a team writes its own.

pub mod accounts;
pub mod admin;
pub mod config;
pub mod health;
pub mod keys;
#[cfg(feature = "events")]
pub mod outbox;
pub mod sessions;
#[cfg(feature = "events")]
mod sweeper;

use crate::http::Module;

pub(crate) fn modules() -> Vec<Module> {
    let modules = vec![
        health::module(),
        config::module(),
        accounts::module(),
        sessions::module(),
        admin::module(),
        keys::module(),
    ];
    #[cfg(feature = "events")]
    let modules = modules.into_iter().chain([outbox::module(), sweeper::module()]).collect();
    modules
}
