//! What takes mails in place of Amazon SES: a folder that nothing leaves.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use api::platform::outbox::{Mailer, Undelivered};
use futures_util::future::{BoxFuture, ready};
use models::{Ambient, Id, Timestamp, platform::mail::Mail};
use serde::{Deserialize, Serialize};

use crate::{
    data::{MAIL, write_whole},
    private,
};

/// Mails that were sent: a file each in a folder of the data directory, or in memory.
pub struct Mailbox {
    place: Place,
    ambient: Ambient,
}

enum Place {
    Folder(PathBuf),
    Memory(Mutex<BTreeMap<Id, SentMail>>),
}

/// A mail as it was taken.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SentMail {
    /// Its message's id in the outbox.
    pub(crate) id: Id,
    /// When it was taken.
    pub(crate) sent_at: Timestamp,
    #[serde(flatten)]
    pub(crate) mail: Mail,
}

impl Mailbox {
    /// In a folder of this data directory, made when the first mail comes; or, without one, in memory.
    pub fn of(data: Option<&Path>, ambient: Ambient) -> Self {
        let place = match data {
            Some(data) => Place::Folder(data.join(MAIL)),
            None => Place::Memory(Mutex::default()),
        };
        Self { place, ambient }
    }

    /// All mails, the newest first. A file that is none is left out.
    pub(crate) fn all(&self) -> io::Result<Vec<SentMail>> {
        let mut mails = match &self.place {
            Place::Folder(folder) => read_all(folder)?,
            Place::Memory(mails) => {
                mails.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
            }
        };
        mails.sort_by_key(|mail| std::cmp::Reverse((mail.sent_at, mail.id)));
        Ok(mails)
    }

    fn take(&self, id: Id, mail: &Mail) -> io::Result<()> {
        let sent = SentMail { id, sent_at: self.ambient.now(), mail: mail.clone() };
        match &self.place {
            Place::Folder(folder) => {
                let file = folder.join(format!("{id}.json"));
                if file.try_exists()? {
                    return Ok(());
                }
                private::folder(folder)?;
                let mut text = serde_json::to_string_pretty(&sent)?;
                text.push('\n');
                write_whole(&file, text.as_bytes()).map_err(io::Error::other)
            }
            Place::Memory(mails) => {
                mails.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_insert(sent);
                Ok(())
            }
        }
    }
}

impl Mailer for Mailbox {
    /// One that comes again has been taken.
    fn send<'a>(&'a self, id: Id, mail: &'a Mail) -> BoxFuture<'a, Result<(), Undelivered>> {
        let taken = self.take(id, mail);
        Box::pin(ready(taken.map_err(|error| Undelivered::new(format!("it is not kept: {error}")))))
    }
}

fn read_all(folder: &Path) -> io::Result<Vec<SentMail>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut mails = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            mails.extend(serde_json::from_slice::<SentMail>(&fs::read(path)?));
        }
    }
    Ok(mails)
}
