use models::platform::{
    account::{Account, CreateAccount, comparable},
    session::{CreateSession, Session},
};

use crate::{Auth, Error, Origin, Tokens, limiter::Act, tokens::Grant};

/// Somebody is signed in.
pub struct SignIn {
    /// Who.
    pub account: Account,
    /// On which device.
    pub session: Session,
    /// With what tokens.
    pub tokens: Tokens,
}

impl Auth {
    /// Make an account and sign its first device in, in one transaction.
    pub async fn register(&self, request: CreateAccount, from: Origin) -> Result<SignIn, Error> {
        self.0.limiter.attempt(Act::Registration, &comparable(&request.email), from).await?;
        let CreateAccount { email, password, display_name, device_name } = request;
        let password_hash = self.0.passwords.hash(password.as_bytes()).await?;
        let now = self.0.ambient.now();
        let id = self.0.ambient.new_id();
        let (created_at, updated_at) = (now, now);
        let mut account =
            Account { id, email, display_name, password_hash, created_at, updated_at, version: 1 };
        let (mut session, refresh) = self.new_session(id, device_name);
        let grant = Grant { session: &session, scope: None, roles: &[] };
        let tokens = self.0.tokens.issue(grant, refresh.encode()).await?;
        if !self.0.accounts.register(&mut account, &mut session).await? {
            return Err(Error::EmailTaken);
        }
        Ok(SignIn { account, session, tokens })
    }

    /// Sign a device in. An unknown address and a wrong password answer alike, in time too.
    pub async fn sign_in(&self, request: CreateSession, from: Origin) -> Result<SignIn, Error> {
        self.0.limiter.attempt(Act::SignIn, &comparable(&request.email), from).await?;
        let CreateSession { email, password, device_name } = request;
        let account = self.0.accounts.find_by_email(&email).await?;
        let account = self.authenticate(account, password.as_bytes()).await?;
        let (mut session, refresh) = self.new_session(account.id, device_name);
        let grant = Grant { session: &session, scope: None, roles: &[] };
        let tokens = self.0.tokens.issue(grant, refresh.encode()).await?;
        self.sessions(account.id).keep(&mut session).await?;
        Ok(SignIn { account, session, tokens })
    }
}
