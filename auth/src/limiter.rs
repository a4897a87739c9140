use futures_util::future::join;
use models::{
    Ambient,
    platform::limit::{Attempts, Window},
    store::Store,
};

use crate::{Error, Limits, Origin, limits::Limit};

/// What somebody tries.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    SignIn,
    Registration,
    PasswordChange,
    Refresh,
}

/// Counts attempts, and refuses those beyond a limit.
pub(crate) struct Limiter<'a> {
    limits: &'a Limits,
    attempts: Attempts,
    ambient: &'a Ambient,
}

impl<'a> Limiter<'a> {
    pub(crate) fn new(limits: &'a Limits, store: &'a Store) -> Self {
        Self { limits, attempts: Attempts::new(store.clone()), ambient: store.ambient() }
    }

    /// One more attempt at an account, by whatever text names it, whether or not there is one.
    ///
    /// What the network or the pair of both stops does not count for the account. So it takes many
    /// networks to use up what the account has, and none can lock a person out alone.
    pub(crate) async fn attempt(&self, act: Act, account: &str, from: Origin) -> Result<(), Error> {
        let (network, pair) = join(
            self.attempt_from_network(act, from),
            self.attempt_from_network_at_account(act, account, from),
        )
        .await;
        network?;
        pair?;
        self.attempt_at_account(act, account).await
    }

    /// One more attempt from there, at whatever account.
    pub(crate) async fn attempt_from_network(&self, act: Act, from: Origin) -> Result<(), Error> {
        let most = self.limit(act).per_network;
        self.count(act, "NETWORK", &[&network(from)], most).await
    }

    async fn attempt_from_network_at_account(
        &self,
        act: Act,
        account: &str,
        from: Origin,
    ) -> Result<(), Error> {
        match self.limit(act).per_account_and_network {
            Some(most) => {
                self.count(act, "ACCOUNT_AND_NETWORK", &[account, &network(from)], most).await
            }
            None => Ok(()),
        }
    }

    /// One more attempt at the account, from wherever.
    pub(crate) async fn attempt_at_account(&self, act: Act, account: &str) -> Result<(), Error> {
        let most = self.limit(act).per_account;
        self.count(act, "ACCOUNT", &[account], most).await
    }

    async fn count(&self, act: Act, per: &str, by: &[&str], most: u32) -> Result<(), Error> {
        let now = self.ambient.now();
        let window = Window::around(now, self.limits.window());
        let kind = format!("{}_PER_{per}", name(act));
        let most = u64::from(most);
        let count = self.attempts.count(&kind, by, window).await?;
        if count <= most {
            return Ok(());
        }
        // A line when the limit is passed, not one for each attempt after that.
        if count == most + 1 {
            tracing::warn!(limit = kind, "a limit is reached");
        }
        Err(Error::TooOften(window.left(now)))
    }

    fn limit(&self, act: Act) -> &Limit {
        match act {
            Act::SignIn => &self.limits.sign_in,
            Act::Registration => &self.limits.registration,
            Act::PasswordChange => &self.limits.password_change,
            Act::Refresh => &self.limits.refresh,
        }
    }
}

/// As a part of keys. Never changes, or counters begin anew.
fn name(act: Act) -> &'static str {
    match act {
        Act::SignIn => "SIGN_IN",
        Act::Registration => "REGISTRATION",
        Act::PasswordChange => "PASSWORD_CHANGE",
        Act::Refresh => "REFRESH",
    }
}

/// Every gateway says whose address it saw. Requests without one are counted together.
fn network(from: Origin) -> String {
    from.network.map_or_else(|| "unknown".to_owned(), |network| network.to_string())
}
