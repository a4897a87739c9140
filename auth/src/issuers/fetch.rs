//! What an issuer publishes, over HTTPS: within time and size, from where it was said to be.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use http::{
    Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use models::causes;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde::Deserialize;
use serde_json::Value;

use super::settings::https_url;

/// No discovery document or key set is larger, in bytes.
const LARGEST: usize = 64 * 1024;

/// No key set has more.
const MOST_KEYS: usize = 100;

/// A host that is there takes a connection within this.
const CONNECTING: Duration = Duration::from_secs(1);

/// Why a key set could not be had; the text is for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the extra certificates to trust are not PEM")]
    Roots,
    #[error("it did not answer in time")]
    TooSlow,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error("it answered with more than 64 KiB")]
    TooLarge,
    #[error("it answered with something else than JSON")]
    NotJson,
    #[error("its discovery document is of another issuer")]
    ForeignDiscovery,
    #[error("its discovery document has no https:// URL of a key set")]
    NoKeySetUrl,
    #[error("its key set is none")]
    NotAKeySet,
    #[error("its key set has more than 100 keys")]
    TooManyKeys,
    #[error("its key set has no usable key")]
    NoUsableKey,
}

type HttpsClient = Client<HttpsConnector<HttpConnector>, String>;

/// The way to all issuers. Built when the first of them is asked.
pub(super) struct Web {
    extra_roots: Option<Vec<u8>>,
    client: OnceLock<HttpsClient>,
}

/// The discovery document (OpenID Connect Discovery 1.0, section 3), as far as it is read.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

#[derive(Deserialize)]
struct PublishedKeys {
    keys: Vec<Value>,
}

impl Web {
    /// `extra_roots` are trusted beside Mozilla's.
    pub(super) fn new(extra_roots: Option<Vec<u8>>) -> Self {
        Self { extra_roots, client: OnceLock::new() }
    }

    /// Where this issuer's discovery document says that its keys are.
    pub(super) async fn discover(&self, issuer: &str) -> Result<Uri, Failure> {
        let place = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let place = https_url(&place).ok_or(Failure::ForeignDiscovery)?;
        let document: Discovery =
            serde_json::from_slice(&self.get(place).await?).map_err(|_| Failure::NotJson)?;
        if document.issuer != issuer {
            return Err(Failure::ForeignDiscovery);
        }
        https_url(&document.jwks_uri).ok_or(Failure::NoKeySetUrl)
    }

    /// The keys of the set at this place (RFC 7517, section 5), none of them looked at.
    pub(super) async fn keys(&self, place: Uri) -> Result<Vec<Value>, Failure> {
        let body = self.get(place).await?;
        let set: PublishedKeys = serde_json::from_slice(&body).map_err(|_| Failure::NotAKeySet)?;
        if set.keys.len() > MOST_KEYS { Err(Failure::TooManyKeys) } else { Ok(set.keys) }
    }

    /// A JSON document. Redirects are not followed: they are not the answer.
    async fn get(&self, place: Uri) -> Result<Vec<u8>, Failure> {
        let mut request = Request::new(String::new());
        *request.uri_mut() = place;
        request.headers_mut().insert(ACCEPT, "application/json".parse().expect("a header's value"));
        let response = self
            .client()?
            .request(request)
            .await
            .map_err(|error| Failure::Unreachable(causes(&error)))?;
        if response.status() != 200 {
            return Err(Failure::Status(response.status().as_u16()));
        }
        let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        if !kind.is_some_and(is_json) {
            return Err(Failure::NotJson);
        }
        match Limited::new(response.into_body(), LARGEST).collect().await {
            Ok(body) => Ok(body.to_bytes().into()),
            Err(error) if error.is::<LengthLimitError>() => Err(Failure::TooLarge),
            Err(error) => Err(Failure::Unreachable(error.to_string())),
        }
    }

    fn client(&self) -> Result<&HttpsClient, Failure> {
        if self.client.get().is_none() {
            let built = client(self.extra_roots.as_deref())?;
            return Ok(self.client.get_or_init(|| built));
        }
        self.client.get().ok_or(Failure::Roots)
    }
}

fn client(extra_roots: Option<&[u8]>) -> Result<HttpsClient, Failure> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    for certificate in extra_roots.into_iter().flat_map(CertificateDer::pem_slice_iter) {
        let added = certificate.ok().and_then(|certificate| roots.add(certificate).ok());
        added.ok_or(Failure::Roots)?;
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has the suites of these versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECTING));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_only()
        .enable_http1()
        .wrap_connector(tcp);
    // No connection is kept: by the next time, an hour later, the function was frozen over it.
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector))
}

/// `application/json`, or something that is JSON too, such as `application/jwk-set+json`.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
