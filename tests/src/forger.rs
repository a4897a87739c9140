//! Tokens made by hand, with a right key or a wrong one.

use auth::SigningKey;
use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair},
};
use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use serde_json::{Value, json};

use crate::Client;

/// Makes tokens from somebody's own: the same claims, signed with the key of the world or not.
pub struct Forger {
    key: EcdsaKeyPair,
    /// The header of the token.
    pub header: Value,
    /// Its claims.
    pub claims: Value,
}

impl Forger {
    /// One who has the key, a P-256 one, and has seen the client's token.
    ///
    /// # Panics
    /// When the key is of another kind, or nobody is signed in.
    pub fn new(key: &SigningKey, client: &Client) -> Self {
        let parts: Vec<_> = client.token().split('.').collect();
        let read = |part: &str| serde_json::from_slice(&decoded(part)).expect("a token is JSON");
        let pkcs8 = der(&key.to_pem());
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8);
        let key = key.expect("a P-256 key");
        Self { key, header: read(parts[0]), claims: read(parts[1]) }
    }

    /// A token of this header and these claims, whatever they are.
    pub fn token(&self, header: impl AsRef<[u8]>, claims: impl AsRef<[u8]>) -> String {
        let message = format!("{}.{}", encoded(header), encoded(claims));
        format!("{message}.{}", encoded(self.sign(&message)))
    }

    /// The good token with this in its header.
    pub fn header_with(&self, name: &str, value: Value) -> String {
        self.token(with(&self.header, name, value).to_string(), self.claims.to_string())
    }

    /// The good token without this in its header.
    pub fn header_without(&self, name: &str) -> String {
        self.token(without(&self.header, name).to_string(), self.claims.to_string())
    }

    /// The good token with this claim.
    pub fn claim(&self, name: &str, value: Value) -> String {
        self.token(self.header.to_string(), with(&self.claims, name, value).to_string())
    }

    /// The good token with this claim written so, be it JSON or not.
    pub fn claim_written(&self, name: &str, text: &str) -> String {
        let claims = with(&self.claims, name, json!("{here}")).to_string();
        self.token(self.header.to_string(), claims.replacen("\"{here}\"", text, 1))
    }

    /// The good token without this claim.
    pub fn claim_without(&self, name: &str) -> String {
        self.token(self.header.to_string(), without(&self.claims, name).to_string())
    }

    /// The signature of this message, `r || s`.
    ///
    /// # Panics
    /// Never.
    pub fn sign(&self, message: &str) -> Vec<u8> {
        let signature = self.key.sign(&SystemRandom::new(), message.as_bytes());
        signature.expect("the key signs").as_ref().to_vec()
    }

    /// The public key as a point, `04 || x || y`.
    pub fn point(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }
}

/// The object with this member.
///
/// # Panics
/// When it is none.
pub fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").insert(name.to_owned(), value);
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").remove(name).expect("it is there");
    object
}

/// Unpadded base64url.
pub fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of unpadded base64url.
///
/// # Panics
/// When it is something else.
pub fn decoded(text: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

/// What a PEM block holds.
///
/// # Panics
/// When it is none.
pub fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----")).collect::<String>();
    BASE64_STANDARD.decode(lines).expect("a PEM is base64")
}

/// A PEM block.
pub fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

/// A new RSA key of 2048 bits, which signs RS256.
///
/// # Panics
/// Never.
pub fn rsa_key() -> SigningKey {
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("the random source never fails");
    let pkcs8: Pkcs8V1Der<'_> = pair.as_der().expect("a fresh key can be written");
    SigningKey::from_pem(&pem("PRIVATE KEY", pkcs8.as_ref())).expect("a fresh key is a good key")
}

/// A new Ed25519 key, which signs EdDSA.
///
/// # Panics
/// Never.
pub fn ed25519_key() -> SigningKey {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let pkcs8 = pkcs8.expect("the random source never fails");
    SigningKey::from_pem(&pem("PRIVATE KEY", pkcs8.as_ref())).expect("a fresh key is a good key")
}
