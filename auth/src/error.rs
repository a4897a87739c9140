use std::time::Duration;

use models::store;

/// Why a request's token does not say who is asking. The codes of RFC 6750 are in brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// There is no bearer token.
    #[error("no bearer token")]
    Missing,
    /// It was good once (`invalid_token`): refresh and try again.
    #[error("the token has expired")]
    Expired,
    /// It is not one of ours, or not for this API (`invalid_token`).
    #[error("the token is not valid")]
    Invalid,
    /// It may be good: the keys of its issuer cannot be had. Try again in a moment.
    #[error("the keys of the token's issuer cannot be had")]
    Unavailable,
}

/// Why nobody was registered or signed in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another account has the address.
    #[error("the address is taken")]
    EmailTaken,
    /// No account has this address and password. Which of the two is wrong is not said.
    #[error("address and password do not match")]
    WrongCredentials,
    /// The password that is to be changed is another one.
    #[error("the current password is another one")]
    WrongPassword,
    /// The refresh token leads to no session: it ended, was signed out, or was revoked because
    /// an old token came back. The person must sign in again.
    #[error("the session has ended")]
    SessionEnded,
    /// Another issuer knows the caller: there is no account of ours, nor a session.
    #[error("the caller has no account here")]
    NoAccount,
    /// The account is suspended: neither new tokens nor a new session, until it is resumed.
    #[error("the account is suspended")]
    Suspended,
    /// Asked too often; try again after so long.
    #[error("asked too often")]
    TooOften(Duration),
    /// More at once than can be done; try again in a moment.
    #[error("too many hashes at once")]
    Busy,
    /// The key that signs cannot be had where it is kept; the text is for the log.
    #[error("the signing key cannot be had: {0}")]
    NoSigningKey(String),
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Something that never fails did; the text is for the log.
    #[error("{0}")]
    Internal(String),
}
