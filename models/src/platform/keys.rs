//! The public keys that check our access tokens (RFC 7517), and where they are.

use crate::view;

/// A JSON Web Key Set (RFC 7517, section 5).
#[view]
pub struct KeySet {
    /// Every key that signs tokens which are still good.
    pub keys: Vec<JsonWebKey>,
}

/// A public key (RFC 7517, section 4). Which of the members a key has, its type says (RFC 7518,
/// section 6; RFC 8037, section 2).
#[view]
#[schema(examples(json!({
    "kty": "EC",
    "crv": "P-256",
    "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
    "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    "kid": "cn-I_WNMClehiVp51i_0VpOENW1upEerA8sEam5hn-s",
    "alg": "ES256",
    "use": "sig",
})))]
#[derive(Clone, Default)]
pub struct JsonWebKey {
    /// The key type: `EC`, `RSA` or `OKP`.
    #[schema(examples("EC"))]
    pub kty: String,
    /// The curve: `P-256` of an `EC` key, `Ed25519` of an `OKP` key.
    #[schema(examples("P-256"))]
    pub crv: Option<String>,
    /// The first coordinate of an `EC` key, or all of an `OKP` key, base64url.
    pub x: Option<String>,
    /// The second coordinate of an `EC` key, base64url.
    pub y: Option<String>,
    /// The modulus of an `RSA` key, base64url.
    pub n: Option<String>,
    /// The exponent of an `RSA` key, base64url.
    pub e: Option<String>,
    /// The key's id: its thumbprint (RFC 7638).
    pub kid: String,
    /// The algorithm: `ES256`, `RS256` or `EdDSA`.
    #[schema(examples("ES256"))]
    pub alg: String,
    /// What the key is for, `sig`.
    #[serde(rename = "use")]
    #[schema(examples("sig"))]
    pub key_use: String,
}

/// What others need to know of this issuer to check its tokens (OpenID Connect Discovery 1.0,
/// section 3). There is no authorization endpoint: people sign in with the app itself, at this API.
#[view]
pub struct OpenIdConfiguration {
    /// The `iss` of its tokens.
    #[schema(examples("https://api.example.com"))]
    pub issuer: String,
    /// Where its key set is.
    #[serde(rename = "jwks_uri")]
    #[schema(examples("https://api.example.com/.well-known/jwks.json"))]
    pub jwks_uri: String,
    /// The algorithms of its keys.
    #[serde(rename = "id_token_signing_alg_values_supported")]
    #[schema(examples("ES256"))]
    pub algorithms: Vec<String>,
    /// What can be had by redirecting a browser here: `none`.
    #[serde(rename = "response_types_supported")]
    #[schema(examples("none"))]
    pub response_types: Vec<String>,
    /// The `sub` of a person is the same for all who ask: `public`.
    #[serde(rename = "subject_types_supported")]
    #[schema(examples("public"))]
    pub subject_types: Vec<String>,
    /// The claims that its tokens may have.
    #[serde(rename = "claims_supported")]
    #[schema(examples("iss"))]
    pub claims: Vec<String>,
}
