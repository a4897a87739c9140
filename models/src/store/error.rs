use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Why the store did not do it. Nothing in here may be shown to a client but the variant.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else was there first: the item exists already, or has changed since it was read.
    /// In a [`WriteSet`](super::WriteSet) `write` is the place of the first write that lost.
    #[error("write {write} lost a race")]
    Conflict {
        /// Counted from 0, in the order in which the writes were added.
        write: usize,
    },
    /// The item is not as the request's [`Precondition`](super::Precondition) says.
    #[error("the item is not as the request says")]
    PreconditionFailed,
    /// The cursor is changed, of another listing or person, or older than a day.
    #[error("the cursor does not belong to this listing")]
    InvalidCursor,
    /// What a stored item says is not what this entity can be read from. serde's own sentence
    /// would quote the value, so it is left out.
    #[error("a stored {kind} cannot be read at {field}")]
    Unreadable {
        /// The entity's kind.
        kind: &'static str,
        /// The first attribute that does not fit, or the name of the one that is missing.
        field: String,
    },
    /// More than DynamoDB takes: 400 KB in one item, or 4 MB or 100 items together.
    #[error("an item is larger than it may be, or there is more than can be written together")]
    TooLarge,
    /// DynamoDB takes no such request: a mistake of ours.
    #[error("the table refused what it was asked: {0}")]
    Refused(String),
    /// The entity says another owner than the repository it was given to, or has become another
    /// one by a change.
    #[error("a {kind} of somebody else was to be written")]
    ForeignOwner {
        /// The entity's kind.
        kind: &'static str,
    },
    /// Throttled, out of time, not reachable, denied: whether the write happened is unknown.
    #[error("the table did not answer: {0}")]
    Unavailable(String),
}

impl Error {
    /// An answer of the SDK that no operation gives a meaning of its own. Told by its `Display`
    /// and code alone: its `Debug` holds the answer, and with it whatever was stored.
    pub(super) fn unavailable<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug + 'static,
    {
        // What is behind a request that could not be made quotes the request, and with it what was
        // to be stored.
        let quotes = match error {
            SdkError::ConstructionFailure(_) => true,
            SdkError::DispatchFailure(failure) => !failure.is_io() && !failure.is_timeout(),
            _ => false,
        };
        let mut text = if quotes { error.to_string() } else { crate::causes(error) };
        if let Some(code) = error.code() {
            text += &format!(" ({code})");
        }
        match error.code() {
            Some("ValidationException") => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}
