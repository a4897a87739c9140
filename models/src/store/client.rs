use std::{fmt, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    config::{
        BehaviorVersion, Builder, Region, SharedHttpClient, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};

/// The authorities that sign AWS endpoints (<https://www.amazontrust.com/repository/>). Embedded,
/// because reading the system's trust store costs a cold start more than a millisecond.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// Where the table is and who asks.
#[derive(Clone, Debug)]
pub struct Connection {
    /// An address to use in place of the region's own, such as `http://127.0.0.1:8000`.
    pub endpoint: Option<String>,
    /// The AWS region, such as `eu-central-1`.
    pub region: String,
    /// The table's name.
    pub table: String,
    /// Who asks.
    pub credentials: Credentials,
    /// PEM certificates to trust beside Amazon's own, for networks that break TLS open.
    pub extra_roots: Option<Vec<u8>>,
    /// An attempt that takes longer is lost; three are made.
    pub attempt_timeout: Duration,
}

/// An AWS access key, as the Lambda environment hands it to a function.
#[derive(Clone)]
pub struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Credentials {
    /// The three parts of a key; long-lived keys have no session token.
    pub fn new(
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<String>,
        session_token: Option<String>,
    ) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token,
        }
    }

    /// What the embedded store of laptops and tests takes; no AWS account answers to it.
    pub fn embedded() -> Self {
        Self::new("landline", "landline", None)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Connection {
    /// DynamoDB answers within tens of milliseconds; three attempts fit into an invocation.
    pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

    pub(super) fn into_client(self) -> Client {
        let http_client = self.http_client();
        let Credentials { access_key_id, secret_access_key, session_token } = self.credentials;
        let credentials = aws_credential_types::Credentials::from_keys(
            access_key_id,
            secret_access_key,
            session_token,
        );
        let mut config = Builder::new()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region))
            .credentials_provider(credentials)
            .http_client(http_client)
            .timeout_config(timeouts(self.attempt_timeout))
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            // Its timers watch bodies that stream for minutes; ours are small and timed already.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(self.endpoint);
        Client::from_conf(config.build())
    }

    fn http_client(&self) -> SharedHttpClient {
        let builder = aws_smithy_http_client::Builder::new();
        if self.endpoint.as_ref().is_some_and(|endpoint| endpoint.starts_with("http://")) {
            return builder.build_http();
        }
        let mut trust = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
        if let Some(roots) = &self.extra_roots {
            trust.add_pem_certificate(roots.as_slice());
        }
        let context = TlsContext::builder()
            .with_trust_store(trust)
            .build()
            .expect("a context with only a trust store cannot fail");
        builder
            .tls_provider(tls::Provider::Rustls(CryptoMode::AwsLc))
            .tls_context(context)
            .build_https()
    }
}

/// The SDK has no limit of its own on an attempt or an operation.
fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(attempt / 3)
        .operation_attempt_timeout(attempt)
        .operation_timeout(attempt * 10 / 3)
        .build()
}
