//! Keys: what others need to check our access tokens.

use auth::Auth;
use axum::extract::State;
use models::platform::keys::{KeySet, OpenIdConfiguration};

use crate::http::{Module, Public, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("keys")
        .about("What others need to check access tokens.")
        .for_every_version()
        .public(endpoints![get_key_set, get_openid_configuration])
}

const KEY_SET: &str = "/.well-known/jwks.json";

/// Get the public keys that check access tokens.
///
/// A new key is here before anything is signed with it; one that signs no more stays until its
/// last token has expired.
#[utoipa::path(get, path = "/.well-known/jwks.json")]
pub async fn get_key_set(State(auth): State<Auth>) -> Result<Public<KeySet>> {
    Ok(Public(auth.key_set()))
}

/// Get what else there is to know of the issuer of access tokens.
///
/// For programs that check tokens and find their keys by the issuer's name, such as an API
/// gateway's own authorizer. It is no OpenID provider: there is no authorization endpoint to send
/// a browser to, since people sign in with the app itself.
#[utoipa::path(get, path = "/.well-known/openid-configuration")]
pub async fn get_openid_configuration(
    State(auth): State<Auth>,
) -> Result<Public<OpenIdConfiguration>> {
    let issuer = auth.issuer().to_owned();
    let jwks_uri = format!("{issuer}{KEY_SET}");
    let mut algorithms: Vec<_> = auth.key_set().keys.into_iter().map(|key| key.alg).collect();
    algorithms.sort();
    algorithms.dedup();
    let words = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
    Ok(Public(OpenIdConfiguration {
        issuer,
        jwks_uri,
        algorithms,
        response_types: words(&["none"]),
        subject_types: words(&["public"]),
        claims: words(&["iss", "aud", "sub", "sid", "jti", "iat", "exp", "scope", "roles"]),
    }))
}
