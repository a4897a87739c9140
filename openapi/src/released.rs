//! The documents that shipped apps rely on: a folder with a file for each released version.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use semver::Version;

use crate::compare::{Comparison, Date, Document, Unreadable, compare};

/// Why the folder says nothing of this document, or nothing good.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// A file of the folder, or the document, cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] io::Error),
    /// A document is none.
    #[error("{0}: {1}")]
    Unreadable(String, Unreadable),
    /// A version is none (Semantic Versioning 2.0.0).
    #[error("`{0}` is not a version such as 1.2.3")]
    Version(String),
    /// An older version than the newest that was released.
    #[error("{newest} is released, and this is {version}: raise the version of the workspace")]
    Older {
        /// The newest released one.
        newest: Version,
        /// This one.
        version: Version,
    },
    /// A released document stays as it is.
    #[error("{0} is released with another document: raise the version of the workspace")]
    Taken(Version),
    /// Apps of the newest released version would break.
    #[error(
        "{text}\n{version} would break apps that were built for {newest}. Take back what is listed, \
         or add the new beside the old: docs/evolving-the-api.md"
    )]
    Breaks {
        /// What breaks them, by operation.
        text: String,
        /// The newest released one.
        newest: Version,
        /// This one.
        version: Version,
    },
}

/// How a document stands to the newest released one.
#[derive(Debug)]
pub enum Standing {
    /// There is none.
    NothingReleased,
    /// Every app of the newest released one works on.
    Kept {
        /// The newest released one.
        newest: Version,
        /// What has changed without harm.
        comparison: Comparison,
    },
    /// It breaks apps, as a new major version may.
    NewMajor {
        /// The newest released one.
        newest: Version,
        /// What has changed.
        comparison: Comparison,
    },
}

/// How this document stands to the newest that is released in this folder.
///
/// # Errors
/// When it breaks that one within the same major version, is older, or something cannot be read.
pub fn standing(folder: &Path, made: &str, today: Date) -> Result<Standing, ReleaseError> {
    let (document, version) = read("the document", made)?;
    let Some((newest, text)) = newest(folder)? else { return Ok(Standing::NothingReleased) };
    let (released, _) = read(&newest.to_string(), &text)?;
    if version < newest {
        return Err(ReleaseError::Older { newest, version });
    }
    let comparison = compare(&released, &document, today);
    if comparison.breaking().next().is_none() {
        Ok(Standing::Kept { newest, comparison })
    } else if version.major > newest.major {
        Ok(Standing::NewMajor { newest, comparison })
    } else {
        let text = Comparison::by_operation(comparison.breaking());
        Err(ReleaseError::Breaks { text, newest, version })
    }
}

/// Add this document to the released ones, under the version that it says.
///
/// # Errors
/// As [`standing`], and when another document is released under the version.
pub fn release(folder: &Path, made: &str, today: Date) -> Result<PathBuf, ReleaseError> {
    standing(folder, made, today)?;
    let (_, version) = read("the document", made)?;
    let path = folder.join(format!("{version}.json"));
    match fs::read_to_string(&path) {
        Ok(known) if known == made => return Ok(path),
        Ok(_) => return Err(ReleaseError::Taken(version)),
        Err(_) => {}
    }
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, made));
    written.map_err(|error| ReleaseError::File(path.clone(), error))?;
    Ok(path)
}

fn read(name: &str, text: &str) -> Result<(Document, Version), ReleaseError> {
    let unreadable = |error| ReleaseError::Unreadable(name.to_owned(), error);
    let document: Document = text.parse().map_err(unreadable)?;
    let version = version(document.version())?;
    Ok((document, version))
}

fn version(text: &str) -> Result<Version, ReleaseError> {
    text.parse().map_err(|_| ReleaseError::Version(text.to_owned()))
}

/// The newest version by the rules of Semantic Versioning, and its document.
fn newest(folder: &Path) -> Result<Option<(Version, String)>, ReleaseError> {
    let failed = |error| ReleaseError::File(folder.to_owned(), error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut versions = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if let Some(name) = name.strip_suffix(".json") {
            versions.push(version(name)?);
        }
    }
    let Some(newest) = versions.into_iter().max() else { return Ok(None) };
    let path = folder.join(format!("{newest}.json"));
    let text = fs::read_to_string(&path).map_err(|error| ReleaseError::File(path, error))?;
    Ok(Some((newest, text)))
}
