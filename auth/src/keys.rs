use std::{fmt, sync::Arc};

use aws_lc_rs::{
    error::Unspecified,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
        RsaKeyPair, RsaPublicKeyComponents,
    },
};

use crate::{KeyError, PublicKey};

/// A key pair that signs access tokens: ES256, RS256 or EdDSA, by its kind. `Debug` shows its id
/// only. Cheap to clone.
#[derive(Clone)]
pub struct SigningKey(Arc<Inner>);

struct Inner {
    pkcs8: Vec<u8>,
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

const PEM_LABEL: &str = "PRIVATE KEY";

impl SigningKey {
    /// A new P-256 key, for ES256, from the system's random source.
    pub fn generate() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .expect("the system's random source never fails");
        Self::from_pkcs8(document.as_ref().to_vec()).expect("a fresh key is a good key")
    }

    /// Read a PKCS#8 PEM (RFC 7468, section 10) of a P-256, RSA or Ed25519 key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        match pem_blocks(text, PEM_LABEL).as_deref() {
            Some([der]) => Self::from_pkcs8(der.clone()),
            _ => Err(KeyError::NotPrivate),
        }
    }

    /// The key as PKCS#8 PEM. A secret.
    pub fn to_pem(&self) -> String {
        pem::encode(&pem::Pem::new(PEM_LABEL, self.0.pkcs8.clone()))
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> Result<Self, KeyError> {
        let (pair, public) = match Kind::of(&pkcs8).ok_or(KeyError::OtherKind)? {
            Kind::P256 => {
                let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
                    .map_err(|_| KeyError::Damaged)?;
                let public = PublicKey::p256(pair.public_key().as_ref())?;
                (Pair::P256(pair), public)
            }
            Kind::Rsa => {
                let pair = RsaKeyPair::from_pkcs8(&pkcs8).map_err(|rejected| {
                    match rejected.to_string().as_str() {
                        "TooSmall" | "TooLarge" => KeyError::RsaSize,
                        _ => KeyError::Damaged,
                    }
                })?;
                let public = PublicKey::rsa(RsaPublicKeyComponents::from(pair.public_key()))?;
                (Pair::Rsa(pair), public)
            }
            Kind::Ed25519 => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&pkcs8)
                    .map_err(|_| KeyError::Damaged)?;
                let public = PublicKey::ed25519(pair.public_key().as_ref())?;
                (Pair::Ed25519(pair), public)
            }
        };
        Ok(Self(Arc::new(Inner { pkcs8, pair, public })))
    }

    /// The key's id: its thumbprint (RFC 7638).
    pub fn id(&self) -> &str {
        self.0.public.id()
    }

    /// The half that checks what this one signs.
    pub fn public_key(&self) -> &PublicKey {
        &self.0.public
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.0.pair {
            Pair::P256(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

/// The kinds of keys that sign our tokens.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    P256,
    Rsa,
    Ed25519,
}

impl Kind {
    /// What is said of the algorithm near the beginning of a key, private (RFC 5958, section 2) or
    /// public (RFC 5280, section 4.1).
    pub(crate) fn of(der: &[u8]) -> Option<Self> {
        const ALGORITHMS: [(Kind, &[u8]); 3] = [
            // id-ecPublicKey with secp256r1 (RFC 5480, section 2.1)
            (Kind::P256, b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
            // rsaEncryption (RFC 8017, appendix A.1)
            (Kind::Rsa, b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"),
            // id-Ed25519 (RFC 8410, section 3)
            (Kind::Ed25519, b"\x30\x05\x06\x03\x2b\x65\x70"),
        ];
        // Before it stand the length of everything, two to five bytes, and in a private key the
        // version, three.
        let is_there =
            |said: &[u8]| (2..9).any(|at| der.get(at..).is_some_and(|it| it.starts_with(said)));
        ALGORITHMS.into_iter().find(|(_, said)| is_there(said)).map(|(kind, _)| kind)
    }
}

/// What the PEM blocks of a text hold, where each is whole and has this label (RFC 7468).
pub(crate) fn pem_blocks(text: &str, label: &str) -> Option<Vec<Vec<u8>>> {
    let blocks = pem::parse_many(text).ok()?;
    let whole = !blocks.is_empty()
        && blocks.len() == text.matches("-----BEGIN ").count()
        && blocks.iter().all(|block| block.tag() == label);
    whole.then(|| blocks.into_iter().map(pem::Pem::into_contents).collect())
}

#[cfg(test)]
mod tests;
