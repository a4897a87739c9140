//! Keys: what others need to check our access tokens.

use auth::Auth;
use axum::extract::State;
use models::platform::keys::KeySet;

use crate::http::{Json, Module, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("keys").for_every_version().public(endpoints![get_key_set])
}

/// Get the public keys that sign access tokens.
#[utoipa::path(get, path = "/.well-known/jwks.json")]
pub async fn get_key_set(State(auth): State<Auth>) -> Result<Json<KeySet>> {
    Ok(Json(auth.key_set()))
}
