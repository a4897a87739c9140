//! Landline's own modules, written the way a team writes its own.

pub mod accounts;
pub mod admin;
pub mod config;
pub mod health;
pub mod keys;
pub mod sessions;

use crate::http::Module;

pub(crate) fn modules() -> Vec<Module> {
    vec![
        health::module(),
        config::module(),
        accounts::module(),
        sessions::module(),
        admin::module(),
        keys::module(),
    ]
}
