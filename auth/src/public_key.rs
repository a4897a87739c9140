use std::{collections::BTreeMap, fmt, sync::Arc};

use aws_lc_rs::{
    digest,
    rsa::PublicKey as RsaPublicKey,
    signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use models::platform::keys::JsonWebKey;
use serde_json::json;

use crate::{
    KeyError,
    example_keys::is_published,
    keys::{Kind, pem_blocks},
    verifying_key::{RSA_BITS, VerifyingKey, bits},
};

/// The public half of a key: checks tokens that the other half has signed, and is published for
/// others who want to. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    published: JsonWebKey,
    verifying: VerifyingKey,
}

const PEM_LABEL: &str = "PUBLIC KEY";

impl PublicKey {
    /// Read a PEM (RFC 7468, section 13), such as `openssl pkey -pubout` writes.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        match Self::all_from_pem(text)?.as_slice() {
            [key] => Ok(key.clone()),
            _ => Err(KeyError::NotPublic),
        }
    }

    /// Read PEMs that stand one after another.
    pub fn all_from_pem(text: &str) -> Result<Vec<Self>, KeyError> {
        let blocks = pem_blocks(text, PEM_LABEL).ok_or(KeyError::NotPublic)?;
        blocks.iter().map(|der| Self::from_spki(der)).collect()
    }

    /// A `SubjectPublicKeyInfo` (RFC 5280, section 4.1). Those of P-256 and Ed25519 end with the
    /// key itself, and have one length (RFC 5480, section 2.2; RFC 8410, section 4).
    fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        match Kind::of(der).ok_or(KeyError::OtherKind)? {
            Kind::P256 => Self::p256(der.get(26..).ok_or(KeyError::Damaged)?),
            Kind::Ed25519 => Self::ed25519(der.get(12..).ok_or(KeyError::Damaged)?),
            Kind::Rsa => {
                let key = RsaPublicKey::from_der(der).map_err(|_| KeyError::Damaged)?;
                Self::rsa(RsaPublicKeyComponents::from(&key))
            }
        }
    }

    /// The point as `04 || x || y` (SEC 1, section 2.3.3).
    pub(crate) fn p256(point: &[u8]) -> Result<Self, KeyError> {
        let [4, coordinates @ ..] = point else { return Err(KeyError::Damaged) };
        if coordinates.len() != 64 || ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).is_err()
        {
            return Err(KeyError::Damaged);
        }
        let (x, y) = coordinates.split_at(32);
        let crv = Some("P-256".to_owned());
        let (x, y) = (Some(encoded(x)), Some(encoded(y)));
        Self::new(Algorithm::ES256, JsonWebKey { crv, x, y, ..of_type("EC") })
    }

    pub(crate) fn ed25519(key: &[u8]) -> Result<Self, KeyError> {
        if key.len() != 32 || ParsedPublicKey::new(&ED25519, key).is_err() {
            return Err(KeyError::Damaged);
        }
        let (crv, x) = (Some("Ed25519".to_owned()), Some(encoded(key)));
        Self::new(Algorithm::EdDSA, JsonWebKey { crv, x, ..of_type("OKP") })
    }

    pub(crate) fn rsa(key: RsaPublicKeyComponents<Vec<u8>>) -> Result<Self, KeyError> {
        if !RSA_BITS.contains(&bits(&key.n)) {
            return Err(KeyError::RsaSize);
        }
        let (n, e) = (Some(encoded(&key.n)), Some(encoded(&key.e)));
        Self::new(Algorithm::RS256, JsonWebKey { n, e, ..of_type("RSA") })
    }

    /// The key whose members are these, with its id.
    fn new(algorithm: Algorithm, members: JsonWebKey) -> Result<Self, KeyError> {
        let kid = thumbprint(&members);
        if is_published(&kid) {
            return Err(KeyError::Example);
        }
        let alg = format!("{algorithm:?}");
        let published = JsonWebKey { kid, alg, key_use: "sig".to_owned(), ..members };
        // What checks tokens here is what others are told to check them with.
        let verifying =
            VerifyingKey::of_jwk(&json!(published), &[algorithm]).ok_or(KeyError::Damaged)?;
        Ok(Self(Arc::new(Inner { published, verifying })))
    }

    /// The key's id: its thumbprint (RFC 7638).
    pub fn id(&self) -> &str {
        self.0.verifying.id()
    }

    /// The algorithm of its signatures (RFC 7518, section 3.1; RFC 8037, section 3.1).
    pub fn algorithm(&self) -> &str {
        &self.0.published.alg
    }

    pub(crate) fn published(&self) -> JsonWebKey {
        self.0.published.clone()
    }

    pub(crate) fn verifying(&self) -> &VerifyingKey {
        &self.0.verifying
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn of_type(kty: &str) -> JsonWebKey {
    JsonWebKey { kty: kty.to_owned(), ..JsonWebKey::default() }
}

/// The hash of the members that make the key, in the order of their names, without spaces
/// (RFC 7638, section 3).
fn thumbprint(key: &JsonWebKey) -> String {
    let JsonWebKey { kty, crv, x, y, n, e, .. } = key;
    let members = [
        ("crv", crv.as_deref()),
        ("e", e.as_deref()),
        ("kty", Some(kty.as_str())),
        ("n", n.as_deref()),
        ("x", x.as_deref()),
        ("y", y.as_deref()),
    ];
    let members: BTreeMap<_, _> =
        members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    encoded(digest::digest(&digest::SHA256, json!(members).to_string().as_bytes()).as_ref())
}
