use http::{HeaderMap, header::AUTHORIZATION};
use models::Id;

use crate::{Auth, TokenError, jwt::Jwt};

/// Who is asking, as the request's access token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub account: Id,
    /// The session, that is the device. None where the token is another issuer's.
    pub session: Option<Id>,
    /// What the token may be used for (RFC 6749, section 3.3).
    pub scopes: Vec<String>,
    /// What the person is (RFC 9068, section 2.2.3.1).
    pub roles: Vec<String>,
}

impl Caller {
    /// Whether the token may be used for this.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }
}

impl Auth {
    /// Who is asking. A token of ours costs no call to the network or the store, so it stays good
    /// until it expires, even when its session has ended before. One of another issuer waits for
    /// that issuer's keys, once an hour.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Caller, TokenError> {
        let token = Jwt::read(bearer(headers)?)?;
        let claims = token.claims()?;
        // Not believed yet: it only says whose keys to try.
        let issuer = claims.text("iss")?;
        let own = self.0.tokens.verifier();
        if issuer == own.issuer() {
            return own.verify(&token, &claims);
        }
        match self.0.issuers.named(&issuer) {
            Some(issuer) => issuer.verify(&token, &claims).await,
            None => Err(TokenError::Invalid),
        }
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1). The scheme's case does
/// not matter (RFC 9110, section 11.1); two headers are none.
fn bearer(headers: &HeaderMap) -> Result<&str, TokenError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(TokenError::Missing)?;
    if values.next().is_some() {
        return Err(TokenError::Invalid);
    }
    let value = value.to_str().map_err(|_| TokenError::Invalid)?.trim();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(TokenError::Missing),
    }
}
