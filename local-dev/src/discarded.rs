//! How Lambda writes down what it gives up, into a failure destination in S3
//! (<https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>).

use md5::{Digest, Md5};
use models::Ambient;
use serde_json::{Value, json};

/// What is told of the last call. One that was answered has no error, whatever the answer names.
pub(crate) fn response_context(has_failed: bool) -> Value {
    json!({
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": has_failed.then_some("Unhandled"),
    })
}

/// A new name under `aws/lambda/` and this folder: by day, then time and a random part. It ends with
/// `.json` besides, since the folder of a laptop lists nothing else.
pub(crate) fn key(folder: &str, ambient: &Ambient) -> String {
    let now = ambient.now().to_string();
    let (day, second) = (now[..10].replace('-', "/"), now[..19].replace(':', "."));
    format!("aws/lambda/{folder}/{day}/{second}-{}.json", ambient.new_id())
}

/// A mapping of AWS has a UUID. Here it is of the stream's name, so that it stays the same.
pub(crate) fn mapping_id(stream_arn: &str) -> String {
    let digest: String = Md5::digest(stream_arn).iter().map(|byte| format!("{byte:02x}")).collect();
    let [a, b, c, d, e] = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| &digest[part]);
    format!("{a}-{b}-{c}-{d}-{e}")
}
