//! Health: whether the app is up. Touches nothing else.

use models::view;

use crate::http::{Json, Module, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("health")
        .about("Whether the app is up.")
        .for_every_version()
        .public(endpoints![get_health])
}

/// The app answers.
#[view]
pub struct Health {
    /// Always `ok`.
    #[schema(examples("ok"))]
    pub status: String,
}

/// Ask whether the app is up.
#[utoipa::path(get, path = "/health")]
pub async fn get_health() -> Result<Json<Health>> {
    Ok(Json(Health { status: "ok".to_owned() }))
}
