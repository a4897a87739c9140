//! Accounts: the people who use the app. Each sees and changes only their own.

use auth::{Auth, Caller, Origin};
use axum::extract::State;
use models::{
    platform::{
        account::{Account, AccountView, ChangePassword, CreateAccount, UpdateAccount},
        session::SignedIn,
    },
    store::{Owned, Precondition},
};

use super::sessions::signed_in;
use crate::http::{Code, Created, Json, Module, NoContent, Problem, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("accounts")
        .about("The people who use the app. Each sees and changes only their own.")
        .public(endpoints![create_account])
        .signed_in(endpoints![get_account, update_account, change_password])
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
    (status = 404, description = "`not_found`: the token is another issuer's."),
))]
pub async fn get_account(caller: Caller, accounts: Owned<Account>) -> Result<Json<AccountView>> {
    let account = accounts.own().await?;
    account.map(|account| Json(account.into())).ok_or_else(|| gone(&caller))
}

/// Change the caller's account.
#[utoipa::path(patch, path = "/v1/account", responses(
    (status = 401, description = "`session_revoked`: the account is gone."),
    (status = 404, description = "`not_found`: the token is another issuer's."),
))]
pub async fn update_account(
    caller: Caller,
    accounts: Owned<Account>,
    precondition: Precondition,
    Json(request): Json<UpdateAccount>,
) -> Result<Json<AccountView>> {
    let account = accounts.update(&precondition, request).await?;
    account.map(|account| Json(account.into())).ok_or_else(|| gone(&caller))
}

/// Change the caller's password.
///
/// Every other session of the account ends with it; this one goes on. Sent again after an answer that
/// was lost, it finds the new password in place of the old one: `credentials_invalid`.
#[utoipa::path(put, path = "/v1/account/password", responses(
    (status = 401, description = "`credentials_invalid`: the current password is another one. \
        `session_revoked`: this session has ended itself."),
    (status = 403, description = "`account_suspended`: the account is suspended."),
    (status = 404, description = "`not_found`: the token is another issuer's."),
    (status = 429, description = "`too_many_requests`: asked too often; try again after `Retry-After` seconds."),
))]
pub async fn change_password(
    State(auth): State<Auth>,
    caller: Caller,
    from: Origin,
    Json(request): Json<ChangePassword>,
) -> Result<NoContent> {
    auth.change_password(&caller, request, from).await?;
    Ok(NoContent)
}

/// A token of ours outlives the account by minutes at most. Whom another issuer knows has none.
pub(super) fn gone(caller: &Caller) -> Problem {
    match caller.session {
        Some(_) => Problem::new(Code::SessionRevoked, "The account is gone."),
        None => Problem::not_found("account"),
    }
}
