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

use futures_util::future::join_all;
use tokio::{
    task::{AbortHandle, JoinHandle},
    time::timeout,
};

#[cfg(feature = "s3")]
use crate::{BucketError, EmbeddedBucket, data::FILES};
use crate::{
    DataDir, DataError, EmbeddedStore, Function, Gateway, Mailbox, StoreError,
    address::{Served, announce},
    data::FAILURES,
    producer::{Pollers, deliver},
};

/// The table's name in the embedded store.
pub(crate) const TABLE: &str = "landline";
/// Who signs access tokens here. Always the same, so that a session outlives a change of `--port`.
pub(crate) const ISSUER: &str = "http://localhost:3000";
/// What tokens are for here.
pub(crate) const AUDIENCE: &str = "landline";

/// Loopback ports of what stands in for AWS; 0 is any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The embedded store.
    pub store: u16,
    /// The embedded bucket.
    pub s3: u16,
}

/// An app with its store and its bucket. They stop when this is dropped.
pub struct Laptop {
    /// The way in.
    pub gateway: Gateway,
    /// Where the app keeps things.
    pub store: EmbeddedStore,
    /// Where files are.
    #[cfg(feature = "s3")]
    pub bucket: EmbeddedBucket,
    /// Ours while the app runs; none when nothing is kept.
    pub data: Option<DataDir>,
    /// The mails that were sent.
    pub mailbox: Arc<Mailbox>,
    /// Those of the table's stream, and of queues and streams.
    pollers: Pollers,
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
    /// The embedded bucket.
    #[cfg(feature = "s3")]
    #[error(transparent)]
    Bucket(#[from] BucketError),
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
    /// Start an app that keeps its data in this directory, or keeps nothing, and deliver what waits
    /// there. Store and bucket listen on these ports.
    pub async fn start(data: Option<DataDir>, ports: Ports) -> Result<Self, LaptopError> {
        let ambient = Ambient::system();
        let (signing_key, store) = open_store(data.as_ref(), ports.store).await?;
        let connection = connection(&store);
        let settings = settings(signing_key, connection)?;
        let path = data.as_ref().map(DataDir::path);
        let mailbox = Arc::new(Mailbox::of(path, ambient.clone()));
        let function = function(settings.clone(), path, mailbox.clone(), ambient.clone())?;
        let modules = api::route_table();
        #[cfg(feature = "s3")]
        let bucket = {
            let folder = path.map(|path| path.join(FILES));
            EmbeddedBucket::start(&store, folder.as_deref(), ports.s3, &modules, function.clone())?
        };
        #[cfg(feature = "s3")]
        if let Some(data) = &data {
            announce(data, Served::Bucket, bucket.endpoint())?;
        }
        let pollers = deliver(&store, &modules, &function)?;
        let gateway = Gateway::new(App::new(settings, ambient.clone()), ambient);
        Ok(Self {
            gateway,
            store,
            #[cfg(feature = "s3")]
            bucket,
            data,
            mailbox,
            pollers,
        })
    }

    /// Close bucket and store, then give the data directory back.
    pub async fn stop(self) {
        let (senders, pollers): (Vec<_>, Vec<_>) = self.pollers.into_iter().unzip();
        let aborts: Vec<_> = pollers.iter().map(JoinHandle::abort_handle).collect();
        drop(senders);
        if timeout(GRACE, join_all(pollers)).await.is_err() {
            aborts.iter().for_each(AbortHandle::abort);
        }
        #[cfg(feature = "s3")]
        self.bucket.stop().await;
        self.store.stop().await;
        drop(self.data);
    }
}

/// The store of this directory, or one in memory, with the app's table, on this port; and the key that
/// signs access tokens there. Nothing is delivered that waits in it.
pub(crate) async fn open_store(
    data: Option<&DataDir>,
    port: u16,
) -> Result<(SigningKey, EmbeddedStore), LaptopError> {
    let (signing_key, store) = match data {
        Some(data) => (data.signing_key()?, EmbeddedStore::open_on(&data.store(), port)?),
        None => (SigningKey::generate(), EmbeddedStore::memory_on(port)?),
    };
    Store::connect(connection(&store), Ambient::system())
        .create_table()
        .await
        .map_err(|error| LaptopError::Table(error.to_string()))?;
    if let Some(data) = data {
        announce(data, Served::Store, store.endpoint())?;
    }
    Ok((signing_key, store))
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

/// Where records are that were never handled: in the data directory, or in memory.
fn failures(data: Option<&Path>) -> FailureStore {
    data.map_or_else(FailureStore::memory, |data| FailureStore::folder(data.join(FAILURES)))
}

/// The events function; mails go into the mailbox, and webhooks may be of this machine.
pub(crate) fn function(
    settings: Settings,
    data: Option<&Path>,
    mailbox: Arc<Mailbox>,
    ambient: Ambient,
) -> Result<Function, DeclarationsError> {
    let failures = failures(data);
    let webhooks = Webhooks::new(settings.auth.extra_roots.clone()).with_this_machine();
    let receivers = Receivers { mailer: Some(mailbox), webhooks: Arc::new(webhooks) };
    let events = Events::new(settings, failures.clone(), ambient.clone())?;
    Ok(Function { events: events.delivering_to(receivers), failures, ambient })
}

/// How to reach an embedded store.
pub fn connection(store: &EmbeddedStore) -> Connection {
    connection_to(store.endpoint())
}

/// How to reach the embedded store at this endpoint, which may be another process's.
pub(crate) fn connection_to(endpoint: &str) -> Connection {
    Connection::embedded(endpoint, TABLE)
}
