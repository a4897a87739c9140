use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use models::{
    Id, Timestamp,
    platform::session::{RefreshSession, Session},
    store::Precondition,
};

use crate::{
    Auth, Error, Origin, SignIn,
    limiter::Act,
    refresh::{RefreshToken, Standing},
    tokens::Grant,
};

/// A session that is not used for so long ends.
const IDLE: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// A session ends after so long, used or not.
const ABSOLUTE: Duration = Duration::from_secs(365 * 24 * 60 * 60);

impl Auth {
    /// Exchange a refresh token for new tokens. A phone that lost the answer asks again with the
    /// same token and gets the same successor, until that successor has been used. An older
    /// token ends the session: two parties hold tokens of it.
    pub async fn refresh(&self, request: RefreshSession, from: Origin) -> Result<SignIn, Error> {
        self.0.limiter.attempt_from_network(Act::Refresh, from).await?;
        let presented = RefreshToken::decode(&request.refresh_token).ok_or(Error::SessionEnded)?;
        let sessions = self.sessions(presented.account);
        let mut counted = false;
        loop {
            let session = sessions.get(presented.session).await?;
            let mut session = session.ok_or(Error::SessionEnded)?;
            let standing = presented.standing(&session);
            // Only who has a token counts for the account: anybody can make one up.
            if !counted && matches!(standing, Standing::Newest | Standing::Previous) {
                let account = presented.account.to_string();
                self.0.limiter.attempt_at_account(Act::Refresh, &account).await?;
                counted = true;
            }
            match standing {
                Standing::Newest => {
                    let next = presented.successor(&session.salt);
                    let now = self.0.ambient.now();
                    session.generation += 1;
                    session.secret_hash = next.hash();
                    session.last_used_at = now;
                    session.expires_at = end(session.created_at, now);
                    // Lost to a parallel exchange, the token is the previous one next time
                    // around; lost to a sign-out, the session is gone.
                    if sessions.rotate(&mut session).await? {
                        return self.signed_in(session, &next).await;
                    }
                }
                Standing::Previous => {
                    let next = presented.successor(&session.salt);
                    return self.signed_in(session, &next).await;
                }
                Standing::Older => {
                    sessions.delete(session.id, &Precondition::None).await?;
                    tracing::warn!(session = %session.id, "an old refresh token ended its session");
                    return Err(Error::SessionEnded);
                }
                Standing::Forged => return Err(Error::SessionEnded),
            }
        }
    }

    /// A new session of the account, not yet kept, and its first refresh token.
    pub(crate) fn new_session(
        &self,
        account: Id,
        device_name: Option<String>,
    ) -> (Session, RefreshToken) {
        let ambient = &self.0.ambient;
        let now = ambient.now();
        let id = ambient.new_id();
        let token = RefreshToken::first(account, id, ambient.random());
        let session = Session {
            id,
            account_id: account,
            device_name,
            generation: 0,
            secret_hash: token.hash(),
            salt: URL_SAFE_NO_PAD.encode(ambient.random::<32>()),
            created_at: now,
            last_used_at: now,
            expires_at: end(now, now),
            version: 1,
        };
        (session, token)
    }

    async fn signed_in(&self, session: Session, refresh: &RefreshToken) -> Result<SignIn, Error> {
        let account = self.account(session.account_id).own().await?.ok_or(Error::SessionEnded)?;
        let grant = Grant { session: &session, scope: None, roles: &[] };
        let tokens = self.0.tokens.issue(grant, refresh.encode()).await?;
        Ok(SignIn { account, session, tokens })
    }
}

fn end(created: Timestamp, used: Timestamp) -> Timestamp {
    used.plus(IDLE).min(created.plus(ABSOLUTE))
}
