//! The app on an embedded store: what the server serves and what `seed` fills.

use std::env;

use api::{App, Settings, Web};
use auth::{Limits, LimitsError, SigningKey};
use models::{
    Ambient,
    platform::config::Config,
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
    /// How often somebody may try.
    #[error("LANDLINE_LIMITS: {0}")]
    Limits(#[from] LimitsError),
}

impl Laptop {
    /// Start an app that keeps its data in this directory, or keeps nothing. The store listens on
    /// this loopback port; 0 is any.
    pub async fn start(
        data: Option<DataDir>,
        store_port: u16,
        config: Config,
    ) -> Result<Self, LaptopError> {
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
        let settings = Settings {
            auth: auth::Settings { limits: limits()?, ..auth_settings(signing_key) },
            store: connection,
            web: Web::default(),
            config,
        };
        let gateway = Gateway::new(App::new(settings, ambient.clone()), ambient);
        Ok(Self { gateway, store, data })
    }

    /// Close the store, then give the data directory back.
    pub async fn stop(self) {
        self.store.stop().await;
        drop(self.data);
    }
}

/// Who issues tokens here.
pub(crate) fn auth_settings(signing_key: SigningKey) -> auth::Settings {
    auth::Settings::new(ISSUER, AUDIENCE, signing_key)
}

/// The same as in the cloud, and by the same variable others: suites that sign in all day need it.
fn limits() -> Result<Limits, LimitsError> {
    let said = env::var("LANDLINE_LIMITS").unwrap_or_default();
    if said.trim().is_empty() { Ok(Limits::default()) } else { said.parse() }
}

/// How to reach an embedded store.
pub fn connection(store: &EmbeddedStore) -> Connection {
    connection_to(store.endpoint())
}

/// How to reach the embedded store at this endpoint, which may be another process's.
pub(crate) fn connection_to(endpoint: &str) -> Connection {
    Connection::embedded(endpoint, TABLE)
}
