//! What S3 refuses after the signature is right, so that nobody finds it out in the cloud.

use axum::http::{HeaderMap, Method};
use form_urlencoded::parse;
use models::aws;
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    dto::{PostObjectInput, PutObjectInput},
    s3_error,
};

use super::form::check_fields;

/// What the embedded bucket would not keep, or not look at, in silence: how the names of such headers
/// begin, and the value that says no more than what is done anyway. Of two that fit, the first counts.
const NOT_KEPT: [(&str, Option<&str>); 17] = [
    ("expires", None),
    ("x-amz-acl", Some("bucket-owner-full-control")),
    ("x-amz-copy-source-if-modified-since", None),
    ("x-amz-copy-source-if-unmodified-since", None),
    ("x-amz-copy-source-server-side-encryption-", None),
    ("x-amz-grant-", None),
    ("x-amz-if-match-", None),
    ("x-amz-mfa", None),
    ("x-amz-object-lock-", None),
    ("x-amz-server-side-encryption-bucket-key-enabled", Some("false")),
    ("x-amz-server-side-encryption-", None),
    ("x-amz-server-side-encryption", Some("AES256")),
    ("x-amz-storage-class", Some("STANDARD")),
    ("x-amz-tagging-directive", Some("COPY")),
    ("x-amz-tagging", None),
    ("x-amz-website-redirect-location", None),
    ("x-amz-write-offset-bytes", None),
];

/// Whose the bucket is, for those who say whose they expect it to be.
const OWNER: &str = "000000000000";

/// In seconds.
const A_WEEK: u32 = 7 * 24 * 60 * 60;

/// The one access key that there is.
pub(super) struct Key;

#[async_trait::async_trait]
impl S3Auth for Key {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == aws::Access::EMBEDDED_KEY {
            return Ok(aws::Access::EMBEDDED_KEY.into());
        }
        let why = "The AWS Access Key Id you provided does not exist in our records.";
        Err(S3Error::with_message(S3ErrorCode::InvalidAccessKeyId, why))
    }
}

/// What may be asked with it.
pub(super) struct Access;

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        if context.credentials().is_none() {
            return Err(s3_error!(AccessDenied, "Access Denied"));
        }
        let query = context.uri().query().unwrap_or_default();
        check_signature_version(context.headers(), query)?;
        check_expiry(query)?;
        check_signed(context.headers(), query)?;
        check_length(context.s3_op().name(), context.headers())?;
        check_query(context.method(), query)?;
        for (name, value) in context.headers() {
            check_kept(name.as_str(), value.to_str().unwrap_or("what is no text"))?;
        }
        Ok(())
    }

    /// A presigned URL may have metadata in its query, where some SDKs put it.
    async fn put_object(&self, request: &mut S3Request<PutObjectInput>) -> S3Result<()> {
        let query = request.uri.query().unwrap_or_default();
        let metadata = request.input.metadata.get_or_insert_default();
        for (name, value) in parse(query.as_bytes()) {
            if let Some(name) = name.to_ascii_lowercase().strip_prefix("x-amz-meta-") {
                metadata.entry(name.to_owned()).or_insert(value.into_owned());
            }
        }
        Ok(())
    }

    /// The fields of a form are known later than its headers.
    async fn post_object(&self, request: &mut S3Request<PostObjectInput>) -> S3Result<()> {
        // A signature of version 2 names no region.
        if request.region.is_none() {
            return Err(old_signature());
        }
        check_fields(&request.input)
    }
}

/// Refuse what there is to be refused of a header, or of what means the same elsewhere.
pub(super) fn check_kept(name: &str, value: &str) -> S3Result<()> {
    let is_owner = ["x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"];
    if is_owner.contains(&name) && value != OWNER {
        return Err(s3_error!(AccessDenied, "The embedded bucket is the account {OWNER}'s."));
    }
    let lost = NOT_KEPT.iter().find(|(lost, _)| name.starts_with(lost));
    if value.is_empty() || lost.is_none_or(|(_, default)| *default == Some(value)) {
        return Ok(());
    }
    Err(s3_error!(NotImplemented, "The embedded bucket does not keep what {name} says."))
}

/// A presigned URL may say in its query what is a header elsewhere.
fn check_query(method: &Method, query: &str) -> S3Result<()> {
    for (name, value) in parse(query.as_bytes()) {
        match name.as_ref() {
            "versionId" => check_version_id(Some(&value))?,
            "partNumber" if method != Method::PUT => {
                return Err(s3_error!(
                    NotImplemented,
                    "The embedded bucket reads no single parts."
                ));
            }
            _ => {
                let name = name.to_ascii_lowercase();
                if name.starts_with("x-amz-") {
                    check_kept(&name, &value)?;
                }
            }
        }
    }
    Ok(())
}

/// A bucket without versions has one of each object, and it is called `null`.
pub(super) fn check_version_id(id: Option<&str>) -> S3Result<()> {
    match id {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(InvalidArgument, "Invalid version id specified")),
    }
}

/// Buckets that were made since June 2020 take version 4 of the signature alone.
fn check_signature_version(headers: &HeaderMap, query: &str) -> S3Result<()> {
    let in_header =
        headers.get("authorization").is_some_and(|it| it.as_bytes().starts_with(b"AWS "));
    if in_header || parse(query.as_bytes()).any(|(name, _)| name == "AWSAccessKeyId") {
        return Err(old_signature());
    }
    Ok(())
}

fn old_signature() -> S3Error {
    s3_error!(
        InvalidRequest,
        "The authorization mechanism you have provided is not supported. Please use \
         AWS4-HMAC-SHA256."
    )
}

/// Amazon's headers must have been signed, or somebody could say with them what the signer has not.
fn check_signed(headers: &HeaderMap, query: &str) -> S3Result<()> {
    let in_query = parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-SignedHeaders");
    let in_header = headers.get("authorization").and_then(|it| it.to_str().ok());
    let in_header = in_header.and_then(|it| it.split_once("SignedHeaders=")?.1.split(',').next());
    let signed = in_query.map(|(_, signed)| signed).or(in_header.map(Into::into));
    let Some(signed) = signed else { return Ok(()) };
    let signed: Vec<_> = signed.split(';').collect();
    let mut amazons =
        headers.keys().map(|name| name.as_str()).filter(|it| it.starts_with("x-amz-"));
    if amazons.all(|name| signed.contains(&name)) {
        return Ok(());
    }
    Err(s3_error!(AccessDenied, "There were headers present in the request which were not signed"))
}

/// A presigned URL is good for a week at most.
fn check_expiry(query: &str) -> S3Result<()> {
    let expires = parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-Expires");
    let seconds = expires.and_then(|(_, seconds)| seconds.parse::<u32>().ok());
    if seconds.is_none_or(|seconds| seconds <= A_WEEK) {
        return Ok(());
    }
    Err(s3_error!(
        AuthorizationQueryParametersError,
        "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires \
         must be less than {A_WEEK} seconds"
    ))
}

/// S3 wants to know how long an upload is before it comes.
fn check_length(operation: &str, headers: &HeaderMap) -> S3Result<()> {
    let is_upload = ["PutObject", "UploadPart"].contains(&operation);
    let lengths = ["content-length", "x-amz-decoded-content-length"];
    if !is_upload || lengths.iter().any(|length| headers.contains_key(*length)) {
        return Ok(());
    }
    if headers.contains_key("transfer-encoding") {
        let why = "A header you provided implies functionality that is not implemented";
        return Err(S3Error::with_message(S3ErrorCode::NotImplemented, why));
    }
    Err(s3_error!(MissingContentLength, "You must provide the Content-Length HTTP header."))
}
