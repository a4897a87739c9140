//! What S3 does and the embedded bucket does not: it is refused, and what means no more than what is
//! done anyway is taken.

use super::*;

/// The code of a refusal, and its status.
type Refused = (&'static str, u16);

const LOST: Refused = ("NotImplemented", 501);
const DENIED: Refused = ("AccessDenied", 403);

/// Headers of a PUT, and what becomes of it.
const SAID: [(&str, &str, Option<Refused>); 24] = [
    ("x-amz-storage-class", "STANDARD", None),
    ("x-amz-storage-class", "STANDARD_IA", Some(LOST)),
    ("x-amz-storage-class", "GLACIER", Some(LOST)),
    ("x-amz-server-side-encryption", "AES256", None),
    ("x-amz-server-side-encryption", "aws:kms", Some(LOST)),
    ("x-amz-server-side-encryption-aws-kms-key-id", "1234abcd", Some(LOST)),
    ("x-amz-server-side-encryption-context", "e30=", Some(LOST)),
    ("x-amz-server-side-encryption-bucket-key-enabled", "false", None),
    ("x-amz-server-side-encryption-bucket-key-enabled", "true", Some(LOST)),
    ("x-amz-server-side-encryption-customer-algorithm", "AES256", Some(LOST)),
    ("x-amz-expected-bucket-owner", "000000000000", None),
    ("x-amz-expected-bucket-owner", "111122223333", Some(DENIED)),
    ("x-amz-acl", "bucket-owner-full-control", None),
    ("x-amz-acl", "public-read", Some(LOST)),
    ("x-amz-grant-read", "id=1", Some(LOST)),
    ("x-amz-tagging", "a=b", Some(LOST)),
    ("x-amz-object-lock-mode", "GOVERNANCE", Some(LOST)),
    ("x-amz-object-lock-legal-hold", "ON", Some(LOST)),
    ("x-amz-website-redirect-location", "/b", Some(LOST)),
    ("x-amz-write-offset-bytes", "1", Some(LOST)),
    ("expires", "Wed, 21 Oct 2026 07:28:00 GMT", Some(LOST)),
    ("cache-control", "no-cache", None),
    ("x-amz-meta-expires", "never", None),
    ("x-amz-request-payer", "requester", None),
];

#[tokio::test]
async fn is_refused_where_it_stands_in_a_header() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;

    for (place, (name, value, refusal_of)) in SAID.into_iter().enumerate() {
        let key = place.to_string();
        let put = client.put_object().bucket(BUCKET).key(&key).body(ByteStream::from_static(b"1"));
        let put = put.customize().mutate_request(move |request| {
            request.headers_mut().insert(name, value);
        });

        let put = put.send().await;

        let is_there = client.head_object().bucket(BUCKET).key(&key).send().await.is_ok();
        let outcome = put.map(drop).map_err(|error| refusal(Err::<(), _>(error)));
        let expected = refusal_of.map_or(Ok(()), |(code, status)| Err(refused(code, status)));
        assert_eq!((outcome, is_there), (expected, refusal_of.is_none()), "{name}: {value}");
    }
}

#[tokio::test]
async fn is_refused_of_readers_and_copiers_too() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let client = &laptop.client;
    laptop.put("a", b"meow").await;
    let get = || client.get_object().bucket(BUCKET).key("a");
    let copy = || client.copy_object().bucket(BUCKET).key("b").copy_source(format!("{BUCKET}/a"));
    let begin = || client.create_multipart_upload().bucket(BUCKET).key("c");

    let part = get().part_number(1).send().await;
    let version = get().version_id("3sL4kqtJlcpXroDTDmJ").send().await;
    let colder = copy().storage_class("GLACIER".into()).send().await;
    let of_others = copy().expected_source_bucket_owner("111122223333").send().await;
    let encrypted = begin().server_side_encryption("aws:kms".into()).send().await;

    assert_eq!(refusal(part), refused("NotImplemented", 501));
    assert_eq!(refusal(version), refused("InvalidArgument", 400));
    assert_eq!(refusal(colder), refused("NotImplemented", 501));
    assert_eq!(refusal(of_others), refused("AccessDenied", 403));
    assert_eq!(refusal(encrypted), refused("NotImplemented", 501));
    // The one version that there is.
    get().version_id("null").send().await.unwrap();
    copy().tagging_directive("COPY".into()).send().await.unwrap();
}

/// Some SDKs put into a presigned URL's query what others have as a header.
#[tokio::test]
async fn is_refused_where_it_stands_in_a_url() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let url = async |acl: &'static str| {
        let put = client.put_object().bucket(BUCKET).key("a").customize();
        let put = put.mutate_request(move |request| {
            let uri = format!("{}&x-amz-acl={acl}", request.uri());
            request.set_uri(uri).expect("it is a URI");
        });
        put.presigned(for_an_hour()).await.expect("it is signed").uri().to_owned()
    };

    let public = send(Method::PUT, &url("public-read").await, &[], "meow").await;
    let private = send(Method::PUT, &url("bucket-owner-full-control").await, &[], "meow").await;

    public.assert_refused("NotImplemented", 501);
    assert_eq!(private.status, StatusCode::OK, "{}", private.text());
}
