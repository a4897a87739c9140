use std::fmt;

use lambda_runtime::Diagnostic;

/// Why nothing was done with an event. It is an error of the invocation, so AWS acknowledges none
/// of the event's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is not what its source sends.
    Malformed(String),
    /// Nobody has declared a handler for it.
    Undeclared(String),
    /// Records of a source that takes no list of them in an answer were not handled.
    Failed {
        /// How many.
        failed: usize,
        /// Of how many.
        records: usize,
    },
    /// The failures that were to be replayed cannot be reached.
    Unreachable(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the event is malformed: {why}"),
            Self::Undeclared(what) => write!(f, "no module has declared a handler for {what}"),
            Self::Failed { failed, records } => {
                write!(f, "{failed} of {records} records were not handled")
            }
            Self::Unreachable(why) => write!(f, "the failures cannot be reached: {why}"),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Refused> for Diagnostic {
    fn from(refused: Refused) -> Self {
        let error_type = match refused {
            Refused::Malformed(_) => "MalformedEvent",
            Refused::Undeclared(_) => "UndeclaredEvent",
            Refused::Failed { .. } => "RecordsFailed",
            Refused::Unreachable(_) => "FailuresUnreachable",
        };
        Self { error_type: error_type.to_owned(), error_message: refused.to_string() }
    }
}
