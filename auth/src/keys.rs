use std::{fmt, sync::Arc};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{AlgorithmParameters, Jwk, ThumbprintHash},
};
use models::platform::keys::PublicKey;

/// An ES256 key pair (RFC 7518, section 3.4): what signs access tokens, and what checks them.
/// `Debug` shows its id only.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    pkcs8: Vec<u8>,
    id: String,
    encoding: EncodingKey,
    public: PublicKey,
}

/// The text is not a key that can sign tokens.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or PEM of something else, such as a public key or a key in SEC1 or PKCS#1.
    #[error(
        "is not a private key in PKCS#8 PEM (a text that begins with -----BEGIN PRIVATE KEY-----)"
    )]
    NotPkcs8,
    /// A key of another kind or curve.
    #[error("is not an elliptic curve key on P-256, which ES256 needs")]
    NotP256,
}

const PEM_LABEL: &str = "PRIVATE KEY";

impl SigningKey {
    /// A new key from the system's random source.
    pub fn generate() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("the system's random source never fails");
        Self::from_pkcs8(document.as_ref().to_vec()).expect("a fresh key is a good key")
    }

    /// Read a PKCS#8 PEM.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let pem = pem::parse(text).map_err(|_| KeyError::NotPkcs8)?;
        if pem.tag() != PEM_LABEL {
            return Err(KeyError::NotPkcs8);
        }
        Self::from_pkcs8(pem.into_contents())
    }

    /// The key as PKCS#8 PEM. A secret.
    pub fn to_pem(&self) -> String {
        pem::encode(&pem::Pem::new(PEM_LABEL, self.0.pkcs8.clone()))
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, KeyError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| KeyError::NotP256)?;
        let encoding = EncodingKey::from_ec_der(&pkcs8);
        let jwk =
            Jwk::from_encoding_key(&encoding, Algorithm::ES256).map_err(|_| KeyError::NotP256)?;
        let AlgorithmParameters::EllipticCurve(point) = &jwk.algorithm else {
            return Err(KeyError::NotP256);
        };
        let id = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| KeyError::NotP256)?;
        let public = PublicKey::p256(id.clone(), point.x.clone(), point.y.clone());
        Ok(Self(Arc::new(Inner { pkcs8, id, encoding, public })))
    }

    /// The key's id: its thumbprint (RFC 7638).
    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub(crate) fn encoding(&self) -> &EncodingKey {
        &self.0.encoding
    }

    pub(crate) fn public(&self) -> PublicKey {
        self.0.public.clone()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

#[cfg(test)]
mod tests {
    use super::{KeyError, SigningKey};

    #[test]
    fn survives_the_way_through_pem() {
        let key = SigningKey::generate();

        assert_eq!(SigningKey::from_pem(&key.to_pem()).unwrap().id(), key.id());
    }

    #[test]
    fn refuses_what_cannot_sign() {
        let public = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n";
        for text in ["", "secret", public] {
            assert!(matches!(SigningKey::from_pem(text), Err(KeyError::NotPkcs8)), "{text}");
        }
        let other = "-----BEGIN PRIVATE KEY-----\nMFkw\n-----END PRIVATE KEY-----\n";
        assert!(matches!(SigningKey::from_pem(other), Err(KeyError::NotP256)));
    }

    #[test]
    fn is_not_shown_by_debug() {
        let key = SigningKey::generate();

        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.id()));
    }
}
