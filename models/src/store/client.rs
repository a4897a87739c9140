use aws_sdk_dynamodb::{
    Client,
    config::{
        Builder,
        retry::{RetryPartition, TokenBucket},
    },
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;

use super::Store;
use crate::{Ambient, aws::Access};

/// Where the table is and who asks.
#[derive(Clone, Debug)]
pub struct Connection {
    /// An address to use in place of the region's own, such as `http://127.0.0.1:8000`.
    pub endpoint: Option<String>,
    /// The table's name.
    pub table: String,
    /// Who asks, and where.
    pub access: Access,
}

impl Connection {
    /// To a table of the embedded store of laptops and tests, at this address.
    pub fn embedded(endpoint: impl Into<String>, table: impl Into<String>) -> Self {
        Self { endpoint: Some(endpoint.into()), table: table.into(), access: Access::embedded() }
    }

    pub(super) fn into_client(self) -> Client {
        Client::new(&self.access.config(self.endpoint.as_deref()))
    }
}

impl Store {
    /// Set a client up that reaches this connector and no network: for simulations of one. Its
    /// access is the embedded store's, to which no AWS account answers, whatever the connector is;
    /// its patience is that of the cloud, and its budget of retries is its own.
    pub fn simulated(connector: SharedHttpClient, table: &str, ambient: Ambient) -> Self {
        let access = Access { attempt_timeout: Access::ATTEMPT_TIMEOUT, ..Access::embedded() };
        let retries = RetryPartition::custom("simulated").token_bucket(TokenBucket::default());
        let config = Builder::from(&access.config(Some("http://simulated")))
            .http_client(connector)
            .retry_partition(retries.build());
        Self::of(Client::from_conf(config.build()), table.to_owned(), ambient)
    }
}
