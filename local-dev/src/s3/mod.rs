//! The embedded bucket: as much of Amazon S3's protocol as an app and its phones use of one bucket,
//! and the events of S3 to the events function.
//!
//! Protocol and signatures are [`s3s`]'s. What is kept is ours: [`contents`] has the bytes,
//! [`index`] what is known of them, in the store's own file, where an object and its event are
//! committed together.

mod access;
mod contents;
mod deletions;
mod digests;
mod facts;
mod form;
mod index;
mod listing;
mod notice;
mod objects;
mod operations;
mod origin;
mod parts;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use api::{events::Trigger, http::Module};
use axum::{
    Router,
    error_handling::HandleError,
    extract::{ConnectInfo, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use dynoxide::storage::Storage;
use models::Ambient;
use s3s::{
    config::{S3Config, StaticConfigProvider},
    service::{S3Service, S3ServiceBuilder},
};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinHandle,
    time::timeout,
};

use crate::{EmbeddedStore, StoreError, function::Function, invocation::Invocations};
use contents::Contents;
use index::Index;
use notice::{Call, HOST};
use objects::Objects;

/// The bucket's name.
pub const BUCKET: &str = "landline-local-files";

/// What a file in a form has at most, in bytes: [`s3s`] has it in memory until it is whole, signed or
/// not.
const LARGEST_FORM: u64 = 64 * 1024 * 1024;

/// Requests and handlers that run when the bucket is stopped may take so long.
const GRACE: Duration = Duration::from_secs(2);

/// An S3 endpoint on loopback with one bucket. Dropping it stops it in the middle of whatever it
/// does.
pub struct EmbeddedBucket {
    endpoint: String,
    tasks: Vec<(oneshot::Sender<()>, JoinHandle<()>)>,
}

/// Why the bucket did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BucketError {
    /// Another program listens where the bucket should.
    #[error("port {0} is already in use; name another with --s3-port")]
    PortTaken(u16),
    /// The folder of files cannot be used.
    #[error("cannot use the folder of files {path}: {cause}")]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// What is known of the files is in the store's file.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Anything else between the bucket and its listener.
    #[error("cannot serve the embedded bucket: {0}")]
    Serve(String),
}

/// Who is told of objects: the prefixes that modules listen to, which are the filter of the
/// bucket's notifications.
pub(crate) struct Notified {
    prefixes: Vec<&'static str>,
    news: Arc<Notify>,
}

impl EmbeddedBucket {
    /// The bucket beside a store, on this loopback port; 0 is any. Bytes are in this folder, or in
    /// memory. What arrives under a prefix that one of the modules listens to is told to the
    /// function, what was not delivered before the last end included.
    pub fn start(
        store: &EmbeddedStore,
        folder: Option<&Path>,
        port: u16,
        modules: &[Module],
        function: Function,
    ) -> Result<Self, BucketError> {
        let listener = bind(port)?;
        let address = listener.local_addr().map_err(failed)?;
        let news = Arc::new(Notify::new());
        let notified = Notified { prefixes: prefixes(modules), news: news.clone() };
        let ambient = function.ambient.clone();
        let objects = objects(store.connect()?, folder, notified, ambient.clone())?;
        // Before the first request can put something into the queue.
        let invocations = Invocations::new(objects.index.shared(), function, news);
        let invocations = invocations.map_err(failed)?;
        let router = router(service(objects), ambient);
        let (stop, stopped) = oneshot::channel();
        let server = (stop, EmbeddedStore::beside(serve(listener, router, stopped))?);
        let (stop, stopped) = oneshot::channel();
        let events = (stop, EmbeddedStore::beside(invocations.follow(stopped))?);
        Ok(Self { endpoint: format!("http://{address}"), tasks: vec![server, events] })
    }

    /// Where the bucket listens, such as `http://127.0.0.1:54321`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Take no more requests, and wait until those that run are answered and handlers that run are
    /// done, for two seconds each at most. Events that are not delivered then are after the next start.
    pub async fn stop(mut self) {
        for (stop, mut task) in self.tasks.drain(..) {
            drop(stop);
            if timeout(GRACE, &mut task).await.is_err() {
                tracing::warn!("the embedded bucket was stopped in the middle of something");
                task.abort();
            }
        }
    }
}

impl Drop for EmbeddedBucket {
    fn drop(&mut self) {
        self.tasks.iter().for_each(|(_, task)| task.abort());
    }
}

fn bind(port: u16) -> Result<TcpListener, BucketError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = listener.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => BucketError::PortTaken(port),
        _ => failed(error),
    })?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

fn objects(
    storage: Option<Storage>,
    folder: Option<&Path>,
    notified: Notified,
    ambient: Ambient,
) -> Result<Objects, BucketError> {
    let storage = storage.map_or_else(Storage::memory, Ok).map_err(failed)?;
    let index = Index::new(storage, ambient.clone()).map_err(failed)?;
    let path = folder.unwrap_or(Path::new("in memory")).to_owned();
    let unusable = |cause| BucketError::Unusable { path, cause };
    let known = index.contents().map_err(failed)?;
    let contents = Contents::new(folder.map(Path::to_owned));
    let kept = contents.and_then(|contents| Ok((contents.retain(&known)?, contents)));
    let (forgotten, contents) = kept.map_err(unusable)?;
    if forgotten > 0 {
        tracing::warn!(forgotten, "removed files that the store does not know");
    }
    Ok(Objects { index, contents, ambient, notified })
}

fn prefixes(modules: &[Module]) -> Vec<&'static str> {
    let listeners = modules.iter().flat_map(Module::listeners);
    let prefixes = listeners.filter_map(|listener| match listener.trigger {
        Trigger::ObjectCreated(prefix) => Some(prefix),
        _ => None,
    });
    prefixes.collect()
}

fn service(objects: Objects) -> S3Service {
    let mut config = S3Config::default();
    config.post_object_max_file_size = LARGEST_FORM;
    let mut service = S3ServiceBuilder::new(objects);
    service.set_config(Arc::new(StaticConfigProvider::new(Arc::new(config))));
    service.set_auth(access::Key);
    service.set_access(access::Access);
    service.build()
}

fn router(service: S3Service, ambient: Ambient) -> Router {
    let service = HandleError::new(service, async |error: s3s::HttpError| {
        let error: Box<dyn std::error::Error + Send + Sync> = error.into();
        tracing::error!(error, "the embedded bucket has no answer");
        StatusCode::INTERNAL_SERVER_ERROR
    });
    Router::new()
        .fallback_service(service)
        .layer(from_fn(join_encodings))
        .layer(origin::cors())
        .layer(from_fn(origin::only_from_here))
        .layer(from_fn_with_state(ambient, identify))
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-request-id");
const ID_2: HeaderName = HeaderName::from_static("x-amz-id-2");

/// SDKs that send a body in chunks say so on a second line of `Content-Encoding`, and sign both as
/// the one list that they are (RFC 9110, section 5.3). [`s3s`] takes one line.
async fn join_encodings(mut request: Request, next: Next) -> Response {
    let headers = request.headers_mut();
    let lines: Vec<_> = headers.get_all(header::CONTENT_ENCODING).iter().collect();
    if lines.len() > 1 {
        let lines: Vec<_> = lines.into_iter().map(HeaderValue::as_bytes).collect();
        if let Ok(list) = HeaderValue::from_bytes(&lines.join(&b","[..])) {
            headers.insert(header::CONTENT_ENCODING, list);
        }
    }
    next.run(request).await
}

/// Give each request the id that its answer and its event have.
async fn identify(
    State(ambient): State<Ambient>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    mut request: Request,
    next: Next,
) -> Response {
    let call = Call::new(&ambient, peer.ip());
    request.extensions_mut().insert(call.clone());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.extend(HeaderValue::try_from(call.request_id).ok().map(|id| (REQUEST_ID, id)));
    headers.insert(ID_2, HeaderValue::from_static(HOST));
    response
}

async fn serve(listener: TcpListener, router: Router, stopped: oneshot::Receiver<()>) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(%error, "the embedded bucket does not listen"),
    };
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move { drop(stopped.await) };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the embedded bucket stopped");
    }
}

fn failed(error: impl ToString) -> BucketError {
    BucketError::Serve(error.to_string())
}
