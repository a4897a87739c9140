//! Sessions: the devices on which a person is signed in.

use auth::{Auth, Caller, Origin, SignIn};
use axum::extract::State;
use models::{
    Id,
    platform::{
        account::Account,
        session::{
            CreateSession, ListSessions, RefreshSession, Session, SessionPage, SessionView,
            SignedIn, TokensView,
        },
    },
    store::{Owned, Precondition},
};

use super::accounts::gone;
use crate::http::{Created, Json, Module, NoContent, Path, Problem, Query, Result, endpoints};

/// The module's endpoints.
pub fn module() -> Module {
    Module::new("sessions")
        .about("The devices on which a person is signed in.")
        .public(endpoints![create_session, refresh_session])
        .signed_in(endpoints![
            list_sessions,
            delete_current_session,
            delete_other_sessions,
            delete_session,
        ])
}

/// Sign in with address and password.
#[utoipa::path(post, path = "/v1/sessions", responses(
    (status = 401, description = "`credentials_invalid`: no account has this address and password."),
    (status = 403, description = "`account_suspended`: the account is suspended."),
    (status = 429, description = "`too_many_requests`: asked too often; try again after `Retry-After` seconds."),
))]
pub async fn create_session(
    State(auth): State<Auth>,
    from: Origin,
    Json(request): Json<CreateSession>,
) -> Result<Created<SignedIn>> {
    let signed_in = signed_in(auth.sign_in(request, from).await?);
    Ok(Created::at(format!("/v1/sessions/{}", signed_in.session.id), signed_in))
}

/// Exchange a refresh token for new tokens.
///
/// A device that lost the answer sends the same token again and gets the same new refresh token,
/// until that one has been used. An older token ends the session.
#[utoipa::path(post, path = "/v1/sessions/refresh", responses(
    (status = 401, description = "`session_revoked`: the session has ended; sign in again."),
    (status = 403, description = "`account_suspended`: keep the token; it is good again when the \
        account is resumed."),
    (status = 429, description = "`too_many_requests`: asked too often; try again after `Retry-After` seconds."),
))]
pub async fn refresh_session(
    State(auth): State<Auth>,
    from: Origin,
    Json(request): Json<RefreshSession>,
) -> Result<Json<SignedIn>> {
    Ok(Json(signed_in(auth.refresh(request, from).await?)))
}

/// List the caller's sessions, newest first.
#[utoipa::path(get, path = "/v1/sessions", responses(
    (status = 401, description = "`session_revoked`: the account is gone."),
))]
pub async fn list_sessions(
    caller: Caller,
    accounts: Owned<Account>,
    sessions: Owned<Session>,
    Query(request): Query<ListSessions>,
) -> Result<Json<SessionPage>> {
    let epoch = match accounts.own().await? {
        Some(account) => account.session_epoch,
        // Whom another issuer knows has neither an account nor sessions.
        None if caller.session.is_none() => 0,
        None => return Err(gone(&caller)),
    };
    let page = sessions.list(&request, epoch).await?;
    Ok(Json(SessionPage::new(page, caller.session)))
}

/// Sign this device out.
///
/// Its refresh token ends at once, its access token within 15 minutes. Signing out twice is fine.
#[utoipa::path(delete, path = "/v1/sessions/current")]
pub async fn delete_current_session(caller: Caller, sessions: Owned<Session>) -> Result<NoContent> {
    if let Some(session) = caller.session {
        sessions.delete(session, &Precondition::None).await?;
    }
    Ok(NoContent)
}

/// Sign all of the caller's other devices out.
///
/// Their refresh tokens end at once and all together, their access tokens within 15 minutes. This
/// device stays signed in.
#[utoipa::path(delete, path = "/v1/sessions/others", responses(
    (status = 401, description = "`session_revoked`: this session has ended itself."),
    (status = 403, description = "`account_suspended`: the account is suspended."),
    (status = 404, description = "`not_found`: the token is another issuer's."),
))]
pub async fn delete_other_sessions(State(auth): State<Auth>, caller: Caller) -> Result<NoContent> {
    auth.end_other_sessions(&caller).await?;
    Ok(NoContent)
}

/// Sign one of the caller's devices out.
#[utoipa::path(delete, path = "/v1/sessions/{sessionId}")]
pub async fn delete_session(
    sessions: Owned<Session>,
    Path(session): Path<Id>,
) -> Result<NoContent> {
    let existed = sessions.delete(session, &Precondition::None).await?;
    if existed { Ok(NoContent) } else { Err(Problem::not_found("session")) }
}

pub(super) fn signed_in(sign_in: SignIn) -> SignedIn {
    let SignIn { account, session, tokens } = sign_in;
    let current = session.id;
    SignedIn {
        account: account.into(),
        session: SessionView::new(session, Some(current)),
        tokens: TokensView {
            access_token: tokens.access,
            refresh_token: tokens.refresh,
            token_type: "Bearer".to_owned(),
            expires_in: tokens.expires_in.as_secs(),
        },
    }
}
