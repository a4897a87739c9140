//! Refresh tokens: opaque to everybody else, and a chain to us. Each token leads to its successor
//! by an HMAC under the family's salt, so the table, which keeps a hash of the newest one, can
//! tell whether an older token is genuine and can repeat an answer that a phone has lost.

use aws_lc_rs::{
    digest::{SHA256, digest},
    hmac,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use models::{Id, platform::session::Session};

type Secret = [u8; 32];

/// A token's parts: whose, of which session, how many exchanges old the family was, the secret.
pub(crate) struct RefreshToken {
    pub(crate) account: Id,
    pub(crate) session: Id,
    generation: u32,
    secret: Secret,
}

/// What a token that was presented is to its session.
pub(crate) enum Standing {
    /// The newest one: exchange it.
    Newest,
    /// The one before, and its successor has not been used: the phone lost the answer.
    Previous,
    /// Older: two parties hold tokens of one family, and one of them should not.
    Older,
    /// Never a token of this session.
    Forged,
}

impl RefreshToken {
    /// The first token of a family.
    pub(crate) fn first(account: Id, session: Id, secret: Secret) -> Self {
        Self { account, session, generation: 0, secret }
    }

    pub(crate) fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(16 + 16 + 4 + 32);
        bytes.extend(self.account.as_bytes());
        bytes.extend(self.session.as_bytes());
        bytes.extend(self.generation.to_be_bytes());
        bytes.extend(self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (account, rest) = bytes.split_first_chunk()?;
        let (session, rest) = rest.split_first_chunk()?;
        let (generation, rest) = rest.split_first_chunk()?;
        Some(Self {
            account: Id::from_bytes(*account),
            session: Id::from_bytes(*session),
            generation: u32::from_be_bytes(*generation),
            secret: rest.try_into().ok()?,
        })
    }

    /// What the table keeps of the token.
    pub(crate) fn hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(digest(&SHA256, &self.secret))
    }

    /// The token that this one is exchanged for.
    pub(crate) fn successor(&self, salt: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
        let tag = hmac::sign(&key, &self.secret);
        let secret = tag.as_ref().try_into().expect("HMAC-SHA256 has 32 bytes");
        Self { generation: self.generation.saturating_add(1), secret, ..*self }
    }

    /// Follow the chain from this token: a genuine one arrives at the newest.
    pub(crate) fn standing(&self, session: &Session) -> Standing {
        let Some(age) = session.generation.checked_sub(self.generation) else {
            return Standing::Forged;
        };
        let mut token = Self { ..*self };
        for _ in 0..age {
            token = token.successor(&session.salt);
        }
        // Hashes of 256 random bits: how long the comparison takes tells nothing.
        match age {
            _ if token.hash() != session.secret_hash => Standing::Forged,
            0 => Standing::Newest,
            1 => Standing::Previous,
            _ => Standing::Older,
        }
    }
}
