use std::time::Duration;

use models::{Ambient, platform::keys::KeySet};

use crate::{
    Caller, PublicKey, Settings, SigningKey, TokenError,
    jwt::{Jwt, Members},
    tokens::TOKEN_TYPE,
};

/// How far the clocks of two machines may be apart when a token begins.
const LEEWAY: Duration = Duration::from_secs(30);

/// Checks access tokens of our own. Needs public keys only, and asks nobody.
pub(crate) struct Verifier {
    issuer: String,
    audience: String,
    keys: Vec<PublicKey>,
    ambient: Ambient,
}

impl Verifier {
    pub(crate) fn new(settings: &Settings, ambient: Ambient) -> Self {
        let mut keys: Vec<PublicKey> = Vec::new();
        let signing = settings.signing.in_hand().map(SigningKey::public_key);
        for key in signing.into_iter().chain(&settings.public_keys) {
            if keys.iter().all(|known| known.id() != key.id()) {
                keys.push(key.clone());
            }
        }
        let (issuer, audience) = (settings.issuer.clone(), settings.audience.clone());
        Self { issuer, audience, keys, ambient }
    }

    /// The `iss` of our tokens.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `aud` of our tokens.
    pub(crate) fn audience(&self) -> &str {
        &self.audience
    }

    /// Whether tokens of the key with this id are accepted.
    pub(crate) fn accepts(&self, id: &str) -> bool {
        self.key(id).is_some()
    }

    pub(crate) fn key_set(&self) -> KeySet {
        KeySet { keys: self.keys.iter().map(PublicKey::published).collect() }
    }

    /// Who a token of ours speaks for: first the signature, then the claims (RFC 9068, section 4).
    pub(crate) fn verify(
        &self,
        token: &Jwt<'_>,
        claims: &Members<'_>,
    ) -> Result<Caller, TokenError> {
        let key = token.header.key.as_deref().and_then(|id| self.key(id));
        let key = key.filter(|key| token.is_signed_by(key.verifying()));
        if key.is_none() || !token.header.is_type(TOKEN_TYPE) {
            return Err(TokenError::Invalid);
        }
        let ours = claims.text("iss")? == self.issuer
            && claims.text("aud")? == self.audience
            && claims.time("iat")?.is_some();
        if !ours {
            return Err(TokenError::Invalid);
        }
        let caller = Caller {
            account: claims.required("sub")?,
            session: Some(claims.required("sid")?),
            scopes: claims.scopes()?,
            roles: claims.optional("roles")?.unwrap_or_default(),
        };
        // No leeway at the end: issuer and verifier are the same.
        claims.check_times(self.ambient.now(), LEEWAY, Duration::ZERO)?;
        Ok(caller)
    }

    fn key(&self, id: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.id() == id)
    }
}
