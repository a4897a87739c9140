//! Events that are no requests, as AWS sends them: a list of records from one source.

use serde_json::{Map, Value, json};

/// What the table is called that [`dynamodb`] tells of.
pub const TABLE: &str = "landline";

/// Messages of a queue, in the order in which they are given: id, group where the queue has them,
/// body.
pub fn sqs(queue: &str, messages: &[(String, Option<String>, String)]) -> Value {
    let records = messages.iter().map(|(id, group, body)| {
        let mut attributes = json!({
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795365000000",
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": "1795365000001",
        });
        if let Some(group) = group {
            attributes["MessageGroupId"] = json!(group);
            attributes["SequenceNumber"] = json!("18849496460467696128");
            attributes["MessageDeduplicationId"] = json!(id);
        }
        json!({
            "messageId": id,
            "receiptHandle": "MessageReceiptHandle",
            "body": body,
            "attributes": attributes,
            "messageAttributes": {},
            "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:eu-central-1:123456789012:{queue}"),
            "awsRegion": "eu-central-1",
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// Records of one shard of a stream: sequence number, partition key, data in base64.
pub fn kinesis(stream: &str, records: &[(String, String, String)]) -> Value {
    let records = records.iter().map(|(sequence, key, data)| {
        json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": key,
                "sequenceNumber": sequence,
                "data": data,
                "approximateArrivalTimestamp": 1_795_365_000.123,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("shardId-000000000000:{sequence}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::123456789012:role/events",
            "awsRegion": "eu-central-1",
            "eventSourceARN": format!("arn:aws:kinesis:eu-central-1:123456789012:stream/{stream}"),
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// Records of the table's stream: sequence number, the item before, the item after.
pub fn dynamodb(records: &[(String, Option<Value>, Option<Value>)]) -> Value {
    let records = records.iter().map(|(sequence, old, new)| {
        let item = new.as_ref().or(old.as_ref()).expect("an item has changed");
        let mut change = Map::from_iter([
            ("ApproximateCreationDateTime".to_owned(), json!(1_795_365_000)),
            ("Keys".to_owned(), json!({ "pk": item["pk"], "sk": item["sk"] })),
            ("SequenceNumber".to_owned(), json!(sequence)),
            ("SizeBytes".to_owned(), json!(240)),
            ("StreamViewType".to_owned(), json!("NEW_AND_OLD_IMAGES")),
        ]);
        change.extend(old.clone().map(|old| ("OldImage".to_owned(), old)));
        change.extend(new.clone().map(|new| ("NewImage".to_owned(), new)));
        let name = match (old, new) {
            (None, _) => "INSERT",
            (_, None) => "REMOVE",
            _ => "MODIFY",
        };
        json!({
            "eventID": format!("event-{sequence}"),
            "eventName": name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "eu-central-1",
            "dynamodb": change,
            "eventSourceARN": format!(
                "arn:aws:dynamodb:eu-central-1:123456789012:table/{TABLE}/stream/2026-11-22T00:00:00.000"
            ),
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// Files that have arrived: key as S3 writes it, sequencer.
pub fn s3(bucket: &str, objects: &[(String, String)]) -> Value {
    let records = objects.iter().map(|(key, sequencer)| {
        json!({
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "eu-central-1",
            "eventTime": "2026-11-22T16:30:00.123Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "AWS:AIDAINPONIXQXHT3IKHL2" },
            "requestParameters": { "sourceIPAddress": "192.0.2.7" },
            "responseElements": { "x-amz-request-id": "D82B88E5F771F645", "x-amz-id-2": "vlR7PnpV2Ce" },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "uploads",
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": { "principalId": "A3I5XTEXAMAI3E" },
                    "arn": format!("arn:aws:s3:::{bucket}"),
                },
                "object": {
                    "key": key,
                    "size": 1024,
                    "eTag": "b21b84d653bb07b05b1e6b33684dc11b",
                    "sequencer": sequencer,
                },
            },
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// An event on a bus.
pub fn custom(id: &str, source: &str, detail_type: &str, detail: &Value) -> Value {
    json!({
        "version": "0",
        "id": id,
        "detail-type": detail_type,
        "source": source,
        "account": "123456789012",
        "time": "2026-11-22T16:30:00Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": detail,
    })
}

/// It is time, says the rule of this name.
pub fn tick(id: &str, rule: &str) -> Value {
    let mut event = custom(id, "aws.events", "Scheduled Event", &json!({}));
    event["resources"] = json!([format!("arn:aws:events:eu-central-1:123456789012:rule/{rule}")]);
    event
}
