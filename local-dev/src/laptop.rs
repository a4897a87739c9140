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

#[cfg(feature = "s3")]
use crate::{BucketError, EmbeddedBucket, Function, data::FILES};
use crate::{
    DataDir, DataError, EmbeddedStore, Gateway, Mailbox, StoreError,
    data::{FAILURES, Served},
    mapping::Mapping,
};

/// The table's name in the embedded store.
const TABLE: &str = "landline";
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
    /// Start an app that keeps its data in this directory, or keeps nothing. Store and bucket listen
    /// on these ports.
    pub async fn start(data: Option<DataDir>, ports: Ports) -> Result<Self, LaptopError> {
        let ambient = Ambient::system();
        let (signing_key, store) = match &data {
            Some(data) => {
                (data.signing_key()?, EmbeddedStore::open_on(&data.store(), ports.store)?)
            }
            None => (SigningKey::generate(), EmbeddedStore::memory_on(ports.store)?),
        };
        let connection = connection(&store);
        Store::connect(connection.clone(), ambient.clone())
            .create_table()
            .await
            .map_err(|error| LaptopError::Table(error.to_string()))?;
        let settings = settings(signing_key, connection)?;
        let path = data.as_ref().map(DataDir::path);
        let mailbox = Arc::new(Mailbox::of(path, ambient.clone()));
        let failures = failures(path);
        let events = events(settings.clone(), failures.clone(), mailbox.clone(), ambient.clone())?;
        #[cfg(feature = "s3")]
        let bucket = {
            let (events, failures, ambient) = (events.clone(), failures.clone(), ambient.clone());
            let function = Function { events, failures, ambient };
            let folder = path.map(|path| path.join(FILES));
            let modules = api::route_table();
            EmbeddedBucket::start(&store, folder.as_deref(), ports.s3, &modules, function)?
        };
        if let Some(data) = &data {
            data.announce(Served::Store, store.endpoint())?;
            #[cfg(feature = "s3")]
            data.announce(Served::Bucket, bucket.endpoint())?;
        }
        let mapping = match store.stream(TABLE)? {
            Some(stream) => {
                let mapping = Mapping::new(stream, events, failures, ambient.clone());
                let (stop, stopped) = oneshot::channel();
                Some((stop, EmbeddedStore::beside(mapping.follow(stopped))?))
            }
            None => None,
        };
        let gateway = Gateway::new(App::new(settings, ambient.clone()), ambient);
        Ok(Self {
            gateway,
            store,
            #[cfg(feature = "s3")]
            bucket,
            data,
            mailbox,
            mapping,
        })
    }

    /// Close bucket and store, then give the data directory back.
    pub async fn stop(self) {
        if let Some((stop, mapping)) = self.mapping {
            drop(stop);
            drop(timeout(GRACE, mapping).await);
        }
        #[cfg(feature = "s3")]
        self.bucket.stop().await;
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
