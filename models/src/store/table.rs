use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
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

/// When an item that phones keep was last changed, and that it was deleted then.
pub(super) const CHANGED_AT: &str = "changedAt";
pub(super) const DELETED_AT: &str = "deletedAt";

impl Store {
    /// Create the table if it is missing. For laptops and tests: in the cloud the deployment's
    /// template makes it, and the function's role may not.
    pub async fn create_table(&self) -> Result<(), Error> {
        let attribute = |name: &str| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .expect("name and type are set")
        };
        let key = |name: &str, key_type| {
            KeySchemaElement::builder()
                .attribute_name(name)
                .key_type(key_type)
                .build()
                .expect("name and type are set")
        };
        let created = self
            .0
            .client
            .create_table()
            .table_name(&self.0.table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute(PARTITION))
            .attribute_definitions(attribute(SORT))
            .key_schema(key(PARTITION, KeyType::Hash))
            .key_schema(key(SORT, KeyType::Range))
            .send()
            .await;
        match created {
            Ok(_) => self.expire_items().await,
            Err(error)
                if error.as_service_error().is_some_and(|e| e.is_resource_in_use_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(Error::unavailable(&error)),
        }
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
