//! The public keys that check our access tokens (RFC 7517).

use crate::view;

/// A JSON Web Key Set (RFC 7517, section 5).
#[view]
pub struct KeySet {
    /// Every key that signs tokens which are still good.
    pub keys: Vec<PublicKey>,
}

/// An elliptic curve public key (RFC 7518, section 6.2).
#[view]
#[derive(Clone)]
pub struct PublicKey {
    /// The key type, `EC`.
    #[schema(examples("EC"))]
    pub kty: String,
    /// The curve, `P-256`.
    #[schema(examples("P-256"))]
    pub crv: String,
    /// The point's first coordinate, base64url.
    pub x: String,
    /// The point's second coordinate, base64url.
    pub y: String,
    /// The key's id: its thumbprint (RFC 7638).
    pub kid: String,
    /// The algorithm, `ES256`.
    #[schema(examples("ES256"))]
    pub alg: String,
    /// What the key is for, `sig`.
    #[serde(rename = "use")]
    #[schema(examples("sig"))]
    pub key_use: String,
}

impl PublicKey {
    /// The ES256 key at this point of P-256.
    pub fn p256(kid: String, x: String, y: String) -> Self {
        Self {
            kty: "EC".to_owned(),
            crv: "P-256".to_owned(),
            x,
            y,
            kid,
            alg: "ES256".to_owned(),
            key_use: "sig".to_owned(),
        }
    }
}
