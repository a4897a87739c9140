//! How Lambda writes down what it gives up, into a failure destination in S3
//! (<https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>).

use lambda_runtime::Diagnostic;
use md5::{Digest, Md5};
use models::Ambient;
use serde_json::{Value, json};

use crate::function::CallError;

/// What is told of the last call. One that was answered has no error, whatever the answer names.
pub(crate) fn response_context(has_failed: bool) -> Value {
    json!({
        "statusCode": 200,
        "executedVersion": "$LATEST",
        "functionError": has_failed.then_some("Unhandled"),
    })
}

/// What a call that has failed was answered, as Lambda's runtimes answer it.
pub(crate) fn response_payload(error: CallError) -> Value {
    let message = error.to_string();
    let Diagnostic { error_type, error_message } = match error {
        CallError::Refused(refused) => refused.into(),
        CallError::TimedOut => diagnostic("Sandbox.Timedout", message),
        CallError::Ended | CallError::NoThreads(_) => diagnostic("Runtime.ExitError", message),
    };
    json!({ "errorType": error_type, "errorMessage": error_message })
}

fn diagnostic(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
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
