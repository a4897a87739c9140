//! Accounts: the people who use the app.

use serde::{Deserialize, Serialize};

use crate::{
    Id, Timestamp,
    platform::{
        common_passwords::uncommon,
        session::{Password, Session},
    },
    request,
    store::{Entity, Error, Key, Owned, Precondition, Store, WriteSet},
    view,
    wire::set,
};

/// A new account, and the device that it is made on.
#[request]
pub struct CreateAccount {
    /// The address to sign in with. Its case does not matter.
    #[validate(email)]
    pub email: String,
    /// The password to sign in with.
    #[validate(nested)]
    pub password: NewPassword,
    /// What other people see.
    #[validate(length(min = 1, max = 100))]
    #[schema(examples("Maya"))]
    pub display_name: String,
    /// What the person calls this device, shown in the list of sessions.
    #[validate(length(min = 1, max = 100))]
    #[schema(examples("Maya's phone"))]
    pub device_name: Option<String>,
}

/// A password to be: any characters, compared byte for byte.
#[request]
#[schema(examples("correct horse battery staple"))]
pub struct NewPassword(
    /// Not one of the commonest passwords, in any case.
    #[validate(bytes(min = 8, max = 1024), custom(function = uncommon))]
    String,
);

impl NewPassword {
    /// The bytes to hash.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// What to change. Absent means unchanged.
#[request]
pub struct UpdateAccount {
    /// What other people see.
    #[validate(length(min = 1, max = 100))]
    #[schema(examples("Maya"))]
    pub display_name: Option<String>,
}

/// A new password in place of the present one.
#[request]
pub struct ChangePassword {
    /// The account's present password.
    #[validate(nested)]
    pub current_password: Password,
    /// The password to sign in with from now on.
    #[validate(nested)]
    pub new_password: NewPassword,
}

/// Look an account up.
#[request]
pub struct FindAccount {
    /// The account's address, in any case.
    #[validate(email)]
    pub email: String,
}

/// An account as it is kept. Not `Debug`: it holds a password hash and an address.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Also the id of the partition of all that the person owns.
    pub id: Id,
    /// As the person wrote it.
    pub email: String,
    /// What other people see.
    pub display_name: String,
    /// In PHC string format, with algorithm and parameters.
    pub password_hash: String,
    /// Counts how often sessions were ended together. A session of an older epoch is over.
    #[serde(default)]
    pub session_epoch: u64,
    /// What the person is, such as `admin`. Which scopes a role gives, the configuration says.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Since when nobody gets new tokens for the account.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suspended_at: Option<Timestamp>,
    /// When the person registered.
    pub created_at: Timestamp,
    /// When the person last changed it.
    pub updated_at: Timestamp,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

impl Entity for Account {
    const KIND: &'static str = "PROFILE";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.id, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// Holds an address for one account: what makes addresses unique, and finds the account of one.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailClaim {
    email: String,
    account_id: Id,
    version: u64,
}

impl Entity for EmailClaim {
    const KIND: &'static str = "EMAIL";

    fn key(&self) -> Key {
        Key::unique::<Self>(&self.email)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// An account as its owner sees it.
#[view]
pub struct AccountView {
    /// The account's id.
    pub id: Id,
    /// The address to sign in with.
    #[schema(examples("maya@example.com"))]
    pub email: String,
    /// What other people see.
    #[schema(examples("Maya"))]
    pub display_name: String,
    /// When the person registered.
    pub created_at: Timestamp,
    /// When the person last changed it.
    pub updated_at: Timestamp,
    /// Counts the account's changes, from 1.
    pub version: u64,
}

impl From<Account> for AccountView {
    fn from(account: Account) -> Self {
        let Account { id, email, display_name, created_at, updated_at, version, .. } = account;
        Self { id, email, display_name, created_at, updated_at, version }
    }
}

/// An account as an admin sees it.
#[view]
pub struct ManagedAccountView {
    /// The account's id.
    pub id: Id,
    /// The address to sign in with.
    #[schema(examples("maya@example.com"))]
    pub email: String,
    /// What other people see.
    #[schema(examples("Maya"))]
    pub display_name: String,
    /// What the person is, such as `admin`.
    #[schema(examples("admin"))]
    pub roles: Vec<String>,
    /// Since when the account is suspended; absent when it is not.
    pub suspended_at: Option<Timestamp>,
    /// When the person registered.
    pub created_at: Timestamp,
    /// When the person last changed the account.
    pub updated_at: Timestamp,
    /// Counts the account's changes, from 1.
    pub version: u64,
}

impl From<Account> for ManagedAccountView {
    fn from(account: Account) -> Self {
        let Account { id, email, display_name, roles, suspended_at, .. } = account;
        let Account { created_at, updated_at, version, .. } = account;
        Self { id, email, display_name, roles, suspended_at, created_at, updated_at, version }
    }
}

impl Owned<Account> {
    /// The person's account.
    pub async fn own(&self) -> Result<Option<Account>, Error> {
        self.get(self.owner()).await
    }

    /// Change what the request names.
    pub async fn update(
        &self,
        precondition: &Precondition,
        request: UpdateAccount,
    ) -> Result<Option<Account>, Error> {
        let now = self.ambient().now();
        self.change(self.owner(), precondition, |account| {
            set(&mut account.display_name, request.display_name.clone());
            account.updated_at = now;
        })
        .await
    }
}

/// Everybody's accounts: for finding out who somebody is before anybody is signed in, and for those
/// who run the service.
#[derive(Clone)]
pub struct Accounts(Store);

impl Accounts {
    /// The accounts in this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Keep a new account with its first session. False when the address is taken.
    pub async fn register(
        &self,
        account: &mut Account,
        session: &mut Session,
    ) -> Result<bool, Error> {
        let mut claim =
            EmailClaim { email: comparable(&account.email), account_id: account.id, version: 1 };
        let writes = WriteSet::new().create(&mut claim).create(account).create(session);
        match self.0.write(writes).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { write: 0 }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The account that holds this address, in any case.
    pub async fn find_by_email(&self, email: &str) -> Result<Option<Account>, Error> {
        let claim = Key::unique::<EmailClaim>(&comparable(email));
        let claim = self.0.get::<EmailClaim>(claim).await?;
        // Nobody's account is looked for all the same: how long it takes shall not tell.
        let id = claim.map_or_else(|| self.0.ambient().new_id(), |claim| claim.account_id);
        self.find(id).await
    }

    /// The account of this id.
    pub async fn find(&self, id: Id) -> Result<Option<Account>, Error> {
        self.of(id).own().await
    }

    /// Keep a change of `account` that ends its sessions, all of them but `survivor`, which moves
    /// into the new epoch with it. False, and nothing is written, when the account or the survivor
    /// has changed since it was read.
    pub async fn end_sessions(
        &self,
        account: &mut Account,
        survivor: &mut Session,
    ) -> Result<bool, Error> {
        account.session_epoch += 1;
        survivor.epoch = account.session_epoch;
        match self.0.write(WriteSet::new().replace(account).replace(survivor)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Give the person a role. `None` when there is no such account.
    pub async fn give_role(&self, id: Id, role: &str) -> Result<Option<Account>, Error> {
        let has = |account: &Account| account.roles.iter().any(|known| known == role);
        let give = |account: &mut Account| account.roles.push(role.to_owned());
        Ok(self.make_sure(id, has, give).await?.map(|(account, _)| account))
    }

    /// Take a role from the person. `None` when there is no such account.
    pub async fn take_role(&self, id: Id, role: &str) -> Result<Option<Account>, Error> {
        let lacks = |account: &Account| account.roles.iter().all(|known| known != role);
        let take = |account: &mut Account| account.roles.retain(|known| known != role);
        Ok(self.make_sure(id, lacks, take).await?.map(|(account, _)| account))
    }

    /// From now on nobody gets new tokens for the account. Gives the account, and whether it was
    /// not suspended before; `None` when there is none.
    pub async fn suspend(&self, id: Id) -> Result<Option<(Account, bool)>, Error> {
        let now = self.0.ambient().now();
        let suspended = |account: &Account| account.suspended_at.is_some();
        self.make_sure(id, suspended, |account| account.suspended_at = Some(now)).await
    }

    /// Sessions and sign-in go on as before the suspension. Gives the account, and whether it was
    /// suspended; `None` when there is no such account.
    pub async fn resume(&self, id: Id) -> Result<Option<(Account, bool)>, Error> {
        let active = |account: &Account| account.suspended_at.is_none();
        self.make_sure(id, active, |account| account.suspended_at = None).await
    }

    /// Change an account that is not `so` yet; one that is stays as it is, its version too. Gives
    /// the account, and whether it was changed.
    async fn make_sure(
        &self,
        id: Id,
        so: impl Fn(&Account) -> bool,
        mut change: impl FnMut(&mut Account),
    ) -> Result<Option<(Account, bool)>, Error> {
        match self.find(id).await? {
            Some(account) if !so(&account) => {
                let change = |account: &mut Account| {
                    if !so(account) {
                        change(account);
                    }
                };
                let changed = self.of(id).change(id, &Precondition::None, change).await?;
                Ok(changed.map(|account| (account, true)))
            }
            known => Ok(known.map(|account| (account, false))),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "nobody is signed in yet, or an admin is")]
    fn of(&self, id: Id) -> Owned<Account> {
        Owned::new(self.0.clone(), id)
    }
}

/// Two addresses that differ in case reach one mailbox in practice (RFC 5321, section 2.4 leaves
/// it to the host). Addresses are ASCII.
pub fn comparable(email: &str) -> String {
    email.to_ascii_lowercase()
}
