//! What S3 refuses after the signature is right, so that nobody finds it out in the cloud.

use axum::http::HeaderMap;
use form_urlencoded::parse;
use models::aws;
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    access::{S3Access, S3AccessContext},
    auth::{S3Auth, SecretKey},
    s3_error,
};

/// What the embedded bucket would not keep, or not look at, in silence.
const NOT_KEPT: [&str; 10] = [
    "expires",
    "x-amz-acl",
    "x-amz-grant-",
    "x-amz-object-lock-",
    "x-amz-server-side-encryption-customer-",
    "x-amz-tagging",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-if-unmodified-since",
];

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
        check_version(context.headers(), query)?;
        check_presigned(context.headers(), query)?;
        if parse(query.as_bytes()).any(|(name, _)| name == "versionId") {
            return Err(s3_error!(InvalidArgument, "Invalid version id specified"));
        }
        let is_lost = |name: &str| NOT_KEPT.iter().any(|lost| name.starts_with(lost));
        match context.headers().keys().find(|name| is_lost(name.as_str())) {
            Some(name) => {
                let why = format!("The embedded bucket does not keep what {name} says.");
                Err(S3Error::with_message(S3ErrorCode::NotImplemented, why))
            }
            None => Ok(()),
        }
    }
}

/// Buckets that were made since June 2020 take version 4 of the signature alone.
fn check_version(headers: &HeaderMap, query: &str) -> S3Result<()> {
    let in_header =
        headers.get("authorization").is_some_and(|it| it.as_bytes().starts_with(b"AWS "));
    if in_header || parse(query.as_bytes()).any(|(name, _)| name == "AWSAccessKeyId") {
        let why = "The authorization mechanism you have provided is not supported. Please use \
                   AWS4-HMAC-SHA256.";
        return Err(S3Error::with_message(S3ErrorCode::InvalidRequest, why));
    }
    Ok(())
}

/// Amazon's headers that come with a presigned URL must have been signed with it, or somebody could
/// say with them what the signer has not.
fn check_presigned(headers: &HeaderMap, query: &str) -> S3Result<()> {
    let signed = parse(query.as_bytes()).find(|(name, _)| name == "X-Amz-SignedHeaders");
    let Some((_, signed)) = signed else { return Ok(()) };
    let signed: Vec<_> = signed.split(';').collect();
    let mut amazons =
        headers.keys().map(|name| name.as_str()).filter(|it| it.starts_with("x-amz-"));
    match amazons.find(|name| !signed.contains(name)) {
        Some(_) => {
            let why = "There were headers present in the request which were not signed";
            Err(S3Error::with_message(S3ErrorCode::AccessDenied, why))
        }
        None => Ok(()),
    }
}
