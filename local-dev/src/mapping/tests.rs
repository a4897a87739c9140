use api::{
    events::{Events, FailureStore, Replayed, StreamRecord},
    http::Module,
};
use auth::SigningKey;
use dynoxide::storage::Storage;
use models::{
    Ambient, Timestamp,
    platform::outbox::Message,
    store::{Store, WriteSet},
};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::sync::mpsc::unbounded_channel;

use super::{Function, Mapping, Shard, mapping_id};
use crate::{
    EmbeddedStore, connection,
    filter::Filter,
    kinesis::{OnlyShard, RECORDS},
};

fn ambient() -> Ambient {
    Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_123), 7)
}

async fn table(store: &EmbeddedStore) -> Store {
    let table = Store::connect(connection(store), ambient());
    table.create_table().await.unwrap();
    table
}

fn events(modules: &[Module], table: &Store, failures: &FailureStore) -> Events {
    let auth = auth::Settings::new("https://api.example.com", "landline", SigningKey::generate());
    let (config, table, failures) = (Default::default(), table.clone(), failures.clone());
    Events::with_modules(modules, auth, config, table, failures).unwrap()
}

/// So many calls, after which nothing is given up yet, and then one more, after which this is: its
/// name, and what it says.
async fn given_up_after<S: Shard>(calls: usize, mut mapping: Mapping<S>) -> (String, Value) {
    let failures = mapping.function.failures.clone();
    for _ in 0..calls {
        assert!(mapping.step().await);
        assert_eq!(failures.list("").await.unwrap().len(), 0);
    }
    assert!(mapping.step().await);
    let key = failures.list("").await.unwrap().pop().unwrap();
    let content = serde_json::from_slice(&failures.get(&key).await.unwrap()).unwrap();
    (key, content)
}

/// Take a value that differs from run to run, and leave null.
fn take(content: &mut Value, pointer: &str) -> String {
    content.pointer_mut(pointer).unwrap().take().as_str().unwrap().to_owned()
}

fn of_kinesis(number: i64, data: &str) -> Value {
    let number = format!("49{number:054}");
    json!({
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "maya",
            "sequenceNumber": number,
            "data": data,
            "approximateArrivalTimestamp": 1_795_364_000.5,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": format!("shardId-000000000000:{number}"),
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/landline-local-events",
        "awsRegion": "us-east-1",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:000000000000:stream/activity",
    })
}

/// The function knows no such stream, and refuses the event as a whole: which is halved until one record
/// is left, and that one fails 21 times.
#[tokio::test]
async fn a_record_of_kinesis_that_is_given_up_is_as_lambda_writes_it_and_can_be_replayed() {
    let store = EmbeddedStore::memory().unwrap();
    let (table, failures) = (table(&store).await, FailureStore::memory());
    let shard = Storage::memory().unwrap();
    shard.conn().execute_batch(RECORDS).unwrap();
    for data in ["\"1\"", "\"2\"", "\"3\"", "\"4\""] {
        let put = "INSERT INTO landline_records (stream, partition_key, data, arrived_at)
             VALUES ('activity', 'maya', CAST(?1 AS BLOB), 1795364000500)";
        shard.conn().execute(put, [data]).unwrap();
    }
    let function = Function {
        events: events(&[], &table, &failures),
        failures: failures.clone(),
        ambient: ambient(),
    };

    let mapping = Mapping::new(OnlyShard::new("activity", shard), function);
    let (key, mut content) = given_up_after(2 + 20, mapping).await;

    let folder = "aws/lambda/c890e445-0f39-c3d2-def9-c659e624e551/shardId-000000000000/2026/11/22/";
    let name = key.strip_prefix(folder).unwrap_or_else(|| panic!("{key}"));
    assert!(name.starts_with("2026-11-22T16.30.00-"), "{name}");
    assert_eq!(name.len(), "2026-11-22T16.30.00-01234567-89ab-cdef-0123-456789abcdef.json".len());
    assert_eq!(take(&mut content, "/requestContext/requestId").len(), 36);
    let payload: Value = serde_json::from_str(&take(&mut content, "/payload")).unwrap();
    assert_eq!(payload, json!({ "Records": [of_kinesis(1, "IjEi")] }));
    let number = "49000000000000000000000000000000000000000000000000000001";
    assert_eq!(
        content,
        json!({
            "requestContext": {
                "requestId": null,
                "functionArn":
                    "arn:aws:lambda:us-east-1:000000000000:function:landline-local-events",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 21,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "version": "1.0",
            "timestamp": "2026-11-22T16:30:00.123Z",
            "KinesisBatchInfo": {
                "shardId": "shardId-000000000000",
                "startSequenceNumber": number,
                "endSequenceNumber": number,
                "approximateArrivalOfFirstRecord": "2026-11-22T16:13:20.500Z",
                "approximateArrivalOfLastRecord": "2026-11-22T16:13:20.500Z",
                "batchSize": 1,
                "streamArn": "arn:aws:kinesis:us-east-1:000000000000:stream/activity",
            },
            "payload": null,
        }),
    );

    let (tell, mut told) = unbounded_channel();
    let listening =
        Module::new("screens").on_stream("activity", move |it: StreamRecord<String>| {
            let told = tell.send(it.data);
            async move { Ok(told?) }
        });
    let replayed = events(&[listening], &table, &failures).replay("aws/lambda/", None).await;
    assert_eq!(replayed, Ok(Replayed { replayed: 1, failed: Vec::new(), left: 0 }));
    assert_eq!(told.try_recv().as_deref(), Ok("1"));
    assert_eq!(failures.list("").await.unwrap().len(), 0);
}

/// What is told of a dead letter, but for what the store makes up.
fn of_the_table(arn: &str, id: &str, made_up: &Value) -> Value {
    let (pk, sk) = (format!("ACCOUNT#{id}"), format!("DEAD_LETTER#{id}"));
    let text = |text: &str| json!({ "S": text });
    json!({
        "eventID": made_up["eventID"].as_str(),
        "eventName": "INSERT",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "eventSourceARN": arn,
        "dynamodb": {
            "ApproximateCreationDateTime": made_up["dynamodb"]["ApproximateCreationDateTime"].as_f64(),
            "Keys": { "pk": text(&pk), "sk": text(&sk) },
            "NewImage": {
                "pk": text(&pk),
                "sk": text(&sk),
                "kind": text("DEAD_LETTER"),
                "message": { "M": {
                    "id": text(id),
                    "owner": text(id),
                    "topic": text("push"),
                    "payload": text("{}"),
                    "createdAt": text("2026-11-22T16:30:00.123Z"),
                    "expiresAt": text("2026-12-06T16:30:00.123Z"),
                    "version": { "N": "1" },
                } },
                "reason": text("nobody takes messages of the topic `push`"),
                "expiresAt": text("2027-02-23T16:30:00.123Z"),
                "ttl": { "N": "1803400200" },
                "version": { "N": "1" },
                "writtenBy": text("outbox.deliver_message"),
            },
            "SequenceNumber": made_up["dynamodb"]["SequenceNumber"].as_str(),
            "SizeBytes": made_up["dynamodb"]["SizeBytes"].as_u64(),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    })
}

/// The handler fails, and what fails can be set aside nowhere: so each answer names the record.
#[tokio::test]
async fn a_record_of_the_table_that_is_given_up_is_as_lambda_writes_it() {
    let (store, folder) = (EmbeddedStore::memory().unwrap(), tempdir().unwrap());
    let table = table(&store).await;
    let file = folder.path().join("file");
    std::fs::write(&file, "no folder").unwrap();
    let owner = ambient().new_id();
    let message = Message::new(&ambient(), owner, "push", &json!({})).unwrap();
    let id = message.id;
    table.write(WriteSet::new().send(message)).await.unwrap();
    let function = Function {
        events: events(&api::route_table(), &table, &FailureStore::folder(file)),
        failures: FailureStore::memory(),
        ambient: ambient(),
    };
    let filter = Filter::of(&api::route_table());
    let stream = store.stream("landline", filter).unwrap().unwrap();
    let (arn, shard) = (stream.arn(), stream.id().to_owned());

    let (key, mut content) = given_up_after(1 + 20, Mapping::new(stream, function)).await;

    let folder = format!("aws/lambda/{}/{shard}/2026/11/22/", mapping_id(&arn));
    assert!(key.starts_with(&folder), "{key}");
    assert!(arn.starts_with("arn:aws:dynamodb:us-east-1:000000000000:table/landline/stream/"));
    take(&mut content, "/requestContext/requestId");
    let payload: Value = serde_json::from_str(&take(&mut content, "/payload")).unwrap();
    let records = payload["Records"].as_array().unwrap();
    assert_eq!(records.len(), 1);
    let record = &records[0]["dynamodb"];
    assert_eq!(records[0], of_the_table(&arn, &id.to_string(), &records[0]));
    // Of the store's own clock.
    let arrived = take(&mut content, "/DDBStreamBatchInfo/approximateArrivalOfFirstRecord");
    let last = take(&mut content, "/DDBStreamBatchInfo/approximateArrivalOfLastRecord");
    assert_eq!(arrived, last);
    assert_eq!(
        content,
        json!({
            "requestContext": {
                "requestId": null,
                "functionArn":
                    "arn:aws:lambda:us-east-1:000000000000:function:landline-local-events",
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": 21,
            },
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": null,
            },
            "version": "1.0",
            "timestamp": "2026-11-22T16:30:00.123Z",
            "DDBStreamBatchInfo": {
                "shardId": shard,
                "startSequenceNumber": record["SequenceNumber"],
                "endSequenceNumber": record["SequenceNumber"],
                "approximateArrivalOfFirstRecord": null,
                "approximateArrivalOfLastRecord": null,
                "batchSize": 1,
                "streamArn": arn,
            },
            "payload": null,
        }),
    );
}
