//! What is said of an object when it is uploaded, and again when it is read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What whoever uploads an object says of it, to be said again when it is read.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    pub(super) content_type: Option<String>,
    pub(super) content_encoding: Option<String>,
    pub(super) content_disposition: Option<String>,
    pub(super) content_language: Option<String>,
    pub(super) cache_control: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    /// By algorithm, in lower case.
    pub(super) checksums: BTreeMap<String, String>,
}

/// What a request says of the object that it makes.
macro_rules! facts_of {
    ($input:expr) => {
        Facts {
            content_type: $input.content_type.clone(),
            content_encoding: kept_encoding($input.content_encoding.as_deref()),
            content_disposition: $input.content_disposition.clone(),
            content_language: $input.content_language.clone(),
            cache_control: $input.cache_control.clone(),
            metadata: $input.metadata.clone().unwrap_or_default().into_iter().collect(),
            ..Facts::default()
        }
    };
}

/// What an answer says of an object.
macro_rules! tell_object {
    ($output:ident, $object:expr, $tells_checksums:expr) => {{
        let (object, facts) = (&$object, $object.facts.clone());
        let sums = if $tells_checksums { facts.checksums } else { Default::default() };
        let content_type = facts.content_type.or_else(|| Some("binary/octet-stream".to_owned()));
        let output = $output {
            accept_ranges: Some("bytes".to_owned()),
            cache_control: facts.cache_control,
            content_disposition: facts.content_disposition,
            content_encoding: facts.content_encoding,
            content_language: facts.content_language,
            content_length: Some(count(object.size)),
            content_type,
            e_tag: Some(etag(object)),
            last_modified: Some(moment(object.modified)),
            metadata: Some(facts.metadata.into_iter().collect()),
            ..Default::default()
        };
        tell_checksums!(output, sums)
    }};
}

/// What a reader wants an answer to say, whatever was said of the object
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html>, `response-*`).
macro_rules! tell_as_wanted {
    ($output:expr, $input:expr) => {{
        let (mut output, input) = ($output, &$input);
        output.cache_control = input.response_cache_control.clone().or(output.cache_control);
        output.content_disposition =
            input.response_content_disposition.clone().or(output.content_disposition);
        output.content_encoding =
            input.response_content_encoding.clone().or(output.content_encoding);
        output.content_language =
            input.response_content_language.clone().or(output.content_language);
        output.content_type = input.response_content_type.clone().or(output.content_type);
        output.expires = input.response_expires.clone();
        output
    }};
}
pub(super) use {facts_of, tell_as_wanted, tell_object};

/// `aws-chunked` is how a body came, and nothing that S3 keeps
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>).
pub(super) fn kept_encoding(said: Option<&str>) -> Option<String> {
    let encodings = said?.split(',');
    let kept: Vec<_> =
        encodings.filter(|it| !it.trim().eq_ignore_ascii_case("aws-chunked")).collect();
    Some(kept.join(",").trim().to_owned()).filter(|kept| !kept.is_empty())
}
