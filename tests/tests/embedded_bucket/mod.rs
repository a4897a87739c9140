//! The embedded bucket of local-dev, as the real client and whoever has a presigned URL use it, and
//! the events that it sends.

mod a_form;
mod a_presigned_url;
mod a_restart;
mod a_signed_request;
mod an_event;
mod checksums;
mod conditions;
mod the_client;
mod the_folder;
mod what_is_not_kept;

use std::{fs, path::Path, time::Duration};

use api::{
    events::{Events, Failure, FailureStore, ObjectCreated},
    http::Module,
};
use aws_lc_rs::{digest, hmac};
use aws_sdk_s3::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    presigning::PresigningConfig,
    primitives::ByteStream,
    types::{CompletedMultipartUpload, CompletedPart, Delete, MetadataDirective, ObjectIdentifier},
};
use axum::body::Body;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use local_dev::{BUCKET, EmbeddedBucket, EmbeddedStore, Function, connection};
use models::{Ambient, Timestamp, aws::Access, store::Store};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::{LocalDev, Log, receiver::Receiver, run, signing_key};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

/// A bucket in a folder, with event handlers behind it. Dropping it stops it as `kill -9` does: what
/// it is doing is not finished.
struct Laptop {
    bucket: EmbeddedBucket,
    _store: EmbeddedStore,
    client: Client,
}

impl Laptop {
    /// On what is in this folder. `seed` is of this start alone.
    async fn start(folder: &Path, seed: u64, modules: &[Module]) -> Self {
        Self::with(folder, seed, modules, modules, FailureStore::memory()).await
    }

    /// The function may have other modules than those that the bucket knows of.
    async fn with(
        folder: &Path,
        seed: u64,
        modules: &[Module],
        of_the_function: &[Module],
        failures: FailureStore,
    ) -> Self {
        let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_123), seed);
        Self::at(folder, ambient, modules, of_the_function, failures).await
    }

    /// Its time and its ids are these.
    async fn at(
        folder: &Path,
        ambient: Ambient,
        modules: &[Module],
        of_the_function: &[Module],
        failures: FailureStore,
    ) -> Self {
        let store = EmbeddedStore::open_on(&folder.join("store.sqlite"), 0).expect("it starts");
        let table = Store::connect(connection(&store), ambient.clone());
        table.create_table().await.expect("the table can be made");
        let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
        let (config, kept) = (Default::default(), failures.clone());
        let events = Events::with_modules(of_the_function, auth, config, table, kept);
        let events = events.expect("they can be served");
        let function = Function { events, failures, ambient };
        let files = folder.join("files");
        let bucket = EmbeddedBucket::start(&store, Some(&files), 0, modules, function);
        let bucket = bucket.expect("it starts");
        let client = client(bucket.endpoint());
        Self { bucket, _store: store, client }
    }

    async fn put(&self, key: &str, content: &'static [u8]) {
        put(&self.client, key, content).await.expect("it is taken");
    }
}

pub(crate) fn client(endpoint: &str) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&Access::embedded().config(Some(endpoint)));
    Client::from_conf(config.force_path_style(true).build())
}

pub(crate) async fn put(
    client: &Client,
    key: &str,
    content: &'static [u8],
) -> Result<String, SdkError<aws_sdk_s3::operation::put_object::PutObjectError>> {
    let body = ByteStream::from_static(content);
    let put = client.put_object().bucket(BUCKET).key(key).body(body).send().await?;
    Ok(put.e_tag.expect("an object has an entity tag"))
}

async fn read(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket(BUCKET).key(key).send().await.expect("it is there");
    object.body.collect().await.expect("it comes whole").to_vec()
}

/// The code of an error, and its status.
fn refusal<T, E: ProvideErrorMetadata>(outcome: Result<T, SdkError<E>>) -> (String, u16) {
    match outcome.err().expect("it is refused") {
        SdkError::ServiceError(error) => {
            let code = error.err().code().unwrap_or_default().to_owned();
            (code, error.raw().status().as_u16())
        }
        _ => panic!("the bucket has not answered"),
    }
}

fn refused(code: &str, status: u16) -> (String, u16) {
    (code.to_owned(), status)
}

/// An answer to a request by hand.
struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("it is text"))
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("it is text")
    }

    #[track_caller]
    fn assert_refused(&self, code: &str, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/xml"));
        assert!(self.text().contains(&format!("<Code>{code}</Code>")), "{}", self.text());
    }
}

/// Where a URL leads to, and its path with the query.
fn parts(url: &str) -> (&str, &str) {
    let rest = url.strip_prefix("http://").expect("it is on loopback");
    rest.split_once('/').expect("it has a path")
}

/// As curl or a browser sends it.
async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    send_to(parts(url).0, method, url, headers, body).await
}

/// As if the URL's host led to this address.
async fn send_to(
    address: &str,
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Reply {
    let (host, path) = parts(url);
    let mut request = Request::builder().method(method).uri(format!("/{path}"));
    request = request.header("host", host);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).expect("a request");
    let stream = TokioIo::new(TcpStream::connect(address).await.expect("it listens"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.expect("it speaks HTTP");
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.expect("it answers");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.into_body().collect().await.expect("it answers whole").to_bytes().to_vec();
    connection.abort();
    Reply { status, headers, body }
}

fn for_an_hour() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(3600)).expect("an hour is no week")
}

async fn upload_url(client: &Client, key: &str) -> String {
    let put = client.put_object().bucket(BUCKET).key(key).content_type("image/png");
    put.presigned(for_an_hour()).await.expect("it is signed").uri().to_owned()
}

async fn download_url(client: &Client, key: &str) -> String {
    let get = client.get_object().bucket(BUCKET).key(key);
    get.presigned(for_an_hour()).await.expect("it is signed").uri().to_owned()
}

/// The signature of a text with the embedded key, in the scope of this day.
fn signature(day: &str, text: &str) -> String {
    let sign = |key: &[u8], text: &str| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
    };
    let scope = [day, "us-east-1", "s3", "aws4_request", text];
    let signature = scope.iter().fold(b"AWS4landline".to_vec(), |key, part| sign(&key, part));
    signature.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// This second, as signatures have it: `20261126T070000Z`.
fn amz_date(now: Timestamp) -> String {
    now.to_string()[..19].replace(['-', ':'], "") + "Z"
}

/// What is signed of a request in its canonical form.
fn text_to_sign(date: &str, request: &str) -> String {
    let request = digest::digest(&digest::SHA256, request.as_bytes());
    let request: String = request.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    format!("AWS4-HMAC-SHA256\n{date}\n{}/us-east-1/s3/aws4_request\n{request}", &date[..8])
}

const PNG: [(&str, &str); 1] = [("content-type", "image/png")];

mod on_a_laptop {
    use super::*;

    /// As the greeting tells it.
    fn endpoint(laptop: &LocalDev) -> &str {
        let told = laptop.greeting.split_once("AWS_ENDPOINT_URL_S3=");
        told.and_then(|(_, rest)| rest.lines().next()).expect("the greeting says it")
    }

    async fn start(data: &Path, port: &str) -> (LocalDev, Client) {
        let arguments = ["--s3-port", port, "--data-dir", data.to_str().expect("its name is text")];
        let folder = data.parent().expect("it is in a folder");
        let laptop = LocalDev::start(folder, arguments).await;
        let client = client(endpoint(&laptop));
        (laptop, client)
    }

    #[tokio::test]
    async fn files_are_there_after_kill_9_and_gone_after_reset() {
        let folder = tempdir().unwrap();
        let data = folder.path().join("data");
        let (laptop, uploader) = start(&data, "0").await;

        let put = send(Method::PUT, &upload_url(&uploader, "a").await, &PNG, "meow").await;
        assert_eq!(put.status, StatusCode::OK, "{}", put.text());
        laptop.kill().await;
        let (laptop, reader) = start(&data, "0").await;
        assert_eq!(read(&reader, "a").await, b"meow");
        assert!(data.join("s3-address").exists());
        laptop.end_with("TERM").await;
        assert!(!data.join("s3-address").exists());
        let arguments = ["reset", "--data-dir", data.to_str().unwrap()];
        let reset = run("local-dev", arguments, &[]).await;

        assert_eq!(reset.code, Some(0), "{reset:?}");
        assert!(!data.join("files").exists());
    }

    #[tokio::test]
    async fn are_in_memory_where_nothing_is_kept() {
        let folder = tempdir().unwrap();
        let laptop = LocalDev::start(folder.path(), ["--ephemeral", "--s3-port", "0"]).await;
        let client = client(endpoint(&laptop));

        put(&client, "a/b", b"meow").await.unwrap();

        assert_eq!(read(&client, "a/b").await, b"meow");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_named() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();

        let arguments = ["--ephemeral", "--port", "0", "--s3-port", &port];
        let outcome = run("local-dev", arguments, &[]).await;

        let why = format!("error: port {port} is already in use; name another with --s3-port\n");
        assert_eq!((outcome.code, outcome.stderr), (Some(1), why));
    }
}
