//! The bytes of objects, each content under an id of its own and never changed: a file in a folder,
//! or memory where nothing is kept.

use std::{
    collections::{HashMap, HashSet},
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom, Write},
    mem,
    ops::Range,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::body::Bytes;
use models::Id;

use crate::private;

/// So much is read at once.
const CHUNK: u64 = 64 * 1024;

/// What is read of a content, piece by piece.
pub(super) type Pieces = Box<dyn Iterator<Item = io::Result<Bytes>> + Send + Sync>;

pub(super) enum Contents {
    Folder(PathBuf),
    Memory(Mutex<HashMap<String, Bytes>>),
}

/// A content that is being written. It is gone when this is dropped before it is kept.
pub(super) struct Draft<'a> {
    contents: &'a Contents,
    id: String,
    place: Place<'a>,
    is_kept: bool,
}

enum Place<'a> {
    File(File),
    Memory { content: Vec<u8>, kept: &'a Mutex<HashMap<String, Bytes>> },
}

impl Contents {
    /// In this folder, which is made, or in memory.
    pub(super) fn new(folder: Option<PathBuf>) -> io::Result<Self> {
        let Some(folder) = folder else { return Ok(Self::Memory(Mutex::default())) };
        private::folder(&folder)?;
        Ok(Self::Folder(folder))
    }

    /// Forget all but these: a process that was killed leaves drafts and replaced ones behind, and
    /// an older store put back does not know the newer ones. Gives how many there were. What has
    /// another name than an id, as contents have, is somebody else's.
    pub(super) fn retain(&self, known: &HashSet<String>) -> io::Result<usize> {
        let Self::Folder(folder) = self else { return Ok(0) };
        let mut forgotten = 0;
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let is_id = name.parse::<Id>().is_ok_and(|id| id.to_string() == name);
            if is_id && !known.contains(&name) && entry.file_type()?.is_file() {
                fs::remove_file(entry.path())?;
                forgotten += 1;
            }
        }
        Ok(forgotten)
    }

    pub(super) fn draft(&self, id: String) -> io::Result<Draft<'_>> {
        let place = match self {
            Self::Folder(folder) => Place::File(private::new_file(&folder.join(&id))?),
            Self::Memory(kept) => Place::Memory { content: Vec::new(), kept },
        };
        Ok(Draft { contents: self, id, place, is_kept: false })
    }

    pub(super) fn read(&self, id: &str, range: Range<u64>) -> io::Result<Pieces> {
        match self {
            Self::Folder(folder) => {
                let mut file = File::open(folder.join(id))?;
                file.seek(SeekFrom::Start(range.start))?;
                Ok(Box::new(FilePieces { file, left: range.end - range.start }))
            }
            Self::Memory(kept) => {
                let content = lock(kept).get(id).cloned().ok_or(io::ErrorKind::NotFound)?;
                let in_memory = |place: u64| usize::try_from(place).map_err(io::Error::other);
                let piece = content.slice(in_memory(range.start)?..in_memory(range.end)?);
                Ok(Box::new(std::iter::once(Ok(piece))))
            }
        }
    }

    /// A new name in a folder is safe when the folder is; Windows opens none.
    fn sync(&self) -> io::Result<()> {
        match self {
            #[cfg(unix)]
            Self::Folder(folder) => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }

    /// Who reads it may go on. One that cannot be removed is forgotten at the next start.
    pub(super) fn remove(&self, id: &str) {
        match self {
            Self::Folder(folder) => {
                if let Err(error) = fs::remove_file(folder.join(id)) {
                    tracing::warn!(%error, "a content that nobody needs is not removed");
                }
            }
            Self::Memory(kept) => drop(lock(kept).remove(id)),
        }
    }
}

impl Draft<'_> {
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.place {
            Place::File(file) => file.write_all(bytes),
            Place::Memory { content, .. } => content.write_all(bytes),
        }
    }

    /// Keep it, whatever happens to the machine. Gives its id.
    pub(super) fn keep(mut self) -> io::Result<String> {
        match &mut self.place {
            Place::File(file) => {
                file.sync_all()?;
                self.contents.sync()?;
            }
            Place::Memory { content, kept } => {
                drop(lock(kept).insert(self.id.clone(), mem::take(content).into()));
            }
        }
        self.is_kept = true;
        Ok(self.id.clone())
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if !self.is_kept && matches!(self.place, Place::File(_)) {
            self.contents.remove(&self.id);
        }
    }
}

struct FilePieces {
    file: File,
    left: u64,
}

impl Iterator for FilePieces {
    type Item = io::Result<Bytes>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        let mut piece = Vec::new();
        let read = (&mut self.file).take(self.left.min(CHUNK)).read_to_end(&mut piece);
        let read = read.and_then(|read| match read as u64 {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            read => Ok(read),
        });
        match read {
            Ok(read) => {
                self.left -= read;
                Some(Ok(piece.into()))
            }
            Err(error) => {
                self.left = 0;
                Some(Err(error))
            }
        }
    }
}

fn lock(kept: &Mutex<HashMap<String, Bytes>>) -> MutexGuard<'_, HashMap<String, Bytes>> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}
