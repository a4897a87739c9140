//! Webhooks: other people's systems that are told what happens, by
//! [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md).

use std::{fmt::Display, time::Duration};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::Uri;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    Ambient, Id, Timestamp,
    store::{Entity, Key},
};

/// The topic of messages that are events for a webhook:
/// `orders.sending(WEBHOOK, &event)?.change(..)`.
pub const WEBHOOK: &str = "webhook";

/// What a secret begins with when it is shown.
const SHOWN: &str = "whsec_";

/// For so long a secret that was replaced signs too, so that the other side can change over.
const CHANGING_OVER: Duration = Duration::from_secs(24 * 60 * 60);

/// A URL that has no room to hide anything in.
const LONGEST_URL: usize = 2048;

/// Where somebody wants to be told, and the secret by which they know who tells them. Not `Debug`:
/// it holds that secret.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEndpoint {
    /// What events name it by.
    pub id: Id,
    /// Whose it is.
    pub owner: Id,
    url: String,
    secret: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    replaced: Option<ReplacedSecret>,
    /// When it was made.
    pub created_at: Timestamp,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

/// A secret that another one has taken over from.
#[derive(Clone, Serialize, Deserialize)]
struct ReplacedSecret {
    secret: String,
    until: Timestamp,
}

impl Entity for WebhookEndpoint {
    const KIND: &'static str = "WEBHOOK";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// Why something is no endpoint or no event. It does not repeat what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// Not a URL of HTTPS, or one with a name and a password or a fragment in it.
    #[error("must be an https:// URL of at most 2048 characters, without a user or a fragment")]
    Url,
    /// Such as `order.shipped`.
    #[error("must be words of letters, digits, `_` and `-` with dots between them")]
    Type,
}

impl WebhookEndpoint {
    /// An endpoint of this person with a secret of its own. `url` is of HTTPS; only local-dev also
    /// tells `http://localhost` and the machine's other names for itself. Whether its host has an
    /// address on the internet is seen when something is sent there.
    ///
    /// # Errors
    /// [`WebhookError::Url`].
    pub fn new(ambient: &Ambient, owner: Id, url: impl Into<String>) -> Result<Self, WebhookError> {
        let url = url.into();
        if !is_url(&url) {
            return Err(WebhookError::Url);
        }
        let (id, created_at, secret) = (ambient.new_id(), ambient.now(), new_secret(ambient));
        Ok(Self { id, owner, url, secret, replaced: None, created_at, version: 1 })
    }

    /// Where events are sent.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The secret as its owner is shown it: `whsec_` and 32 bytes in base64.
    pub fn secret(&self) -> String {
        format!("{SHOWN}{}", self.secret)
    }

    /// Take a new secret. For a day the present one signs beside it.
    pub fn replace_secret(&mut self, ambient: &Ambient) {
        let secret = std::mem::replace(&mut self.secret, new_secret(ambient));
        self.replaced = Some(ReplacedSecret { secret, until: ambient.now().plus(CHANGING_OVER) });
    }

    /// The header `webhook-signature` of what is sent under this id at this time: `v1,` and an
    /// HMAC-SHA256 in base64, for each secret that is good then, a space between them.
    pub fn signature(&self, id: impl Display, at: Timestamp, body: &str) -> String {
        let signed = format!("{id}.{}.{body}", at.unix_seconds());
        let replaced = self.replaced.iter().filter(|replaced| at < replaced.until);
        let secrets = [&self.secret].into_iter().chain(replaced.map(|replaced| &replaced.secret));
        // What is not base64 was not written by us; its bytes are as good as any other.
        let signatures = secrets.map(|secret| {
            let secret = STANDARD.decode(secret).unwrap_or_else(|_| secret.clone().into_bytes());
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            format!("v1,{}", STANDARD.encode(hmac::sign(&key, signed.as_bytes())))
        });
        signatures.collect::<Vec<_>>().join(" ")
    }
}

fn new_secret(ambient: &Ambient) -> String {
    STANDARD.encode(ambient.random::<32>())
}

fn is_url(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else { return false };
    let host = url.host().unwrap_or_default();
    let here = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let scheme = url.scheme_str();
    let plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    let scheme_is_good = scheme == Some("https") || (scheme == Some("http") && here);
    scheme_is_good && !host.is_empty() && plain && !text.contains('#') && text.len() <= LONGEST_URL
}

/// What a message of the outbox with the topic `webhook` says: something has happened, and this
/// endpoint of the same owner is told. What a later release has added is left out.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookEvent {
    /// Whom to tell. One that its owner has deleted by then is not told.
    pub endpoint_id: Id,
    /// What has happened, such as `order.shipped`.
    #[serde(rename = "type")]
    event_type: String,
    /// What is told of it.
    data: Value,
}

impl WebhookEvent {
    /// An event of this type for this endpoint. Telling several endpoints takes a message each.
    ///
    /// # Errors
    /// [`WebhookError::Type`].
    pub fn new(
        endpoint_id: Id,
        event_type: impl Into<String>,
        data: Value,
    ) -> Result<Self, WebhookError> {
        let event_type = event_type.into();
        let is_word = |word: &str| {
            let mut bytes = word.bytes();
            !word.is_empty() && bytes.all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it))
        };
        if event_type.len() > 100 || !event_type.split('.').all(is_word) {
            return Err(WebhookError::Type);
        }
        Ok(Self { endpoint_id, event_type, data })
    }

    /// What is sent, the same at each attempt: `{"data": .., "timestamp": .., "type": ..}`.
    pub fn body(&self, happened_at: Timestamp) -> String {
        json!({ "type": self.event_type, "timestamp": happened_at, "data": self.data }).to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::{WebhookEndpoint, WebhookError, WebhookEvent};
    use crate::{Ambient, Timestamp};

    fn ambient() -> Ambient {
        Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), 7)
    }

    fn refused(url: &str) -> Option<WebhookError> {
        WebhookEndpoint::new(&ambient(), ambient().new_id(), url).err()
    }

    #[test]
    fn has_a_url_of_https_without_secrets() {
        let longest = format!("https://example.com/{}", "a".repeat(2048 - 20));
        for url in [
            "https://example.com",
            "https://example.com:8443/hooks?of=landline",
            "http://localhost:4000/hooks",
            "http://127.0.0.1:4000/",
            "http://[::1]:4000/",
            &longest,
        ] {
            assert_eq!(refused(url), None, "{url}");
        }
        for url in [
            "",
            "example.com",
            "/hooks",
            "https://",
            "http://example.com",
            "ftp://example.com",
            "https://user:password@example.com/",
            "https://example.com/#part",
            "https://example.com/a b",
            "https://example.com/\r\nx: y",
            &format!("{longest}a"),
        ] {
            assert_eq!(refused(url), Some(WebhookError::Url), "{url}");
        }
    }

    /// The example that the specification's own libraries are tested with.
    #[test]
    fn signs_as_standard_webhooks_says() {
        let mut endpoint =
            WebhookEndpoint::new(&ambient(), ambient().new_id(), "https://example.com").unwrap();
        endpoint.secret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned();
        let at = Timestamp::from_unix_millis(1_614_265_330_000);

        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = endpoint.signature(id, at, r#"{"test": 2432232314}"#);

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn signs_with_a_replaced_secret_for_a_day() {
        let ambient = ambient();
        let owner = ambient.new_id();
        let mut endpoint = WebhookEndpoint::new(&ambient, owner, "https://example.com").unwrap();
        let (id, now) = (ambient.new_id(), ambient.now());
        let before = endpoint.signature(id, now, "{}");
        let first = endpoint.secret();

        endpoint.replace_secret(&ambient);

        assert_ne!(endpoint.secret(), first);
        assert_eq!(endpoint.secret().len(), "whsec_".len() + 44);
        let signatures = endpoint.signature(id, now, "{}");
        assert!(signatures.ends_with(&format!(" {before}")), "{signatures}");
        let a_day = Duration::from_secs(24 * 60 * 60);
        let last = now.plus(a_day - Duration::from_millis(1));
        assert_eq!(endpoint.signature(id, last, "{}").split(' ').count(), 2);
        assert_eq!(endpoint.signature(id, now.plus(a_day), "{}").split(' ').count(), 1);
    }

    #[test]
    fn names_its_type_in_words() {
        let endpoint = ambient().new_id();
        for (event_type, good) in [
            ("order.shipped", true),
            ("order", true),
            ("order_v2.partly-shipped", true),
            ("", false),
            (".", false),
            ("order.", false),
            ("order shipped", false),
            ("order.\n", false),
            (&"a".repeat(100), true),
            (&"a".repeat(101), false),
        ] {
            let event = WebhookEvent::new(endpoint, event_type, json!({}));
            assert_eq!(event.is_ok(), good, "{event_type}");
        }
        let event = WebhookEvent::new(endpoint, "order.shipped", json!({ "orderId": 7 })).unwrap();
        assert_eq!(
            event.body(ambient().now()),
            r#"{"data":{"orderId":7},"timestamp":"2026-11-22T16:30:00.000Z","type":"order.shipped"}"#,
        );
    }
}
