//! Mails: what a message of the outbox with the topic `mail` says.

use serde::{Deserialize, Serialize};

use crate::wire;

/// The topic of messages that are mails: `orders.sending(MAIL, &mail)?.keep(&mut order)`.
pub const MAIL: &str = "mail";

/// A subject has at most so many characters: what fits into one line of a header (RFC 5322, section
/// 2.1.1) in any script.
const LONGEST_SUBJECT: usize = 200;

/// A mail to one person. What it says, and in which language, the team's own code makes: there are
/// no templates here. Not `Debug`: what it says is nobody else's business.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Unchecked")]
pub struct Mail {
    to: String,
    subject: String,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<String>,
}

/// Why something is no mail. It does not repeat what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// Not `name@example.com` by RFC 5321, in ASCII.
    #[error("`to` must be an address such as name@example.com")]
    To,
    /// Blank, of more than one line, or too long.
    #[error("`subject` must have 1 to 200 characters, and no control characters")]
    Subject,
    /// Many readers, and those for people who do not see, show this part alone.
    #[error("`text` must not be blank")]
    Text,
    /// HTML that is there must say something.
    #[error("`html` must not be blank")]
    Html,
}

impl Mail {
    /// A mail of plain text. `to` is a bare address, without a name.
    ///
    /// # Errors
    /// When one of them cannot be in a mail. A subject is one line, so that nobody who may write
    /// into it can add a header.
    pub fn new(
        to: impl Into<String>,
        subject: impl Into<String>,
        text: impl Into<String>,
    ) -> Result<Self, MailError> {
        let (to, subject, text) = (to.into(), subject.into(), text.into());
        wire::email(&to).map_err(|_| MailError::To)?;
        let characters = subject.chars().count();
        let one_line = !subject.chars().any(|it| it.is_control() || LINE_ENDS.contains(&it));
        if subject.trim().is_empty() || characters > LONGEST_SUBJECT || !one_line {
            return Err(MailError::Subject);
        }
        if text.trim().is_empty() {
            return Err(MailError::Text);
        }
        Ok(Self { to, subject, text, html: None })
    }

    /// The same mail, for readers who see HTML. What comes from people must be escaped in it.
    ///
    /// # Errors
    /// When it is blank.
    pub fn with_html(self, html: impl Into<String>) -> Result<Self, MailError> {
        let html = html.into();
        if html.trim().is_empty() {
            Err(MailError::Html)
        } else {
            Ok(Self { html: Some(html), ..self })
        }
    }

    /// The one person whom it goes to.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// One line.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says, as HTML.
    pub fn html(&self) -> Option<&str> {
        self.html.as_deref()
    }
}

/// Line and paragraph separator: no control characters, and line ends to some.
const LINE_ENDS: [char; 2] = ['\u{2028}', '\u{2029}'];

/// A mail as it is written down, by somebody who may have written anything. What a later release
/// has added is left out, for this one must deliver what that one has stored (docs/evolving.md).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Unchecked {
    to: String,
    subject: String,
    text: String,
    html: Option<String>,
}

impl TryFrom<Unchecked> for Mail {
    type Error = MailError;

    fn try_from(Unchecked { to, subject, text, html }: Unchecked) -> Result<Self, MailError> {
        let mail = Self::new(to, subject, text)?;
        match html {
            Some(html) => mail.with_html(html),
            None => Ok(mail),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mail, MailError};

    fn refused(to: &str, subject: &str, text: &str) -> Option<MailError> {
        Mail::new(to, subject, text).err()
    }

    #[test]
    fn has_one_address_one_line_of_subject_and_a_text() {
        let longest = "é".repeat(200);
        for (to, subject, text, expected) in [
            ("maya@example.com", "Hello", "Hi", None),
            ("maya@example.com", &longest, "Hi", None),
            ("maya@example.com", "Grüße 👋", "Hi\n\tthere", None),
            ("maya@example.com", &format!("{longest}é"), "Hi", Some(MailError::Subject)),
            ("maya@example.com", "", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "  ", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "Hi\r\nBcc: eve@example.com", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "Hi\nthere", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "Hi\0", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "Hi\u{85}there", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "Hi\u{2028}there", "Hi", Some(MailError::Subject)),
            ("maya@example.com", "Hello", "\n ", Some(MailError::Text)),
            ("", "Hello", "Hi", Some(MailError::To)),
            ("maya", "Hello", "Hi", Some(MailError::To)),
            ("Maya <maya@example.com>", "Hello", "Hi", Some(MailError::To)),
            ("maya@example.com, eve@example.com", "Hello", "Hi", Some(MailError::To)),
            ("maya@example.com\r\nBcc: eve@example.com", "Hello", "Hi", Some(MailError::To)),
            ("maya@exämple.com", "Hello", "Hi", Some(MailError::To)),
        ] {
            assert_eq!(refused(to, subject, text), expected, "{to:?} {subject:?} {text:?}");
        }
    }

    #[test]
    fn is_checked_when_it_is_read_too() {
        let good = json!({ "to": "maya@example.com", "subject": "Hello", "text": "Hi" });
        let read = |name: &str, value: &str| {
            let mut mail = good.clone();
            mail[name] = json!(value);
            serde_json::from_value::<Mail>(mail).map(drop).map_err(|error| error.to_string())
        };

        assert_eq!(read("html", "<p>Hi</p>"), Ok(()));
        assert_eq!(read("html", ""), Err("`html` must not be blank".to_owned()));
        let subject = "`subject` must have 1 to 200 characters, and no control characters";
        assert_eq!(read("subject", "Hi\nBcc: eve@example.com"), Err(subject.to_owned()));
        assert_eq!(read("ofALaterRelease", "x"), Ok(()));
    }
}
