//! Where records are that were never handled: whole, each under a name of its own.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use aws_sdk_s3::{Client, config::Builder, error::SdkError, primitives::ByteStream};
use models::{Timestamp, aws::Access, causes, platform::events::HandledEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Failure, attempt::Attempt};

/// The first part of the names of what was set aside.
pub(crate) const FAILURES: &str = "failures/";

/// Where failures are kept: a bucket, or a folder of a laptop.
#[derive(Clone)]
pub struct FailureStore(Place);

#[derive(Clone)]
enum Place {
    Bucket { client: Client, name: String },
    Folder(PathBuf),
    Memory(Arc<Mutex<BTreeMap<String, Vec<u8>>>>),
}

/// Why the failures cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum FailureStoreError {
    /// S3 did not do it.
    #[error("S3 did not answer: {0}")]
    Bucket(String),
    /// The folder cannot be used.
    #[error("the folder of failures: {0}")]
    Folder(#[from] io::Error),
    /// What is kept cannot be read.
    #[error("{0} is no record that was set aside")]
    Unreadable(String),
}

impl<E: std::error::Error + 'static, R: std::fmt::Debug + 'static> From<SdkError<E, R>>
    for FailureStoreError
{
    fn from(error: SdkError<E, R>) -> Self {
        Self::Bucket(causes(&error))
    }
}

impl FailureStore {
    /// A bucket of this name. `endpoint` is an address to use in place of the region's own.
    pub fn bucket(name: impl Into<String>, access: &Access, endpoint: Option<&str>) -> Self {
        let config = Builder::from(&access.config(endpoint));
        // What stands in for S3 has no name for each bucket.
        let config = config.force_path_style(endpoint.is_some()).build();
        Self(Place::Bucket { client: Client::from_conf(config), name: name.into() })
    }

    /// A folder, for laptops. It is made when something is set aside.
    pub fn folder(path: impl Into<PathBuf>) -> Self {
        Self(Place::Folder(path.into()))
    }

    /// This process's memory, for a laptop that keeps nothing.
    pub fn memory() -> Self {
        Self(Place::Memory(Arc::default()))
    }

    /// Keep something under a name; what was under it is replaced.
    pub async fn put(&self, key: &str, content: Vec<u8>) -> Result<(), FailureStoreError> {
        match &self.0 {
            Place::Bucket { client, name } => {
                let put = client.put_object().bucket(name).key(key).body(ByteStream::from(content));
                put.content_type("application/json").send().await?;
            }
            Place::Folder(folder) => {
                let path = folder.join(key);
                let draft = path.with_extension("new");
                fs::create_dir_all(path.parent().unwrap_or(folder))?;
                fs::write(&draft, content)?;
                fs::rename(draft, path)?;
            }
            Place::Memory(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned(), content);
            }
        }
        Ok(())
    }

    /// What is under a name.
    pub async fn get(&self, key: &str) -> Result<Vec<u8>, FailureStoreError> {
        match &self.0 {
            Place::Bucket { client, name } => {
                let object = client.get_object().bucket(name).key(key).send().await?;
                let body = object.body.collect().await;
                let body = body.map_err(|error| FailureStoreError::Bucket(error.to_string()))?;
                Ok(body.to_vec())
            }
            Place::Folder(folder) => Ok(fs::read(folder.join(key))?),
            Place::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                let missing = || FailureStoreError::Unreadable(key.to_owned());
                kept.get(key).cloned().ok_or_else(missing)
            }
        }
    }

    /// All names that begin so, in their order.
    pub async fn list(&self, prefix: &str) -> Result<Vec<String>, FailureStoreError> {
        match &self.0 {
            Place::Bucket { client, name } => {
                let list = client.list_objects_v2().bucket(name).prefix(prefix);
                let mut pages = list.into_paginator().send();
                let mut keys = Vec::new();
                while let Some(page) = pages.next().await {
                    keys.extend(page?.contents.into_iter().flatten().filter_map(|it| it.key));
                }
                Ok(keys)
            }
            Place::Folder(folder) => {
                let mut keys = Vec::new();
                if folder.is_dir() {
                    list_folder(folder, folder, &mut keys)?;
                }
                keys.retain(|key| key.starts_with(prefix) && key.ends_with(".json"));
                keys.sort();
                Ok(keys)
            }
            Place::Memory(kept) => {
                let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(kept.keys().filter(|key| key.starts_with(prefix)).cloned().collect())
            }
        }
    }

    /// Forget what is under a name.
    pub async fn remove(&self, key: &str) -> Result<(), FailureStoreError> {
        match &self.0 {
            Place::Bucket { client, name } => {
                client.delete_object().bucket(name).key(key).send().await?;
            }
            Place::Folder(folder) => fs::remove_file(folder.join(key))?,
            Place::Memory(kept) => {
                kept.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
            }
        }
        Ok(())
    }
}

fn list_folder(root: &Path, folder: &Path, keys: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            list_folder(root, &path, keys)?;
        } else if let Ok(key) = path.strip_prefix(root) {
            let parts = key.components().map(|part| part.as_os_str().to_string_lossy());
            keys.push(parts.collect::<Vec<_>>().join("/"));
        }
    }
    Ok(())
}

/// A record that was never handled, as it is kept: `failures/<handler>/<digest>.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetAside {
    /// What has sent it, as its records name themselves: `aws:sqs`.
    pub source: String,
    /// The handler that has failed, by module and function.
    pub handler: String,
    /// The kind of the last failure; see [`Failure::code`].
    pub code: String,
    /// Why it has failed last.
    pub reason: String,
    /// How often it has failed.
    pub failures: u32,
    /// The invocation in which it has failed last.
    pub request_id: String,
    /// When it was set aside.
    pub set_aside_at: Timestamp,
    /// The record as it came; of EventBridge the whole event.
    pub record: Box<RawValue>,
}

impl SetAside {
    pub(super) fn new(attempt: &Attempt<'_>, failure: &Failure, failures: u32) -> Self {
        Self {
            source: attempt.batch.source.name().to_owned(),
            handler: attempt.listener.name.to_string(),
            code: failure.code().to_owned(),
            reason: failure.reason().to_owned(),
            failures,
            request_id: attempt.run.request_id.to_owned(),
            set_aside_at: attempt.services.store.ambient().now(),
            record: attempt.run.original(attempt.place),
        }
    }

    /// The same record comes under the same name.
    pub(super) async fn keep(
        &self,
        failures: &FailureStore,
        event: &HandledEvent,
    ) -> Result<(), FailureStoreError> {
        // Half of it tells records apart, and nobody takes it for a secret in a log.
        let digest = event.digest();
        let key = format!("{FAILURES}{}/{}.json", self.handler, &digest[..digest.len() / 2]);
        let content = serde_json::to_vec(self).expect("it is a struct of texts and JSON");
        failures.put(&key, content).await
    }
}
