//! A real access token for an account of a data directory.

use crate::reach::{Nobody, Reach};

/// What the session of such a token is called in the list of sessions.
const DEVICE: &str = "local-dev token";

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoToken {
    /// There is no such account.
    #[error(transparent)]
    Nobody(#[from] Nobody),
    /// The store, or that of the process that runs, did not do its part.
    #[error("cannot sign in: {0}")]
    Refused(#[from] auth::Error),
}

/// Start a session of this account, and give its access token.
pub(crate) async fn mint(reach: &Reach, email: &str) -> Result<String, NoToken> {
    let signed_in = auth::mint(reach.settings.auth.clone(), &reach.store, email, DEVICE).await?;
    Ok(signed_in.ok_or(Nobody)?.tokens.access)
}
