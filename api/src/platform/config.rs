//! Config: what an app asks at its start, so old versions too. Touches nothing else.

use std::sync::Arc;

use auth::Caller;
use axum::extract::State;
use models::platform::{
    app::Device,
    config::{Config, ConfigView},
};

use crate::http::{Json, Module, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("config")
        .about("What an app asks at its start.")
        .for_every_version()
        .anyone(endpoints![get_config])
}

/// Get what the app needs to know at its start.
///
/// `flags` are those of the caller: of the app's platform and version, as the headers say, and of
/// the account, where somebody is signed in.
#[utoipa::path(get, path = "/v1/config")]
pub async fn get_config(
    caller: Option<Caller>,
    State(config): State<Arc<Config>>,
    device: Device,
) -> Result<Json<ConfigView>> {
    Ok(Json(config.view(device, caller.map(|caller| caller.account))))
}
