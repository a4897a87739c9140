//! The queues of SQS that modules listen to, and Lambda's poller of them: what is sent waits in the
//! store's own file until the events function has taken it.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use api::events::Answer;
use dynoxide::storage::Storage;
use md5::{Digest, Md5};
use models::aws::Access;
use rusqlite::{Connection, params};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use crate::{
    function::Function,
    mapping::{LONGEST_EVENT, PAUSE, pause_after},
};

/// What waits. A number is given once.
pub(crate) const MESSAGES: &str = "
    CREATE TABLE IF NOT EXISTS landline_messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        id TEXT NOT NULL,
        message_group TEXT,
        body TEXT NOT NULL,
        sent_at INTEGER NOT NULL,
        received INTEGER NOT NULL DEFAULT 0,
        first_received_at INTEGER
    );
    CREATE INDEX IF NOT EXISTS landline_messages_in_order ON landline_messages (queue, number);";

/// So many messages go into one event, where a mapping does not say more.
const BATCH: usize = 10;

/// A message that is being received.
struct Message {
    number: i64,
    id: String,
    group: Option<String>,
    body: String,
    sent_at: i64,
    received: u32,
    first_received_at: i64,
}

/// Calls the event handlers with what is in a queue.
pub(crate) struct Queue {
    name: &'static str,
    storage: Storage,
    function: Function,
    /// Messages that have failed, and until when they are not received. What a process before this
    /// one was at when it ended is received at once.
    hidden: HashMap<i64, Instant>,
}

impl Queue {
    pub(crate) fn new(name: &'static str, storage: Storage, function: Function) -> Self {
        Self { name, storage, function, hidden: HashMap::new() }
    }

    /// Deliver what is sent, until `stopped` and what is being delivered then.
    pub(crate) async fn follow(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let pause = if self.step().await { Duration::ZERO } else { PAUSE };
            if timeout(pause, &mut stopped).await.is_ok() {
                return;
            }
        }
    }

    /// One call, or none where nothing is to be received. Whether there was one.
    async fn step(&mut self) -> bool {
        let now = Instant::now();
        self.hidden.retain(|_, until| *until > now);
        let batch = match self.receive() {
            Ok(batch) if batch.is_empty() => return false,
            Ok(batch) => batch,
            Err(error) => {
                tracing::warn!(%error, queue = self.name, "a queue cannot be read");
                return false;
            }
        };
        let failed = self.failed(&batch).await;
        for message in batch {
            if failed.contains(&message.id) || !self.delete(message.number) {
                let until = Instant::now() + pause_after(message.received);
                self.hidden.insert(message.number, until);
            }
        }
        true
    }

    /// The next messages that can be seen. Of a group in order, none behind one that cannot.
    fn receive(&self) -> rusqlite::Result<Vec<Message>> {
        let now = self.function.ambient.now().unix_millis();
        let in_order = self.name.ends_with(".fifo");
        let connection = self.storage.conn();
        let mut query = connection.prepare_cached(
            "SELECT number, message_group, id, body, sent_at, received, first_received_at
             FROM landline_messages WHERE queue = ?1 ORDER BY number",
        )?;
        let mut rows = query.query([self.name])?;
        let (mut batch, mut blocked, mut length) = (Vec::<Message>::new(), HashSet::new(), 0);
        while batch.len() < BATCH
            && let Some(row) = rows.next()?
        {
            let (number, group) = (row.get(0)?, row.get::<_, Option<String>>(1)?);
            if self.hidden.contains_key(&number) {
                blocked.insert(group);
            } else if !in_order || !blocked.contains(&group) {
                let body = row.get::<_, String>(3)?;
                // Its text is escaped in the event, which makes it twice as long at most, mostly.
                length += 2 * body.len();
                if length > LONGEST_EVENT && !batch.is_empty() {
                    break;
                }
                let (received, first) = (row.get::<_, u32>(5)? + 1, row.get::<_, Option<i64>>(6)?);
                batch.push(Message {
                    number,
                    id: row.get(2)?,
                    group,
                    body,
                    sent_at: row.get(4)?,
                    received,
                    first_received_at: first.unwrap_or(now),
                });
            }
        }
        drop(rows);
        count(connection, &batch)?;
        Ok(batch)
    }

    /// The ids of those that come again. Lambda takes what it does not know for a failure of all
    /// (Lambda Developer Guide, "Configuring partial batch response"). (`&mut`, since a connection is
    /// not for two threads.)
    async fn failed(&mut self, batch: &[Message]) -> HashSet<String> {
        let all: HashSet<_> = batch.iter().map(|message| message.id.clone()).collect();
        match self.function.invoke(event(self.name, batch)).await {
            Ok(Answer::Batch { failures }) => {
                let failed: HashSet<_> =
                    failures.into_iter().map(|it| it.item_identifier).collect();
                if failed.is_subset(&all) { failed } else { all }
            }
            Ok(_) => HashSet::new(),
            Err(_) => all,
        }
    }

    /// Whether it is gone. If not it comes again, as a message may.
    fn delete(&self, number: i64) -> bool {
        let delete = "DELETE FROM landline_messages WHERE number = ?1";
        let deleted = self.storage.conn().execute(delete, [number]);
        if let Err(error) = &deleted {
            tracing::warn!(%error, queue = self.name, "a message cannot be deleted");
        }
        deleted.is_ok()
    }
}

fn count(connection: &Connection, batch: &[Message]) -> rusqlite::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction()?;
    let mut count = transaction.prepare_cached(
        "UPDATE landline_messages SET received = ?2, first_received_at = ?3 WHERE number = ?1",
    )?;
    for Message { number, received, first_received_at, .. } in batch {
        count.execute(params![number, received, first_received_at])?;
    }
    drop(count);
    transaction.commit()
}

/// As Lambda's poller makes it (<https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html>).
fn event(queue: &str, batch: &[Message]) -> Box<RawValue> {
    let region = Access::embedded().region;
    let record = |message: &Message| {
        json!({
            "messageId": message.id,
            "receiptHandle": format!("{}#{}", message.id, message.received),
            "body": message.body,
            "attributes": attributes(queue, message),
            "messageAttributes": {},
            "md5OfBody": md5(&message.body),
            "eventSource": "aws:sqs",
            "eventSourceARN": format!("arn:aws:sqs:{region}:000000000000:{queue}"),
            "awsRegion": region,
        })
    };
    let records: Vec<_> = batch.iter().map(record).collect();
    to_raw_value(&json!({ "Records": records })).expect("JSON can be written")
}

fn md5(body: &str) -> String {
    Md5::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn attributes(queue: &str, message: &Message) -> Value {
    let mut attributes = json!({
        "ApproximateReceiveCount": message.received.to_string(),
        "ApproximateFirstReceiveTimestamp": message.first_received_at.to_string(),
        "SenderId": Access::EMBEDDED_KEY,
        "SentTimestamp": message.sent_at.to_string(),
    });
    if let Some(group) = &message.group {
        attributes["MessageGroupId"] = json!(group);
    }
    if queue.ends_with(".fifo") {
        attributes["MessageDeduplicationId"] = json!(message.id);
        attributes["SequenceNumber"] = json!(format!("{:020}", message.number));
    }
    attributes
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Message, event};

    #[test]
    fn a_message_in_order_has_its_group_and_its_place() {
        let message = Message {
            number: 7,
            id: "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f".to_owned(),
            body: "{}".to_owned(),
            group: Some("maya".to_owned()),
            sent_at: 1_795_365_000_123,
            received: 2,
            first_received_at: 1_795_365_000_456,
        };

        let event: Value = serde_json::from_str(event("orders.fifo", &[message]).get()).unwrap();

        let record = json!({
            "messageId": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f",
            "receiptHandle": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f#2",
            "body": "{}",
            "attributes": {
                "ApproximateReceiveCount": "2",
                "ApproximateFirstReceiveTimestamp": "1795365000456",
                "SenderId": "landline",
                "SentTimestamp": "1795365000123",
                "MessageGroupId": "maya",
                "MessageDeduplicationId": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f",
                "SequenceNumber": "00000000000000000007",
            },
            "messageAttributes": {},
            "md5OfBody": "99914b932bd37a50b983c5e7c90ae93b",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders.fifo",
            "awsRegion": "us-east-1",
        });
        assert_eq!(event, json!({ "Records": [record] }));
    }
}
