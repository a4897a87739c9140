//! Admin: accounts as those who run the service see them. An account's role `admin` gives the scope
//! that it takes (docs/configuration.md says how to give somebody the role).

use auth::Caller;
use models::{
    Id,
    platform::account::{Account, Accounts, FindAccount, ManagedAccountView},
};
use tracing::info;

use crate::http::{Code, Json, Module, Path, Problem, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("admin")
        .about("Accounts as those who run the service see them.")
        .scoped("admin", endpoints![find_account, inspect_account, suspend_account, resume_account])
}

/// Look an account up by its address.
///
/// The address travels in the body: URLs end up in logs.
#[utoipa::path(post, path = "/v1/admin/accounts/lookup", responses(
    (status = 404, description = "`not_found`: no account has the address."),
))]
pub async fn find_account(
    caller: Caller,
    accounts: Accounts,
    Json(request): Json<FindAccount>,
) -> Result<Json<ManagedAccountView>> {
    shown(LOOKED_UP, &caller, accounts.find_by_email(&request.email).await?)
}

/// Look an account up by its id.
#[utoipa::path(get, path = "/v1/admin/accounts/{accountId}")]
pub async fn inspect_account(
    caller: Caller,
    accounts: Accounts,
    Path(id): Path<Id>,
) -> Result<Json<ManagedAccountView>> {
    shown(LOOKED_UP, &caller, accounts.find(id).await?)
}

/// Suspend an account.
///
/// From now on nobody signs in to it, and its devices get no new tokens: both are answered with
/// `account_suspended`. Access tokens that are out there end within 15 minutes. Nothing is lost:
/// resumed, the account and its sessions go on. Suspending twice is fine.
#[utoipa::path(post, path = "/v1/admin/accounts/{accountId}/suspend", responses(
    (status = 409, description = "`conflict`: it is the admin's own account."),
))]
pub async fn suspend_account(
    caller: Caller,
    accounts: Accounts,
    Path(id): Path<Id>,
) -> Result<Json<ManagedAccountView>> {
    expect_another(&caller, id)?;
    changed("suspended an account", &caller, accounts.suspend(id).await?)
}

/// End the suspension of an account.
///
/// Its devices go on where they were, unless their sessions have expired meanwhile. Resuming twice
/// is fine.
#[utoipa::path(post, path = "/v1/admin/accounts/{accountId}/resume", responses(
    (status = 409, description = "`conflict`: it is the admin's own account."),
))]
pub async fn resume_account(
    caller: Caller,
    accounts: Accounts,
    Path(id): Path<Id>,
) -> Result<Json<ManagedAccountView>> {
    expect_another(&caller, id)?;
    changed("resumed an account", &caller, accounts.resume(id).await?)
}

/// Suspending themselves, admins would lock themselves out; resuming themselves, they would undo,
/// with the access token that they still have, what another admin did.
fn expect_another(caller: &Caller, id: Id) -> Result<()> {
    if caller.account == id {
        let detail = "Nobody suspends or resumes their own account. Ask another admin.";
        return Err(Problem::new(Code::Conflict, detail));
    }
    Ok(())
}

const LOOKED_UP: &str = "looked an account up";

/// Where it was so before, as when the request comes again, the admin has only seen it. With a key
/// the line comes before the change is committed, so that none goes without: a change that is made
/// anew, after another write was faster, has one for each time.
fn changed(
    what: &'static str,
    caller: &Caller,
    account: Option<(Account, bool)>,
) -> Result<Json<ManagedAccountView>> {
    let what = if matches!(account, Some((_, false))) { LOOKED_UP } else { what };
    shown(what, caller, account.map(|(account, _)| account))
}

/// The account as it is now; and the log says who did what to whom.
fn shown(
    what: &'static str,
    caller: &Caller,
    account: Option<Account>,
) -> Result<Json<ManagedAccountView>> {
    let account = account.ok_or_else(|| Problem::not_found("account"))?;
    info!(admin = %caller.account, account = %account.id, "{what}");
    Ok(Json(account.into()))
}
