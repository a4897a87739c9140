use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, CreateGlobalSecondaryIndexAction, GlobalSecondaryIndex,
    GlobalSecondaryIndexUpdate, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TableDescription,
    TimeToLiveSpecification,
};

use super::{Error, Store};

/// The attributes of the primary key, of the TTL, and the one that names an item's kind.
pub(super) const PARTITION: &str = "pk";
pub(super) const SORT: &str = "sk";
pub(super) const TTL: &str = "ttl";
pub(super) const KIND: &str = "kind";

/// An entity's own field, counted by the store, and the mark by which a write knows itself again.
pub(super) const VERSION: &str = "version";
pub(super) const WRITE_ID: &str = "writeId";

/// The event handler that has written the item, where its own writes shall not come back to it.
pub(super) const WRITTEN_BY: &str = "writtenBy";

/// When an item that phones keep was last changed, and that it was deleted then.
pub(super) const CHANGED_AT: &str = "changedAt";
pub(super) const DELETED_AT: &str = "deletedAt";

/// The partition of the one index, which has what carries it and nothing else, and its name.
pub(super) const LOOKUP: &str = "lookup";
pub(super) const LOOKUP_INDEX: &str = "byLookup";

/// Attributes of the store's own, which no entity may have.
pub(super) const OWN: [&str; 9] =
    [PARTITION, SORT, KIND, TTL, WRITE_ID, WRITTEN_BY, CHANGED_AT, DELETED_AT, LOOKUP];

fn attribute(name: &str) -> AttributeDefinition {
    AttributeDefinition::builder()
        .attribute_name(name)
        .attribute_type(ScalarAttributeType::S)
        .build()
        .expect("name and type are set")
}

fn key(name: &str, key_type: KeyType) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(key_type)
        .build()
        .expect("name and type are set")
}

/// Within a lookup items are in the order of their sort keys.
fn lookup_keys() -> Vec<KeySchemaElement> {
    vec![key(LOOKUP, KeyType::Hash), key(SORT, KeyType::Range)]
}

fn keys_only() -> Projection {
    Projection::builder().projection_type(ProjectionType::KeysOnly).build()
}

/// What was written, and in whose place, for those who follow the table: the outbox is in it.
fn stream() -> StreamSpecification {
    StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages)
        .build()
        .expect("the switch is set")
}

impl Store {
    /// Create the table if it is missing, and what one of an older release lacks. For laptops and
    /// tests: in the cloud the deployment's template makes it, and the function's role may not.
    pub async fn create_table(&self) -> Result<(), Error> {
        let by_lookup = GlobalSecondaryIndex::builder()
            .index_name(LOOKUP_INDEX)
            .set_key_schema(Some(lookup_keys()))
            .projection(keys_only())
            .build()
            .expect("name and keys are set");
        let created = self
            .0
            .client
            .create_table()
            .table_name(&self.0.table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute(PARTITION))
            .attribute_definitions(attribute(SORT))
            .attribute_definitions(attribute(LOOKUP))
            .key_schema(key(PARTITION, KeyType::Hash))
            .key_schema(key(SORT, KeyType::Range))
            .global_secondary_indexes(by_lookup)
            .stream_specification(stream())
            .send()
            .await;
        match created {
            Ok(_) => self.expire_items().await,
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) =>
            {
                self.bring_up_to_date().await
            }
            Err(error) => Err(Error::unavailable(&error)),
        }
    }

    /// DynamoDB makes one such change at a time.
    async fn bring_up_to_date(&self) -> Result<(), Error> {
        let answer = self.0.client.describe_table().table_name(&self.0.table).send().await;
        let table = answer.map_err(|error| Error::unavailable(&error))?.table;
        let has = |what: fn(&TableDescription) -> bool| table.as_ref().is_some_and(what);
        let change = self.0.client.update_table().table_name(&self.0.table);
        if !has(|table| !table.global_secondary_indexes().is_empty()) {
            let by_lookup = CreateGlobalSecondaryIndexAction::builder()
                .index_name(LOOKUP_INDEX)
                .set_key_schema(Some(lookup_keys()))
                .projection(keys_only())
                .build()
                .expect("name, keys and projection are set");
            let by_lookup = GlobalSecondaryIndexUpdate::builder().create(by_lookup).build();
            let change = change.clone().attribute_definitions(attribute(LOOKUP));
            let change = change.attribute_definitions(attribute(SORT));
            let change = change.global_secondary_index_updates(by_lookup);
            change.send().await.map_err(|error| Error::unavailable(&error))?;
        }
        let streams = |table: &TableDescription| {
            table.stream_specification().filter(|it| it.stream_enabled()).is_some()
        };
        let as_it_should = |table: &TableDescription| {
            table.stream_specification().is_some_and(|it| *it == stream())
        };
        if has(streams) && !has(as_it_should) {
            // What a stream tells is not changed; another one takes its place.
            let off = StreamSpecification::builder().stream_enabled(false).build();
            let off = change.clone().stream_specification(off.expect("the switch is set"));
            off.send().await.map_err(|error| Error::unavailable(&error))?;
        }
        if !has(as_it_should) {
            let change = change.stream_specification(stream());
            change.send().await.map_err(|error| Error::unavailable(&error))?;
        }
        Ok(())
    }

    async fn expire_items(&self) -> Result<(), Error> {
        let ttl = TimeToLiveSpecification::builder()
            .attribute_name(TTL)
            .enabled(true)
            .build()
            .expect("name and switch are set");
        self.0
            .client
            .update_time_to_live()
            .table_name(&self.0.table)
            .time_to_live_specification(ttl)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| Error::unavailable(&error))
    }
}
