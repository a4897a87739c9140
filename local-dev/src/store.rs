//! The embedded store: DynamoDB's protocol on SQLite, inside this process.

use std::{
    error::Error,
    fs::{self, File},
    io::{self, Read},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use dynoxide::{Database, storage::Storage};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::{
    door,
    filter::Filter,
    private, runtimes,
    stream::{self, Stream},
};

/// A DynamoDB endpoint on loopback, in memory or in a file. Dropping it stops it.
pub struct EmbeddedStore {
    endpoint: String,
    pub(crate) database: Database,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    /// Where it is; nowhere when it is in memory.
    file: Option<PathBuf>,
}

/// Why the store did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is not what a store left behind.
    #[error("the store {path} is damaged ({cause}); put a copy back, or start afresh with `reset`")]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What SQLite says.
        cause: String,
    },
    /// The file cannot be read, written or made.
    #[error("cannot use the store {path}: {cause}")]
    Unusable {
        /// The store's file.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// Another program listens where the store should.
    #[error("port {0} is already in use; name another with --store-port")]
    PortTaken(u16),
    /// Anything else between the store and its listener.
    #[error("cannot serve the embedded store: {0}")]
    Serve(String),
}

const GRACE: Duration = Duration::from_secs(2);

impl EmbeddedStore {
    /// A store in memory on a port of the system's choice: what a test wants.
    pub fn memory() -> Result<Self, StoreError> {
        Self::memory_on(0)
    }

    /// A store in memory on this loopback port; 0 is any.
    pub fn memory_on(port: u16) -> Result<Self, StoreError> {
        let listener = bind(port)?;
        Self::serve(in_memory()?, listener, None)
    }

    /// The store in this file, made if it is missing, on this loopback port; 0 is any.
    pub fn open_on(path: &Path, port: u16) -> Result<Self, StoreError> {
        let listener = bind(port)?;
        if path.try_exists().map_err(|error| unusable(path, &error))? {
            check(path)?;
        } else {
            create(path)?;
        }
        Self::serve(open(path)?, listener, Some(path.to_owned()))
    }

    fn serve(
        database: Database,
        listener: TcpListener,
        file: Option<PathBuf>,
    ) -> Result<Self, StoreError> {
        let failed = |error: &dyn ToString| StoreError::Serve(error.to_string());
        let runtime = runtimes::STORE.as_ref().map_err(|error| failed(error))?;
        let address = listener.local_addr().map_err(|error| failed(&error))?;
        listener.set_nonblocking(true).map_err(|error| failed(&error))?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener).map_err(|error| failed(&error))?
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let served_database = database.clone();
        let served = runtime.spawn(async move {
            let stopped = async move { drop(stopped.await) };
            if let Err(error) = door::serve(listener, served_database, stopped).await {
                tracing::error!(%error, "the embedded store stopped");
            }
        });
        let endpoint = format!("http://{address}");
        Ok(Self { endpoint, database, stop: Some(stop), served, file })
    }

    /// What passes the filter of this table's stream, from where it was left. `None` when it has none.
    pub(crate) fn stream(&self, table: &str, filter: Filter) -> Result<Option<Stream>, StoreError> {
        let stream = Stream::of(self.database.clone(), table, self.connect()?, filter);
        stream.map_err(|error| StoreError::Serve(error.to_string()))
    }

    /// A connection of its own to the file, for what is to be kept beside the table. `None` when
    /// nothing is kept.
    pub(crate) fn connect(&self) -> Result<Option<Storage>, StoreError> {
        let Some(file) = &self.file else { return Ok(None) };
        let storage = Storage::new(text(file)?);
        storage.map(Some).map_err(|error| StoreError::Serve(error.to_string()))
    }

    /// Run something beside the store, on threads that reading its file may block.
    pub(crate) fn beside(
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Result<JoinHandle<()>, StoreError> {
        let runtime = runtimes::BESIDE.as_ref();
        let runtime = runtime.map_err(|error| StoreError::Serve(error.to_string()))?;
        Ok(runtime.spawn(work))
    }

    /// Where the store listens, such as `http://127.0.0.1:54321`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Stop listening and wait until running requests are answered, for two seconds at most: a
    /// client that sends half a request would hold this up for ever.
    pub async fn stop(mut self) {
        drop(self.stop.take());
        if timeout(GRACE, &mut self.served).await.is_err() {
            tracing::warn!("the embedded store was stopped in the middle of a request");
        }
    }
}

fn bind(port: u16) -> Result<TcpListener, StoreError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => StoreError::PortTaken(port),
        _ => StoreError::Serve(error.to_string()),
    })
}

/// Make an empty store under another name and move it into place whole. A file under the store's
/// own name was therefore complete once, and an empty one is damage, not a start cut short.
fn create(path: &Path) -> Result<(), StoreError> {
    let draft = path.with_extension("new");
    // SQLite gives the files that it puts beside this one the same mode.
    drop(private::new_file(&draft).map_err(|error| unusable(path, error))?);
    drop(open(&draft)?);
    fs::rename(&draft, path).map_err(|error| unusable(path, error))
}

/// What every SQLite file begins with.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";

/// Read the whole file, so that damage is found now and not in the middle of somebody's request.
fn check(path: &Path) -> Result<(), StoreError> {
    let damaged = |cause: String| StoreError::Damaged { path: path.to_owned(), cause };
    let mut start = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAGIC.len() as u64).read_to_end(&mut start))
        .map_err(|error| unusable(path, error))?;
    if start != MAGIC {
        return Err(damaged("it does not begin as one".to_owned()));
    }
    let verdict = Storage::new(text(path)?)
        .map_err(|error| damaged(error.to_string()))?
        .conn()
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|error| damaged(error.to_string()))?;
    if verdict == "ok" { Ok(()) } else { Err(damaged(verdict.replace('\n', " "))) }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    with_a_short_stream(text(path)?, true).map_err(|error| unusable(path, error))
}

/// Each has a name of its own: two connections of one name are to one store.
fn in_memory() -> Result<Database, StoreError> {
    static MADE: AtomicU64 = AtomicU64::new(0);
    let made = MADE.fetch_add(1, Ordering::Relaxed);
    with_a_short_stream(&format!("file:landline-{made}?mode=memory&cache=shared"), false)
        .map_err(|error| StoreError::Serve(error.to_string()))
}

/// The library keeps what is in a table's stream for ever, and looks through all of it at each
/// write. This keeps the last ten thousand records, in the order in which they are asked for.
///
/// Of a file it keeps what was not delivered, too: the place that is kept is the sequence number as
/// clients see it, 10^20 above the one that is stored.
const SHORT_STREAM: &str = "
    CREATE INDEX IF NOT EXISTS stream_in_order
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    DROP TRIGGER IF EXISTS short_stream;
    CREATE TRIGGER short_stream AFTER INSERT ON _stream_records
        BEGIN DELETE FROM _stream_records WHERE id <= NEW.id - 10000";
const DELIVERED: &str = " AND CAST(sequence_number AS INTEGER) <= COALESCE(
        (SELECT CAST(substr(place, -20) AS INTEGER) FROM landline_events), 0)";

fn with_a_short_stream(name: &str, kept: bool) -> Result<Database, Box<dyn Error>> {
    let storage = Storage::new(name)?;
    storage.conn().execute_batch(stream::PLACE)?;
    let delivered = if kept { DELIVERED } else { "" };
    storage.conn().execute_batch(&format!("{SHORT_STREAM}{delivered}; END;"))?;
    Ok(Database::new(name)?)
}

fn text(path: &Path) -> Result<&str, StoreError> {
    path.to_str().ok_or_else(|| unusable(path, "its name is not valid UTF-8"))
}

fn unusable(path: &Path, cause: impl ToString) -> StoreError {
    StoreError::Unusable { path: path.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, net::TcpStream, path::Path};

    use super::{EmbeddedStore, StoreError};

    fn opening(path: &Path) -> Result<(), StoreError> {
        EmbeddedStore::open_on(path, 0).map(drop)
    }

    #[tokio::test]
    async fn listens_on_loopback_until_it_is_stopped() {
        let store = EmbeddedStore::memory().unwrap();
        let address = store.endpoint().strip_prefix("http://").unwrap().to_owned();
        assert!(address.starts_with("127.0.0.1:"));
        assert!(TcpStream::connect(&address).is_ok());

        store.stop().await;

        assert!(TcpStream::connect(&address).is_err());
    }

    #[test]
    fn opens_again_what_it_made() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.sqlite");

        opening(&path).unwrap();
        opening(&path).unwrap();

        assert!(!path.with_extension("new").exists());
    }

    #[test]
    fn says_what_is_wrong_with_a_file_that_is_not_a_store() {
        let home = tempfile::tempdir().unwrap();
        for (name, content) in [("empty", &b""[..]), ("cut", b"SQLite for"), ("junk", &[7; 9000])] {
            let path = home.path().join(name);
            fs::write(&path, content).unwrap();

            let error = opening(&path).unwrap_err();

            assert!(matches!(error, StoreError::Damaged { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn finds_damage_in_the_middle_and_at_the_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("store.sqlite");
        opening(&path).unwrap();
        let sound = fs::read(&path).unwrap();

        let mut holed = sound.clone();
        holed[8192..16384].fill(0xa5);
        for damaged in [&holed[..], &sound[..sound.len() / 2]] {
            fs::File::create(&path).unwrap().write_all(damaged).unwrap();

            assert!(matches!(opening(&path), Err(StoreError::Damaged { .. })));
        }
    }

    #[test]
    fn names_a_port_that_is_taken() {
        let store = EmbeddedStore::memory().unwrap();
        let port = store.endpoint().rsplit(':').next().unwrap().parse().unwrap();

        let error = EmbeddedStore::memory_on(port).map(drop).unwrap_err();

        assert!(matches!(error, StoreError::PortTaken(taken) if taken == port));
    }
}
