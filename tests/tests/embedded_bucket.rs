//! The embedded bucket of local-dev, as the real client and whoever has a presigned URL use it, and
//! the events that it sends.

use std::{fs, path::Path, time::Duration};

use api::{
    events::{Events, Failure, FailureStore, ObjectCreated},
    http::Module,
};
use aws_lc_rs::hmac;
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
use tests::{LocalDev, receiver::Receiver, run, signing_key};
use tokio::{
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

fn client(endpoint: &str) -> Client {
    let config = aws_sdk_s3::config::Builder::from(&Access::embedded().config(Some(endpoint)));
    Client::from_conf(config.force_path_style(true).build())
}

async fn put(
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

/// As curl or a browser sends it.
async fn send(method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
    let (address, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut request = Request::builder().method(method).uri(format!("/{path}"));
    request = request.header("host", address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.into()).unwrap();
    let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.into_body().collect().await.unwrap().to_bytes().to_vec();
    connection.abort();
    Reply { status, headers, body }
}

fn for_an_hour() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(3600)).unwrap()
}

async fn upload_url(client: &Client, key: &str) -> String {
    let put = client.put_object().bucket(BUCKET).key(key).content_type("image/png");
    put.presigned(for_an_hour()).await.unwrap().uri().to_owned()
}

async fn download_url(client: &Client, key: &str) -> String {
    let get = client.get_object().bucket(BUCKET).key(key);
    get.presigned(for_an_hour()).await.unwrap().uri().to_owned()
}

const PNG: [(&str, &str); 1] = [("content-type", "image/png")];

mod a_presigned_url {
    use super::*;

    #[tokio::test]
    async fn uploads_and_downloads_and_deletes_a_file() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let key = "uploads/a cat & a dog.png";

        let put = send(Method::PUT, &upload_url(client, key).await, &PNG, "meow").await;
        let url = download_url(client, key).await;
        let got = send(Method::GET, &url, &[], "").await;
        let piece = send(Method::GET, &url, &[("range", "bytes=1-2")], "").await;
        let known = put.header("etag").unwrap();
        let again = send(Method::GET, &url, &[("if-none-match", known)], "").await;
        let head = client.head_object().bucket(BUCKET).key(key);
        let head = head.presigned(for_an_hour()).await.unwrap();
        let head = send(Method::HEAD, head.uri(), &[], "").await;
        let delete = client.delete_object().bucket(BUCKET).key(key);
        let delete = delete.presigned(for_an_hour()).await.unwrap();
        let delete = send(Method::DELETE, delete.uri(), &[], "").await;

        // MD5 of what was sent.
        let etag = Some("\"4a4be40c96ac6314e91d93f38043a634\"");
        assert_eq!((put.status, put.header("etag")), (StatusCode::OK, etag), "{}", put.text());
        assert_eq!((got.status, got.text()), (StatusCode::OK, "meow"));
        assert_eq!(got.header("content-type"), Some("image/png"));
        assert_eq!(got.header("etag"), etag);
        assert_eq!((piece.status, piece.text()), (StatusCode::PARTIAL_CONTENT, "eo"));
        assert_eq!(piece.header("content-range"), Some("bytes 1-2/4"));
        assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, etag));
        assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, Some("4")));
        assert_eq!(delete.status, StatusCode::NO_CONTENT);
        send(Method::GET, &url, &[], "").await.assert_refused("NoSuchKey", 404);
    }

    #[tokio::test]
    async fn is_refused_when_its_time_is_over() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let long_ago = std::time::SystemTime::now() - Duration::from_secs(7200);
        let over = PresigningConfig::builder().start_time(long_ago);
        let over = over.expires_in(Duration::from_secs(3600)).build().unwrap();
        let put = client.put_object().bucket(BUCKET).key("uploads/1");

        let url = put.presigned(over).await.unwrap().uri().to_owned();
        let answer = send(Method::PUT, &url, &[], "late").await;

        answer.assert_refused("AccessDenied", 403);
        assert!(answer.text().contains("<Message>Request has expired</Message>"));
        let missing = client.get_object().bucket(BUCKET).key("uploads/1").send().await;
        assert_eq!(refusal(missing), refused("NoSuchKey", 404));
    }

    #[tokio::test]
    async fn is_good_for_what_was_signed_and_nothing_else() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let url = upload_url(client, "uploads/1").await;
        let wrong = "SignatureDoesNotMatch";
        let (unsigned, other) = ([PNG[0], ("x-amz-meta-owner", "eve")], "text/html");

        let (before, _) = url.rsplit_once("X-Amz-Signature=").unwrap();
        let forged = format!("{before}X-Amz-Signature={}", "0".repeat(64));
        for (method, url, headers, code) in [
            (Method::PUT, forged.as_str(), &PNG[..], wrong),
            (Method::PUT, &url.replace("uploads/1", "uploads/2"), &PNG, wrong),
            (Method::PUT, &url.replace("Expires=3600", "Expires=9999"), &PNG, wrong),
            (Method::PUT, &url, &[("content-type", other)], wrong),
            (Method::DELETE, &url, &PNG, wrong),
            (Method::PUT, &url, &unsigned, "AccessDenied"),
            (Method::PUT, url.split('?').next().unwrap(), &PNG, "AccessDenied"),
            (Method::PUT, &url.replace("=landline%2F", "=eve%2F"), &PNG, "InvalidAccessKeyId"),
        ] {
            send(method, url, headers, "meow").await.assert_refused(code, 403);
        }

        let listed = client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        assert_eq!(listed.key_count, Some(0));
    }

    #[tokio::test]
    async fn is_for_pages_of_this_machine() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let url = upload_url(client, "uploads/1").await;
        let ask = [
            ("origin", "http://localhost:5173"),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "content-type"),
        ];

        let asked = send(Method::OPTIONS, &url, &ask, "").await;
        let put = send(Method::PUT, &url, &[PNG[0], ask[0]], "meow").await;
        let elsewhere = [("origin", "https://example.com"), ask[1], ask[2]];
        let elsewhere = send(Method::OPTIONS, &url, &elsewhere, "").await;

        assert_eq!(asked.status, StatusCode::OK);
        for answer in [&asked, &put] {
            let origin = answer.header("access-control-allow-origin");
            assert_eq!(origin, Some("http://localhost:5173"));
        }
        assert_eq!(asked.header("access-control-allow-headers"), Some("content-type"));
        assert!(asked.header("access-control-allow-methods").unwrap().contains("PUT"));
        assert_eq!(put.status, StatusCode::OK);
        assert_eq!(put.header("access-control-expose-headers"), Some("etag"));
        assert_eq!(elsewhere.header("access-control-allow-origin"), None);
    }
}

mod the_client {
    use super::*;

    #[tokio::test]
    async fn keeps_what_it_says_of_a_file() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let put = client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"1"));
        let put =
            put.content_type("text/plain").cache_control("no-cache").metadata("owner", "maya");
        put.send().await.unwrap();
        let copied = |directive| {
            let copy = client.copy_object().bucket(BUCKET).copy_source(format!("{BUCKET}/a"));
            copy.metadata_directive(directive).content_type("text/html")
        };

        copied(MetadataDirective::Copy).key("b").send().await.unwrap();
        copied(MetadataDirective::Replace).key("c").send().await.unwrap();
        let onto_itself = copied(MetadataDirective::Copy).key("a").send().await;

        let mut told = Vec::new();
        for key in ["a", "b", "c"] {
            let head = client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
            let owner = head.metadata().and_then(|it| it.get("owner")).cloned();
            told.push((head.content_type.unwrap(), head.cache_control, owner));
            assert_eq!(read(client, key).await, b"1");
        }
        let said = ("text/plain".to_owned(), Some("no-cache".to_owned()), Some("maya".to_owned()));
        assert_eq!(told, [said.clone(), said, ("text/html".to_owned(), None, None)]);
        assert_eq!(refusal(onto_itself), refused("InvalidRequest", 400));
    }

    #[tokio::test]
    async fn lists_what_is_there_page_by_page() {
        let folder = tempdir().unwrap();
        let laptop = Laptop::start(folder.path(), 1, &[]).await;
        let client = &laptop.client;
        for key in ["a", "a/1", "a/2", "b/1", "ä", "b"] {
            laptop.put(key, b"1").await;
        }

        let list = client.list_objects_v2().bucket(BUCKET).max_keys(2);
        let mut pages = list.clone().into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let contents = page.unwrap().contents.unwrap();
            assert!(contents.len() <= 2);
            keys.extend(contents.into_iter().map(|object| object.key.unwrap()));
        }
        let mut pages = list.delimiter("/").into_paginator().send();
        let mut folders = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            let prefixes = page.common_prefixes.unwrap_or_default();
            folders.extend(prefixes.into_iter().map(|it| it.prefix.unwrap()));
            let contents = page.contents.unwrap_or_default();
            folders.extend(contents.into_iter().map(|it| it.key.unwrap()));
        }
        let objects = ["a", "b", "ä"].map(|key| ObjectIdentifier::builder().key(key).build());
        let delete = Delete::builder().set_objects(Some(objects.map(Result::unwrap).to_vec()));
        let delete = client.delete_objects().bucket(BUCKET).delete(delete.build().unwrap());
        delete.send().await.unwrap();

        assert_eq!(keys, ["a", "a/1", "a/2", "b", "b/1", "ä"]);
        folders.sort();
        assert_eq!(folders, ["a", "a/", "b", "b/", "ä"]);
        let left = client.list_objects_v2().bucket(BUCKET).prefix("a").send().await.unwrap();
        let left: Vec<_> = left.contents().iter().filter_map(|it| it.key()).collect();
        assert_eq!(left, ["a/1", "a/2"]);
    }

    #[tokio::test]
    async fn uploads_in_parts() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let large = vec![7; 5 * 1024 * 1024];
        let begun = client.create_multipart_upload().bucket(BUCKET).key("a").content_type("a/b");
        let upload = begun.send().await.unwrap().upload_id.unwrap();
        let part = |number, content: Vec<u8>| {
            let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&upload);
            part.part_number(number).body(content.into()).send()
        };
        let complete = |parts: Vec<(i32, String)>| {
            let parts = parts.into_iter().map(|(number, etag)| {
                CompletedPart::builder().part_number(number).e_tag(etag).build()
            });
            let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect()));
            let complete = client.complete_multipart_upload().bucket(BUCKET).key("a");
            complete.upload_id(&upload).multipart_upload(parts.build()).send()
        };

        let one = part(1, large.clone()).await.unwrap().e_tag.unwrap();
        let small = part(2, b"1".to_vec()).await.unwrap().e_tag.unwrap();
        let three = part(3, b"end".to_vec()).await.unwrap().e_tag.unwrap();
        let wrong = complete(vec![(1, small.clone())]).await;
        let unordered = complete(vec![(3, three.clone()), (1, one.clone())]).await;
        let too_small = complete(vec![(2, small), (3, three.clone())]).await;
        let done = complete(vec![(1, one.clone()), (3, three.clone())]).await.unwrap();
        let over = complete(vec![(1, one), (3, three)]).await;

        assert_eq!(refusal(wrong), refused("InvalidPart", 400));
        assert_eq!(refusal(unordered), refused("InvalidPartOrder", 400));
        assert_eq!(refusal(too_small), refused("EntityTooSmall", 400));
        assert!(done.e_tag.unwrap().ends_with("-2\""));
        assert_eq!(refusal(over), refused("NoSuchUpload", 404));
        assert_eq!(read(client, "a").await, [large, b"end".to_vec()].concat());
        assert_eq!(files(&folder), 1, "parts are gone");
    }

    #[tokio::test]
    async fn gives_an_upload_up() {
        let folder = tempdir().unwrap();
        let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
        let begun = client.create_multipart_upload().bucket(BUCKET).key("a").send().await.unwrap();
        let upload = begun.upload_id.unwrap();
        let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&upload).part_number(1);
        part.clone().body(ByteStream::from_static(b"1")).send().await.unwrap();

        let abort = client.abort_multipart_upload().bucket(BUCKET).key("a").upload_id(&upload);
        abort.send().await.unwrap();

        assert_eq!(refusal(part.send().await), refused("NoSuchUpload", 404));
        assert_eq!(files(&folder), 0);
    }

    #[tokio::test]
    async fn overwrites_nothing_by_what_is_refused() {
        let folder = tempdir().unwrap();
        let laptop = Laptop::start(folder.path(), 1, &[]).await;
        let client = &laptop.client;
        laptop.put("a", b"first").await;
        let put = || {
            let put = client.put_object().bucket(BUCKET).key("a");
            put.body(ByteStream::from_static(b"second"))
        };

        // Of the empty text.
        let other = put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await;
        let summed = put().checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        let summed = summed.send().await;
        let there = put().if_none_match("*").send().await;
        let stale = put().if_match("\"0123\"").send().await;
        let tagged = put().tagging("a=b").send().await;

        assert_eq!(refusal(other), refused("BadDigest", 400));
        assert_eq!(refusal(summed), refused("BadDigest", 400));
        assert_eq!(refusal(there), refused("PreconditionFailed", 412));
        assert_eq!(refusal(stale), refused("PreconditionFailed", 412));
        assert_eq!(refusal(tagged), refused("NotImplemented", 501));
        assert_eq!(read(client, "a").await, b"first");
        assert_eq!(files(&folder), 1, "nothing of them is left");
    }

    #[tokio::test]
    async fn is_told_what_is_wrong_with_a_key_or_a_bucket() {
        let folder = tempdir().unwrap();
        let laptop = Laptop::start(folder.path(), 1, &[]).await;
        let client = &laptop.client;
        let (longest, longer) = ("a".repeat(1024), "a".repeat(1025));

        put(client, &longest, b"1").await.unwrap();
        let too_long = put(client, &longer, b"1").await;
        let elsewhere = client.put_object().bucket("somebody-elses").key("a").send().await;
        let made = client.create_bucket().bucket("another-one").send().await;
        let range = client.get_object().bucket(BUCKET).key(&longest).range("bytes=7-");
        let range = range.send().await;

        assert_eq!(refusal(too_long), refused("KeyTooLongError", 400));
        assert_eq!(refusal(elsewhere), refused("NoSuchBucket", 404));
        assert_eq!(refusal(made), refused("NotImplemented", 501));
        assert_eq!(refusal(range), refused("InvalidRange", 416));
    }

    /// A key is a name in the bucket, and no path.
    #[tokio::test]
    async fn gets_out_of_the_bucket_by_no_key() {
        let folder = tempdir().unwrap();
        let laptop = Laptop::start(folder.path(), 1, &[]).await;
        let keys = ["../../out", "..", "a/../b", "/etc/passwd", "a//b", "a", "a/b"];
        let before = fs::read_dir(folder.path()).unwrap().count();

        for key in keys {
            laptop.put(key, b"1").await;
        }

        let listed = laptop.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
        let mut listed: Vec<_> = listed.contents().iter().filter_map(|it| it.key()).collect();
        listed.sort_unstable();
        let mut expected = keys;
        expected.sort_unstable();
        assert_eq!(listed, expected);
        assert_eq!(files(&folder), keys.len());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    }

    fn files(folder: &TempDir) -> usize {
        fs::read_dir(folder.path().join("files")).unwrap().count()
    }
}

mod an_event {
    use super::*;

    type Seen = UnboundedReceiver<ObjectCreated>;

    /// A module whose handler sends on what it is given.
    fn listening(prefix: &'static str) -> (Vec<Module>, Seen) {
        let (sender, seen) = unbounded_channel();
        let handler = move |object: ObjectCreated| {
            let sent = sender.send(object);
            async move { Ok(sent?) }
        };
        (vec![Module::new("files").on_object_created(prefix, handler)], seen)
    }

    async fn next(seen: &mut Seen) -> ObjectCreated {
        let seen = tokio::time::timeout(Duration::from_secs(60), seen.recv()).await;
        seen.expect("it is delivered").expect("somebody listens")
    }

    async fn fail(_: ObjectCreated) -> api::events::Result {
        Err(Failure::new("it is no picture"))
    }

    #[tokio::test]
    async fn tells_of_each_file_under_a_prefix_that_somebody_listens_to() {
        let folder = tempdir().unwrap();
        let (modules, mut seen) = listening("uploads/");
        let laptop = Laptop::start(folder.path(), 1, &modules).await;

        laptop.put("thumbnails/1", b"1").await;
        laptop.put("uploads/a cat+dog ä.png", b"meow").await;

        let object = next(&mut seen).await;
        assert_eq!(
            (object.bucket.as_str(), object.key.as_str()),
            (BUCKET, "uploads/a cat+dog ä.png")
        );
        assert_eq!((object.size, object.etag.as_str()), (4, "4a4be40c96ac6314e91d93f38043a634"));
        assert_eq!(object.version_id, None);
        laptop.bucket.stop().await;
        assert!(seen.try_recv().is_err(), "it comes once, and nothing else does");
    }

    /// The record that was set aside is the record as it came.
    #[tokio::test]
    async fn is_exactly_what_s3_sends_and_is_set_aside_after_three_attempts() {
        let folder = tempdir().unwrap();
        let mut kept = Receiver::start().await;
        let endpoint = format!("http://{}", kept.address());
        let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
        let modules = [Module::new("files").on_object_created("uploads/", fail)];
        let laptop = Laptop::with(folder.path(), 1, &modules, &modules, failures).await;

        let url = upload_url(&laptop.client, "uploads/a cat.png").await;
        let put = send(Method::PUT, &url, &PNG, "meow").await;
        let set_aside = kept.received().await;

        assert!(set_aside.path.starts_with("/failures/failures/files.fail/"), "{set_aside:?}");
        let set_aside: Value = serde_json::from_str(&set_aside.body).unwrap();
        assert_eq!(set_aside["failures"], 3);
        let request_id = put.header("x-amz-request-id").unwrap();
        let id_2 = put.header("x-amz-id-2").unwrap();
        let record = json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": "2026-11-22T16:30:00.123Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "AWS:landline" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": request_id, "x-amz-id-2": id_2 },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "landline-local-events",
                "bucket": {
                    "name": "landline-local-files",
                    "ownerIdentity": { "principalId": "landline" },
                    "arn": "arn:aws:s3:::landline-local-files",
                },
                "object": {
                    "key": "uploads/a+cat.png",
                    "size": 4,
                    "eTag": "4a4be40c96ac6314e91d93f38043a634",
                    "sequencer": "000000000000000001",
                },
            },
        });
        assert_eq!(set_aside["record"], record);
    }

    #[tokio::test]
    async fn tells_of_a_form_that_was_posted() {
        let folder = tempdir().unwrap();
        let mut kept = Receiver::start().await;
        let endpoint = format!("http://{}", kept.address());
        let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
        let (modules, _seen) = listening("uploads/");
        let laptop = Laptop::with(folder.path(), 1, &modules, &[], failures).await;
        let url = format!("{}/{BUCKET}", laptop.bucket.endpoint());
        let form = form("uploads/1", "meow");
        let content_type = [("content-type", "multipart/form-data; boundary=boundary")];

        let posted = send(Method::POST, &url, &content_type, form.clone()).await;
        let forged = form.replace("uploads/1", "elsewhere");
        let forged = send(Method::POST, &url, &content_type, forged).await;

        assert_eq!(posted.status, StatusCode::NO_CONTENT, "{}", posted.text());
        let lost: Value = serde_json::from_str(&kept.received().await.body).unwrap();
        let record = &lost["requestPayload"]["Records"][0];
        assert_eq!(record["eventName"], "ObjectCreated:Post");
        assert_eq!(record["s3"]["object"]["key"], "uploads/1");
        assert_eq!(read(&laptop.client, "uploads/1").await, b"meow");
        forged.assert_refused("AccessDenied", 403);
    }

    /// A form that a server signs for a browser, for keys under `uploads/`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>).
    fn form(key: &str, content: &str) -> String {
        let now = Ambient::system().now();
        let date = now.to_string()[..19].replace(['-', ':'], "") + "Z";
        let credential = format!("landline/{}/us-east-1/s3/aws4_request", &date[..8]);
        let policy = json!({
            "expiration": now.plus(Duration::from_secs(3600)),
            "conditions": [
                { "bucket": BUCKET },
                ["starts-with", "$key", "uploads/"],
                { "x-amz-algorithm": "AWS4-HMAC-SHA256" },
                { "x-amz-credential": credential },
                { "x-amz-date": date },
            ],
        });
        let policy = BASE64_STANDARD.encode(policy.to_string());
        let sign = |key: &[u8], text: &str| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, key);
            hmac::sign(&key, text.as_bytes()).as_ref().to_vec()
        };
        let scope = [&date[..8], "us-east-1", "s3", "aws4_request", &policy];
        let signature = scope.iter().fold(b"AWS4landline".to_vec(), |key, part| sign(&key, part));
        let signature: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        let fields = [
            ("key", key),
            ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
            ("x-amz-credential", &credential),
            ("x-amz-date", &date),
            ("policy", &policy),
            ("x-amz-signature", &signature),
        ];
        let fields = fields.map(|(name, value)| {
            format!(
                "--boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            )
        });
        let file = "--boundary\r\nContent-Disposition: form-data; name=\"file\"; filename=\"1.png\"\r\n\
                    Content-Type: image/png\r\n\r\n";
        format!("{}{file}{content}\r\n--boundary--\r\n", fields.concat())
    }

    /// Nobody listens any more, so that the function refuses the event as a whole.
    #[tokio::test]
    async fn that_the_function_refuses_is_kept_as_lambda_keeps_it() {
        let folder = tempdir().unwrap();
        let mut kept = Receiver::start().await;
        let endpoint = format!("http://{}", kept.address());
        let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
        let (modules, _seen) = listening("uploads/");
        let laptop = Laptop::with(folder.path(), 1, &modules, &[], failures).await;

        copy(&laptop, "uploads/1").await;
        let lost = kept.received().await;

        let name =
            "/failures/aws/lambda/async/landline-local-events/2026/11/22/2026-11-22T16.30.00-";
        assert!(lost.path.starts_with(name), "{lost:?}");
        let mut lost: Value = serde_json::from_str(&lost.body).unwrap();
        let event = lost["requestPayload"].take();
        let request_id = lost["requestContext"]["requestId"].take();
        assert_eq!(event["Records"][0]["eventName"], "ObjectCreated:Copy");
        assert_eq!(request_id.as_str().map(str::len), Some(36));
        let why = "no module has declared a handler for `ObjectCreated:Copy` in the bucket \
                   `landline-local-files`, folder `uploads`";
        assert_eq!(
            lost,
            json!({
                "version": "1.0",
                "timestamp": "2026-11-22T16:30:00.123Z",
                "requestContext": {
                    "requestId": null,
                    "functionArn":
                        "arn:aws:lambda:us-east-1:000000000000:function:landline-local-events:$LATEST",
                    "condition": "RetriesExhausted",
                    "approximateInvokeCount": 3,
                },
                "requestPayload": null,
                "responseContext": {
                    "statusCode": 200,
                    "executedVersion": "$LATEST",
                    "functionError": "Unhandled",
                },
                "responsePayload": { "errorMessage": why },
            }),
        );
    }

    async fn copy(laptop: &Laptop, key: &str) {
        laptop.put("elsewhere", b"1").await;
        let copy = laptop.client.copy_object().bucket(BUCKET).key(key);
        copy.copy_source(format!("{BUCKET}/elsewhere")).send().await.unwrap();
    }

    /// What was kept so is sent again as any other failure.
    #[tokio::test]
    async fn that_was_kept_is_replayed() {
        let folder = tempdir().unwrap();
        let (modules, mut seen) = listening("uploads/");
        let kept = folder.path().join("events");
        let failures = FailureStore::folder(&kept);
        let record = json!({
            "version": "1.0",
            "requestPayload": tests::batches::s3(BUCKET, &[("uploads/1".to_owned(), "1".to_owned())]),
        });
        let name = "aws/lambda/async/landline-local-events/2026/11/22/1.json";
        failures.put(name, record.to_string().into_bytes()).await.unwrap();
        let store = EmbeddedStore::memory().unwrap();
        let table = Store::connect(connection(&store), Ambient::system());
        table.create_table().await.unwrap();
        let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
        let events = Events::with_modules(&modules, auth, Default::default(), table, failures);

        let replayed = events.unwrap().replay("aws/lambda/", None).await.unwrap();

        assert_eq!((replayed.replayed, replayed.failed.len()), (1, 0));
        assert_eq!(next(&mut seen).await.key, "uploads/1");
        assert!(!kept.join(name).exists());
    }

    #[tokio::test]
    async fn is_not_lost_when_the_process_dies_in_the_middle() {
        let folder = tempdir().unwrap();
        let (begun, mut begins) = unbounded_channel();
        let never = move |object: ObjectCreated| {
            let sent = begun.send(object.key);
            async move {
                sent?;
                std::future::pending().await
            }
        };
        let stuck = [Module::new("files").on_object_created("uploads/", never)];
        let (modules, mut seen) = listening("uploads/");

        let laptop = Laptop::start(folder.path(), 1, &stuck).await;
        laptop.put("uploads/1", b"1").await;
        assert_eq!(begins.recv().await.as_deref(), Some("uploads/1"));
        drop(laptop);
        let laptop = Laptop::start(folder.path(), 2, &modules).await;

        assert_eq!(next(&mut seen).await.key, "uploads/1");
        laptop.bucket.stop().await;
        let laptop = Laptop::start(folder.path(), 3, &modules).await;
        laptop.put("uploads/2", b"1").await;
        assert_eq!(
            next(&mut seen).await.key,
            "uploads/2",
            "what was delivered does not come again"
        );
    }

    /// Ten of them run beside each other, and a stuck one holds up no other.
    #[tokio::test]
    async fn does_not_wait_for_another_one() {
        let folder = tempdir().unwrap();
        let (sender, mut seen): (UnboundedSender<ObjectCreated>, _) = unbounded_channel();
        let handler = move |object: ObjectCreated| {
            let is_stuck = object.key.ends_with("stuck");
            let sent = sender.send(object);
            async move {
                sent?;
                if is_stuck { std::future::pending().await } else { Ok(()) }
            }
        };
        let modules = [Module::new("files").on_object_created("uploads/", handler)];
        let laptop = Laptop::start(folder.path(), 1, &modules).await;

        laptop.put("uploads/stuck", b"1").await;
        laptop.put("uploads/2", b"1").await;

        assert_eq!(next(&mut seen).await.key, "uploads/stuck");
        assert_eq!(next(&mut seen).await.key, "uploads/2");
    }

    /// Parts are no files; what they come together to is one.
    #[tokio::test]
    async fn tells_of_an_upload_in_parts_once() {
        let folder = tempdir().unwrap();
        let (modules, mut seen) = listening("");
        let laptop = Laptop::start(folder.path(), 1, &modules).await;
        let client = &laptop.client;
        let begun = client.create_multipart_upload().bucket(BUCKET).key("a").send().await.unwrap();
        let upload = begun.upload_id.unwrap();
        let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&upload).part_number(1);
        let part = part.body(ByteStream::from_static(b"meow")).send().await.unwrap();
        let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag.unwrap()).build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();

        let complete = client.complete_multipart_upload().bucket(BUCKET).key("a");
        complete.upload_id(upload).multipart_upload(parts).send().await.unwrap();

        let object = next(&mut seen).await;
        // MD5 of the MD5 of what was sent.
        assert_eq!((object.size, object.etag.as_str()), (4, "98e809a3fe6eca26725a111e45f3216e-1"));
        laptop.bucket.stop().await;
        assert!(seen.try_recv().is_err());
    }
}

mod on_a_laptop {
    use super::*;

    async fn start(data: &Path, port: &str) -> (LocalDev, Client) {
        let arguments = ["--s3-port", port, "--data-dir", data.to_str().unwrap()];
        let laptop = LocalDev::start(data.parent().unwrap(), arguments).await;
        let (_, rest) = laptop.greeting.split_once("AWS_ENDPOINT_URL_S3=").unwrap();
        let client = client(rest.lines().next().unwrap());
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
        let (_, rest) = laptop.greeting.split_once("AWS_ENDPOINT_URL_S3=").unwrap();
        let client = client(rest.lines().next().unwrap());

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
