//! Public keys as key sets publish them (RFC 7517), and what makes one usable.

use std::ops::RangeInclusive;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

/// An RSA key of fewer bits is too weak (RFC 7518, section 3.3), and one of more would cost every
/// request dear.
pub(crate) const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// Checks signatures of the algorithms that its type and its owner allow.
pub(crate) struct VerifyingKey {
    id: String,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Members of a JSON Web Key that are read. `x5u`, `x5c` and the like are not.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: String,
    #[serde(rename = "use")]
    key_use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl VerifyingKey {
    /// The key of this JWK for those of the `allowed` algorithms that fit it. None when it is
    /// unusable: without an id, for another use, operation or algorithm, of another type, or weak.
    pub(crate) fn of_jwk(jwk: &Value, allowed: &[Algorithm]) -> Option<Self> {
        let jwk = Jwk::deserialize(jwk).ok()?;
        let for_signatures = jwk.key_use.as_deref().is_none_or(|key_use| key_use == "sig");
        let verifies = jwk.key_ops.as_ref().is_none_or(|ops| ops.iter().any(|op| op == "verify"));
        let algorithms: Vec<_> = allowed
            .iter()
            .copied()
            .filter(|algorithm| jwk.alg.as_deref().is_none_or(|alg| alg == name(*algorithm)))
            .filter(|algorithm| fits(*algorithm, &jwk.kty, jwk.crv.as_deref()))
            .collect();
        if !for_signatures || !verifies || algorithms.is_empty() {
            return None;
        }
        let key = match jwk.kty.as_str() {
            "RSA" => rsa(&jwk)?,
            "EC" => DecodingKey::from_ec_components(&jwk.x?, &jwk.y?).ok()?,
            _ => DecodingKey::from_ed_components(&jwk.x?).ok()?,
        };
        Some(Self { id: jwk.kid, algorithms, key })
    }

    /// The key's `kid`.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Whether `signature`, in base64url, is one of `message` by this key and algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &str) -> bool {
        self.algorithms.contains(&algorithm)
            && crypto::verify(signature, message, &self.key, algorithm).unwrap_or(false)
    }
}

fn rsa(jwk: &Jwk) -> Option<DecodingKey> {
    let (n, e) = (jwk.n.as_deref()?, jwk.e.as_deref()?);
    let modulus = URL_SAFE_NO_PAD.decode(n).ok()?;
    if !RSA_BITS.contains(&bits(&modulus)) {
        return None;
    }
    DecodingKey::from_rsa_components(n, e).ok()
}

/// How many bits this number has, most significant byte first.
pub(crate) fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros).map_or(0, |first| (number.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// The algorithm's name (RFC 7518, section 3.1).
fn name(algorithm: Algorithm) -> String {
    format!("{algorithm:?}")
}

/// Whether a key of this type and curve is one for the algorithm (RFC 7518, section 3.1; RFC 8037).
fn fits(algorithm: Algorithm, kty: &str, crv: Option<&str>) -> bool {
    match algorithm {
        Algorithm::ES256 => kty == "EC" && crv == Some("P-256"),
        Algorithm::ES384 => kty == "EC" && crv == Some("P-384"),
        Algorithm::EdDSA => kty == "OKP" && crv == Some("Ed25519"),
        Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512 => kty == "RSA",
        Algorithm::PS256 | Algorithm::PS384 | Algorithm::PS512 => kty == "RSA",
        _ => false,
    }
}

#[cfg(test)]
mod wycheproof;
