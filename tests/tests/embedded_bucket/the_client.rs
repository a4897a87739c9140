//! The real client of S3.

use super::*;

#[tokio::test]
async fn keeps_what_it_says_of_a_file() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let put = client.put_object().bucket(BUCKET).key("a").body(ByteStream::from_static(b"1"));
    let put = put.content_type("text/plain").cache_control("no-cache").metadata("owner", "maya");
    put.send().await.unwrap();
    let copied = |directive| {
        let copy = client.copy_object().bucket(BUCKET).copy_source(format!("{BUCKET}/a"));
        copy.metadata_directive(directive).content_type("text/html")
    };

    copied(MetadataDirective::Copy).key("b").send().await.unwrap();
    copied(MetadataDirective::Replace).key("c").send().await.unwrap();
    let onto_itself = copied(MetadataDirective::Copy).key("a").send().await;

    let mut told = Vec::new();
    for key in ["a", "b", "c"] {
        let head = client.head_object().bucket(BUCKET).key(key).send().await.unwrap();
        let owner = head.metadata().and_then(|it| it.get("owner")).cloned();
        told.push((head.content_type.unwrap(), head.cache_control, owner));
        assert_eq!(read(client, key).await, b"1");
    }
    let said = ("text/plain".to_owned(), Some("no-cache".to_owned()), Some("maya".to_owned()));
    assert_eq!(told, [said.clone(), said, ("text/html".to_owned(), None, None)]);
    assert_eq!(refusal(onto_itself), refused("InvalidRequest", 400));
}

/// It sends a file in chunks, and says so in `Content-Encoding`, which S3 does not keep.
#[tokio::test]
async fn keeps_the_encoding_of_a_file_and_not_of_its_way() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let path = folder.path().join("cat.txt");
    fs::write(&path, "meow").unwrap();
    let mut told = Vec::new();

    for encoding in [None, Some("gzip"), Some("gzip, br")] {
        let body = ByteStream::from_path(&path).await.unwrap();
        let put = client.put_object().bucket(BUCKET).key("a").body(body);
        put.set_content_encoding(encoding.map(str::to_owned)).send().await.unwrap();

        let head = client.head_object().bucket(BUCKET).key("a").send().await.unwrap();
        assert_eq!(head.content_length, Some(4));
        told.push(head.content_encoding);
    }

    assert_eq!(told, [None, Some("gzip".to_owned()), Some("gzip, br".to_owned())]);
}

#[tokio::test]
async fn lists_what_is_there_page_by_page() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let client = &laptop.client;
    for key in ["a", "a/1", "a/2", "b/1", "ä", "b"] {
        laptop.put(key, b"1").await;
    }

    let list = client.list_objects_v2().bucket(BUCKET).max_keys(2);
    let mut pages = list.clone().into_paginator().send();
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        let contents = page.unwrap().contents.unwrap();
        assert!(contents.len() <= 2);
        keys.extend(contents.into_iter().map(|object| object.key.unwrap()));
    }
    let mut pages = list.delimiter("/").into_paginator().send();
    let mut folders = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        let prefixes = page.common_prefixes.unwrap_or_default();
        folders.extend(prefixes.into_iter().map(|it| it.prefix.unwrap()));
        let contents = page.contents.unwrap_or_default();
        folders.extend(contents.into_iter().map(|it| it.key.unwrap()));
    }
    let objects = ["a", "b", "ä"].map(|key| ObjectIdentifier::builder().key(key).build());
    let delete = Delete::builder().set_objects(Some(objects.map(Result::unwrap).to_vec()));
    let delete = client.delete_objects().bucket(BUCKET).delete(delete.build().unwrap());
    delete.send().await.unwrap();

    assert_eq!(keys, ["a", "a/1", "a/2", "b", "b/1", "ä"]);
    folders.sort();
    assert_eq!(folders, ["a", "a/", "b", "b/", "ä"]);
    let left = client.list_objects_v2().bucket(BUCKET).prefix("a").send().await.unwrap();
    let left: Vec<_> = left.contents().iter().filter_map(|it| it.key()).collect();
    assert_eq!(left, ["a/1", "a/2"]);
}

#[tokio::test]
async fn uploads_in_parts() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let large = vec![7; 5 * 1024 * 1024];
    let begun = client.create_multipart_upload().bucket(BUCKET).key("a").content_type("a/b");
    let upload = begun.send().await.unwrap().upload_id.unwrap();
    let part = |number, content: Vec<u8>| {
        let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&upload);
        part.part_number(number).body(content.into()).send()
    };
    let complete = |parts: Vec<(i32, String)>| {
        let parts = parts
            .into_iter()
            .map(|(number, etag)| CompletedPart::builder().part_number(number).e_tag(etag).build());
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts.collect()));
        let complete = client.complete_multipart_upload().bucket(BUCKET).key("a");
        complete.upload_id(&upload).multipart_upload(parts.build()).send()
    };

    let one = part(1, large.clone()).await.unwrap().e_tag.unwrap();
    let small = part(2, b"1".to_vec()).await.unwrap().e_tag.unwrap();
    let three = part(3, b"end".to_vec()).await.unwrap().e_tag.unwrap();
    let wrong = complete(vec![(1, small.clone())]).await;
    let unordered = complete(vec![(3, three.clone()), (1, one.clone())]).await;
    let too_small = complete(vec![(2, small), (3, three.clone())]).await;
    let done = complete(vec![(1, one.clone()), (3, three.clone())]).await.unwrap();
    let over = complete(vec![(1, one), (3, three)]).await;

    assert_eq!(refusal(wrong), refused("InvalidPart", 400));
    assert_eq!(refusal(unordered), refused("InvalidPartOrder", 400));
    assert_eq!(refusal(too_small), refused("EntityTooSmall", 400));
    assert!(done.e_tag.unwrap().ends_with("-2\""));
    assert_eq!(refusal(over), refused("NoSuchUpload", 404));
    assert_eq!(read(client, "a").await, [large, b"end".to_vec()].concat());
    assert_eq!(files(&folder), 1, "parts are gone");
}

#[tokio::test]
async fn gives_an_upload_up() {
    let folder = tempdir().unwrap();
    let Laptop { client, .. } = &Laptop::start(folder.path(), 1, &[]).await;
    let begun = client.create_multipart_upload().bucket(BUCKET).key("a").send().await.unwrap();
    let upload = begun.upload_id.unwrap();
    let part = || {
        let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&upload);
        part.part_number(1).body(ByteStream::from_static(b"1")).send()
    };
    part().await.unwrap();

    let abort = client.abort_multipart_upload().bucket(BUCKET).key("a").upload_id(&upload);
    abort.send().await.unwrap();

    assert_eq!(refusal(part().await), refused("NoSuchUpload", 404));
    assert_eq!(files(&folder), 0);
}

#[tokio::test]
async fn overwrites_nothing_by_what_is_refused() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let client = &laptop.client;
    laptop.put("a", b"first").await;
    let put = || {
        let put = client.put_object().bucket(BUCKET).key("a");
        put.body(ByteStream::from_static(b"second"))
    };

    // Of the empty text.
    let other = put().content_md5("1B2M2Y8AsgTpgAmY7PhCfg==").send().await;
    let summed = put().checksum_sha256("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    let summed = summed.send().await;
    let there = put().if_none_match("*").send().await;
    let stale = put().if_match("\"0123\"").send().await;
    let tagged = put().tagging("a=b").send().await;

    assert_eq!(refusal(other), refused("BadDigest", 400));
    assert_eq!(refusal(summed), refused("BadDigest", 400));
    assert_eq!(refusal(there), refused("PreconditionFailed", 412));
    assert_eq!(refusal(stale), refused("PreconditionFailed", 412));
    assert_eq!(refusal(tagged), refused("NotImplemented", 501));
    assert_eq!(read(client, "a").await, b"first");
    assert_eq!(files(&folder), 1, "nothing of them is left");
}

#[tokio::test]
async fn loses_nothing_when_an_upload_breaks_off() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"first").await;
    let url = upload_url(&laptop.client, "a").await;
    let (address, path) = parts(&url);
    let half = format!(
        "PUT /{path} HTTP/1.1\r\nhost: {address}\r\ncontent-type: image/png\r\n\
         content-length: 1000\r\n\r\nsecond"
    );

    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(half.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    stream.read_to_end(&mut Vec::new()).await.unwrap();

    assert_eq!(read(&laptop.client, "a").await, b"first");
    assert_eq!(files(&folder), 1, "nothing of it is left");
}

#[tokio::test]
async fn is_told_what_is_wrong_with_a_key_or_a_bucket() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let client = &laptop.client;
    let (longest, longer) = ("a.".repeat(512), "a.".repeat(512) + "a");

    put(client, &longest, b"1").await.unwrap();
    let too_long = put(client, &longer, b"1").await;
    let elsewhere = client.put_object().bucket("somebody-elses").key("a").send().await;
    let made = client.create_bucket().bucket("another-one").send().await;
    let range = client.get_object().bucket(BUCKET).key(&longest).range("bytes=7-");
    let range = range.send().await;

    assert_eq!(refusal(too_long), refused("KeyTooLongError", 400));
    assert_eq!(refusal(elsewhere), refused("NoSuchBucket", 404));
    assert_eq!(refusal(made), refused("NotImplemented", 501));
    assert_eq!(refusal(range), refused("InvalidRange", 416));
    put(client, "empty", b"").await.unwrap();
    for range in ["bytes=-5", "bytes=0-"] {
        let range = client.get_object().bucket(BUCKET).key("empty").range(range).send().await;
        assert_eq!(refusal(range), refused("InvalidRange", 416));
    }
}

/// A key is a name in the bucket, and no path.
#[tokio::test]
async fn gets_out_of_the_bucket_by_no_key() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    let keys = ["../../out", "..", "a/../b", "/etc/passwd", "a//b", "a", "a/b"];
    let before = fs::read_dir(folder.path()).unwrap().count();

    for key in keys {
        laptop.put(key, b"1").await;
    }

    let listed = laptop.client.list_objects_v2().bucket(BUCKET).send().await.unwrap();
    let mut listed: Vec<_> = listed.contents().iter().filter_map(|it| it.key()).collect();
    listed.sort_unstable();
    let mut expected = keys;
    expected.sort_unstable();
    assert_eq!(listed, expected);
    assert_eq!(files(&folder), keys.len());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
}

fn files(folder: &TempDir) -> usize {
    fs::read_dir(folder.path().join("files")).expect("it is there").count()
}
