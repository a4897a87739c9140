use aws_sdk_dynamodb::Client;

use crate::aws::Access;

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
