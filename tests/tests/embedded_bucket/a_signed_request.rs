//! Requests that are signed in a header, as SDKs sign them, by hand.

use super::*;

/// What signs a PUT whose body may be anything
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>): `signed`, beside
/// the host and the time, by name.
fn signed(address: &str, path: &str, signed: &[(&str, &str)]) -> Vec<(String, String)> {
    let date = amz_date(Ambient::system().now());
    let mut headers = [&[("host", address), ("x-amz-date", &date)], signed].concat();
    headers.sort_unstable();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let (_, payload) =
        headers.iter().find(|(name, _)| *name == "x-amz-content-sha256").expect("it is signed");
    let request = format!("PUT\n{path}\n\n{lines}\n{names}\n{payload}");
    let scope = format!("{}/us-east-1/s3/aws4_request", &date[..8]);
    let text = text_to_sign(&date, &request);
    let signature = signature(&date[..8], &text);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=landline/{scope}, SignedHeaders={names}, Signature={signature}"
    );
    let headers = headers.into_iter().filter(|(name, _)| *name != "host");
    let headers = headers.chain([("authorization", authorization.as_str())]);
    headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Put the object `a`, with what is signed and what is not.
async fn put_signed(
    laptop: &Laptop,
    sign: &[(&str, &str)],
    unsigned: &[(&str, &str)],
    body: impl Into<Body>,
) -> Reply {
    let url = format!("{}/{BUCKET}/a", laptop.bucket.endpoint());
    let (address, path) = parts(&url);
    let headers = signed(address, &format!("/{path}"), sign);
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let headers: Vec<_> = headers.chain(unsigned.iter().copied()).collect();
    send(Method::PUT, &url, &headers, body).await
}

const UNSIGNED: (&str, &str) = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");

#[tokio::test]
async fn says_nothing_of_amazons_that_is_not_signed() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let owner = ("x-amz-meta-owner", "eve");

    let unsigned = put_signed(&laptop, &[UNSIGNED], &[owner], "meow").await;
    let unsigned_ones = [("cache-control", "no-cache")];
    let signed = put_signed(&laptop, &[UNSIGNED, owner], &unsigned_ones, "meow").await;

    unsigned.assert_refused("AccessDenied", 403);
    assert!(unsigned.text().contains("which were not signed"), "{}", unsigned.text());
    assert_eq!(signed.status, StatusCode::OK, "{}", signed.text());
}

/// What comes behind the body is said before it, and an upload without it may have lost its end.
#[tokio::test]
async fn is_refused_where_a_checksum_behind_it_does_not_come() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let sign = [
        ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
        ("x-amz-decoded-content-length", "4"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    let body = |behind| format!("4\r\nmeow\r\n0\r\n{behind}\r\n");

    for behind in ["", "x-amz-checksum-sha256:AAAA\r\n"] {
        let put = put_signed(&laptop, &sign, &[], body(behind)).await;
        put.assert_refused("MalformedTrailerError", 400);
    }
    let wrong = put_signed(&laptop, &sign, &[], body("x-amz-checksum-crc32:AAAAAA==\r\n")).await;
    wrong.assert_refused("BadDigest", 400);
    assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 0);
    let put = put_signed(&laptop, &sign, &[], body("x-amz-checksum-crc32:ihBq/g==\r\n")).await;

    assert_eq!(put.status, StatusCode::OK, "{}", put.text());
    assert_eq!(read(&laptop.client, "a").await, b"meow");
}
