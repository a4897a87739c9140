//! How AWS is asked, whichever of its services: by whom, where, whom to trust on the way, and how
//! long to wait.

use std::{fmt, time::Duration};

use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_types::{
    SdkConfig,
    region::Region,
    sdk_config::{
        RetryConfig, SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig,
        TimeoutConfig,
    },
};

/// The authorities that sign AWS endpoints (<https://www.amazontrust.com/repository/>). Embedded,
/// because reading the system's trust store costs a cold start more than a millisecond.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");

/// The second attempt begins after less than this, the third after less than twice as long. The
/// SDK's own second is a long time for somebody who holds a phone, after a connection that was
/// closed while the function was frozen.
const PAUSE: Duration = Duration::from_millis(100);

/// Who asks, and where.
#[derive(Clone, Debug)]
pub struct Access {
    /// The AWS region, such as `eu-central-1`.
    pub region: String,
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
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

impl Access {
    /// What is asked here answers within tens of milliseconds; three attempts fit into an
    /// invocation. A request that has less time left gives its calls less
    /// ([`Store::until`](crate::store::Store::until)).
    pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

    /// Both halves of the access key of what stands in for AWS on laptops and in tests. What looks
    /// at signatures takes no other.
    pub const EMBEDDED_KEY: &str = "landline";

    /// For what stands in for AWS on laptops and in tests. No AWS account answers to it, and it is
    /// in no region; requests have to name one.
    pub fn embedded() -> Self {
        let credentials = Credentials::new(Self::EMBEDDED_KEY, Self::EMBEDDED_KEY, None);
        Self {
            region: "us-east-1".to_owned(),
            credentials,
            extra_roots: None,
            // A machine that is busy, compiling for one, is slow and not broken.
            attempt_timeout: 10 * Self::ATTEMPT_TIMEOUT,
        }
    }

    /// What the client of any service is made of. `endpoint` is an address to use in place of the
    /// region's own, such as `http://127.0.0.1:8000`.
    pub fn config(&self, endpoint: Option<&str>) -> SdkConfig {
        let Credentials { access_key_id, secret_access_key, session_token } = &self.credentials;
        let credentials = aws_credential_types::Credentials::from_keys(
            access_key_id,
            secret_access_key,
            session_token.clone(),
        );
        let mut config = SdkConfig::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(self.http_client(endpoint))
            .timeout_config(timeouts(self.attempt_timeout))
            .retry_config(RetryConfig::standard().with_max_attempts(3).with_initial_backoff(PAUSE))
            // Its timers watch bodies that stream for minutes; ours are small and timed already.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        config.set_endpoint_url(endpoint.map(str::to_owned));
        config.build()
    }

    fn http_client(&self, endpoint: Option<&str>) -> SharedHttpClient {
        let builder = aws_smithy_http_client::Builder::new();
        if endpoint.is_some_and(|endpoint| endpoint.starts_with("http://")) {
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
