use std::fmt::Display;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Id, store::Entity};

/// The two parts of an item's primary key, `pk` and `sk`. Every layout of the table is here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub(super) partition: String,
    pub(super) sort: String,
}

impl Key {
    /// Something that a person owns: `ACCOUNT#<owner>` / `<KIND>#<id>`. There is no way to name
    /// such a thing without naming its owner.
    pub fn owned<E: Entity>(owner: Id, id: impl Display) -> Self {
        Self { partition: owner_partition(owner), sort: format!("{}#{id}", E::KIND) }
    }

    /// A value that may exist once in the whole table, such as an e-mail address:
    /// `UNIQUE#<KIND>#<hash>`. Hashed, because keys show up in CloudTrail and Contributor
    /// Insights, where a person's data has no business.
    pub fn unique<E: Entity>(value: &str) -> Self {
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, value.as_bytes()));
        Self { partition: format!("UNIQUE#{}#{hash}", E::KIND), sort: "UNIQUE".to_owned() }
    }
}

pub(super) fn owner_partition(owner: Id) -> String {
    format!("ACCOUNT#{owner}")
}
