//! The app on an embedded store: what the server serves and what `seed` fills.

use std::{env, path::Path, sync::Arc, time::Duration};

use api::{
    App, Settings, SettingsError,
    events::{DeclarationsError, Events, FailureStore},
    platform::outbox::{Receivers, Webhooks},
};
use auth::SigningKey;
use models::{
    Ambient,
    store::{Connection, Store},
};

use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    DataDir, DataError, EmbeddedStore, Gateway, Mailbox, StoreError, data::FAILURES,
    mapping::Mapping,
};

/// The table's name in the embedded store.
const TABLE: &str = "landline";
/// Who signs access tokens here. Always the same, so that a session outlives a change of `--port`.
pub(crate) const ISSUER: &str = "http://localhost:3000";
/// What tokens are for here.
pub(crate) const AUDIENCE: &str = "landline";

/// An app with its store. The store stops when this is dropped.
pub struct Laptop {
    /// The way in.
    pub gateway: Gateway,
    /// Where the app keeps things.
    pub store: EmbeddedStore,
    /// Ours while the app runs; none when nothing is kept.
    pub data: Option<DataDir>,
    /// The mails that were sent.
    pub mailbox: Arc<Mailbox>,
    /// Follows the table's stream; ends when the sender is dropped.
    mapping: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// What is being delivered when the app stops may take so long. What is not done then is done after
/// the next start.
const GRACE: Duration = Duration::from_secs(2);

/// Why the app did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LaptopError {
    /// The data directory.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The embedded store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The table could not be made.
    #[error("cannot create the table in the embedded store: {0}")]
    Table(String),
    /// What the environment says of tokens, sessions and apps.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// What modules say of their event handlers.
    #[error(transparent)]
    Declarations(#[from] DeclarationsError),
}

impl Laptop {
    /// Start an app that keeps its data in this directory, or keeps nothing. The store listens on
    /// this loopback port; 0 is any.
    pub async fn start(data: Option<DataDir>, store_port: u16) -> Result<Self, LaptopError> {
        let ambient = Ambient::system();
        let (signing_key, store) = match &data {
            Some(data) => (data.signing_key()?, EmbeddedStore::open_on(&data.store(), store_port)?),
            None => (SigningKey::generate(), EmbeddedStore::memory_on(store_port)?),
        };
        let connection = connection(&store);
        Store::connect(connection.clone(), ambient.clone())
            .create_table()
            .await
            .map_err(|error| LaptopError::Table(error.to_string()))?;
        if let Some(data) = &data {
            data.announce(store.endpoint())?;
        }
        let settings = settings(signing_key, connection)?;
        let path = data.as_ref().map(DataDir::path);
        let mailbox = Arc::new(Mailbox::of(path, ambient.clone()));
        let failures = failures(path);
        let events = events(settings.clone(), failures.clone(), mailbox.clone(), ambient.clone())?;
        let mapping = match store.stream(TABLE)? {
            Some(stream) => {
                let mapping = Mapping::new(stream, events, failures, ambient.clone());
                let (stop, stopped) = oneshot::channel();
                Some((stop, EmbeddedStore::beside(mapping.follow(stopped))?))
            }
            None => None,
        };
        let gateway = Gateway::new(App::new(settings, ambient.clone()), ambient);
        Ok(Self { gateway, store, data, mailbox, mapping })
    }

    /// Close the store, then give the data directory back.
    pub async fn stop(self) {
        if let Some((stop, mapping)) = self.mapping {
            drop(stop);
            drop(timeout(GRACE, mapping).await);
        }
        self.store.stop().await;
        drop(self.data);
    }
}

/// As in the cloud, by the variables of `docs/configuration.md`, but for key, store and names.
pub(crate) fn settings(
    signing_key: SigningKey,
    store: Connection,
) -> Result<Settings, SettingsError> {
    let auth = auth::Settings::new(ISSUER, AUDIENCE, signing_key);
    Settings::of_a_laptop(auth, store, |name| env::var(name).ok())
}

/// Where records are that were never handled: in the data directory, or in memory.
pub(crate) fn failures(data: Option<&Path>) -> FailureStore {
    data.map_or_else(FailureStore::memory, |data| FailureStore::folder(data.join(FAILURES)))
}

/// The event handlers, as the events function has them; mails go into the mailbox, and webhooks may
/// be of this machine.
pub(crate) fn events(
    settings: Settings,
    failures: FailureStore,
    mailbox: Arc<Mailbox>,
    ambient: Ambient,
) -> Result<Events, DeclarationsError> {
    let webhooks = Webhooks::new(settings.auth.extra_roots.clone()).with_this_machine();
    let receivers = Receivers { mailer: Some(mailbox), webhooks: Arc::new(webhooks) };
    Ok(Events::new(settings, failures, ambient)?.delivering_to(receivers))
}

/// How to reach an embedded store.
pub fn connection(store: &EmbeddedStore) -> Connection {
    connection_to(store.endpoint())
}

/// How to reach the embedded store at this endpoint, which may be another process's.
pub(crate) fn connection_to(endpoint: &str) -> Connection {
    Connection::embedded(endpoint, TABLE)
}
