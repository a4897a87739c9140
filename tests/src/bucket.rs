use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use api::events::FailureStore;
use form_urlencoded::parse;
use http::{Method, Request, Response, header::AUTHORIZATION};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use models::aws::Access;
use percent_encoding::percent_decode_str;
use tokio::{net::TcpListener, task::JoinSet};

/// A list has so many names on a page. S3's own pages have a thousand.
const PAGE: usize = 2;

/// A bucket on loopback, for the real client: as much of S3 as keeps, gives, lists and removes objects
/// (Amazon S3 API Reference: `PutObject`, `GetObject`, `DeleteObject`, `ListObjectsV2`), path-style,
/// with small pages. Gone when it is dropped.
pub struct Bucket {
    endpoint: String,
    kept: Arc<Mutex<Kept>>,
    _server: JoinSet<()>,
}

#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Vec<u8>>,
    is_gone: bool,
}

impl Bucket {
    /// An empty one.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn serve() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let endpoint = format!("http://{}", listener.local_addr().expect("it listens"));
        let kept = Arc::<Mutex<Kept>>::default();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, kept.clone()));
        Self { endpoint, kept, _server: server }
    }

    /// A client of it.
    pub fn failures(&self) -> FailureStore {
        FailureStore::bucket("failures", &Access::embedded(), Some(&self.endpoint))
    }

    /// Where it is.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on there is no such bucket.
    pub fn vanish(&self) {
        lock(&self.kept).is_gone = true;
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, kept: Arc<Mutex<Kept>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let kept = kept.clone();
        let answer = service_fn(move |request| answer(kept.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer);
        connections.spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    kept: Arc<Mutex<Kept>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let signature = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let signed = signature.unwrap_or_default().starts_with("AWS4-HMAC-SHA256 Credential=landline/");
    let path = percent_decode_str(parts.uri.path()).decode_utf8()?.into_owned();
    let key = path.strip_prefix("/failures").map(|key| key.trim_start_matches('/'));
    let mut kept = lock(&kept);
    let (status, body) = match key {
        _ if !signed => (403, error("AccessDenied")),
        Some(key) if !kept.is_gone => {
            kept.answer(&parts.method, key, parts.uri.query().unwrap_or_default(), &body)
        }
        _ => (404, error("NoSuchBucket")),
    };
    let xml = Response::builder().status(status).header("content-type", "application/xml");
    Ok(xml.body(body)?)
}

fn error(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>as it says</Message></Error>")
}

impl Kept {
    fn answer(&mut self, method: &Method, key: &str, query: &str, body: &[u8]) -> (u16, String) {
        match *method {
            Method::PUT => {
                self.objects.insert(key.to_owned(), body.to_vec());
                (200, String::new())
            }
            Method::DELETE => {
                self.objects.remove(key);
                (204, String::new())
            }
            Method::GET if key.is_empty() => (200, self.list(query)),
            Method::GET => match self.objects.get(key) {
                Some(body) => (200, String::from_utf8_lossy(body).into_owned()),
                None => (404, error("NoSuchKey")),
            },
            _ => (405, error("MethodNotAllowed")),
        }
    }

    fn list(&self, query: &str) -> String {
        let asked: BTreeMap<_, _> = parse(query.as_bytes()).into_owned().collect();
        let named = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
        let (prefix, after) = (named("prefix"), named("continuation-token"));
        let keys = self.objects.keys().filter(|key| key.starts_with(prefix));
        let mut keys = keys.filter(|key| key.as_str() > after).peekable();
        let mut page = Vec::new();
        while page.len() < PAGE
            && let Some(key) = keys.next()
        {
            page.push(key);
        }
        let contents = page.iter().map(|key| format!("<Contents><Key>{key}</Key></Contents>"));
        let contents: String = contents.collect();
        let next = keys.peek().and(page.last());
        let next = next.map(|key| format!("<NextContinuationToken>{key}</NextContinuationToken>"));
        let truncated = next.is_some();
        format!(
            "<ListBucketResult><Name>failures</Name><IsTruncated>{truncated}</IsTruncated>\
             {contents}{}</ListBucketResult>",
            next.unwrap_or_default(),
        )
    }
}
