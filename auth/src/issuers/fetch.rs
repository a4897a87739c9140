//! What an issuer publishes, over HTTPS: within time and size, from where it was said to be.

use std::{sync::OnceLock, time::Duration};

use http::{
    Request, Uri,
    header::{ACCEPT, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::Value;

use super::settings::https_url;
use crate::https::{Https, RootsError};

/// No discovery document or key set is larger, in bytes.
const LARGEST: usize = 64 * 1024;

/// No key set has more.
const MOST_KEYS: usize = 100;

/// A host that is there takes a connection within this.
const CONNECTING: Duration = Duration::from_secs(1);

/// Why a key set could not be had; the text is for the log.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Roots(#[from] RootsError),
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

/// The way to all issuers. Built when the first of them is asked.
pub(super) struct Web {
    extra_roots: Option<Vec<u8>>,
    client: OnceLock<Https>,
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
        let response = self.client()?.send(request).await.map_err(Failure::Unreachable)?;
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

    fn client(&self) -> Result<&Https, Failure> {
        if let Some(client) = self.client.get() {
            return Ok(client);
        }
        // Whoever configures an issuer may name one of a private network.
        let built = Https::new(self.extra_roots.as_deref(), |_| true, CONNECTING)?;
        Ok(self.client.get_or_init(|| built))
    }
}

/// `application/json`, or something that is JSON too, such as `application/jwk-set+json`.
fn is_json(kind: &str) -> bool {
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}
