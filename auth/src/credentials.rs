use models::{platform::account::Account, store};

use crate::{
    Auth, Error,
    passwords::{Checked, Place},
};

impl Auth {
    /// The account, if this is its password. Without an account it takes as long and as many calls
    /// of the store. A hash that took less effort than today's is replaced on the way.
    ///
    /// A hash that cannot be checked is answered like a wrong password: an error of its own would
    /// say that there is an account, to anybody who asks. Whoever runs the app reads it in the log.
    pub(crate) async fn authenticate(
        &self,
        place: Place,
        account: Option<Account>,
        password: &[u8],
    ) -> Result<Account, Error> {
        let hash = account.as_ref().map(|account| account.password_hash.clone());
        let checked = self.0.passwords.check(place, password, hash).await?;
        let account = account.ok_or(Error::WrongCredentials)?;
        match checked {
            Checked::Right => Ok(account),
            Checked::RightAndRehashed(hash) => self.keep_hash(account, hash).await,
            Checked::Wrong => Err(Error::WrongCredentials),
            Checked::Broken(why) => {
                tracing::error!(account = %account.id, "a stored password hash is broken: {why}");
                Err(Error::WrongCredentials)
            }
        }
    }

    /// On the condition that the account has not changed: a password that was set meanwhile stays.
    /// Who loses that race gets the account as it was read, and the hash another time.
    async fn keep_hash(&self, account: Account, hash: String) -> Result<Account, Error> {
        let mut stronger = Account { password_hash: hash, ..account.clone() };
        match self.account(account.id).replace(&mut stronger).await {
            Ok(()) => Ok(stronger),
            Err(store::Error::Conflict { .. }) => Ok(account),
            Err(error) => Err(error.into()),
        }
    }
}
