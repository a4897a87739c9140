//! What is in a data directory, for commands that work on them: in the store of the local-dev
//! that has the directory, or, when none has, in one that is opened for the command.

use std::path::Path;

use api::Settings;
use models::{Ambient, store::Store};

use crate::{DataDir, DataError, Laptop, LaptopError, Ports, data, laptop};

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
    /// The store, where it is this process's own.
    laptop: Option<Laptop>,
}

impl Reach {
    /// Open the directory; while another local-dev has it, become a client of that one's store.
    pub(crate) async fn open(path: &Path) -> Result<Self, LaptopError> {
        let (signing_key, connection, laptop) = match DataDir::open(path) {
            Ok(data) => {
                let signing_key = data.signing_key()?;
                let laptop = Laptop::start(Some(data), Ports::default()).await?;
                (signing_key, laptop::connection(&laptop.store), Some(laptop))
            }
            Err(DataError::InUse(path)) => {
                let (signing_key, endpoint) = data::in_use(&path)?;
                (signing_key, laptop::connection_to(&endpoint), None)
            }
            Err(error) => return Err(error.into()),
        };
        let settings = laptop::settings(signing_key, connection)?;
        let store = Store::connect(settings.store.clone(), Ambient::system());
        Ok(Self { settings, store, laptop })
    }

    /// Close the store, if it is this process's own.
    pub(crate) async fn close(self) {
        if let Some(laptop) = self.laptop {
            laptop.stop().await;
        }
    }
}
