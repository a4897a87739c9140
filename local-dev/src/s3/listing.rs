//! Listings, page by page.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use s3s::{S3Result, dto::ListObjectsV2Input, s3_error};

use super::{index::Object, objects::Objects};

/// A page of a listing, and the last name on it where there are more.
#[derive(Default)]
pub(super) struct Page {
    pub(super) objects: Vec<Object>,
    pub(super) prefixes: Vec<String>,
    pub(super) count: i32,
    next: Option<String>,
}

impl Page {
    /// Where the next one begins, where there is more.
    pub(super) fn token(&self) -> Option<String> {
        self.next.as_ref().map(|last| BASE64_URL_SAFE_NO_PAD.encode(last))
    }
}

impl Objects {
    /// What has the delimiter behind the prefix is told by what it has in common, once.
    pub(super) fn page(&self, input: &ListObjectsV2Input, most: i32) -> S3Result<Page> {
        let after = match &input.continuation_token {
            Some(token) => read_token(token)?,
            None => input.start_after.clone().unwrap_or_default(),
        };
        let prefix = input.prefix.as_deref().unwrap_or_default();
        let delimiter = input.delimiter.as_deref().filter(|delimiter| !delimiter.is_empty());
        let (mut page, mut last) = (Page::default(), None::<String>);
        self.index.list(prefix, &after, |object| {
            let rest = &object.key[prefix.len()..];
            let in_common = delimiter.and_then(|delimiter| {
                let end = rest.find(delimiter)? + delimiter.len();
                Some(object.key[..prefix.len() + end].to_owned())
            });
            let is_told =
                in_common.as_ref().is_some_and(|it| *it <= after || last.as_ref() == Some(it));
            if is_told {
                return true;
            }
            if page.count == most {
                page.next = last.take();
                return false;
            }
            page.count += 1;
            last = Some(in_common.clone().unwrap_or_else(|| object.key.clone()));
            match in_common {
                Some(prefix) => page.prefixes.push(prefix),
                None => page.objects.push(object),
            }
            true
        })?;
        Ok(page)
    }
}

fn read_token(token: &str) -> S3Result<String> {
    let wrong = || s3_error!(InvalidArgument, "The continuation token provided is incorrect");
    let key = BASE64_URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    String::from_utf8(key).map_err(|_| wrong())
}
