//! What S3 tells of an object that has arrived
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).

use std::net::IpAddr;

use form_urlencoded::byte_serialize;
use models::{Ambient, aws::Access};
use serde_json::{Value, json};

use super::{BUCKET, index::Object};

/// The host that has answered, as S3 names one. There is one.
pub(super) const HOST: &str = "landline-local";

/// A request, as its answer and its event tell of it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// Of its own for each: `x-amz-request-id`.
    pub(super) request_id: String,
    pub(super) from: IpAddr,
}

impl Call {
    /// S3's ids are 16 digits of uppercase hexadecimal.
    pub(super) fn new(ambient: &Ambient, from: IpAddr) -> Self {
        let id: [u8; 8] = ambient.random();
        Self { request_id: format!("{:016X}", u64::from_be_bytes(id)), from }
    }
}

/// The event of one object. `how` it was made is `Put`, `Post`, `Copy` or `CompleteMultipartUpload`.
/// Of two events of one key, the later one has the greater number.
pub(super) fn event(object: &Object, how: &str, number: i64, call: &Call) -> Value {
    let access = Access::embedded();
    json!({ "Records": [{
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": access.region,
        "eventTime": object.modified,
        "eventName": format!("ObjectCreated:{how}"),
        "userIdentity": { "principalId": format!("AWS:{}", Access::EMBEDDED_KEY) },
        "requestParameters": { "sourceIPAddress": call.from },
        "responseElements": { "x-amz-request-id": call.request_id, "x-amz-id-2": HOST },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "landline-local-events",
            "bucket": {
                "name": BUCKET,
                "ownerIdentity": { "principalId": Access::EMBEDDED_KEY },
                "arn": format!("arn:aws:s3:::{BUCKET}"),
            },
            "object": {
                "key": form_encoded(&object.key),
                "size": object.size,
                "eTag": object.etag,
                "sequencer": format!("{number:018X}"),
            },
        },
    }] })
}

/// As in a form, but for the slashes: `a b/c` is `a+b/c`.
pub(super) fn form_encoded(key: &str) -> String {
    let parts = key.split('/').map(|part| byte_serialize(part.as_bytes()).collect::<String>());
    parts.collect::<Vec<_>>().join("/")
}
