//! A private key that AWS keeps: fetched when something is first signed.

use std::{
    error::Error as StdError,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
};

use aws_sdk_secretsmanager as secrets_manager;
use aws_sdk_ssm as ssm;
use models::{aws::Access, causes};
use tokio::sync::Mutex;

use crate::{Error, SigningKey};

/// Which key, and how it is asked for. Cheap to clone; clones share the key, once it is here.
#[derive(Clone, Debug)]
pub struct KeptKey(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    place: Place,
    access: Access,
    endpoint: Option<String>,
    key: OnceLock<SigningKey>,
    flight: Mutex<()>,
    failures: AtomicU64,
}

/// What keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A parameter of the Parameter Store, by its name or ARN.
    Parameter(String),
    /// The current version of a secret, by its name or ARN.
    Secret(String),
}

impl Place {
    /// What `ssm:<name>` or `secretsmanager:<name>` names; none when it is neither.
    pub fn of_reference(text: &str) -> Option<Self> {
        let (service, name) = text.trim().split_once(':')?;
        let name = name.trim().to_owned();
        match service {
            "ssm" => Some(Self::Parameter(name)),
            "secretsmanager" => Some(Self::Secret(name)),
            _ => None,
        }
        .filter(|place| !place.name().is_empty())
    }

    fn name(&self) -> &str {
        match self {
            Self::Parameter(name) | Self::Secret(name) => name,
        }
    }
}

impl KeptKey {
    /// Asks nobody yet. `endpoint` is an address to use in place of the region's own.
    pub fn new(place: Place, access: Access, endpoint: Option<String>) -> Self {
        let (key, flight, failures) = (OnceLock::new(), Mutex::default(), AtomicU64::new(0));
        Self(Arc::new(Inner { place, access, endpoint, key, flight, failures }))
    }

    /// The key, if it is one that is accepted. Whoever comes first fetches it for everybody who
    /// waits, and for the life of the process; a failure too is theirs together.
    pub(crate) async fn get(
        &self,
        is_accepted: impl FnOnce(&str) -> bool,
    ) -> Result<SigningKey, Error> {
        if let Some(key) = self.0.key.get() {
            return Ok(key.clone());
        }
        let failures = self.0.failures.load(Ordering::Acquire);
        let _flight = self.0.flight.lock().await;
        if let Some(key) = self.0.key.get() {
            return Ok(key.clone());
        }
        if self.0.failures.load(Ordering::Acquire) != failures {
            return Err(Error::NoSigningKey("it could not be had a moment ago".to_owned()));
        }
        match self.fetch(is_accepted).await {
            Ok(key) => Ok(self.0.key.get_or_init(|| key).clone()),
            Err(cause) => {
                self.0.failures.fetch_add(1, Ordering::Release);
                Err(Error::NoSigningKey(cause))
            }
        }
    }

    async fn fetch(&self, is_accepted: impl FnOnce(&str) -> bool) -> Result<SigningKey, String> {
        let pem = match &self.0.place {
            Place::Parameter(name) => self.parameter(name).await?,
            Place::Secret(name) => self.secret(name).await?,
        };
        let pem = pem.ok_or("what keeps it has no text under its name")?;
        let key = SigningKey::from_pem(&pem.replace("\\n", "\n"))
            .map_err(|error| format!("what is kept {error}"))?;
        if !is_accepted(key.id()) {
            // As much of its id as tells keys apart: whole, it looks like a secret in a log.
            let id = key.id().get(..8).unwrap_or_default();
            return Err(format!("the key {id}… is not among the public keys"));
        }
        Ok(key)
    }

    async fn parameter(&self, name: &str) -> Result<Option<String>, String> {
        let client = ssm::Client::new(&self.0.access.config(self.0.endpoint.as_deref()));
        let answer = client.get_parameter().name(name).with_decryption(true).send().await;
        let parameter = answer.map_err(|error| told(&error))?.parameter;
        Ok(parameter.and_then(|parameter| parameter.value))
    }

    async fn secret(&self, name: &str) -> Result<Option<String>, String> {
        let client =
            secrets_manager::Client::new(&self.0.access.config(self.0.endpoint.as_deref()));
        let answer = client.get_secret_value().secret_id(name).send().await;
        Ok(answer.map_err(|error| told(&error))?.secret_string)
    }
}

fn told(error: &(dyn StdError + 'static)) -> String {
    format!("what keeps it did not give it: {}", causes(error))
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn is_named_by_the_service_and_its_own_name() {
        let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:landline-AbCdEf";
        for (text, expected) in [
            ("ssm:/landline/key", Some(Place::Parameter("/landline/key".to_owned()))),
            ("secretsmanager:landline/key", Some(Place::Secret("landline/key".to_owned()))),
            (&format!("secretsmanager:{secret}"), Some(Place::Secret(secret.to_owned()))),
            (" ssm: key ", Some(Place::Parameter("key".to_owned()))),
            ("ssm:", None),
            ("secretsmanager: ", None),
            ("SSM:key", None),
            ("file:key", None),
            ("-----BEGIN PRIVATE KEY-----", None),
            ("", None),
        ] {
            assert_eq!(Place::of_reference(text), expected, "{text}");
        }
    }
}
