use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

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
    /// The cursor is changed, of another listing or person, or older than a day.
    #[error("the cursor does not belong to this listing")]
    InvalidCursor,
    /// What a stored item says is not what this entity can be read from. serde's own sentence
    /// would quote the value, so it is left out.
    #[error("a stored {kind} cannot be read at {field}")]
    Unreadable {
        /// The entity's kind.
        kind: &'static str,
        /// The first attribute that does not fit, or `.` when one is missing.
        field: String,
    },
    /// Throttled, out of time, not reachable, denied: whether the write happened is unknown.
    #[error("the table did not answer: {0}")]
    Unavailable(String),
}

impl Error {
    /// The answer to a conditional write of one item.
    pub(super) fn of_condition<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        R: std::fmt::Debug,
    {
        match error.code() {
            Some("ConditionalCheckFailedException") => Self::Conflict { write: 0 },
            _ => Self::unavailable(error),
        }
    }

    /// An answer of the SDK that no operation gives a meaning of its own.
    pub(super) fn unavailable<E, R>(error: &SdkError<E, R>) -> Self
    where
        E: std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        Self::Unavailable(DisplayErrorContext(error).to_string())
    }
}
