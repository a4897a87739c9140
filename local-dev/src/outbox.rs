//! What the outbox is in the cloud, where its messages come by the table's stream: here they are
//! logged as they are committed. Nobody delivers them.

use std::time::Duration;

use dynoxide::{
    Database,
    actions::{
        describe_stream::DescribeStreamRequest, get_records::GetRecordsRequest,
        get_shard_iterator::GetShardIteratorRequest, list_streams::ListStreamsRequest,
    },
    types::{AttributeValue, Item},
};
use models::{platform::outbox::Message, store::Entity};
use tokio::{sync::oneshot, time::timeout};

/// How often the stream is looked at.
const PAUSE: Duration = Duration::from_millis(500);

/// A place in a table's stream.
pub(crate) struct Follower {
    database: Database,
    iterator: String,
}

/// A message that was committed. What it says is nobody's business.
#[derive(Debug, PartialEq)]
struct Committed {
    id: String,
    topic: String,
}

impl Follower {
    /// From now on. `None` when the table has no stream.
    pub(crate) fn of(database: Database, table: &str) -> dynoxide::Result<Option<Self>> {
        let request =
            ListStreamsRequest { table_name: Some(table.to_owned()), ..Default::default() };
        let Some(stream) = database.list_streams(request)?.streams.pop() else { return Ok(None) };
        let request =
            DescribeStreamRequest { stream_arn: stream.stream_arn.clone(), ..Default::default() };
        let shard = database.describe_stream(request)?.stream_description.shards.pop();
        let Some(shard) = shard else { return Ok(None) };
        let request = GetShardIteratorRequest {
            stream_arn: stream.stream_arn,
            shard_id: shard.shard_id,
            shard_iterator_type: "LATEST".to_owned(),
            ..Default::default()
        };
        let iterator = database.get_shard_iterator(request)?.shard_iterator;
        Ok(iterator.map(|iterator| Self { database, iterator }))
    }

    /// Log what is committed, until `stopped` and what was committed by then.
    pub(crate) async fn follow(mut self, mut stopped: oneshot::Receiver<()>) {
        while timeout(PAUSE, &mut stopped).await.is_err() {
            self.log();
        }
        self.log();
    }

    fn log(&mut self) {
        match self.next() {
            Ok(committed) => committed.iter().for_each(|Committed { id, topic }| {
                tracing::info!(id, topic, "a message was committed to the outbox");
            }),
            Err(error) => tracing::warn!(%error, "the table's stream cannot be read"),
        }
    }

    /// The messages since this was asked before.
    fn next(&mut self) -> dynoxide::Result<Vec<Committed>> {
        let request =
            GetRecordsRequest { shard_iterator: self.iterator.clone(), ..Default::default() };
        let answer = self.database.get_records(request)?;
        self.iterator = answer.next_shard_iterator.unwrap_or_else(|| self.iterator.clone());
        let inserted = answer.records.into_iter().filter(|record| record.event_name == "INSERT");
        Ok(inserted.filter_map(|record| committed(&record.dynamodb.new_image?)).collect())
    }
}

fn committed(item: &Item) -> Option<Committed> {
    let text = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => Some(text.clone()),
        _ => None,
    };
    let is_message = text("kind")? == Message::KIND;
    is_message.then(|| Some(Committed { id: text("id")?, topic: text("topic")? }))?
}

#[cfg(test)]
mod tests {
    use dynoxide::Database;
    use models::{
        Ambient,
        platform::outbox::Message,
        store::{Connection, Store, WriteSet},
    };
    use serde_json::json;

    use super::{Committed, Follower};
    use crate::EmbeddedStore;

    #[tokio::test]
    async fn tells_each_message_once_and_from_now_on() {
        let store = EmbeddedStore::memory().unwrap();
        let ambient = Ambient::system();
        let table =
            Store::connect(Connection::embedded(store.endpoint(), "messages"), ambient.clone());
        table.create_table().await.unwrap();
        let send = async |topic: &str| {
            let message = Message::new(&ambient, ambient.new_id(), topic, &json!({})).unwrap();
            table.write(WriteSet::new().send(message.clone())).await.unwrap();
            Committed { id: message.id.to_string(), topic: topic.to_owned() }
        };
        send("before").await;
        let mut follower = Follower::of(store.database.clone(), "messages").unwrap().unwrap();

        let mail = send("mail").await;
        let push = send("push").await;

        assert_eq!(follower.next().unwrap(), [mail, push]);
        assert_eq!(follower.next().unwrap(), []);
        let webhook = send("webhook").await;
        assert_eq!(follower.next().unwrap(), [webhook]);
    }

    #[test]
    fn follows_no_table_without_a_stream() {
        assert!(Follower::of(Database::memory().unwrap(), "messages").unwrap().is_none());
    }
}
