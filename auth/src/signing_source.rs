use crate::{Error, KeptKey, SigningKey};

/// Where the key that signs comes from. Nothing else needs it: tokens are checked, and keys
/// published, with public keys alone.
#[derive(Clone, Debug)]
pub enum SigningSource {
    /// It is here.
    InHand(SigningKey),
    /// AWS keeps it. Its public half must be among the settings' public keys.
    Kept(KeptKey),
}

impl SigningSource {
    /// The key, at the moment when something is to be signed.
    ///
    /// # Errors
    /// `NoSigningKey` when it cannot be had, or is not one whose tokens are accepted.
    pub(crate) async fn key(
        &self,
        is_accepted: impl FnOnce(&str) -> bool,
    ) -> Result<SigningKey, Error> {
        match self {
            Self::InHand(key) => Ok(key.clone()),
            Self::Kept(key) => key.get(is_accepted).await,
        }
    }

    /// The key, if it is here. Its public half is then known without asking.
    pub fn in_hand(&self) -> Option<&SigningKey> {
        match self {
            Self::InHand(key) => Some(key),
            Self::Kept(_) => None,
        }
    }
}

impl From<SigningKey> for SigningSource {
    fn from(key: SigningKey) -> Self {
        Self::InHand(key)
    }
}

impl From<KeptKey> for SigningSource {
    fn from(key: KeptKey) -> Self {
        Self::Kept(key)
    }
}
