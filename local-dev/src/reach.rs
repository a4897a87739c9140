//! What is in a data directory, for commands that work on them: in the store of the local-dev
//! that has the directory, or, when none has, in one that is opened for the command.
//!
//! A command delivers nothing: it would call event handlers, and end in the middle of them.

use std::path::Path;

use api::{App, Settings};
use auth::SigningKey;
use models::{
    Ambient,
    store::{Connection, Store},
};

use crate::{DataDir, DataError, EmbeddedStore, Gateway, LaptopError, address, laptop};

/// Nobody has the address. It is not told again: whoever asked has typed it.
#[derive(Debug, thiserror::Error)]
#[error(
    "nobody here has this address; register it (POST /v1/accounts), or make two people with `seed`"
)]
pub(crate) struct Nobody;

/// A way to the accounts of a data directory.
pub(crate) struct Reach {
    /// As that local-dev has them, with the key that signs tokens there.
    pub(crate) settings: Settings,
    /// Where the accounts are.
    pub(crate) store: Store,
    /// The store and its directory, where they are this process's own.
    own: Option<(EmbeddedStore, DataDir)>,
}

impl Reach {
    /// Open the directory; while another local-dev has it, become a client of that one's store.
    pub(crate) async fn open(path: &Path) -> Result<Self, LaptopError> {
        match Self::open_alone(path).await {
            Err(LaptopError::Data(DataError::InUse(path))) => {
                let (signing_key, endpoint) = address::in_use(&path)?;
                Self::of(signing_key, laptop::connection_to(&endpoint), None)
            }
            outcome => outcome,
        }
    }

    /// Open the directory, which no other local-dev may have.
    pub(crate) async fn open_alone(path: &Path) -> Result<Self, LaptopError> {
        let data = DataDir::open(path)?;
        let (signing_key, store) = laptop::open_store(Some(&data), 0).await?;
        Self::of(signing_key, laptop::connection(&store), Some((store, data)))
    }

    fn of(
        signing_key: SigningKey,
        connection: Connection,
        own: Option<(EmbeddedStore, DataDir)>,
    ) -> Result<Self, LaptopError> {
        let settings = laptop::settings(signing_key, connection)?;
        let store = Store::connect(settings.store.clone(), Ambient::system());
        Ok(Self { settings, store, own })
    }

    /// Whether another local-dev serves the directory.
    pub(crate) fn is_served(&self) -> bool {
        self.own.is_none()
    }

    /// The app's way in.
    pub(crate) fn gateway(&self) -> Gateway {
        let ambient = Ambient::system();
        Gateway::new(App::new(self.settings.clone(), ambient.clone()), ambient)
    }

    /// Close the store, if it is this process's own.
    pub(crate) async fn close(self) {
        if let Some((store, data)) = self.own {
            store.stop().await;
            drop(data);
        }
    }
}
