use crate::{Error, SigningKey};

/// Where the key that signs comes from. Nothing else needs it: tokens are checked, and keys
/// published, with public keys alone.
#[derive(Clone, Debug)]
pub enum SigningSource {
    /// It is here.
    InHand(SigningKey),
}

impl SigningSource {
    /// The key, at the moment when something is to be signed.
    pub(crate) async fn key(&self) -> Result<SigningKey, Error> {
        match self {
            Self::InHand(key) => Ok(key.clone()),
        }
    }

    /// The key, if it is here. Its public half is then known without asking.
    pub fn in_hand(&self) -> Option<&SigningKey> {
        match self {
            Self::InHand(key) => Some(key),
        }
    }
}

impl From<SigningKey> for SigningSource {
    fn from(key: SigningKey) -> Self {
        Self::InHand(key)
    }
}
