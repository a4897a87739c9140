//! Where the local-dev that has a data directory listens, in files of that, for other processes of this
//! person: its store, and its bucket.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, absolute},
};

use auth::SigningKey;

use crate::{
    DataDir, DataError,
    data::{read_signing_key, remove, unusable, write_whole},
};

/// Not there when none runs.
const STORE: &str = "store-address";
const BUCKET: &str = "s3-address";

/// What a process serves out of its data directory, beside the API.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Served {
    /// The embedded store.
    Store,
    /// The embedded bucket.
    #[cfg(feature = "s3")]
    Bucket,
}

/// Tell where this listens, until the directory is given back.
pub(crate) fn announce(data: &DataDir, served: Served, endpoint: &str) -> Result<(), DataError> {
    let name = match served {
        Served::Store => STORE,
        #[cfg(feature = "s3")]
        Served::Bucket => BUCKET,
    };
    write_whole(&data.path().join(name), endpoint.as_bytes())
}

/// Tell it no more.
pub(crate) fn withdraw(path: &Path) -> Result<(), DataError> {
    remove(&path.join(STORE))?;
    remove(&path.join(BUCKET))
}

/// What another process needs to be a client of the local-dev that has a data directory: the key
/// that it signs with, and the endpoint of its store. For whoever may read its private files.
pub(crate) fn in_use(path: &Path) -> Result<(SigningKey, String), DataError> {
    let path = absolute(path).map_err(unusable(path))?;
    let place = path.join(STORE);
    let endpoint = match fs::read_to_string(&place) {
        Ok(endpoint) if is_on_loopback(&endpoint) => endpoint,
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(unusable(&place)(error));
        }
        _ => return Err(DataError::Unsettled(path)),
    };
    Ok((read_signing_key(&path)?, endpoint))
}

fn is_on_loopback(endpoint: &str) -> bool {
    let address = endpoint.strip_prefix("http://").and_then(|it| it.parse::<SocketAddr>().ok());
    address.is_some_and(|address| address.ip().is_loopback())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{DataDir, DataError, Served, announce, in_use};

    #[test]
    fn says_where_the_store_is_while_it_is_somebodys() {
        let home = tempfile::tempdir().unwrap();
        let data = DataDir::open(home.path()).unwrap();
        data.signing_key().unwrap();
        assert!(matches!(in_use(home.path()), Err(DataError::Unsettled(_))));

        announce(&data, Served::Store, "http://127.0.0.1:4711").unwrap();

        assert_eq!(in_use(home.path()).unwrap().1, "http://127.0.0.1:4711");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode =
                fs::metadata(home.path().join("store-address")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        drop(data);
        assert!(matches!(in_use(home.path()), Err(DataError::Unsettled(_))));
    }

    #[test]
    fn does_not_believe_what_a_killed_process_left_behind() {
        let home = tempfile::tempdir().unwrap();
        DataDir::open(home.path()).unwrap().signing_key().unwrap();
        let place = home.path().join("store-address");
        fs::write(&place, "http://127.0.0.1:4711").unwrap();

        let _data = DataDir::open(home.path()).unwrap();

        assert!(!place.exists());
        for other in ["", "http://192.0.2.7:80", "https://127.0.0.1:80", "127.0.0.1:80"] {
            fs::write(&place, other).unwrap();
            assert!(matches!(in_use(home.path()), Err(DataError::Unsettled(_))), "{other}");
        }
    }
}
