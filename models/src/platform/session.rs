//! Sessions: the devices on which a person is signed in.

use serde::{Deserialize, Serialize};

use crate::{
    Id, Timestamp,
    platform::{account::AccountView, app::Platform},
    request,
    store::{Entity, Error, Key, Owned, Page},
    view,
};

/// Sign in with address and password.
#[request]
pub struct CreateSession {
    /// The account's address, in any case.
    #[validate(email)]
    pub email: String,
    /// The account's password.
    #[validate(nested)]
    pub password: Password,
    /// What the person calls this device, shown in the list of sessions.
    #[validate(length(min = 1, max = 100))]
    #[schema(examples("Maya's phone"))]
    pub device_name: Option<String>,
}

/// A password as given at sign-in. Not held to the rules of a new one, which may have changed
/// since it was set.
#[request]
#[schema(examples("correct horse battery staple"))]
pub struct Password(#[validate(bytes(min = 1, max = 1024))] String);

impl Password {
    /// The bytes to compare.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// Exchange a refresh token for new tokens.
#[request]
pub struct RefreshSession {
    /// The newest refresh token that this device was given.
    #[validate(length(min = 1, max = 500))]
    #[schema(examples("AZqzxXoQfD6dTyuOah8MXQ.q0FJ8VnEwS3nO2m5Wc1xYg"))]
    pub refresh_token: String,
}

/// Which sessions to list.
#[request(query)]
pub struct ListSessions {
    /// At most so many sessions on a page; 20 when absent.
    #[validate(range(min = 1, max = 100))]
    pub limit: Option<u32>,
    /// `nextCursor` of the page before.
    #[validate(length(min = 1, max = 1000))]
    pub cursor: Option<String>,
}

/// A session as it is kept: the family of one device's refresh tokens. Only a hash of the newest
/// token is kept, so the table gives nobody a usable one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The session's id.
    pub id: Id,
    /// Whose session it is.
    pub account_id: Id,
    /// What the person calls the device.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub device_name: Option<String>,
    /// What the device runs on, as its app last said.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub platform: Option<Platform>,
    /// Of which epoch of its account the session is. See [`Account::session_epoch`].
    ///
    /// [`Account::session_epoch`]: crate::platform::account::Account::session_epoch
    #[serde(default)]
    pub epoch: u64,
    /// How many times the refresh token was exchanged.
    pub generation: u32,
    /// SHA-256 of the newest refresh token's secret, base64url.
    pub secret_hash: String,
    /// The family's own salt, base64url: with it a token leads to its successor.
    pub salt: String,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the device last exchanged its token.
    pub last_used_at: Timestamp,
    /// When the session ends unless it is used before.
    pub expires_at: Timestamp,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

impl Entity for Session {
    const KIND: &'static str = "SESSION";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.account_id, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

/// A session as its owner sees it.
#[view]
pub struct SessionView {
    /// The session's id.
    pub id: Id,
    /// What the person calls the device.
    #[schema(examples("Maya's phone"))]
    pub device_name: Option<String>,
    /// What the device runs on, such as `ios` or `android`, where its app says so.
    #[schema(examples("ios"))]
    pub platform: Option<String>,
    /// Whether this request came from this session.
    pub current: bool,
    /// When the person signed in.
    pub created_at: Timestamp,
    /// When the device last refreshed its tokens.
    pub last_used_at: Timestamp,
    /// When the session ends unless it is used before.
    pub expires_at: Timestamp,
}

/// Some sessions, newest first.
#[view]
pub struct SessionPage {
    /// The sessions; may be empty although there is a next page.
    pub items: Vec<SessionView>,
    /// Where the next page begins; absent on the last page.
    #[schema(examples("AQyZ3dUeXo1Qf0ZGV4YW1wbGU"))]
    pub next_cursor: Option<String>,
}

/// What a device needs to act for a person.
#[view]
pub struct TokensView {
    /// For the `Authorization` header of requests: `Bearer <accessToken>`. Expires soon.
    #[schema(examples("eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIuLi4ifQ.MEUCIQ"))]
    pub access_token: String,
    /// To be exchanged for new tokens at `POST /v1/sessions/refresh`. Keep it safe.
    #[schema(examples("AZqzxXoQfD6dTyuOah8MXQ.q0FJ8VnEwS3nO2m5Wc1xYg"))]
    pub refresh_token: String,
    /// Always `Bearer` (RFC 6750).
    #[schema(examples("Bearer"))]
    pub token_type: String,
    /// For how many seconds the access token is good.
    #[schema(examples(900), maximum = 9007199254740991i64)]
    pub expires_in: u64,
}

/// Somebody is signed in: who, on which device, with what tokens.
#[view]
pub struct SignedIn {
    /// Who.
    pub account: AccountView,
    /// On which device.
    pub session: SessionView,
    /// With what tokens.
    pub tokens: TokensView,
}

impl SessionView {
    /// The view of `session` for a request that came from the session `current`.
    pub fn new(session: Session, current: Option<Id>) -> Self {
        let Session { id, device_name, created_at, last_used_at, expires_at, .. } = session;
        let platform = session.platform.map(|platform| platform.name().to_owned());
        let current = Some(id) == current;
        Self { id, device_name, platform, current, created_at, last_used_at, expires_at }
    }
}

impl SessionPage {
    /// The view of a page for a request that came from the session `current`.
    pub fn new(page: Page<Session>, current: Option<Id>) -> Self {
        let Page { items, next_cursor } = page.map(|session| SessionView::new(session, current));
        Self { items, next_cursor }
    }
}

impl Owned<Session> {
    /// A page of the sessions of `epoch`, newest first. Those of older ones are over.
    pub async fn list(&self, request: &ListSessions, epoch: u64) -> Result<Page<Session>, Error> {
        let mut page = self.page(request.limit, request.cursor.as_deref(), None).await?;
        page.items.retain(|session| session.epoch >= epoch);
        Ok(page)
    }

    /// Keep what an exchange changed. False when another exchange or a sign-out came between.
    pub async fn rotate(&self, session: &mut Session) -> Result<bool, Error> {
        match self.replace(session).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
