//! Landline's own entities, written the way a team writes its own.

pub mod account;
pub mod app;
pub mod backlog;
mod common_passwords;
pub mod config;
pub mod events;
pub mod idempotency;
pub mod keys;
pub mod limit;
pub mod mail;
pub mod outbox;
pub mod session;
pub mod sweep;
pub mod webhook;
