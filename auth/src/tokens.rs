use std::time::Duration;

use jsonwebtoken::{Algorithm, Header, encode};
use models::{
    Ambient, Id,
    platform::{keys::KeySet, session::Session},
};
use serde::Serialize;

use crate::{
    Caller, Error, Settings, TokenError,
    jwt::{Jwt, Members},
    verifying_key::VerifyingKey,
};

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

/// What an access token is issued for.
pub(crate) struct Grant<'a> {
    /// Who, and on which device.
    pub(crate) session: &'a Session,
    /// What it may be used for.
    pub(crate) scopes: &'a [String],
    /// What the person is.
    pub(crate) roles: &'a [String],
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
    /// Scopes with spaces between them (RFC 8693, section 4.2).
    #[serde(skip_serializing_if = "String::is_empty")]
    scope: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    roles: &'a [String],
}

/// Signs access tokens and checks them.
pub(crate) struct Issuer {
    settings: Settings,
    keys: Vec<VerifyingKey>,
    ambient: Ambient,
}

impl Issuer {
    pub(crate) fn new(settings: Settings, ambient: Ambient) -> Self {
        let jwk = serde_json::to_value(settings.signing_key.public()).expect("a view is JSON");
        let keys = VerifyingKey::of_jwk(&jwk, &[Algorithm::ES256]).into_iter().collect();
        Self { settings, keys, ambient }
    }

    /// The `iss` of its tokens.
    pub(crate) fn name(&self) -> &str {
        &self.settings.issuer
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet { keys: vec![self.settings.signing_key.public()] }
    }

    /// An access token, to go with this refresh token.
    pub(crate) async fn issue(&self, grant: Grant<'_>, refresh: String) -> Result<Tokens, Error> {
        let now = self.ambient.now();
        let claims = Claims {
            iss: &self.settings.issuer,
            aud: &self.settings.audience,
            sub: grant.session.account_id,
            sid: grant.session.id,
            jti: self.ambient.new_id(),
            iat: now.unix_seconds(),
            exp: now.plus(LIFETIME).unix_seconds(),
            scope: grant.scopes.join(" "),
            roles: grant.roles,
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

    /// Who a token of ours speaks for: first the signature, then the claims.
    pub(crate) fn verify(
        &self,
        token: &Jwt<'_>,
        claims: &Members<'_>,
    ) -> Result<Caller, TokenError> {
        let id = token.header.key.as_deref().ok_or(TokenError::Invalid)?;
        let key = self.keys.iter().find(|key| key.id() == id).ok_or(TokenError::Invalid)?;
        if !token.header.is_type(TOKEN_TYPE) || !token.is_signed_by(key) {
            return Err(TokenError::Invalid);
        }
        let ours = claims.text("iss")? == self.settings.issuer
            && claims.text("aud")? == self.settings.audience
            && claims.time("iat")?.is_some();
        if !ours {
            return Err(TokenError::Invalid);
        }
        let scope = claims.optional::<String>("scope")?.unwrap_or_default();
        let caller = Caller {
            account: claims.required("sub")?,
            session: Some(claims.required("sid")?),
            scopes: scope.split(' ').filter(|it| !it.is_empty()).map(str::to_owned).collect(),
            roles: claims.optional("roles")?.unwrap_or_default(),
        };
        // No leeway at the end: issuer and verifier are the same.
        claims.check_times(self.ambient.now(), LEEWAY, Duration::ZERO)?;
        Ok(caller)
    }
}
