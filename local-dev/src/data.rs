//! The data directory: the store's file and the signing key, for one process at a time.

use std::{
    env,
    fs::{self, File, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf, absolute},
};

use auth::SigningKey;

use crate::{address, private};

/// Marks a directory as ours and is what a running process locks.
const MARK: &str = "local-dev.lock";
const STORE: &str = "store.sqlite";
const KEY: &str = "signing-key.pem";
/// The mails that were sent, and the records that no event handler could do: folders.
pub(crate) const MAIL: &str = "mail";
pub(crate) const FAILURES: &str = "events";
/// The bytes of files that were uploaded: a folder.
pub(crate) const FILES: &str = "files";
/// Everything else that can be found here: drafts of files, and what SQLite puts beside its own.
const COMPANIONS: [&str; 9] = [
    "store.sqlite-wal",
    "store.sqlite-shm",
    "store.new",
    "store.new-wal",
    "store.new-shm",
    "store.new-journal",
    "signing-key.new",
    "store-address.new",
    "s3-address.new",
];

/// The store's file in a data directory, whoever has that.
pub(crate) fn store_file(path: &Path) -> PathBuf {
    path.join(STORE)
}

/// The signing key's file in it.
fn key_file(path: &Path) -> PathBuf {
    path.join(KEY)
}

/// A data directory that belongs to this process until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    /// Locked; the system unlocks it however the process ends.
    _mark: File,
}

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The system refuses.
    #[error("cannot use the data directory {path}: {cause}")]
    Unusable {
        /// The directory, or the file in it.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Somebody else's directory.
    #[error("{0} holds files and was not made by local-dev; name another one with --data-dir")]
    Foreign(PathBuf),
    /// Another process has it.
    #[error("another local-dev is using {0}; stop it, or name another directory with --data-dir")]
    InUse(PathBuf),
    /// The key is not what we wrote.
    #[error("the signing key {path} {cause}; put a copy back, or start afresh with `reset`")]
    DamagedKey {
        /// The key's file.
        path: PathBuf,
        /// What is wrong with it, as the rest of a sentence.
        cause: String,
    },
    /// Another process has it and does not say where its store is.
    #[error("another local-dev is starting or stopping in {0}; try again")]
    Unsettled(PathBuf),
    /// The key may have been read by others.
    #[error("the signing key {0} can be read by others; run: chmod 600 {0}")]
    OpenKey(PathBuf),
}

impl DataDir {
    /// Take the directory, making it if it is missing.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let path = absolute(path).map_err(unusable(path))?;
        private::folder(&path).map_err(unusable(&path))?;
        if !is_ours(&path)? && !is_empty(&path)? {
            return Err(DataError::Foreign(path));
        }
        Self::lock(path)
    }

    fn lock(path: PathBuf) -> Result<Self, DataError> {
        let place = path.join(MARK);
        let mark = private::kept_file(&place).map_err(unusable(&place))?;
        match mark.try_lock() {
            Ok(()) => {
                let data = Self { path, _mark: mark };
                // A process that was killed leaves its own behind.
                address::withdraw(&data.path)?;
                Ok(data)
            }
            Err(TryLockError::WouldBlock) => Err(DataError::InUse(path)),
            Err(TryLockError::Error(cause)) => Err(DataError::Unusable { path: place, cause }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where the store's file is or will be.
    pub fn store(&self) -> PathBuf {
        store_file(&self.path)
    }

    /// Where the signing key's file is or will be.
    pub fn signing_key_file(&self) -> PathBuf {
        key_file(&self.path)
    }

    /// The key that signs access tokens, made on first use.
    pub fn signing_key(&self) -> Result<SigningKey, DataError> {
        let path = key_file(&self.path);
        if path.try_exists().map_err(unusable(&path))? {
            return read_key(path);
        }
        let key = SigningKey::generate();
        write_whole(&path, key.to_pem().as_bytes())?;
        Ok(key)
    }

    /// Remove everything that local-dev keeps in this directory, and nothing else. `false` when
    /// there is no such directory.
    pub fn reset(path: &Path) -> Result<bool, DataError> {
        let path = absolute(path).map_err(unusable(path))?;
        if !path.try_exists().map_err(unusable(&path))? {
            return Ok(false);
        }
        if !is_ours(&path)? {
            return if is_empty(&path)? { Ok(false) } else { Err(DataError::Foreign(path)) };
        }
        let data = Self::lock(path)?;
        for name in [STORE, KEY].into_iter().chain(COMPANIONS) {
            remove(&data.path.join(name))?;
        }
        for name in [MAIL, FAILURES, FILES] {
            let path = data.path.join(name);
            match fs::remove_dir_all(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(unusable(&path)(error));
                }
                _ => {}
            }
        }
        Ok(true)
    }
}

impl Drop for DataDir {
    /// Nobody shall be sent to a store that has stopped.
    fn drop(&mut self) {
        if let Err(error) = address::withdraw(&self.path) {
            tracing::warn!("{error}");
        }
    }
}

/// The key of a data directory, whoever has that.
pub(crate) fn read_signing_key(path: &Path) -> Result<SigningKey, DataError> {
    read_key(key_file(path))
}

fn read_key(path: PathBuf) -> Result<SigningKey, DataError> {
    if private::is_open_to_others(&path).map_err(unusable(&path))? {
        return Err(DataError::OpenKey(path));
    }
    let damaged = |cause: String| DataError::DamagedKey { path: path.clone(), cause };
    let pem = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(damaged("is not text".to_owned()));
        }
        outcome => outcome.map_err(unusable(&path))?,
    };
    SigningKey::from_pem(&pem).map_err(|error| damaged(error.to_string()))
}

/// Written under another name first: a file that was cut short never has this name.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), DataError> {
    let draft = path.with_extension("new");
    private::new_file(&draft)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&draft, path))
        .map_err(unusable(path))
}

pub(crate) fn remove(path: &Path) -> Result<(), DataError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(unusable(path)(error)),
        _ => Ok(()),
    }
}

/// `.landline` beside the workspace that this was started from, wherever in it that was.
pub(crate) fn default_path() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .or_else(|| env::current_dir().ok())
        .unwrap_or_default();
    here.ancestors().find(|folder| is_workspace(folder)).unwrap_or(&here).join(".landline")
}

fn is_workspace(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
}

fn is_ours(path: &Path) -> Result<bool, DataError> {
    path.join(MARK).try_exists().map_err(unusable(path))
}

fn is_empty(path: &Path) -> Result<bool, DataError> {
    Ok(fs::read_dir(path).map_err(unusable(path))?.next().is_none())
}

pub(crate) fn unusable(path: &Path) -> impl FnOnce(io::Error) -> DataError {
    let path = path.to_owned();
    move |cause| DataError::Unusable { path, cause }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{DataDir, DataError, default_path};

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn stands_beside_the_workspace() {
        let path = default_path();

        assert!(path.ends_with(".landline"));
        assert!(path.with_file_name("Cargo.lock").exists(), "{}", path.display());
    }

    #[test]
    fn is_made_for_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("deep/data");

        let data = DataDir::open(&path).unwrap();
        data.signing_key().unwrap();

        #[cfg(unix)]
        assert_eq!(mode(&path), 0o700);
        #[cfg(unix)]
        for name in ["signing-key.pem", "local-dev.lock"] {
            assert_eq!(mode(&path.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn keeps_its_key() {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(home.path()).unwrap();

        let first = data.signing_key().unwrap();
        let second = data.signing_key().unwrap();

        assert_eq!(first.id(), second.id());
        assert!(!home.path().join("signing-key.new").exists());
    }

    #[test]
    fn refuses_a_damaged_key() {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(home.path()).unwrap();
        data.signing_key().unwrap();
        for damage in [&b""[..], b"-----BEGIN PRIVATE KEY-----", &[0xff; 40]] {
            fs::write(home.path().join("signing-key.pem"), damage).unwrap();

            let error = data.signing_key().unwrap_err();

            assert!(matches!(error, DataError::DamagedKey { .. }), "{error}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn refuses_a_key_that_others_can_read() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(home.path()).unwrap();
        data.signing_key().unwrap();
        let key = home.path().join("signing-key.pem");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();

        assert!(matches!(data.signing_key(), Err(DataError::OpenKey(path)) if path == key));
    }

    #[test]
    fn belongs_to_one_process_at_a_time() {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(home.path()).unwrap();

        assert!(matches!(DataDir::open(home.path()), Err(DataError::InUse(_))));
        assert!(matches!(DataDir::reset(home.path()), Err(DataError::InUse(_))));

        drop(data);
        DataDir::open(home.path()).unwrap();
    }

    #[test]
    fn is_emptied_of_what_we_made_and_of_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        DataDir::open(home.path()).unwrap().signing_key().unwrap();
        fs::write(home.path().join("mine.txt"), "mine").unwrap();

        assert!(DataDir::reset(home.path()).unwrap());

        assert!(!home.path().join("signing-key.pem").exists());
        assert!(home.path().join("mine.txt").exists());
    }

    #[test]
    fn is_never_a_directory_with_somebody_elses_files() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("store.sqlite"), "mine").unwrap();

        assert!(matches!(DataDir::open(home.path()), Err(DataError::Foreign(_))));
        assert!(matches!(DataDir::reset(home.path()), Err(DataError::Foreign(_))));

        assert!(home.path().join("store.sqlite").exists());
        assert!(!DataDir::reset(&home.path().join("absent")).unwrap());
    }

    #[test]
    fn is_not_a_file() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "").unwrap();

        assert!(matches!(DataDir::open(&file), Err(DataError::Unusable { .. })));
        assert!(matches!(DataDir::open(&file.join("data")), Err(DataError::Unusable { .. })));
    }
}
