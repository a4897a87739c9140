use super::Error;

/// What a request says must be true of an item for the request to be done (RFC 9110, section 13).
/// A handler gets it by naming it in its signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Precondition {
    /// It says nothing.
    #[default]
    None,
    /// It is there.
    Exists,
    /// It is there, and its last change is one of these.
    Versions(Vec<u64>),
    /// It is not there.
    Absent,
}

impl Precondition {
    /// Hold it against the item's version, where there is an item.
    ///
    /// # Errors
    /// [`Error::PreconditionFailed`].
    pub fn check(&self, version: Option<u64>) -> Result<(), Error> {
        let holds = match (self, version) {
            (Self::None, _) => true,
            (Self::Exists, version) => version.is_some(),
            (Self::Versions(wanted), Some(version)) => wanted.contains(&version),
            (Self::Versions(_), None) => false,
            (Self::Absent, version) => version.is_none(),
        };
        if holds { Ok(()) } else { Err(Error::PreconditionFailed) }
    }
}
