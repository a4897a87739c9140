//! Presigned URLs, as curl and browsers use them.

use std::{io, time::UNIX_EPOCH};

use aws_sdk_s3::primitives::DateTime;
use futures_util::stream;

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

/// So that a browser saves what it would show, say.
#[tokio::test]
async fn is_answered_in_the_words_that_it_wants() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"meow").await;
    let get = laptop.client.get_object().bucket(BUCKET).key("a");
    let get = get.response_content_type("text/plain").response_cache_control("no-store");
    let get = get.response_content_disposition("attachment; filename=\"cat.txt\"");
    let get = get.response_content_language("en").response_content_encoding("identity");
    let get = get.response_expires(DateTime::from_secs(1_795_365_000));

    let got = send(Method::GET, get.presigned(for_an_hour()).await.unwrap().uri(), &[], "").await;
    let plain = send(Method::GET, &download_url(&laptop.client, "a").await, &[], "").await;

    let said = [
        ("content-type", "text/plain"),
        ("cache-control", "no-store"),
        ("content-disposition", "attachment; filename=\"cat.txt\""),
        ("content-language", "en"),
        ("content-encoding", "identity"),
        ("expires", "Sun, 22 Nov 2026 16:30:00 GMT"),
    ];
    assert_eq!((got.status, got.text()), (StatusCode::OK, "meow"));
    for (name, value) in said {
        assert_eq!(got.header(name), Some(value), "{name}");
        assert_ne!(plain.header(name), Some(value), "{name}");
    }
}

/// Some SDKs put into the query what others have as headers, and a phone then sends none.
#[tokio::test]
async fn has_metadata_in_its_query() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let put = client.put_object().bucket(BUCKET).key("a").customize();
    let put = put.mutate_request(|request| {
        let uri = format!("{}&x-amz-meta-owner=maya%20%26%20omar", request.uri());
        request.set_uri(uri).expect("it is a URI");
    });
    let url = put.presigned(for_an_hour()).await.unwrap().uri().to_owned();

    let put = send(Method::PUT, &url, &[], "meow").await;
    let forged = send(Method::PUT, &url.replace("maya", "eve"), &[], "meow").await;

    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    forged.assert_refused("SignatureDoesNotMatch", 403);
    let head = client.head_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(head.metadata.unwrap()["owner"], "maya & omar");
}

#[tokio::test]
async fn is_refused_when_its_time_is_over() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let seconds = Ambient::system().now().unix_seconds() - 7200;
    let long_ago = UNIX_EPOCH + Duration::from_secs(seconds.unsigned_abs());
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
async fn is_good_for_a_week_at_most() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"meow").await;
    let url = |seconds: u32| {
        let date = amz_date(Ambient::system().now());
        let day = &date[..8];
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=landline%2F{day}%2Fus-east-1%2Fs3%2F\
             aws4_request&X-Amz-Date={date}&X-Amz-Expires={seconds}&X-Amz-SignedHeaders=host"
        );
        let url = format!("{}/{BUCKET}/a", laptop.bucket.endpoint());
        let (host, path) = parts(&url);
        let request = format!("GET\n/{path}\n{query}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let text = text_to_sign(&date, &request);
        format!("{url}?{query}&X-Amz-Signature={}", signature(day, &text))
    };

    let good = send(Method::GET, &url(604_800), &[], "").await;
    let longer = send(Method::GET, &url(604_801), &[], "").await;

    assert_eq!((good.status, good.text()), (StatusCode::OK, "meow"));
    longer.assert_refused("AuthorizationQueryParametersError", 400);
}

/// What an app sends that streams a body of which it does not know the length.
#[tokio::test]
async fn takes_a_body_of_a_known_length_alone() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let url = upload_url(client, "uploads/1").await;
    let (address, path) = parts(&url);
    let piece = stream::iter([Ok::<_, io::Error>("meow")]);
    let no_length = format!(
        "PUT /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: image/png\r\n\
         connection: close\r\n\r\n"
    );

    let chunked = send(Method::PUT, &url, &PNG, Body::from_stream(piece)).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(no_length.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let empty = send(Method::PUT, &url, &[PNG[0], ("content-length", "0")], "").await;

    chunked.assert_refused("NotImplemented", 501);
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
    assert!(answer.contains("<Code>MissingContentLength</Code>"), "{answer}");
    assert_eq!(empty.status, StatusCode::OK, "{}", empty.text());
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
    elsewhere.assert_refused("AccessDenied", 403);
}

/// The key is known to everybody: whoever lets a name of theirs lead here could sign with it.
#[tokio::test]
async fn is_good_for_no_name_that_somebody_else_may_have() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"meow").await;
    let address = laptop.bucket.endpoint().strip_prefix("http://").unwrap();
    let (_, port) = address.split_once(':').unwrap();
    let get = async |host: &str, headers: &[(&str, &str)]| {
        let url = download_url(&client(&format!("http://{host}:{port}")), "a").await;
        send_to(address, Method::GET, &url, headers, "").await
    };

    // The last one is this machine in the Android emulator.
    for host in ["localhost", "files.localhost", "127.0.0.1", "[::1]", "10.0.2.2"] {
        let got = get(host, &[("origin", "http://localhost:3000")]).await;
        assert_eq!((got.status, got.text()), (StatusCode::OK, "meow"), "{host}");
    }
    let others =
        ["rebound.example.com", "localhost.example.com", "mylocalhost", "127.0.0.1.example.com"];
    for host in others {
        get(host, &[]).await.assert_refused("AccessDenied", 403);
    }
    let mut nameless = TcpStream::connect(address).await.unwrap();
    nameless.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    nameless.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 403 "), "{answer}");
    for origin in ["http://rebound.example.com", "https://localhost.example.com", "null"] {
        let got = get("127.0.0.1", &[("origin", origin)]).await;
        got.assert_refused("AccessDenied", 403);
        assert!(got.header("x-amz-request-id").is_some());
    }
}
