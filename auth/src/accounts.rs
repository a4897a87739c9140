use models::platform::{
    account::{Account, ChangePassword, CreateAccount, comparable},
    session::{CreateSession, Session},
};

use crate::{Auth, Caller, Error, Origin, Tokens, limiter::Act};

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
        let place = self.0.passwords.place()?;
        self.limiter().attempt(Act::Registration, &comparable(&request.email), from).await?;
        let CreateAccount { email, password, display_name, device_name } = request;
        let password_hash = self.0.passwords.hash(place, password.as_bytes()).await?;
        let now = self.0.ambient.now();
        let mut account = Account {
            id: self.0.ambient.new_id(),
            email,
            display_name,
            password_hash,
            session_epoch: 0,
            roles: Vec::new(),
            suspended_at: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let (mut session, refresh) = self.new_session(&account, device_name, from);
        let tokens = self.0.tokens.issue(&account, &session, refresh.encode()).await?;
        if !self.accounts().register(&mut account, &mut session).await? {
            return Err(Error::EmailTaken);
        }
        Ok(SignIn { account, session, tokens })
    }

    /// Sign a device in. An unknown address and a wrong password answer alike, in time too; that
    /// an account is suspended is told to those who know its password.
    pub async fn sign_in(&self, request: CreateSession, from: Origin) -> Result<SignIn, Error> {
        let place = self.0.passwords.place()?;
        self.limiter().attempt(Act::SignIn, &comparable(&request.email), from).await?;
        let CreateSession { email, password, device_name } = request;
        let account = self.accounts().find_by_email(&email).await?;
        let account = self.authenticate(place, account, password.as_bytes()).await?;
        self.start_session(account, device_name, from).await
    }

    /// Sign a device in to the account, unless it is suspended.
    pub(crate) async fn start_session(
        &self,
        account: Account,
        device_name: Option<String>,
        from: Origin,
    ) -> Result<SignIn, Error> {
        if account.suspended_at.is_some() {
            return Err(Error::Suspended);
        }
        let (mut session, refresh) = self.new_session(&account, device_name, from);
        let tokens = self.0.tokens.issue(&account, &session, refresh.encode()).await?;
        self.sessions(account.id).keep(&mut session).await?;
        Ok(SignIn { account, session, tokens })
    }

    /// Give the caller's account another password, and end every other session with the same
    /// write: whoever signed in with the old password is out.
    pub async fn change_password(
        &self,
        caller: &Caller,
        request: ChangePassword,
        from: Origin,
    ) -> Result<(), Error> {
        let place = self.0.passwords.place()?;
        self.limiter().attempt(Act::PasswordChange, &caller.account.to_string(), from).await?;
        let ChangePassword { current_password, new_password } = request;
        let (account, mut session) = self.account_and_session(caller).await?;
        let current = current_password.as_bytes();
        let account = self.authenticate(place.clone(), Some(account), current).await;
        let mut account = account.map_err(wrong_password)?;
        let compared = account.password_hash.clone();
        let new_hash = self.0.passwords.hash(place, new_password.as_bytes()).await?;
        let tries = self.1.tries();
        loop {
            account.password_hash.clone_from(&new_hash);
            account.updated_at = self.0.ambient.now();
            if self.accounts().end_sessions(&mut account, &mut session).await? {
                tracing::info!(account = %account.id, "the password was changed");
                return Ok(());
            }
            self.back_off(&tries).await?;
            (account, session) = self.account_and_session(caller).await?;
            if account.password_hash != compared {
                // Another change came between: what was given is not the password any more.
                return Err(Error::WrongPassword);
            }
        }
    }
}

/// Whoever changes a password gives no address that could be wrong.
fn wrong_password(error: Error) -> Error {
    match error {
        Error::WrongCredentials => Error::WrongPassword,
        other => other,
    }
}
