//! Conditions of those who change what is there.

use aws_sdk_s3::operation::delete_objects::DeleteObjectsOutput;

use super::*;

/// MD5 of `meow`.
const MEOW: &str = "\"4a4be40c96ac6314e91d93f38043a634\"";
const STALE: &str = "\"0123456789abcdef0123456789abcdef\"";

async fn keys(client: &Client) -> Vec<String> {
    let listed = client.list_objects_v2().bucket(BUCKET).send().await.expect("it answers");
    listed.contents().iter().filter_map(|it| it.key().map(str::to_owned)).collect()
}

#[tokio::test]
async fn delete_what_is_meant_and_nothing_else() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"meow").await;
    laptop.put("b", b"meow").await;
    let delete = |key: &str, condition: &str| {
        let delete = laptop.client.delete_object().bucket(BUCKET).key(key);
        delete.if_match(condition).send()
    };

    let stale = delete("a", STALE).await;
    let missing = [delete("c", MEOW).await, delete("c", "*").await];

    assert_eq!(refusal(stale), refused("PreconditionFailed", 412));
    for missing in missing {
        assert_eq!(refusal(missing), refused("NoSuchKey", 404));
    }
    assert_eq!(read(&laptop.client, "a").await, b"meow");
    delete("a", MEOW).await.unwrap();
    delete("b", "*").await.unwrap();
    assert_eq!(keys(&laptop.client).await, [""; 0]);
}

#[tokio::test]
async fn delete_of_many_what_is_meant() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    for key in ["a", "b", "c", "d", "e"] {
        laptop.put(key, b"meow").await;
    }
    let named = |key: &str| ObjectIdentifier::builder().key(key);
    let objects = [
        named("a").e_tag(STALE),
        named("b").e_tag(MEOW),
        named("c").version_id("3sL4kqtJlcpXroDTDmJ"),
        named("d").version_id("null"),
        named("e").size(4),
        named("f").e_tag("*"),
    ];
    let objects = objects.map(|object| object.build().unwrap()).to_vec();
    let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();

    let DeleteObjectsOutput { deleted, errors, .. } =
        laptop.client.delete_objects().bucket(BUCKET).delete(delete).send().await.unwrap();

    let deleted: Vec<_> = deleted.unwrap().into_iter().filter_map(|it| it.key).collect();
    assert_eq!(deleted, ["b", "d"]);
    let errors: Vec<_> =
        errors.unwrap().into_iter().map(|it| (it.key.unwrap(), it.code.unwrap())).collect();
    let staying = [
        ("a", "PreconditionFailed"),
        ("c", "InvalidArgument"),
        ("e", "NotImplemented"),
        ("f", "NoSuchKey"),
    ];
    assert_eq!(errors, staying.map(|(key, code)| (key.to_owned(), code.to_owned())));
    assert_eq!(keys(&laptop.client).await, ["a", "c", "e"]);
}

#[tokio::test]
async fn copy_over_what_is_meant_and_nothing_else() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"meow").await;
    laptop.put("b", b"purr").await;
    let copy = |source: &str| {
        let copy = laptop.client.copy_object().bucket(BUCKET).key("b");
        copy.copy_source(format!("{BUCKET}/{source}"))
    };

    let there = copy("a").if_none_match("*").send().await;
    let stale = copy("a").if_match(STALE).send().await;
    let version = copy("a?versionId=3sL4kqtJlcpXroDTDmJ").send().await;

    assert_eq!(refusal(there), refused("PreconditionFailed", 412));
    assert_eq!(refusal(stale), refused("PreconditionFailed", 412));
    assert_eq!(refusal(version), refused("InvalidArgument", 400));
    assert_eq!(read(&laptop.client, "b").await, b"purr");
    copy("a?versionId=null").if_match("*").send().await.unwrap();
    assert_eq!(read(&laptop.client, "b").await, b"meow");
}
