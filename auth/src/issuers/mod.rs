//! Tokens of other issuers: whoever speaks OpenID Connect and publishes its keys. Several at once,
//! each with rules of its own.

mod fetch;
mod keys;
mod settings;

pub use settings::Issuer;

use std::{borrow::Cow, sync::Arc};

use aws_lc_rs::digest::{Context, SHA256};
use models::{Ambient, Id};
use serde::Deserialize;
use serde_json::Value;

use self::{fetch::Web, keys::IssuerKeys};
use crate::{
    Caller, Settings, TokenError,
    jwt::{Jwt, Members},
};

/// The longest subject, in characters (OpenID Connect Core 1.0, section 2).
const LONGEST_SUBJECT: usize = 255;

/// The type of tokens whose issuer does not say another. Many send none at all.
const USUAL_TYPE: &str = "JWT";

/// Everybody else whose tokens are accepted.
pub(crate) struct Issuers(Vec<Trusted>);

/// An issuer, its rules and its keys.
pub(crate) struct Trusted {
    rules: Issuer,
    keys: IssuerKeys,
    ambient: Ambient,
}

impl Issuers {
    /// Asks nobody before a token comes.
    pub(crate) fn new(settings: &Settings, ambient: &Ambient) -> Self {
        let web = Arc::new(Web::new(settings.extra_roots.clone()));
        let trusted = |rules: &Issuer| Trusted {
            rules: rules.clone(),
            keys: IssuerKeys::new(
                rules.clone(),
                web.clone(),
                settings.issuer_patience,
                ambient.clone(),
            ),
            ambient: ambient.clone(),
        };
        Self(settings.issuers.iter().map(trusted).collect())
    }

    /// The issuer of this name, to the letter.
    pub(crate) fn named(&self, name: &str) -> Option<&Trusted> {
        self.0.iter().find(|trusted| trusted.rules.name == name)
    }
}

impl Trusted {
    /// Who is asking by a token that says it is this issuer's.
    pub(crate) async fn verify(
        &self,
        token: &Jwt<'_>,
        claims: &Members<'_>,
    ) -> Result<Caller, TokenError> {
        let key = self.check_header(token)?;
        if !token.is_signed_by(&*self.keys.find(key).await?) {
            return Err(TokenError::Invalid);
        }
        self.check_claims(claims)?;
        let subject = claims.text("sub")?;
        if subject.is_empty() || subject.chars().count() > LONGEST_SUBJECT {
            return Err(TokenError::Invalid);
        }
        Ok(Caller {
            account: account(&self.rules.name, &subject),
            session: None,
            scopes: self.believed(claims)?,
            roles: Vec::new(),
        })
    }

    /// The id of the key that signed it, if algorithm and type are this issuer's.
    fn check_header<'t>(&self, token: &'t Jwt<'_>) -> Result<&'t str, TokenError> {
        let header = &token.header;
        let is_type = match &self.rules.token_type {
            Some(name) => header.is_type(name),
            None => header.has_no_type() || header.is_type(USUAL_TYPE),
        };
        if !is_type || !self.rules.algorithms.contains(&header.algorithm) {
            return Err(TokenError::Invalid);
        }
        header.key.as_deref().ok_or(TokenError::Invalid)
    }

    fn check_claims(&self, claims: &Members<'_>) -> Result<(), TokenError> {
        let Issuer { audiences, audience_claim, leeway, .. } = &self.rules;
        let told: Audience<'_> = claims.required(audience_claim)?;
        if !told.names().iter().any(|name| audiences.iter().any(|ours| ours == name)) {
            return Err(TokenError::Invalid);
        }
        for (name, value) in &self.rules.claims {
            if claims.optional::<Value>(name)?.as_ref() != Some(value) {
                return Err(TokenError::Invalid);
            }
        }
        claims.check_times(self.ambient.now(), *leeway, *leeway)
    }

    /// Those of the token's scopes that this issuer may give.
    fn believed(&self, claims: &Members<'_>) -> Result<Vec<String>, TokenError> {
        let mut scopes = if self.rules.scopes.is_empty() { Vec::new() } else { claims.scopes()? };
        scopes.retain(|scope| self.rules.scopes.contains(scope));
        Ok(scopes)
    }
}

/// One name, or a list (RFC 7519, section 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(#[serde(borrow)] Cow<'a, str>),
    Several(Vec<String>),
}

impl Audience<'_> {
    fn names(&self) -> Vec<&str> {
        match self {
            Self::One(name) => vec![name],
            Self::Several(names) => names.iter().map(String::as_str).collect(),
        }
    }
}

/// The account of somebody whom another issuer knows: a UUID of version 8 (RFC 9562, section 5.8)
/// made of the first 16 bytes of SHA-256 over the issuer's length in bytes (8 bytes, most
/// significant first), the issuer and the subject. The length keeps apart what would read the same
/// in a row. What people own hangs on it: this never changes.
fn account(issuer: &str, subject: &str) -> Id {
    let mut hash = Context::new(&SHA256);
    hash.update(&(issuer.len() as u64).to_be_bytes());
    hash.update(issuer.as_bytes());
    hash.update(subject.as_bytes());
    let hash = hash.finish();
    let (first, _) = hash.as_ref().split_first_chunk().expect("SHA-256 has 32 bytes");
    Id::from_hash(*first)
}

#[cfg(test)]
mod tests {
    use super::account;

    /// What people have stored hangs on these.
    #[test]
    fn gives_a_person_the_same_account_for_ever() {
        for (issuer, subject, expected) in [
            (
                "https://accounts.google.com",
                "10769150350006150715113082367",
                "824847df-8692-879b-9cc3-cede8720f00f",
            ),
            (
                "https://appleid.apple.com",
                "001234.abcdef.0123",
                "3380a62a-452c-807a-8b6b-dfc9f25afbd6",
            ),
        ] {
            assert_eq!(account(issuer, subject).to_string(), expected);
        }
    }

    #[test]
    fn gives_no_two_people_one_account() {
        let one = account("https://a.example", "bc");

        for (issuer, subject) in [
            ("https://a.exampleb", "c"),
            ("https://a.exampl", "ebc"),
            ("https://a.example", "bC"),
            ("https://a.example", "bc "),
            ("https://b.example", "bc"),
        ] {
            assert_ne!(account(issuer, subject), one, "{issuer} {subject}");
        }
    }
}
