//! The app on an embedded store: what the server serves and what `seed` fills.

use std::env;

use api::{App, Settings, SettingsError};
use auth::SigningKey;
use models::{
    Ambient,
    store::{Connection, Store},
};

use crate::{DataDir, DataError, EmbeddedStore, Gateway, StoreError};

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
}

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
}

impl Laptop {
    /// Start an app that keeps its data in this directory, or keeps nothing. The store listens on
    /// this loopback port; 0 is any.
    pub async fn start(data: Option<DataDir>, store_port: u16) -> Result<Self, LaptopError> {
        let ambient = Ambient::system();
        let (signing_key, mut store) = match &data {
            Some(data) => (data.signing_key()?, EmbeddedStore::open_on(&data.store(), store_port)?),
            None => (SigningKey::generate(), EmbeddedStore::memory_on(store_port)?),
        };
        let connection = connection(&store);
        Store::connect(connection.clone(), ambient.clone())
            .create_table()
            .await
            .map_err(|error| LaptopError::Table(error.to_string()))?;
        store.follow_outbox(TABLE)?;
        if let Some(data) = &data {
            data.announce(store.endpoint())?;
        }
        let settings = settings(signing_key, connection)?;
        let gateway = Gateway::new(App::new(settings, ambient.clone()), ambient);
        Ok(Self { gateway, store, data })
    }

    /// Close the store, then give the data directory back.
    pub async fn stop(self) {
        self.store.stop().await;
        drop(self.data);
    }
}

/// As in the cloud, by the variables of `docs/configuration.md`, but for key, store and names.
pub(crate) fn settings(
    signing_key: SigningKey,
    store: Connection,
) -> Result<Settings, SettingsError> {
    Settings::check_names(env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    let auth = auth::Settings::new(ISSUER, AUDIENCE, signing_key);
    Settings::of_a_laptop(auth, store, |name| env::var(name).ok())
}

/// How to reach an embedded store.
pub fn connection(store: &EmbeddedStore) -> Connection {
    connection_to(store.endpoint())
}

/// How to reach the embedded store at this endpoint, which may be another process's.
pub(crate) fn connection_to(endpoint: &str) -> Connection {
    Connection::embedded(endpoint, TABLE)
}
