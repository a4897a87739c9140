//! Accounts: the people who use the app. Each sees and changes only their own.

use auth::{Auth, Origin};
use axum::extract::State;
use models::{
    platform::{
        account::{Account, AccountView, CreateAccount, UpdateAccount},
        session::SignedIn,
    },
    store::{Owned, Precondition},
};

use super::sessions::signed_in;
use crate::http::{Code, Created, Json, Module, Problem, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("accounts")
        .public(endpoints![create_account])
        .signed_in(endpoints![get_account, update_account])
}

/// Register a person and sign the device in.
#[utoipa::path(post, path = "/v1/accounts", responses(
    (status = 409, description = "`email_taken`: another account has the address."),
    (status = 429, description = "`too_many_requests`: asked too often; try again after `Retry-After` seconds."),
))]
pub async fn create_account(
    State(auth): State<Auth>,
    from: Origin,
    Json(request): Json<CreateAccount>,
) -> Result<Created<SignedIn>> {
    Ok(Created::at("/v1/account", signed_in(auth.register(request, from).await?)))
}

/// Get the caller's account.
#[utoipa::path(get, path = "/v1/account", responses(
    (status = 401, description = "`session_revoked`: the account is gone."),
))]
pub async fn get_account(accounts: Owned<Account>) -> Result<Json<AccountView>> {
    let account = accounts.own().await?;
    account.map(|account| Json(account.into())).ok_or_else(gone)
}

/// Change the caller's account.
#[utoipa::path(patch, path = "/v1/account", responses(
    (status = 401, description = "`session_revoked`: the account is gone."),
))]
pub async fn update_account(
    accounts: Owned<Account>,
    precondition: Precondition,
    Json(request): Json<UpdateAccount>,
) -> Result<Json<AccountView>> {
    let account = accounts.update(&precondition, request).await?;
    account.map(|account| Json(account.into())).ok_or_else(gone)
}

/// The token outlives the account by minutes at most.
fn gone() -> Problem {
    Problem::new(Code::SessionRevoked, "The account is gone.")
}
