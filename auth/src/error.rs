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
    /// The refresh token leads to no session: it ended, was signed out, or was revoked because
    /// an old token came back. The person must sign in again.
    #[error("the session has ended")]
    SessionEnded,
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Something that never fails did; the text is for the log.
    #[error("{0}")]
    Internal(String),
}
