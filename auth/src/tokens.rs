use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, Validation, decode, decode_header, encode};
use models::{
    Ambient, Id, Timestamp,
    platform::{keys::KeySet, session::Session},
};
use serde::{Deserialize, Serialize};

use crate::{Caller, Error, Settings, TokenError};

/// How long an access token is good: as short as leaves a phone alone for a while.
const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How far the clocks of two machines may be apart when a token begins.
const LEEWAY: Duration = Duration::from_secs(30);

/// The media type of access tokens (RFC 9068, section 2.1).
const TOKEN_TYPE: &str = "at+jwt";

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
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: Id,
    sid: Id,
    jti: Id,
    iat: i64,
    exp: i64,
    /// We never write it; a token that has it must keep to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    /// Scopes with spaces between them (RFC 8693, section 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    roles: Option<Vec<String>>,
}

/// Signs access tokens and checks them.
pub(crate) struct Issuer {
    settings: Settings,
    ambient: Ambient,
}

impl Issuer {
    pub(crate) fn new(settings: Settings, ambient: Ambient) -> Self {
        Self { settings, ambient }
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet { keys: vec![self.settings.signing_key.public()] }
    }

    /// An access token for the session, to go with its refresh token.
    pub(crate) fn issue(&self, session: &Session, refresh: String) -> Result<Tokens, Error> {
        let now = self.ambient.now();
        let claims = Claims {
            iss: self.settings.issuer.clone(),
            aud: self.settings.audience.clone(),
            sub: session.account_id,
            sid: session.id,
            jti: self.ambient.new_id(),
            iat: now.unix_seconds(),
            exp: now.plus(LIFETIME).unix_seconds(),
            nbf: None,
            scope: None,
            roles: None,
        };
        let key = &self.settings.signing_key;
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some(key.id().to_owned());
        let access = encode(&header, &claims, key.encoding()).map_err(|error| {
            Error::Internal(format!("an access token cannot be signed: {error}"))
        })?;
        Ok(Tokens { access, refresh, expires_in: LIFETIME })
    }

    pub(crate) async fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        self.check_header(token)?;
        let key = &self.settings.signing_key;
        // The library decodes and checks the signature; every claim is checked here, since it
        // lets tokens without `aud` or `iss` pass and reads the system's clock.
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = decode::<Claims>(token, key.decoding(), &validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        self.check_claims(&claims)?;
        let words = |text: Option<String>| {
            text.iter().flat_map(|text| text.split(' ')).map(str::to_owned).collect()
        };
        Ok(Caller {
            account: claims.sub,
            session: Some(claims.sid),
            scopes: words(claims.scope),
            roles: claims.roles.unwrap_or_default(),
        })
    }

    fn check_header(&self, token: &str) -> Result<(), TokenError> {
        let header = decode_header(token).map_err(|_| TokenError::Invalid)?;
        let ours = header.alg == Algorithm::ES256
            && header.kid.as_deref() == Some(self.settings.signing_key.id())
            && header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TOKEN_TYPE))
            // RFC 7515, section 4.1.11: an extension that is critical and not understood.
            && header.crit.is_none();
        if ours { Ok(()) } else { Err(TokenError::Invalid) }
    }

    fn check_claims(&self, claims: &Claims) -> Result<(), TokenError> {
        let now = self.ambient.now();
        let instant = |seconds: i64| Timestamp::from_unix_millis(seconds.saturating_mul(1000));
        let begins = instant(claims.iat.max(claims.nbf.unwrap_or(0)));
        if claims.iss != self.settings.issuer
            || claims.aud != self.settings.audience
            || now.plus(LEEWAY) < begins
        {
            return Err(TokenError::Invalid);
        }
        // No leeway at the end: issuer and verifier are the same.
        if instant(claims.exp) <= now { Err(TokenError::Expired) } else { Ok(()) }
    }
}
