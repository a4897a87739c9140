//! Who takes mails: Amazon SES in the cloud. A laptop puts them into a folder.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use aws_sdk_sesv2::{
    Client,
    config::{Builder, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
    operation::send_email::SendEmailError,
    types::{Body, Content, Destination, EmailContent, Message},
};
use futures_util::future::BoxFuture;
use models::{Ambient, Id, Timestamp, aws::Access, causes, platform::mail::Mail};
use tokio::time::sleep;

use super::Undelivered;

/// As long as a webhook may take.
const PATIENCE: Duration = Duration::from_secs(10);

const ALONE: Duration = Duration::from_secs(60);

/// A new account may send one mail a second.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(250), Duration::from_millis(500), Duration::from_secs(1)];

/// Brings mails on their way.
pub trait Mailer: Send + Sync {
    /// Take a mail. The same id may come again, with the same mail: whoever can tell drops it then.
    fn send<'a>(&'a self, id: Id, mail: &'a Mail) -> BoxFuture<'a, Result<(), Undelivered>>;
}

/// Amazon SES, by its API of version 2. It has no way to know a mail again: one that it has taken
/// comes twice when its answer is lost, or when the function cannot write down that it was taken.
/// So it is given time to answer, and is asked again at once only where it says that it has taken
/// nothing. Where it was silent it is left alone for a minute: what comes behind would wait for each
/// mail.
pub struct Ses {
    from: String,
    access: Access,
    endpoint: Option<String>,
    ambient: Ambient,
    client: OnceLock<Client>,
    silent_until: Mutex<Option<Timestamp>>,
}

impl Ses {
    /// Asks nobody yet. `from` is an address whose identity is verified in the account and region of
    /// `access`, or a name and such an address in angle brackets; `endpoint` an address to use in
    /// place of the region's own.
    pub fn new(
        from: impl Into<String>,
        access: Access,
        endpoint: Option<String>,
        ambient: Ambient,
    ) -> Self {
        let (from, client, silent_until) = (from.into(), OnceLock::new(), Mutex::default());
        Self { from, access, endpoint, ambient, client, silent_until }
    }

    fn client(&self) -> Client {
        let access = Access { attempt_timeout: PATIENCE, ..self.access.clone() };
        let config = Builder::from(&access.config(self.endpoint.as_deref()));
        Client::from_conf(config.retry_config(RetryConfig::disabled()).build())
    }

    async fn take(&self, mail: &Mail) -> Result<(), Undelivered> {
        let now = self.ambient.now();
        if self.silent_until().is_some_and(|end| now < end) {
            return Err(Undelivered::new("SES was not reached just now"));
        }
        let outcome = self.ask_patiently(mail).await;
        let is_silent = outcome.as_ref().is_err_and(|error| error.as_service_error().is_none());
        *self.silent_until() = is_silent.then(|| self.ambient.now().plus(ALONE));
        outcome.map_err(|error| undelivered(&error))
    }

    fn silent_until(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.silent_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_patiently(&self, mail: &Mail) -> Result<(), SdkError<SendEmailError>> {
        for pause in PAUSES {
            match self.ask(mail).await {
                Err(error) if is_throttled(&error) => sleep(pause).await,
                outcome => return outcome,
            }
        }
        self.ask(mail).await
    }

    async fn ask(&self, mail: &Mail) -> Result<(), SdkError<SendEmailError>> {
        let client = self.client.get_or_init(|| self.client());
        let body = Body::builder().text(content(mail.text()));
        let body = body.set_html(mail.html().map(content)).build();
        let message = Message::builder().subject(content(mail.subject())).body(body).build();
        client
            .send_email()
            .from_email_address(&self.from)
            .destination(Destination::builder().to_addresses(mail.to()).build())
            .content(EmailContent::builder().simple(message).build())
            .send()
            .await
            .map(drop)
    }
}

impl Mailer for Ses {
    fn send<'a>(&'a self, _: Id, mail: &'a Mail) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(self.take(mail))
    }
}

fn content(text: &str) -> Content {
    Content::builder().data(text).charset("UTF-8").build().expect("the data is set")
}

/// Nothing was taken: too many were sent at once.
fn is_throttled(error: &SdkError<SendEmailError>) -> bool {
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code);
    matches!(code, Some("TooManyRequestsException" | "Throttling" | "ThrottlingException"))
}

/// What SES says in words often has the address in it, so its code has to do. A mail is rejected for
/// what is in it, and also where the identity that sends it is not verified: others will show.
fn undelivered(error: &SdkError<SendEmailError>) -> Undelivered {
    let Some(refusal) = error.as_service_error() else {
        return Undelivered::new(format!("SES was not reached: {}", causes(error)));
    };
    let why = format!("SES refused it: {}", refusal.code().unwrap_or("no code"));
    match refusal {
        SendEmailError::BadRequestException(_) => Undelivered::for_good(why),
        SendEmailError::MessageRejected(_) => Undelivered::refused(why),
        _ => Undelivered::new(why),
    }
}
