use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};
use uuid::{Builder, Uuid, fmt::Hyphenated};

use crate::Timestamp;

/// The id of anything: a UUID of version 7 (RFC 9562), so ids sort by the time of their making;
/// or one of version 8 for what is known elsewhere under another name, and then it does not sort.
/// Written in lower case with hyphens. Read in any case, since some clients write UUIDs in upper
/// case; without hyphens or in braces it is not an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(Uuid);

/// The text is not an [`Id`].
#[derive(Debug, thiserror::Error)]
#[error("must be a UUID with hyphens")]
pub struct InvalidId;

impl Id {
    pub(crate) fn from_parts(made_at: Timestamp, random: &[u8; 10]) -> Self {
        let millis = made_at.unix_millis().unsigned_abs();
        Self(Builder::from_unix_timestamp_millis(millis, random).into_uuid())
    }

    /// The id of what has this hash: a UUID of version 8 (RFC 9562, section 5.8), so it is never
    /// one that was made here. 122 bits of the hash are in it.
    pub fn from_hash(hash: [u8; 16]) -> Self {
        Self(Builder::from_custom_bytes(hash).into_uuid())
    }

    /// The 16 bytes of the id, for places where text would be long.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// The id of these bytes, whatever they are: for ids that were [`as_bytes`](Self::as_bytes).
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for Id {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let id = Uuid::try_parse(text).map_err(|_| InvalidId)?;
        if text.len() == Hyphenated::LENGTH { Ok(Self(id)) } else { Err(InvalidId) }
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("A UUID in lower case with hyphens; those that the server makes sort by time (RFC 9562)."))
            .format(Some(SchemaFormat::Custom("uuid".to_owned())))
            .examples([serde_json::json!("019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d")])
            .into()
    }
}

impl ToSchema for Id {}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn is_read_in_any_case_and_written_in_one() {
        let text = "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d";
        for spelling in [text, &text.to_uppercase()] {
            assert_eq!(spelling.parse::<Id>().unwrap().to_string(), text);
        }

        for other in [
            "019ab3c57a107c3e9d4f2b8e6a1f0c5d",
            "{019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d}",
            "urn:uuid:019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d",
            "019ab3c5",
            "",
        ] {
            assert!(other.parse::<Id>().is_err(), "{other}");
        }
    }
}
