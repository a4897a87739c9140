//! The operations of S3 that the bucket has, in its protocol's words. All others are answered with
//! 501 `NotImplemented` by [`s3s`].

use axum::http::{
    HeaderMap, HeaderName, Method,
    header::{IF_MATCH, IF_NONE_MATCH},
};
use futures_util::stream;
use models::Timestamp;
use s3s::{S3, S3Request, S3Response, S3Result, dto::*, s3_error};

use super::{
    BUCKET,
    access::check_version_id,
    digests::{Checksums, checksums_in, etag_of_parts, tell_checksums},
    facts::{Facts, facts_of, kept_encoding, tell_as_wanted, tell_object},
    index::{Object as Kept, Part as KeptPart},
    notice::form_encoded,
    objects::{
        Making, Objects, Told, call, check_bucket, check_reading, count, etag, failed, holds,
        moment,
    },
    parts::{Piece, check_number, check_size, chosen},
};

/// A page of a listing.
const PAGE: i32 = 1000;

type Answer<T> = S3Result<S3Response<T>>;

#[async_trait::async_trait]
impl S3 for Objects {
    /// A form's POST comes here too.
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> Answer<PutObjectOutput> {
        let call = call(&request)?;
        let S3Request { mut input, method, headers, trailing_headers, .. } = request;
        check_bucket(&input.bucket)?;
        let body = input.body.take();
        let told = Told {
            length: input.content_length,
            md5: input.content_md5.as_deref(),
            checksums: checksums_in!(input),
            algorithm: input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str),
            headers: &headers,
        };
        let taken = self.take(body, trailing_headers, told).await?;
        let making = Making {
            how: if method == Method::POST { "Post" } else { "Put" },
            call: &call,
            upload: None,
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
        };
        let checksums = taken.digested.checksums.clone();
        let facts = Facts { checksums, ..facts_of!(input) };
        let object = self.make(&input.key, taken.digested.etag(), taken, facts, &making)?;
        let output = PutObjectOutput { e_tag: Some(etag(&object)), ..Default::default() };
        Ok(S3Response::new(tell_checksums!(output, object.facts.checksums)))
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> Answer<GetObjectOutput> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        let wanted = |object: &Kept| {
            check_reading(object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
            match &input.range {
                // Of nothing there is no last byte either.
                Some(_) if object.size == 0 => Err(s3_error!(InvalidRange)),
                Some(range) => Ok(range.check(object.size)?),
                None => Ok(0..object.size),
            }
        };
        let (object, pieces) = self.open(&input.key, wanted)?;
        let whole = input.range.is_none();
        let output = tell_object!(GetObjectOutput, object, whole && input.checksum_mode.is_some());
        let mut output = tell_as_wanted!(output, input);
        if !whole {
            let range = wanted(&object)?;
            output.content_length = Some(count(range.end - range.start));
            let (first, last, size) = (range.start, range.end - 1, object.size);
            output.content_range = Some(format!("bytes {first}-{last}/{size}"));
        }
        output.body = Some(StreamingBlob::wrap(stream::iter(pieces)));
        Ok(S3Response::new(output))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> Answer<HeadObjectOutput> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        let object = self.get(&input.key)?;
        check_reading(&object, input.if_match.as_ref(), input.if_none_match.as_ref())?;
        let tells_checksums = input.checksum_mode.is_some();
        let output = tell_object!(HeadObjectOutput, object, tells_checksums);
        Ok(S3Response::new(tell_as_wanted!(output, input)))
    }

    async fn delete_object(
        &self,
        request: S3Request<DeleteObjectInput>,
    ) -> Answer<DeleteObjectOutput> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        self.forget(&input.key, input.if_match.as_ref())?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(
        &self,
        request: S3Request<DeleteObjectsInput>,
    ) -> Answer<DeleteObjectsOutput> {
        let DeleteObjectsInput { bucket, delete, .. } = request.input;
        check_bucket(&bucket)?;
        let is_quiet = delete.quiet.unwrap_or_default();
        let (gone, staying) = self.forget_all(delete);
        let deleted = (!is_quiet).then_some(gone);
        let output = DeleteObjectsOutput { deleted, errors: Some(staying), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn copy_object(&self, request: S3Request<CopyObjectInput>) -> Answer<CopyObjectOutput> {
        let call = call(&request)?;
        let S3Request { input, headers, .. } = request;
        check_bucket(&input.bucket)?;
        let if_match = condition(&headers, &IF_MATCH)?;
        let if_none_match = condition(&headers, &IF_NONE_MATCH)?;
        let replaces = input.metadata_directive.as_ref().is_some_and(|it| it.as_str() == "REPLACE");
        let source = source(self, &input, replaces)?;
        let mut facts = if replaces { facts_of!(input) } else { source.facts };
        // A copy has not come in parts.
        facts.checksums.retain(|_, sum| !sum.contains('-'));
        let Kept { content, size, .. } = source;
        let piece = Piece { content, size, told: Checksums::new() };
        let taken = self.join(&[piece], &Checksums::new()).await?;
        let making = Making {
            how: "Copy",
            call: &call,
            upload: None,
            if_match: if_match.as_ref(),
            if_none_match: if_none_match.as_ref(),
        };
        let object = self.make(&input.key, taken.digested.etag(), taken, facts, &making)?;
        let result = CopyObjectResult {
            e_tag: Some(etag(&object)),
            last_modified: Some(moment(object.modified)),
            ..Default::default()
        };
        let output = CopyObjectOutput { copy_object_result: Some(result), ..Default::default() };
        Ok(S3Response::new(output))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> Answer<ListObjectsV2Output> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        let most = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        let page = self.page(&input, most)?;
        let encodes = input.encoding_type.as_ref().is_some_and(|it| it.as_str() == "url");
        let shown = |text: String| if encodes { form_encoded(&text) } else { text };
        let next = page.token();
        let contents = page.objects.into_iter().map(|object| Object {
            e_tag: Some(etag(&object)),
            last_modified: Some(moment(object.modified)),
            size: Some(count(object.size)),
            storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
            key: Some(shown(object.key)),
            ..Default::default()
        });
        let prefixes = page.prefixes.into_iter();
        let prefixes = prefixes.map(|prefix| CommonPrefix { prefix: Some(shown(prefix)) });
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            key_count: Some(page.count),
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents.collect()),
            common_prefixes: Some(prefixes.collect()),
            max_keys: Some(most),
            prefix: input.prefix.map(shown),
            delimiter: input.delimiter.map(shown),
            start_after: input.start_after.map(shown),
            continuation_token: input.continuation_token,
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> Answer<CreateMultipartUploadOutput> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        let upload_id = self.index.begin(&input.key, &facts_of!(input))?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(upload_id),
            ..Default::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> Answer<UploadPartOutput> {
        let S3Request { mut input, headers, trailing_headers, .. } = request;
        check_bucket(&input.bucket)?;
        check_number(input.part_number)?;
        self.index.upload(&input.upload_id, &input.key)?;
        let body = input.body.take();
        let told = Told {
            length: input.content_length,
            md5: input.content_md5.as_deref(),
            checksums: checksums_in!(input),
            algorithm: input.checksum_algorithm.as_ref().map(ChecksumAlgorithm::as_str),
            headers: &headers,
        };
        let taken = self.take(body, trailing_headers, told).await?;
        let part = KeptPart {
            number: input.part_number,
            content: taken.content,
            size: taken.digested.size,
            etag: taken.digested.etag(),
            modified: self.ambient.now(),
        };
        let before = self.index.put_part(&input.upload_id, &input.key, &part);
        let unneeded = before.as_ref().map_or(Some(&part.content), Option::as_ref);
        unneeded.into_iter().for_each(|content| self.contents.remove(content));
        before?;
        let output =
            UploadPartOutput { e_tag: Some(ETag::Strong(part.etag)), ..Default::default() };
        Ok(S3Response::new(tell_checksums!(output, taken.digested.checksums)))
    }

    async fn list_parts(&self, request: S3Request<ListPartsInput>) -> Answer<ListPartsOutput> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        let parts = self.index.parts(&input.upload_id, &input.key)?.into_iter().map(|part| Part {
            e_tag: Some(ETag::Strong(part.etag)),
            last_modified: Some(moment(part.modified)),
            part_number: Some(part.number),
            size: Some(count(part.size)),
            ..Default::default()
        });
        Ok(S3Response::new(ListPartsOutput {
            parts: Some(parts.collect()),
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(false),
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> Answer<CompleteMultipartUploadOutput> {
        let call = call(&request)?;
        let mut input = request.input;
        check_bucket(&input.bucket)?;
        let mut facts = self.index.upload(&input.upload_id, &input.key)?;
        let named = input.multipart_upload.take().and_then(|upload| upload.parts);
        let named = named.unwrap_or_default();
        let parts = chosen(&named, &self.index.parts(&input.upload_id, &input.key)?)?;
        check_size(input.mpu_object_size, parts.iter().map(|(part, _)| part.size).sum())?;
        let etags = etag_of_parts(parts.iter().map(|(part, _)| part.etag.as_str()));
        let etags = etags.ok_or_else(|| s3_error!(InternalError, "a part has no entity tag"))?;
        let pieces = parts.into_iter().map(|(part, told)| Piece {
            content: part.content,
            size: part.size,
            told,
        });
        let taken = self.join(&pieces.collect::<Vec<_>>(), &checksums_in!(input)).await?;
        facts.checksums = taken.digested.checksums.clone();
        let making = Making {
            how: "CompleteMultipartUpload",
            call: &call,
            upload: Some(&input.upload_id),
            if_match: input.if_match.as_ref(),
            if_none_match: input.if_none_match.as_ref(),
        };
        let object = self.make(&input.key, etags, taken, facts, &making)?;
        let output = CompleteMultipartUploadOutput {
            location: Some(format!("/{BUCKET}/{}", form_encoded(&input.key))),
            e_tag: Some(etag(&object)),
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..Default::default()
        };
        Ok(S3Response::new(tell_checksums!(output, object.facts.checksums)))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> Answer<AbortMultipartUploadOutput> {
        let input = request.input;
        check_bucket(&input.bucket)?;
        let left = self.index.abort(&input.upload_id, &input.key)?;
        left.iter().for_each(|content| self.contents.remove(content));
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn head_bucket(&self, request: S3Request<HeadBucketInput>) -> Answer<HeadBucketOutput> {
        check_bucket(&request.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_location(
        &self,
        request: S3Request<GetBucketLocationInput>,
    ) -> Answer<GetBucketLocationOutput> {
        check_bucket(&request.input.bucket)?;
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> Answer<ListBucketsOutput> {
        let always = moment(Timestamp::from_unix_millis(0));
        let bucket = Bucket {
            name: Some(BUCKET.to_owned()),
            creation_date: Some(always),
            ..Default::default()
        };
        let output = ListBucketsOutput { buckets: Some(vec![bucket]), ..Default::default() };
        Ok(S3Response::new(output))
    }
}

/// The object that is copied, where it is what the request says.
fn source(objects: &Objects, input: &CopyObjectInput, replaces: bool) -> S3Result<Kept> {
    let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
        return Err(s3_error!(NotImplemented, "Copies are made of objects of this bucket."));
    };
    check_bucket(bucket)?;
    check_version_id(version_id.as_deref())?;
    let source = objects.get(key)?;
    let matches = |condition: &ETagCondition| holds(condition, &source.etag);
    if input.copy_source_if_match.as_ref().is_some_and(|it| !matches(it))
        || input.copy_source_if_none_match.as_ref().is_some_and(matches)
    {
        return Err(failed());
    }
    if !replaces && **key == *input.key {
        return Err(s3_error!(
            InvalidRequest,
            "This copy request is illegal because it is trying to copy an object to itself \
             without changing the object's metadata."
        ));
    }
    Ok(source)
}

/// A condition on what a copy is written over, which [`s3s`] does not read.
fn condition(headers: &HeaderMap, name: &HeaderName) -> S3Result<Option<ETagCondition>> {
    let condition = headers.get(name).map(|it| ETagCondition::parse_http_header(it.as_bytes()));
    condition
        .transpose()
        .map_err(|error| s3_error!(error, InvalidArgument, "{name} is no entity tag"))
}
