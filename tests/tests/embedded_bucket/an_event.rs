//! What is told of files, to whom, and what becomes of it when nobody takes it.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Semaphore;

use super::{a_form::form, *};

type Seen = UnboundedReceiver<ObjectCreated>;

/// A module whose handler sends on what it is given.
fn listening(prefix: &'static str) -> (Vec<Module>, Seen) {
    let (sender, seen) = unbounded_channel();
    let handler = move |object: ObjectCreated| {
        let sent = sender.send(object);
        async move { Ok(sent?) }
    };
    (vec![Module::new("files").on_object_created(prefix, handler)], seen)
}

async fn next(seen: &mut Seen) -> ObjectCreated {
    let seen = tokio::time::timeout(Duration::from_secs(60), seen.recv()).await;
    seen.expect("it is delivered").expect("somebody listens")
}

async fn fail(_: ObjectCreated) -> api::events::Result {
    Err(Failure::new("it is no picture"))
}

#[tokio::test]
async fn tells_of_each_file_under_a_prefix_that_somebody_listens_to() {
    let folder = tempdir().unwrap();
    let (modules, mut seen) = listening("uploads/");
    let laptop = Laptop::start(folder.path(), 1, &modules).await;

    laptop.put("thumbnails/1", b"1").await;
    laptop.put("uploads/a cat+dog ä.png", b"meow").await;

    let object = next(&mut seen).await;
    assert_eq!((object.bucket.as_str(), object.key.as_str()), (BUCKET, "uploads/a cat+dog ä.png"));
    assert_eq!((object.size, object.etag.as_str()), (4, "4a4be40c96ac6314e91d93f38043a634"));
    assert_eq!(object.version_id, None);
    laptop.bucket.stop().await;
    assert!(seen.try_recv().is_err(), "it comes once, and nothing else does");
}

/// The record that was set aside is the record as it came.
#[tokio::test]
async fn is_exactly_what_s3_sends_and_is_set_aside_after_three_attempts() {
    let folder = tempdir().unwrap();
    let mut kept = Receiver::start().await;
    let endpoint = format!("http://{}", kept.address());
    let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
    let modules = [Module::new("files").on_object_created("uploads/", fail)];
    let laptop = Laptop::with(folder.path(), 1, &modules, &modules, failures).await;

    let url = upload_url(&laptop.client, "uploads/a cat.png").await;
    let put = send(Method::PUT, &url, &PNG, "meow").await;
    let set_aside = kept.received().await;

    assert!(set_aside.path.starts_with("/failures/failures/files.fail/"), "{set_aside:?}");
    let set_aside: Value = serde_json::from_str(&set_aside.body).unwrap();
    assert_eq!(set_aside["failures"], 3);
    let request_id = put.header("x-amz-request-id").unwrap();
    let id_2 = put.header("x-amz-id-2").unwrap();
    let record = json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-22T16:30:00.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "AWS:landline" },
        "requestParameters": { "sourceIPAddress": "127.0.0.1" },
        "responseElements": { "x-amz-request-id": request_id, "x-amz-id-2": id_2 },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "landline-local-events",
            "bucket": {
                "name": "landline-local-files",
                "ownerIdentity": { "principalId": "landline" },
                "arn": "arn:aws:s3:::landline-local-files",
            },
            "object": {
                "key": "uploads/a+cat.png",
                "size": 4,
                "eTag": "4a4be40c96ac6314e91d93f38043a634",
                "sequencer": "000000000000000001",
            },
        },
    });
    assert_eq!(set_aside["record"], record);
}

#[tokio::test]
async fn tells_of_a_form_that_was_posted() {
    let folder = tempdir().unwrap();
    let mut kept = Receiver::start().await;
    let endpoint = format!("http://{}", kept.address());
    let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
    let (modules, _seen) = listening("uploads/");
    let laptop = Laptop::with(folder.path(), 1, &modules, &[], failures).await;
    let url = format!("{}/{BUCKET}", laptop.bucket.endpoint());
    let form = form("uploads/1", "meow");
    let content_type = [("content-type", "multipart/form-data; boundary=boundary")];

    let posted = send(Method::POST, &url, &content_type, form.clone()).await;
    let elsewhere = form.replace("uploads/1", "elsewhere");
    let elsewhere = send(Method::POST, &url, &content_type, elsewhere).await;
    let (before, after) = form.split_once("x-amz-signature\"\r\n\r\n").unwrap();
    let forged = format!("{before}x-amz-signature\"\r\n\r\n{}{}", "0".repeat(64), &after[64..]);
    let forged = send(Method::POST, &url, &content_type, forged).await;

    assert_eq!(posted.status, StatusCode::NO_CONTENT, "{}", posted.text());
    let lost: Value = serde_json::from_str(&kept.received().await.body).unwrap();
    let record = &lost["requestPayload"]["Records"][0];
    assert_eq!(record["eventName"], "ObjectCreated:Post");
    assert_eq!(record["s3"]["object"]["key"], "uploads/1");
    assert_eq!(read(&laptop.client, "uploads/1").await, b"meow");
    // In the cloud it is 403 and `AccessDenied`.
    elsewhere.assert_refused("InvalidPolicyDocument", 400);
    forged.assert_refused("SignatureDoesNotMatch", 403);
}

/// Nobody listens any more, so that the function refuses the event as a whole.
#[tokio::test]
async fn that_the_function_refuses_is_kept_as_lambda_keeps_it() {
    let folder = tempdir().unwrap();
    let mut kept = Receiver::start().await;
    let endpoint = format!("http://{}", kept.address());
    let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
    let (modules, _seen) = listening("uploads/");
    let laptop = Laptop::with(folder.path(), 1, &modules, &[], failures).await;

    copy(&laptop, "uploads/1").await;
    let lost = kept.received().await;

    let name = "/failures/aws/lambda/async/landline-local-events/2026/11/22/2026-11-22T16.30.00-";
    assert!(lost.path.starts_with(name), "{lost:?}");
    let mut lost: Value = serde_json::from_str(&lost.body).unwrap();
    let event = lost["requestPayload"].take();
    let request_id = lost["requestContext"]["requestId"].take();
    assert_eq!(event["Records"][0]["eventName"], "ObjectCreated:Copy");
    assert_eq!(request_id.as_str().map(str::len), Some(36));
    let why = "no module has declared a handler for `ObjectCreated:Copy` in the bucket \
               `landline-local-files`, folder `uploads`";
    assert_eq!(
        lost,
        json!({
            "version": "1.0",
            "timestamp": "2026-11-22T16:30:00.123Z",
            "requestContext": {
                "requestId": null,
                "functionArn":
                    "arn:aws:lambda:us-east-1:000000000000:function:landline-local-events:$LATEST",
                "condition": "RetriesExhausted",
                "approximateInvokeCount": 3,
            },
            "requestPayload": null,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": { "errorType": "UndeclaredEvent", "errorMessage": why },
        }),
    );
}

async fn copy(laptop: &Laptop, key: &str) {
    laptop.put("elsewhere", b"1").await;
    let copy = laptop.client.copy_object().bucket(BUCKET).key(key);
    let copied = copy.copy_source(format!("{BUCKET}/elsewhere")).send().await;
    copied.expect("it is there");
}

/// What was kept so is sent again as any other failure.
#[tokio::test]
async fn that_was_kept_is_replayed() {
    let folder = tempdir().unwrap();
    let (modules, mut seen) = listening("uploads/");
    let kept = folder.path().join("events");
    let failures = FailureStore::folder(&kept);
    let record = json!({
        "version": "1.0",
        "requestPayload": tests::batches::s3(BUCKET, &[("uploads/1".to_owned(), "1".to_owned())]),
    });
    let name = "aws/lambda/async/landline-local-events/2026/11/22/1.json";
    failures.put(name, record.to_string().into_bytes()).await.unwrap();
    let store = EmbeddedStore::memory().unwrap();
    let table = Store::connect(connection(&store), Ambient::system());
    table.create_table().await.unwrap();
    let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
    let events = Events::with_modules(&modules, auth, Default::default(), table, failures);

    let replayed = events.unwrap().replay("aws/lambda/", None).await.unwrap();

    assert_eq!((replayed.replayed, replayed.failed.len()), (1, 0));
    assert_eq!(next(&mut seen).await.key, "uploads/1");
    assert!(!kept.join(name).exists());
}

#[tokio::test]
async fn is_not_lost_when_the_process_dies_in_the_middle() {
    let folder = tempdir().unwrap();
    let (begun, mut begins) = unbounded_channel();
    let never = move |object: ObjectCreated| {
        let sent = begun.send(object.key);
        async move {
            sent?;
            std::future::pending().await
        }
    };
    let stuck = [Module::new("files").on_object_created("uploads/", never)];
    let (modules, mut seen) = listening("uploads/");

    let laptop = Laptop::start(folder.path(), 1, &stuck).await;
    laptop.put("uploads/1", b"1").await;
    assert_eq!(begins.recv().await.as_deref(), Some("uploads/1"));
    drop(laptop);
    let laptop = Laptop::start(folder.path(), 2, &modules).await;

    assert_eq!(next(&mut seen).await.key, "uploads/1");
    laptop.bucket.stop().await;
    let laptop = Laptop::start(folder.path(), 3, &modules).await;
    laptop.put("uploads/2", b"1").await;
    assert_eq!(next(&mut seen).await.key, "uploads/2", "what was delivered does not come again");
}

/// Ten of them run beside each other, and a stuck one holds up no other.
#[tokio::test]
async fn does_not_wait_for_another_one() {
    let folder = tempdir().unwrap();
    let (sender, mut seen): (UnboundedSender<ObjectCreated>, _) = unbounded_channel();
    let handler = move |object: ObjectCreated| {
        let is_stuck = object.key.ends_with("stuck");
        let sent = sender.send(object);
        async move {
            sent?;
            if is_stuck { std::future::pending().await } else { Ok(()) }
        }
    };
    let modules = [Module::new("files").on_object_created("uploads/", handler)];
    let laptop = Laptop::start(folder.path(), 1, &modules).await;

    laptop.put("uploads/stuck", b"1").await;
    laptop.put("uploads/2", b"1").await;

    assert_eq!(next(&mut seen).await.key, "uploads/stuck");
    assert_eq!(next(&mut seen).await.key, "uploads/2");
}

/// What has failed at the same time is due at the same time.
#[tokio::test]
async fn that_comes_again_waits_until_there_is_room() {
    const FILES: usize = 30;
    const AT_ONCE: usize = 10;
    let folder = tempdir().unwrap();
    let seen = Arc::<Mutex<BTreeSet<String>>>::default();
    let running = Arc::<AtomicUsize>::default();
    let (begun, mut begins) = unbounded_channel();
    let leave = Arc::new(Semaphore::new(0));
    let left = leave.clone();
    let handler = move |object: ObjectCreated| {
        let is_new = seen.lock().unwrap().insert(object.key);
        let (begun, running, left) = (begun.clone(), running.clone(), left.clone());
        async move {
            if is_new {
                return Err(Failure::new("it comes again"));
            }
            begun.send(running.fetch_add(1, Ordering::SeqCst) + 1)?;
            left.acquire().await?.forget();
            running.fetch_sub(1, Ordering::SeqCst);
            Ok(())
        }
    };
    let modules = [Module::new("files").on_object_created("uploads/", handler)];
    let laptop = Laptop::start(folder.path(), 1, &modules).await;
    for file in 0..FILES {
        laptop.put(&format!("uploads/{file}"), b"1").await;
    }

    let mut most = 0;
    for begun in 0..FILES {
        if begun >= AT_ONCE {
            leave.add_permits(1);
        }
        most = most.max(begins.recv().await.unwrap());
    }

    assert_eq!(most, AT_ONCE);
    leave.add_permits(AT_ONCE);
    laptop.bucket.stop().await;
}

/// Parts are no files; what they come together to is one.
#[tokio::test]
async fn tells_of_an_upload_in_parts_once() {
    let folder = tempdir().unwrap();
    let (modules, mut seen) = listening("");
    let laptop = Laptop::start(folder.path(), 1, &modules).await;
    let client = &laptop.client;
    let begun = client.create_multipart_upload().bucket(BUCKET).key("a").send().await.unwrap();
    let upload = begun.upload_id.unwrap();
    let part = client.upload_part().bucket(BUCKET).key("a").upload_id(&upload).part_number(1);
    let part = part.body(ByteStream::from_static(b"meow")).send().await.unwrap();
    let part = CompletedPart::builder().part_number(1).e_tag(part.e_tag.unwrap()).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();

    let complete = client.complete_multipart_upload().bucket(BUCKET).key("a");
    complete.upload_id(upload).multipart_upload(parts).send().await.unwrap();

    let object = next(&mut seen).await;
    // MD5 of the MD5 of what was sent.
    assert_eq!((object.size, object.etag.as_str()), (4, "98e809a3fe6eca26725a111e45f3216e-1"));
    laptop.bucket.stop().await;
    assert!(seen.try_recv().is_err());
}
