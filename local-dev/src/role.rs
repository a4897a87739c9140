//! What an account of a data directory may do beyond everybody's.

use auth::is_scope;
use models::{platform::account::Accounts, store};

use crate::reach::{Nobody, Reach};

/// Why an account's roles are as they were.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RoleError {
    /// Nothing that the configuration could name.
    #[error("a role is one word of visible ASCII without \" and \\, such as admin")]
    NotARole,
    /// Nobody to give it to.
    #[error(transparent)]
    Nobody(#[from] Nobody),
    /// The store, or that of the process that runs, did not do its part.
    #[error("cannot change the roles: {0}")]
    Store(#[from] store::Error),
}

/// Give a role to this account, or take it away, and say which it has then.
pub(crate) async fn change(
    reach: &Reach,
    email: &str,
    role: &str,
    remove: bool,
) -> Result<String, RoleError> {
    if !is_scope(role) {
        return Err(RoleError::NotARole);
    }
    let accounts = Accounts::new(reach.store.clone());
    let account = accounts.find_by_email(email).await?.ok_or(Nobody)?;
    let changed = if remove {
        accounts.take_role(account.id, role).await?
    } else {
        accounts.give_role(account.id, role).await?
    };
    let roles = changed.ok_or(Nobody)?.roles;
    let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(", ") };
    let unknown = !remove && !reach.settings.auth.roles.contains_key(role);
    let warning = if unknown {
        format!("The role {role} gives no scope: LANDLINE_ROLES does not name it.\n")
    } else {
        String::new()
    };
    Ok(format!("Roles now: {roles}. Tokens have them from the next refresh on.\n{warning}"))
}
