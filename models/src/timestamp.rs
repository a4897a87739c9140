use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use time::{OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat, schema::Type},
};

/// An instant in UTC with milliseconds, written `2026-11-22T16:30:00.000Z` everywhere: on the
/// wire, in the table and in logs. The text sorts as the instant does. Read with any offset and
/// precision (RFC 3339); what is finer than a millisecond is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// The text is not an RFC 3339 instant of the years 1970 to 9999.
#[derive(Debug, thiserror::Error)]
#[error("must be a timestamp such as 2026-11-22T16:30:00.000Z")]
pub struct InvalidTimestamp;

/// The last millisecond of the year 9999, the end of RFC 3339.
const LAST: i64 = 253_402_300_799_999;

impl Timestamp {
    /// The instant so many milliseconds after 1970-01-01; instants outside the years 1970 to
    /// 9999 are moved to the nearest end.
    pub fn from_unix_millis(millis: i64) -> Self {
        Self(millis.clamp(0, LAST))
    }

    /// Milliseconds since 1970-01-01.
    pub fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970-01-01, rounded down: the unit of JWT claims and DynamoDB TTL.
    pub fn unix_seconds(self) -> i64 {
        self.0 / 1000
    }

    /// The instant `span` later.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        let millis = i64::try_from(span.as_millis()).unwrap_or(LAST);
        Self::from_unix_millis(self.0.saturating_add(millis))
    }

    /// How long after `earlier` this is; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let format = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .map_err(|_| fmt::Error)?
            .format(&format)
            .map_err(|_| fmt::Error)
            .and_then(|text| f.write_str(&text))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let instant = OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp)?;
        let millis = instant.unix_timestamp_nanos().div_euclid(1_000_000);
        i64::try_from(millis)
            .ok()
            .filter(|millis| (0..=LAST).contains(millis))
            .map(Self)
            .ok_or(InvalidTimestamp)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("An instant in UTC with milliseconds (RFC 3339)."))
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .examples([serde_json::json!("2026-11-22T16:30:00.000Z")])
            .into()
    }
}

impl ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn writes_utc_with_milliseconds() {
        let instant = Timestamp::from_unix_millis(1_795_365_000_007);

        assert_eq!(instant.to_string(), "2026-11-22T16:30:00.007Z");
        assert_eq!("2026-11-22T16:30:00.007Z".parse::<Timestamp>().unwrap(), instant);
    }

    #[test]
    fn reads_any_offset_and_precision() {
        for text in ["2026-11-22T17:30:00.0079+01:00", "2026-11-22t16:30:00.007z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().unix_millis(), 1_795_365_000_007);
        }
    }

    #[test]
    fn refuses_what_is_no_instant() {
        for text in ["2026-11-22", "", "2026-02-30T00:00:00Z", "2026-11-22T16:30:00", "now"] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn stays_inside_the_years_that_rfc_3339_can_say() {
        assert_eq!(Timestamp::from_unix_millis(-1).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_unix_millis(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
    }
}
