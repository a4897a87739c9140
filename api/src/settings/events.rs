use std::sync::Arc;

use models::{Ambient, aws::Access, wire};

use super::{Environment, Settings, SettingsError};
use crate::{
    events::FailureStore,
    platform::outbox::{Receivers, Ses, Webhooks},
};

impl Settings {
    /// Where event handlers keep what they could not do: the bucket of `LANDLINE_FAILURES`.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn failures_from_env(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<FailureStore, SettingsError> {
        let mut environment = Environment { variable, problems: Vec::new() };
        let what = "the bucket that keeps the records that no handler could do";
        let bucket = environment.required("LANDLINE_FAILURES", what);
        let access: Access = environment.access();
        let endpoint = environment.endpoint("AWS_ENDPOINT_URL_S3");
        environment.told(FailureStore::bucket(bucket, &access, endpoint.as_deref()))
    }

    /// Who takes what is in the outbox: Amazon SES, where `LANDLINE_MAIL_FROM` says whom mail comes
    /// from, and webhooks.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn receivers_from_env(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Receivers, SettingsError> {
        let mut environment = Environment { variable, problems: Vec::new() };
        let access = environment.access();
        let endpoint = environment.endpoint("AWS_ENDPOINT_URL_SESV2");
        let from = environment.optional("LANDLINE_MAIL_FROM");
        if from.as_deref().is_some_and(|from| !is_sender(from)) {
            let what = "is neither name@example.com nor Name <name@example.com>";
            environment.problems.push(format!("LANDLINE_MAIL_FROM {what}"));
        }
        let webhooks = Arc::new(Webhooks::new(access.extra_roots.clone()));
        let ses = |from| Ses::new(from, access, endpoint, Ambient::system());
        let mailer = from.map(|from| Arc::new(ses(from)) as _);
        environment.told(Receivers { mailer, webhooks })
    }

    /// Those of a command that runs outside Lambda: what Lambda sets is not asked for.
    ///
    /// # Errors
    /// As [`from_env`](Self::from_env).
    pub fn from_command(variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        Self::from_env(|name| match name {
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" => Some("0".to_owned()),
            name if name.starts_with("AWS_LAMBDA_") => Some("none".to_owned()),
            name => variable(name),
        })
    }
}

/// An address, or a plain name and an address in angle brackets (RFC 5322, section 3.4).
fn is_sender(text: &str) -> bool {
    let Some((name, address)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) else {
        return wire::email(text).is_ok();
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b" -_'".contains(&byte);
    let is_name = name.ends_with(' ') && !name.trim().is_empty() && name.bytes().all(plain);
    is_name && wire::email(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_sender;

    #[test]
    fn mail_comes_from_an_address_with_a_name_or_without() {
        for from in
            ["hello@example.com", "Landline <hello@example.com>", "O'Hara 2 <a@example.com>"]
        {
            assert!(is_sender(from), "{from}");
        }
        for from in [
            "hello",
            "<hello@example.com>",
            " <hello@example.com>",
            "Landline<hello@example.com>",
            "Landline <hello>",
            "Landline <hello@example.com",
            "\"Landline\" <hello@example.com>",
            "Land\r\nBcc: eve@example.com <hello@example.com>",
            "a@example.com, b@example.com",
        ] {
            assert!(!is_sender(from), "{from}");
        }
    }
}
