//! WHO YOU ARE: keys, tokens, passwords, accounts, sessions, and the check of a request's header.
//!
//! One rule: nothing in here names a route or a response body.
//!
//! [`Auth`] is the whole of it for the app: [`Auth::caller`] for requests that carry a token,
//! the others for those that want one.

mod accounts;
mod caller;
mod credentials;
mod error;
mod example_keys;
pub mod https;
mod issuers;
mod jwt;
mod kept_key;
mod key_error;
mod keys;
mod limiter;
mod limits;
mod mint;
mod passwords;
mod public_key;
mod refresh;
mod roles;
mod sessions;
mod signing_source;
mod tokens;
mod verifier;
mod verifying_key;

pub use accounts::SignIn;
pub use caller::Caller;
pub use error::{Error, TokenError};
pub use issuers::Issuer;
pub use kept_key::{KeptKey, Place};
pub use key_error::KeyError;
pub use keys::SigningKey;
pub use limits::{Limits, LimitsError};
pub use mint::mint;
pub use public_key::PublicKey;
pub use roles::{Roles, is_scope};
pub use sessions::SessionRules;
pub use signing_source::SigningSource;
pub use tokens::Tokens;

use models::{
    Ambient, Id,
    platform::{
        account::{Account, Accounts},
        app::Platform,
        keys::KeySet,
        session::Session,
    },
    store::{self, Owned, Store, Tries},
};
use std::{net::IpAddr, sync::Arc, time::Duration};

/// Who issues tokens and for whom. There is no default of these three and no "off".
#[derive(Clone)]
pub struct Settings {
    /// The `iss` of our tokens: the API's own URL.
    pub issuer: String,
    /// The `aud` of our tokens: the name of the API.
    pub audience: String,
    /// Where what signs them comes from.
    pub signing: SigningSource,
    /// Keys whose tokens are accepted, and which are published, beside the one that signs: the
    /// next one and the one before, while one takes over from the other.
    pub public_keys: Vec<PublicKey>,
    /// How often somebody may try.
    pub limits: Limits,
    /// How long sessions last.
    pub sessions: SessionRules,
    /// Which scopes a role gives. Unless said otherwise `admin` gives the scope `admin`.
    pub roles: Roles,
    /// Everybody else whose tokens are accepted.
    pub issuers: Vec<Issuer>,
    /// How long one of them may take to say its keys. A request that needs them waits for it.
    pub issuer_patience: Duration,
    /// PEM certificates to trust beside the public authorities' when they are asked.
    pub extra_roots: Option<Vec<u8>>,
}

impl Settings {
    /// These three, and the rest as most apps want it.
    pub fn new(
        issuer: impl Into<String>,
        audience: impl Into<String>,
        signing: impl Into<SigningSource>,
    ) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            signing: signing.into(),
            public_keys: Vec::new(),
            limits: Limits::default(),
            sessions: SessionRules::default(),
            roles: roles::default_roles(),
            issuers: Vec::new(),
            issuer_patience: Duration::from_secs(3),
            extra_roots: None,
        }
    }
}

/// Where a request comes from: what is counted by, and what a session shows of its device.
#[derive(Clone, Copy, Debug, Default)]
pub struct Origin {
    /// The client's address, or its network where a provider hands out whole ones (IPv6: /64).
    pub network: Option<IpAddr>,
    /// What the app says that it runs on.
    pub platform: Option<Platform>,
}

/// Issues and checks. Cheap to clone.
#[derive(Clone)]
pub struct Auth(Arc<Inner>, Store);

struct Inner {
    passwords: passwords::Passwords,
    limits: Limits,
    rules: SessionRules,
    tokens: tokens::Issuer,
    issuers: issuers::Issuers,
    ambient: Ambient,
}

impl Auth {
    /// Over the accounts and sessions of `store`, with its clock and randomness.
    pub fn new(settings: Settings, store: &Store) -> Self {
        let inner = Inner {
            passwords: passwords::Passwords::new(store.ambient().clone()),
            limits: settings.limits.clone(),
            rules: settings.sessions,
            issuers: issuers::Issuers::new(&settings, store.ambient()),
            tokens: tokens::Issuer::new(&settings, store.ambient().clone()),
            ambient: store.ambient().clone(),
        };
        Self(Arc::new(inner), store.clone())
    }

    /// The same for one request, over the table as that sees it.
    #[must_use]
    pub fn over(&self, store: Store) -> Self {
        Self(self.0.clone(), store)
    }

    /// Wait before another look at what somebody else was faster at.
    async fn back_off(&self, tries: &Tries) -> Result<(), Error> {
        if tries.back_off(&self.0.ambient).await {
            return Ok(());
        }
        Err(store::Error::Unavailable("others were faster too often".to_owned()).into())
    }

    fn accounts(&self) -> Accounts {
        Accounts::new(self.1.clone())
    }

    fn limiter(&self) -> limiter::Limiter<'_> {
        limiter::Limiter::new(&self.0.limits, &self.1)
    }

    #[expect(clippy::disallowed_methods, reason = "the token that is exchanged says whose")]
    fn sessions(&self, account: Id) -> Owned<Session> {
        Owned::new(self.1.clone(), account)
    }

    #[expect(clippy::disallowed_methods, reason = "the token that is exchanged says whose")]
    fn account(&self, account: Id) -> Owned<Account> {
        Owned::new(self.1.clone(), account)
    }

    /// The public keys that check our tokens, for others who want to.
    pub fn key_set(&self) -> KeySet {
        self.0.tokens.verifier().key_set()
    }

    /// The `iss` of our tokens.
    pub fn issuer(&self) -> &str {
        self.0.tokens.verifier().issuer()
    }
}
