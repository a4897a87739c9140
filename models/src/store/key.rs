use std::fmt::Display;

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::{Id, Timestamp, store::Entity};

/// The two parts of an item's primary key, `pk` and `sk`. Every layout of the table is here.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    pub(super) partition: String,
    pub(super) sort: String,
}

impl Key {
    /// The kind of what is there, by the layout of the table.
    pub(super) fn kind(&self) -> &str {
        let named = if is_owned(&self.partition) { Some(self.sort.as_str()) } else { None };
        let named = named.or_else(|| self.partition.split_once('#').map(|(_, rest)| rest));
        named.and_then(|text| text.split('#').next()).unwrap_or_default()
    }

    /// Something that a person owns: `ACCOUNT#<owner>` / `<KIND>#<id>`. There is no way to name
    /// such a thing without naming its owner.
    pub fn owned<E: Entity>(owner: Id, id: impl Display) -> Self {
        Self { partition: owner_partition(owner), sort: format!("{}#{id}", E::KIND) }
    }

    /// A value that may exist once in the whole table, such as an e-mail address:
    /// `UNIQUE#<KIND>#<hash>`. Hashed, because keys show up in CloudTrail and Contributor
    /// Insights, where a person's data has no business.
    pub fn unique<E: Entity>(value: &str) -> Self {
        let hash = hash(value.as_bytes());
        Self { partition: format!("UNIQUE#{}#{hash}", E::KIND), sort: "UNIQUE".to_owned() }
    }

    /// Something of the app's own that is found among all of its kind: `LIST#<KIND>` / `<KIND>#<id>`.
    /// They share a partition, so they are few and small.
    pub(crate) fn listed<E: Entity>(id: impl Display) -> Self {
        Self { partition: format!("LIST#{}", E::KIND), sort: format!("{}#{id}", E::KIND) }
    }

    /// A counter of one kind, of what these texts name together, for the window of time that
    /// begins then: `LIMIT#<kind>#<hash>#<window>`. A partition each, so that a flood at one is
    /// felt at no other. Hashed for the reason above; who reads the table can still find an IPv4
    /// address by trying all of them.
    pub fn counter(kind: &str, of: &[&str], window: Timestamp) -> Self {
        // None of them contains U+0000, so no two lists make the same bytes.
        let hash = hash(of.join("\0").as_bytes());
        let window = window.unix_seconds();
        Self { partition: format!("LIMIT#{kind}#{hash}#{window}"), sort: "LIMIT".to_owned() }
    }
}

/// A value by which items are found that are not known by their keys: the partition of the table's
/// one index. An entity says its own with [`Entity::lookup`]. The value is hashed, as above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup(pub(super) String);

impl Lookup {
    /// Among what a person owns of this kind, such as the order of a number:
    /// `ACCOUNT#<owner>#<KIND>#<by>#<hash>`.
    pub fn of_owner<E: Entity>(owner: Id, by: &str, value: &str) -> Self {
        let hash = hash(value.as_bytes());
        Self(format!("{}#{}#{by}#{hash}", owner_partition(owner), E::KIND))
    }

    /// Among everybody's things of this kind, such as what a payment provider knows under a number
    /// of its own: `LOOKUP#<KIND>#<by>#<hash>`.
    pub fn of_all<E: Entity>(by: &str, value: &str) -> Self {
        Self(format!("LOOKUP#{}#{by}#{}", E::KIND, hash(value.as_bytes())))
    }
}

pub(crate) fn hash(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, bytes))
}

pub(super) fn owner_partition(owner: Id) -> String {
    format!("{OWNED}{owner}")
}

/// Whether somebody owns what is in this partition.
pub(super) fn is_owned(partition: &str) -> bool {
    partition.starts_with(OWNED)
}

/// Who owns what is in this partition.
pub(super) fn owner_of(partition: &str) -> Option<Id> {
    partition.strip_prefix(OWNED)?.parse().ok()
}

const OWNED: &str = "ACCOUNT#";

#[cfg(test)]
mod tests {
    use super::Key;
    use crate::Timestamp;

    #[test]
    fn of_a_counter_names_nobody() {
        let window = Timestamp::from_unix_millis(1_795_365_000_000);
        let key = |of: &[&str]| Key::counter("SIGN_IN_PER_PAIR", of, window).partition;

        let made = key(&["maya@example.com", "192.0.2.7"]);

        let rest = made.strip_prefix("LIMIT#SIGN_IN_PER_PAIR#").unwrap();
        let hash = rest.strip_suffix("#1795365000").unwrap();
        assert_eq!(hash.len(), 43, "SHA-256 in base64url: {hash}");
        for other in [&["maya@example.com", "192.0.2.8"][..], &["maya@example.com192.0.2.7"], &[]] {
            assert_ne!(key(other), made, "{other:?}");
        }
    }
}
