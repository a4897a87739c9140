//! Objects: what the bucket does, one by one, and what it refuses.

use std::{
    io,
    time::{Duration, UNIX_EPOCH},
};

use axum::http::HeaderMap;
use futures_util::{StreamExt, stream};
use models::{Ambient, Timestamp};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Result,
    dto::{self, ETag, ETagCondition, StreamingBlob},
    s3_error,
};

use super::{
    BUCKET, Notified,
    contents::{Contents, Pieces},
    digests::{Checksums, Digested, Digests},
    facts::Facts,
    index::{Index, Object, ToEvent, broken},
    notice::{self, Call},
    parts::{Joined, Piece},
};

/// What one upload may have at most
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html>), in bytes.
const MOST: u64 = 5 * 1024 * 1024 * 1024;

/// The objects of the bucket.
pub(super) struct Objects {
    pub(super) index: Index,
    pub(super) contents: Contents,
    pub(super) ambient: Ambient,
    pub(super) notified: Notified,
}

/// What the sender of a content says that it is.
pub(super) struct Told<'a> {
    pub(super) length: Option<i64>,
    pub(super) md5: Option<&'a str>,
    pub(super) checksums: Checksums,
    pub(super) algorithm: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
}

/// A content that is kept, of an object or a part to be.
pub(super) struct Taken {
    pub(super) content: String,
    pub(super) digested: Digested,
}

/// How an object comes to be, in the words of its event.
pub(super) struct Making<'a> {
    pub(super) how: &'a str,
    pub(super) call: &'a Call,
    /// The upload that it was in parts.
    pub(super) upload: Option<&'a str>,
    pub(super) if_match: Option<&'a ETagCondition>,
    pub(super) if_none_match: Option<&'a ETagCondition>,
}

impl Objects {
    pub(super) fn get(&self, key: &str) -> S3Result<Object> {
        let missing = || s3_error!(NoSuchKey, "The specified key does not exist.");
        self.index.get(key)?.ok_or_else(missing)
    }

    /// An object and the bytes that a request wants of it. Another write may take them away in
    /// between; then the object is another one.
    pub(super) fn open(
        &self,
        key: &str,
        wanted: impl Fn(&Object) -> S3Result<std::ops::Range<u64>>,
    ) -> S3Result<(Object, Pieces)> {
        loop {
            let object = self.get(key)?;
            match self.contents.read(&object.content, wanted(&object)?) {
                Ok(pieces) => return Ok((object, pieces)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    if self.get(key)?.content == object.content {
                        return Err(broken(error));
                    }
                }
                Err(error) => return Err(broken(error)),
            }
        }
    }

    /// Take a content in, as far as it is what its sender says.
    pub(super) async fn take(
        &self,
        body: Option<StreamingBlob>,
        behind: Option<s3s::TrailingHeaders>,
        told: Told<'_>,
    ) -> S3Result<Taken> {
        let too_large = || s3_error!(EntityTooLarge, "One upload has 5 GiB at most.");
        if told.length.is_some_and(|length| length.cast_unsigned() > MOST) {
            return Err(too_large());
        }
        let mut digests = Digests::new(&told.checksums, told.algorithm, told.headers)?;
        let mut draft = self.contents.draft(self.ambient.new_id().to_string()).map_err(broken)?;
        let mut body = stream::iter(body).flatten();
        while let Some(bytes) = body.next().await {
            let bytes =
                bytes.map_err(|error| S3Error::with_source(S3ErrorCode::IncompleteBody, error))?;
            digests.update(&bytes);
            if digests.size > MOST {
                return Err(too_large());
            }
            draft.write(&bytes).map_err(broken)?;
        }
        let digested = digests.finish();
        let behind = behind.and_then(|behind| behind.take());
        digested.check(&told.checksums, told.md5, behind.as_ref())?;
        Ok(Taken { content: draft.keep().map_err(broken)?, digested })
    }

    /// Make one content of these, as far as they are what their sender says, and so is the whole.
    pub(super) async fn join(&self, pieces: &[Piece], told: &Checksums) -> S3Result<Taken> {
        let mut joined = Joined::new(told)?;
        let mut draft = self.contents.draft(self.ambient.new_id().to_string()).map_err(broken)?;
        for Piece { content, size, told } in pieces {
            joined.begin(told)?;
            for bytes in self.contents.read(content, 0..*size).map_err(broken)? {
                let bytes = bytes.map_err(broken)?;
                joined.update(&bytes);
                draft.write(&bytes).map_err(broken)?;
                tokio::task::yield_now().await;
            }
            joined.end(told)?;
        }
        let digested = joined.finish(told)?;
        Ok(Taken { content: draft.keep().map_err(broken)?, digested })
    }

    /// Make an object of what was taken, and tell of it where somebody listens. Both are there, or
    /// neither is.
    pub(super) fn make(
        &self,
        key: &str,
        etag: String,
        taken: Taken,
        facts: Facts,
        making: &Making<'_>,
    ) -> S3Result<Object> {
        let object = Object {
            key: key.to_owned(),
            content: taken.content,
            size: taken.digested.size,
            etag,
            modified: self.ambient.now(),
            facts,
        };
        let event = |object: &Object, id: i64| notice::event(object, making.how, id, making.call);
        let is_told = self.notified.prefixes.iter().any(|prefix| key.starts_with(prefix));
        let event = is_told.then_some(&event as ToEvent<'_>);
        let written = self.index.put(&object, making.upload, event, |before| making.check(before));
        match written {
            Ok(left) => left.iter().for_each(|content| self.contents.remove(content)),
            Err(error) => {
                self.contents.remove(&object.content);
                return Err(error);
            }
        }
        if is_told {
            self.notified.news.notify_one();
        }
        Ok(object)
    }
}

impl Making<'_> {
    /// Conditional writes
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).
    fn check(&self, before: Option<&Object>) -> S3Result<()> {
        check_match(self.if_match, before)?;
        match (self.if_none_match, before) {
            (Some(ETagCondition::ETag(_)), _) => {
                Err(s3_error!(NotImplemented, "If-None-Match of a write takes * and nothing else."))
            }
            (Some(ETagCondition::Any), Some(_)) => Err(failed()),
            _ => Ok(()),
        }
    }
}

/// Whether what is there is what somebody means who writes over it or deletes it.
pub(super) fn check_match(
    if_match: Option<&ETagCondition>,
    before: Option<&Object>,
) -> S3Result<()> {
    match (if_match, before) {
        (Some(_), None) => Err(s3_error!(NoSuchKey)),
        (Some(condition), Some(before)) if !holds(condition, &before.etag) => Err(failed()),
        _ => Ok(()),
    }
}

/// Whether somebody who reads under these conditions is to be given this object.
pub(super) fn check_reading(
    object: &Object,
    if_match: Option<&ETagCondition>,
    if_none_match: Option<&ETagCondition>,
) -> S3Result<()> {
    if if_match.is_some_and(|condition| !holds(condition, &object.etag)) {
        return Err(failed());
    }
    if if_none_match.is_some_and(|condition| holds(condition, &object.etag)) {
        let mut error = S3Error::new(S3ErrorCode::NotModified);
        let etag = etag(object).to_http_header();
        error.set_headers(etag.into_iter().map(|etag| (axum::http::header::ETAG, etag)).collect());
        return Err(error);
    }
    Ok(())
}

pub(super) fn failed() -> S3Error {
    s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

pub(super) fn holds(condition: &ETagCondition, etag: &str) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(wanted) => wanted.value() == etag,
    }
}

pub(super) fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

/// Whose request it is.
pub(super) fn call<T>(request: &S3Request<T>) -> S3Result<Call> {
    let call = request.extensions.get::<Call>().cloned();
    call.ok_or_else(|| s3_error!(InternalError, "nobody knows whose request this is"))
}

/// There is one bucket, and nobody makes another.
pub(super) fn check_bucket(bucket: &str) -> S3Result<()> {
    if bucket == BUCKET {
        return Ok(());
    }
    Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"))
}

pub(super) fn moment(time: Timestamp) -> dto::Timestamp {
    let millis = Duration::from_millis(time.unix_millis().unsigned_abs());
    (UNIX_EPOCH + millis).into()
}

/// As [`s3s`] counts bytes.
pub(super) fn count(bytes: u64) -> i64 {
    bytes.cast_signed()
}
