use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use models::{
    Ambient, Id,
    platform::{account::Account, session::Session},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    Error, Roles, Settings, SigningKey, SigningSource, roles::scope_of, verifier::Verifier,
};

/// How long an access token is good: as short as leaves a phone alone for a while.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// The media type of access tokens (RFC 9068, section 2.1).
pub(crate) const TOKEN_TYPE: &str = "at+jwt";

/// What a device needs to act for a person. Not `Debug`: these are secrets.
pub struct Tokens {
    /// For requests.
    pub access: String,
    /// For new tokens.
    pub refresh: String,
    /// How long `access` is good.
    pub expires_in: Duration,
}

/// The claims of an access token (RFC 9068, section 2.2).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: Id,
    sid: Id,
    jti: Id,
    iat: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
}

/// Issues access tokens, and has what checks them.
pub(crate) struct Issuer {
    signing: SigningSource,
    verifier: Verifier,
    roles: Roles,
    ambient: Ambient,
}

impl Issuer {
    pub(crate) fn new(settings: &Settings, ambient: Ambient) -> Self {
        let verifier = Verifier::new(settings, ambient.clone());
        let (signing, roles) = (settings.signing.clone(), settings.roles.clone());
        Self { signing, verifier, roles, ambient }
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// An access token for the session, to go with its refresh token. Fails closed: what we would
    /// not accept ourselves is not given out.
    pub(crate) async fn issue(
        &self,
        account: &Account,
        session: &Session,
        refresh: String,
    ) -> Result<Tokens, Error> {
        let key = self.signing.key(|id| self.verifier.accepts(id)).await?;
        let now = self.ambient.now();
        let claims = Claims {
            iss: self.verifier.issuer(),
            aud: self.verifier.audience(),
            sub: account.id,
            sid: session.id,
            jti: self.ambient.new_id(),
            iat: now.unix_seconds(),
            exp: now.plus(LIFETIME).unix_seconds(),
            scope: scope_of(&account.roles, &self.roles),
            roles: &account.roles,
        };
        Ok(Tokens { access: signed(&key, &claims)?, refresh, expires_in: LIFETIME })
    }
}

/// The claims as a JWS in the compact form (RFC 7515, section 3.1).
fn signed(key: &SigningKey, claims: &Claims<'_>) -> Result<String, Error> {
    let failed = |error: &dyn std::fmt::Display| {
        Error::Internal(format!("an access token cannot be signed: {error}"))
    };
    let algorithm = key.public_key().algorithm();
    let header = json!({ "typ": TOKEN_TYPE, "alg": algorithm, "kid": key.id() }).to_string();
    let claims = serde_json::to_vec(claims).map_err(|error| failed(&error))?;
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let signature = key.sign(message.as_bytes()).map_err(|error| failed(&error))?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
