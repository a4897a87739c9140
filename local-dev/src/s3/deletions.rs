//! Deletions, of one object and of many
//! (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html>).

use s3s::{
    S3Result,
    dto::{Delete, DeletedObject, ETagCondition, Error, ObjectIdentifier},
    s3_error,
};

use super::{
    access::check_version_id,
    objects::{Objects, check_match},
};

impl Objects {
    /// Forget an object, if it is the one that is meant.
    pub(super) fn forget(&self, key: &str, if_match: Option<&ETagCondition>) -> S3Result<()> {
        let content = self.index.delete(key, |object| check_match(if_match, object))?;
        content.iter().for_each(|content| self.contents.remove(content));
        Ok(())
    }

    /// Forget each object by itself. Gives those that are gone and those that stay.
    pub(super) fn forget_all(&self, delete: Delete) -> (Vec<DeletedObject>, Vec<Error>) {
        let (mut gone, mut staying) = (Vec::new(), Vec::new());
        for named in delete.objects {
            match self.forget_one(&named) {
                Ok(()) => gone.push(DeletedObject { key: Some(named.key), ..Default::default() }),
                Err(error) => staying.push(Error {
                    code: Some(error.code().as_str().to_owned()),
                    key: Some(named.key),
                    message: error.message().map(str::to_owned),
                    version_id: named.version_id,
                }),
            }
        }
        (gone, staying)
    }

    fn forget_one(&self, named: &ObjectIdentifier) -> S3Result<()> {
        check_version_id(named.version_id.as_deref())?;
        if named.last_modified_time.is_some() || named.size.is_some() {
            return Err(s3_error!(NotImplemented, "Only directory buckets look at time and size."));
        }
        let if_match = named.e_tag.clone().map(|etag| match etag.value() {
            "*" => ETagCondition::Any,
            _ => ETagCondition::ETag(etag),
        });
        self.forget(&named.key, if_match.as_ref())
    }
}
