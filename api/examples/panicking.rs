//! A Lambda function of modules of one's own: here one whose handler panics, so that a test can
//! see that the built program answers and goes on.

use api::{
    App, Settings,
    http::{Json, Module, Result, endpoints},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use models::{Ambient, store::Store, view};
use serde_json::value::RawValue;

/// Nothing that is ever shown.
#[view]
struct Nothing {}

/// Panic.
#[utoipa::path(get, path = "/panic")]
async fn get_panic() -> Result<Json<Nothing>> {
    panic!("the canary sings")
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::result::Result<(), Error> {
    tracing_subscriber::fmt().json().init();
    api::log_panics();
    let settings = Settings::from_env(|name| std::env::var(name).ok())?;
    let mut modules = api::route_table();
    modules.push(Module::new("canary").public(endpoints![get_panic]));
    let store = Store::connect(settings.store, Ambient::system());
    let app = App::with_modules(modules, settings.auth, settings.web, settings.config, store);
    let handler = service_fn(async |event: LambdaEvent<Box<RawValue>>| {
        Ok::<_, Error>(app.invoke(event).await)
    });
    lambda_runtime::run(handler).await
}
