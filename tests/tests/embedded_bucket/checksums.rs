//! Uploads in parts that are what their checksums say, or are refused.

use aws_sdk_s3::{
    operation::complete_multipart_upload::builders::CompleteMultipartUploadFluentBuilder,
    types::ChecksumMode,
};

use super::*;

/// CRC-32 of `meow`, and of nothing that is sent.
const CRC: &str = "ihBq/g==";
const OTHER_CRC: &str = "AAAAAA==";
/// SHA-256 of the SHA-256 of `meow`.
const SHA_OF_SHA: &str = "N3c/yYqCtjpn7av09t+aJFgmnoPyJkqUMVeP7/OMogw=";

/// An upload of one part, `meow`, and how it ends.
struct Upload<'a> {
    client: &'a Client,
    id: String,
    etag: String,
}

impl<'a> Upload<'a> {
    async fn begin(client: &'a Client) -> Self {
        let begun = client.create_multipart_upload().bucket(BUCKET).key("a").send().await;
        let id = begun.expect("it begins").upload_id.expect("it has an id");
        let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&id).part_number(1);
        let part = part.body(ByteStream::from_static(b"meow")).send().await.expect("it is taken");
        Self { client, id, etag: part.e_tag.expect("a part has an entity tag") }
    }

    fn end(&self, crc: Option<&str>) -> CompleteMultipartUploadFluentBuilder {
        let part = CompletedPart::builder().part_number(1).e_tag(&self.etag);
        let part = part.set_checksum_crc32(crc.map(str::to_owned)).build();
        let parts = CompletedMultipartUpload::builder().parts(part).build();
        let end = self.client.complete_multipart_upload().bucket(BUCKET).key("a");
        end.upload_id(&self.id).multipart_upload(parts)
    }
}

#[tokio::test]
async fn refuse_an_upload_that_is_something_else() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let upload = Upload::begin(client).await;

    let part = upload.end(Some(OTHER_CRC)).send().await;
    let whole = upload.end(None).checksum_crc32(OTHER_CRC).send().await;
    let of_parts = upload.end(None).checksum_crc32(format!("{OTHER_CRC}-1")).send().await;
    let counted = upload.end(None).checksum_sha256(format!("{SHA_OF_SHA}-2")).send().await;
    let size = upload.end(None).mpu_object_size(5).send().await;

    assert_eq!(refusal(part), refused("InvalidPart", 400));
    assert_eq!(refusal(whole), refused("BadDigest", 400));
    assert_eq!(refusal(of_parts), refused("BadDigest", 400));
    assert_eq!(refusal(counted), refused("BadDigest", 400));
    assert_eq!(refusal(size), refused("InvalidRequest", 400));
    let missing = client.head_object().bucket(BUCKET).key("a").send().await;
    assert_eq!(refusal(missing).1, 404);
    assert_eq!(fs::read_dir(folder.path().join("files")).unwrap().count(), 1, "the part");
}

/// Over the bytes, or over the checksums of the parts.
#[tokio::test]
async fn are_told_of_an_upload_again() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let head = || {
        let head = client.head_object().bucket(BUCKET).key("a");
        head.checksum_mode(ChecksumMode::Enabled).send()
    };

    let upload = Upload::begin(client).await;
    let end = upload.end(Some(CRC)).checksum_crc32(CRC).mpu_object_size(4);
    let over_bytes = end.send().await.unwrap();
    let told = head().await.unwrap();
    assert_eq!(over_bytes.checksum_crc32.as_deref(), Some(CRC));
    assert_eq!(told.checksum_crc32.as_deref(), Some(CRC));

    let upload = Upload::begin(client).await;
    let end = upload.end(None).checksum_sha256(format!("{SHA_OF_SHA}-1"));
    end.send().await.unwrap();
    let copy = client.copy_object().bucket(BUCKET).key("b").copy_source(format!("{BUCKET}/a"));
    copy.send().await.unwrap();
    let told = head().await.unwrap();
    assert_eq!(told.checksum_sha256, Some(format!("{SHA_OF_SHA}-1")));
    let copied = client.head_object().bucket(BUCKET).key("b");
    let copied = copied.checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
    assert_eq!(copied.checksum_sha256, None, "it has no parts");
}
