//! Any JSON that Lambda could hand over becomes an answer with a status: no panic, no error.
#![no_main]

use std::sync::LazyLock;

use api::{App, Web};
use lambda_runtime::{Context, LambdaEvent};
use libfuzzer_sys::fuzz_target;
use models::{
    Ambient, Timestamp,
    store::{Connection, Store},
};
use serde_json::{Value, value::RawValue};

/// The store is nowhere: nobody is signed in, so no route gets as far as asking it.
static APP: LazyLock<App> = LazyLock::new(|| {
    let connection = Connection::embedded("http://127.0.0.1:1", "none");
    let key = auth::SigningKey::generate();
    let auth = auth::Settings::new("https://api.example.com", "example", key);
    let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), 1);
    let modules = api::route_table().into_iter().filter(|module| module.name() != "sessions");
    let modules = modules.filter(|module| module.name() != "accounts").collect();
    App::with_modules(modules, auth, Web::default(), Store::connect(connection, ambient))
});

fuzz_target!(|event: &[u8]| {
    let Ok(payload) = serde_json::from_slice::<Box<RawValue>>(event) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let answer = runtime.block_on(APP.invoke(LambdaEvent::new(payload, Context::default())));
    let answer: Value = serde_json::to_value(answer).unwrap();
    let status = answer["statusCode"].as_u64().unwrap();
    assert!((200..500).contains(&status), "{answer}");
});
