//! Uploads by a form, as browsers post them.

use std::{io, iter};

use axum::body::Bytes;
use futures_util::stream;

use super::*;

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=boundary");

/// A form that a server signs for a browser, for keys under `uploads/`
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html>).
pub(super) fn form(key: &str, content: &str) -> String {
    form_with(key, &[], content)
}

/// One with these fields too, which the policy wants to be as they are.
fn form_with(key: &str, more: &[(&str, &str)], content: &str) -> String {
    let now = Ambient::system().now();
    let date = amz_date(now);
    let credential = format!("landline/{}/us-east-1/s3/aws4_request", &date[..8]);
    let signed = [
        ("x-amz-algorithm", "AWS4-HMAC-SHA256"),
        ("x-amz-credential", &credential),
        ("x-amz-date", &date),
    ];
    let fixed = [&signed, more].concat();
    let mut conditions =
        vec![json!({ "bucket": BUCKET }), json!(["starts-with", "$key", "uploads/"])];
    conditions.extend(fixed.iter().map(|(name, value)| json!(["eq", format!("${name}"), value])));
    let expiration = now.plus(Duration::from_secs(3600));
    let policy = json!({ "expiration": expiration, "conditions": conditions });
    let policy = BASE64_STANDARD.encode(policy.to_string());
    let signature = signature(&date[..8], &policy);
    let last = [("policy", policy.as_str()), ("x-amz-signature", &signature)];
    let fields: String =
        [&[("key", key)], &fixed[..], &last].concat().into_iter().map(field).collect();
    format!("{fields}{FILE}{content}\r\n--boundary--\r\n")
}

fn field((name, value): (&str, &str)) -> String {
    format!("--boundary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// What stands before the file's bytes.
const FILE: &str = "--boundary\r\nContent-Disposition: form-data; name=\"file\"; \
                    filename=\"1.png\"\r\nContent-Type: image/png\r\n\r\n";

async fn post(laptop: &Laptop, headers: &[(&str, &str)], form: impl Into<Body>) -> Reply {
    let url = format!("{}/{BUCKET}", laptop.bucket.endpoint());
    send(Method::POST, &url, &[&[FORM], headers].concat(), form).await
}

async fn assert_empty(laptop: &Laptop) {
    let listed = laptop.client.list_objects_v2().bucket(BUCKET).send().await;
    let listed = listed.expect("it answers");
    assert_eq!(listed.key_count, Some(0));
}

/// The key is known to everybody: such a page could sign with it.
#[tokio::test]
async fn is_not_taken_from_a_page_of_somebody_else() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let form = form("uploads/1", "meow");

    for origin in ["https://example.com", "http://192.168.1.7:3000", "null"] {
        let posted = post(&laptop, &[("origin", origin)], form.clone()).await;
        posted.assert_refused("AccessDenied", 403);
    }
    assert_empty(&laptop).await;
    let posted = post(&laptop, &[("origin", "http://localhost:3000")], form).await;

    assert_eq!(posted.status, StatusCode::NO_CONTENT, "{}", posted.text());
    assert_eq!(read(&laptop.client, "uploads/1").await, b"meow");
}

/// Nobody has signed it, and it is not held in memory to find that out.
#[tokio::test]
async fn has_64_mib_at_most() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let unsigned = async |more: &'static str| {
        let mebibytes = iter::repeat_n(Bytes::from(vec![0; 1024 * 1024]), 64);
        let begin = Bytes::from(field(("key", "uploads/1")) + FILE);
        let end = Bytes::from(format!("{more}\r\n--boundary--\r\n"));
        let form = iter::once(begin).chain(mebibytes).chain([end]).map(Ok::<_, io::Error>);
        post(&laptop, &[], Body::from_stream(stream::iter(form))).await
    };

    unsigned("").await.assert_refused("AccessDenied", 403);
    unsigned("1").await.assert_refused("EntityTooLarge", 400);
}

/// What is refused as a header is refused as a field.
#[tokio::test]
async fn says_nothing_that_is_not_kept() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;

    for (name, value) in [
        ("expires", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ("x-amz-acl", "public-read"),
        ("x-amz-grant-read", "id=1"),
        ("x-amz-tagging", "a=b"),
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-legal-hold", "ON"),
        ("x-amz-object-lock-retain-until-date", "2026-11-22T16:30:00Z"),
        ("x-amz-server-side-encryption", "aws:kms"),
        ("x-amz-server-side-encryption-aws-kms-key-id", "1234abcd"),
        ("x-amz-server-side-encryption-bucket-key-enabled", "true"),
        ("x-amz-server-side-encryption-context", "e30="),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256"),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "/b"),
    ] {
        let posted = post(&laptop, &[], form_with("uploads/1", &[(name, value)], "meow")).await;
        assert_eq!(posted.status, StatusCode::NOT_IMPLEMENTED, "{name}");
        posted.assert_refused("NotImplemented", 501);
    }
    assert_empty(&laptop).await;
    let kept = [
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-storage-class", "STANDARD"),
        ("cache-control", "no-cache"),
        ("x-amz-meta-owner", "maya"),
    ];
    let posted = post(&laptop, &[], form_with("uploads/1", &kept, "meow")).await;

    assert_eq!(posted.status, StatusCode::NO_CONTENT, "{}", posted.text());
    let head = laptop.client.head_object().bucket(BUCKET).key("uploads/1").send().await.unwrap();
    assert_eq!(head.metadata.unwrap()["owner"], "maya");
    assert_eq!(head.cache_control.as_deref(), Some("no-cache"));
}

/// The signature of version 2, which new buckets of S3 do not take either.
#[tokio::test]
async fn is_not_signed_in_the_old_way() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let expiration = Ambient::system().now().plus(Duration::from_secs(600));
    let policy = json!({
        "expiration": expiration,
        "conditions": [{ "bucket": BUCKET }, { "key": "uploads/1" }],
    });
    let policy = BASE64_STANDARD.encode(policy.to_string());
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"landline");
    let signature = BASE64_STANDARD.encode(hmac::sign(&key, policy.as_bytes()));
    let fields = [
        ("key", "uploads/1"),
        ("AWSAccessKeyId", "landline"),
        ("policy", &policy),
        ("signature", &signature),
    ];
    let form = fields.map(field).concat() + FILE + "meow\r\n--boundary--\r\n";

    let posted = post(&laptop, &[], form).await;

    posted.assert_refused("InvalidRequest", 400);
    assert!(posted.text().contains("AWS4-HMAC-SHA256"), "{}", posted.text());
    assert_empty(&laptop).await;
}
