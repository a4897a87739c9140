//! Every test that goes through the front door: a file per module of the app, a `mod` per
//! endpoint, a function per situation.

mod accounts;
mod admin;
mod app;
mod app_version;
mod bad_input;
mod conditions;
mod config;
mod contract;
mod costs;
mod deployment;
mod edge;
mod evolution;
mod families;
mod health;
mod idempotency;
mod issuers;
mod keys;
mod lambda;
mod limits;
mod local_dev;
mod models;
mod notes;
mod outbox;
mod parity;
mod passwords;
mod refresh;
mod repositories;
mod revocation;
mod secrets;
mod sessions;
mod signing_keys;
mod simulation;
mod spec;
mod store;
mod tokens;
