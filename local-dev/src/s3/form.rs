//! What S3 takes in a form's fields and the embedded bucket does not keep.

use s3s::{
    S3Result,
    dto::{
        ObjectCannedACL, ObjectLockLegalHoldStatus, ObjectLockMode, PostObjectInput,
        ServerSideEncryption, StorageClass,
    },
};

use super::access::check_kept;

/// What is refused as a header is refused as a field. The fields `acl` and `tagging` are not among
/// them: [`s3s`] does not read them, and does not hand the policy on that names them.
pub(super) fn check_fields(form: &PostObjectInput) -> S3Result<()> {
    let given = |is_given: bool| is_given.then_some("given");
    let fields = [
        ("expires", given(form.expires.is_some())),
        ("x-amz-acl", form.acl.as_ref().map(ObjectCannedACL::as_str)),
        ("x-amz-expected-bucket-owner", form.expected_bucket_owner.as_deref()),
        ("x-amz-grant-full-control", form.grant_full_control.as_deref()),
        ("x-amz-grant-read", form.grant_read.as_deref()),
        ("x-amz-grant-read-acp", form.grant_read_acp.as_deref()),
        ("x-amz-grant-write-acp", form.grant_write_acp.as_deref()),
        (
            "x-amz-object-lock-legal-hold",
            form.object_lock_legal_hold_status.as_ref().map(ObjectLockLegalHoldStatus::as_str),
        ),
        ("x-amz-object-lock-mode", form.object_lock_mode.as_ref().map(ObjectLockMode::as_str)),
        (
            "x-amz-object-lock-retain-until-date",
            given(form.object_lock_retain_until_date.is_some()),
        ),
        (
            "x-amz-server-side-encryption",
            form.server_side_encryption.as_ref().map(ServerSideEncryption::as_str),
        ),
        ("x-amz-server-side-encryption-aws-kms-key-id", form.ssekms_key_id.as_deref()),
        (
            "x-amz-server-side-encryption-bucket-key-enabled",
            form.bucket_key_enabled.map(|is_enabled| if is_enabled { "true" } else { "false" }),
        ),
        ("x-amz-server-side-encryption-context", form.ssekms_encryption_context.as_deref()),
        ("x-amz-server-side-encryption-customer-algorithm", form.sse_customer_algorithm.as_deref()),
        ("x-amz-server-side-encryption-customer-key", form.sse_customer_key.as_deref()),
        ("x-amz-server-side-encryption-customer-key-md5", form.sse_customer_key_md5.as_deref()),
        ("x-amz-storage-class", form.storage_class.as_ref().map(StorageClass::as_str)),
        ("x-amz-tagging", form.tagging.as_deref()),
        ("x-amz-website-redirect-location", form.website_redirect_location.as_deref()),
        ("x-amz-write-offset-bytes", given(form.write_offset_bytes.is_some())),
    ];
    let mut given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
    given.try_for_each(|(name, value)| check_kept(name, value))
}
