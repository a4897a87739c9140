use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use models::{
    Timestamp,
    platform::{
        account::Account,
        session::{RefreshSession, Session},
    },
    store::Precondition,
};

use crate::{
    Auth, Caller, Error, Origin, SignIn,
    limiter::Act,
    refresh::{RefreshToken, Standing},
};

/// How long a session lasts, and how long a refresh token that was exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRules {
    /// A session that is not used for so long ends.
    pub idle: Duration,
    /// A session ends after so long, used or not: the bound on two parties who share one.
    pub lifetime: Duration,
    /// For how long after its exchange a refresh token may come back for the same successor.
    /// `None`: until the successor is used, however late a phone that lost the answer asks again.
    pub reuse: Option<Duration>,
}

impl Default for SessionRules {
    fn default() -> Self {
        let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
        Self { idle: days(90), lifetime: days(365), reuse: None }
    }
}

impl SessionRules {
    fn end(&self, created: Timestamp, used: Timestamp) -> Timestamp {
        used.plus(self.idle).min(created.plus(self.lifetime))
    }

    /// By the rules of today: they may have become stricter since its end was written down.
    fn is_over(&self, session: &Session, now: Timestamp) -> bool {
        self.end(session.created_at, session.last_used_at) <= now
    }

    /// Whether the token before the newest may still come back.
    fn may_come_back(&self, session: &Session, now: Timestamp) -> bool {
        self.reuse.is_none_or(|window| now < session.last_used_at.plus(window))
    }
}

impl Auth {
    /// Exchange a refresh token for new tokens. A phone that lost the answer asks again with the
    /// same token and gets the same successor, until that successor has been used. An older
    /// token ends the session: two parties hold tokens of it.
    ///
    /// No refresh token that a revocation leaves behind can be used, whatever it races with; an
    /// access token lives for its 15 minutes, one that was made at that moment too. Both epochs only
    /// rise, and a session's rises in no other write than its account's, in one transaction.
    ///
    /// - A session that lags behind its account therefore lags for good, and whoever asks after
    ///   the revocation reads an account that is ahead of it. An exchange that had read the
    ///   account before may still be written; its session keeps its epoch, so the token that
    ///   comes out of it is refused like those before.
    /// - The account is read first. Were it read last, a session that the revocation spares could
    ///   be read before it and the account after it, and would look as if it lagged.
    /// - The exchange is written on the condition that the session is as it was read. So it
    ///   neither takes back the epoch that a revocation gave to the session meanwhile nor brings
    ///   back one that was signed out: it loses, and looks again.
    pub async fn refresh(&self, request: RefreshSession, from: Origin) -> Result<SignIn, Error> {
        // Strangers with tokens of their own making, or a carrier's thousand phones behind one
        // address, do not stop who has a token of ours.
        let crowded = match self.limiter().attempt_from_network(Act::Refresh, from).await {
            Err(crowded @ Error::TooOften(_)) => Some(crowded),
            counted => counted.map(|()| None)?,
        };
        match self.exchange(request, from).await {
            Err(Error::SessionEnded) => Err(crowded.unwrap_or(Error::SessionEnded)),
            outcome => outcome,
        }
    }

    async fn exchange(&self, request: RefreshSession, from: Origin) -> Result<SignIn, Error> {
        let presented = RefreshToken::decode(&request.refresh_token).ok_or(Error::SessionEnded)?;
        let sessions = self.sessions(presented.account);
        let mut counted = false;
        let tries = self.1.tries();
        loop {
            let account = self.account(presented.account).own().await?;
            let account = account.ok_or(Error::SessionEnded)?;
            let session = sessions.get(presented.session).await?;
            let session = session.ok_or(Error::SessionEnded)?;
            let now = self.0.ambient.now();
            if session.epoch < account.session_epoch || self.0.rules.is_over(&session, now) {
                return Err(Error::SessionEnded);
            }
            let standing = self.standing(&presented, &session, now);
            // Only who has a token counts for the account: anybody can make one up.
            if !counted && matches!(standing, Standing::Newest | Standing::Previous) {
                let account = account.id.to_string();
                self.limiter().attempt_at_account(Act::Refresh, &account).await?;
                counted = true;
            }
            let next = presented.successor(&session.salt);
            match standing {
                Standing::Newest | Standing::Previous if account.suspended_at.is_some() => {
                    return Err(Error::Suspended);
                }
                // Lost to a parallel exchange, the token is the previous one next time around;
                // lost to a sign-out, the session is gone.
                Standing::Newest => {
                    if let Some(done) = self.rotate(account, session, &next, from).await? {
                        return Ok(done);
                    }
                    self.back_off(&tries).await?;
                }
                Standing::Previous => {
                    let tokens = self.0.tokens.issue(&account, &session, next.encode()).await?;
                    return Ok(SignIn { account, session, tokens });
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

    /// Make `next` the session's newest token; `None` when the session has changed meanwhile. The
    /// tokens are made first: where the signing key cannot be had, the token in hand stays the
    /// newest one.
    async fn rotate(
        &self,
        account: Account,
        mut session: Session,
        next: &RefreshToken,
        from: Origin,
    ) -> Result<Option<SignIn>, Error> {
        let now = self.0.ambient.now();
        session.generation += 1;
        session.secret_hash = next.hash();
        session.platform = from.platform.or(session.platform);
        session.last_used_at = now;
        session.expires_at = self.0.rules.end(session.created_at, now);
        let tokens = self.0.tokens.issue(&account, &session, next.encode()).await?;
        let rotated = self.sessions(account.id).rotate(&mut session).await?;
        Ok(rotated.then_some(SignIn { account, session, tokens }))
    }

    fn standing(&self, token: &RefreshToken, session: &Session, now: Timestamp) -> Standing {
        match token.standing(session) {
            Standing::Previous if !self.0.rules.may_come_back(session, now) => Standing::Older,
            standing => standing,
        }
    }

    /// End every session of the caller's account but the caller's own.
    pub async fn end_other_sessions(&self, caller: &Caller) -> Result<(), Error> {
        let tries = self.1.tries();
        loop {
            let (mut account, mut session) = self.account_and_session(caller).await?;
            if self.accounts().end_sessions(&mut account, &mut session).await? {
                tracing::info!(account = %account.id, "all other sessions were ended");
                return Ok(());
            }
            self.back_off(&tries).await?;
        }
    }

    /// The caller's account and session, as a change of both wants them: the account is read
    /// first, as in [`refresh`](Self::refresh). An access token outlives its session by minutes,
    /// and a suspension; in that time it can neither end other sessions nor change the password.
    pub(crate) async fn account_and_session(
        &self,
        caller: &Caller,
    ) -> Result<(Account, Session), Error> {
        let id = caller.session.ok_or(Error::NoAccount)?;
        let account = self.account(caller.account).own().await?.ok_or(Error::SessionEnded)?;
        if account.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        let session = self.sessions(account.id).get(id).await?;
        let session = session.filter(|session| session.epoch >= account.session_epoch);
        session.map(|session| (account, session)).ok_or(Error::SessionEnded)
    }

    /// A new session of the account, not yet kept, and its first refresh token. It is of the
    /// epoch of the account as it was read: should a revocation or a change of password come
    /// before it is kept, it is over before it is used.
    pub(crate) fn new_session(
        &self,
        account: &Account,
        device_name: Option<String>,
        from: Origin,
    ) -> (Session, RefreshToken) {
        let ambient = &self.0.ambient;
        let now = ambient.now();
        let id = ambient.new_id();
        let token = RefreshToken::first(account.id, id, ambient.random());
        let session = Session {
            id,
            account_id: account.id,
            device_name,
            platform: from.platform,
            epoch: account.session_epoch,
            generation: 0,
            secret_hash: token.hash(),
            salt: URL_SAFE_NO_PAD.encode(ambient.random::<32>()),
            created_at: now,
            last_used_at: now,
            expires_at: self.0.rules.end(now, now),
            version: 1,
        };
        (session, token)
    }
}
