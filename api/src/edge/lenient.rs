//! Events are read leniently: a field of a wrong type is as good as absent, and never the end of
//! the request that it came with.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// A field that may be absent, null, or not what it should be.
pub(super) struct Lenient<T>(pub(super) Option<T>);

/// Names with one value each, as `headers` is.
pub(super) type Single = Lenient<BTreeMap<String, Lenient<String>>>;

/// Names with several values each, as `multiValueHeaders` is.
pub(super) type Multiple = Lenient<BTreeMap<String, Lenient<Vec<Lenient<String>>>>>;

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

/// All pairs. Several values win over one: where a source sends both, the one is the last of the
/// several.
pub(super) fn pairs(multiple: Multiple, single: Single) -> Vec<(String, String)> {
    let Some(multiple) = multiple.0.filter(|multiple| !multiple.is_empty()) else {
        let single = single.0.unwrap_or_default().into_iter();
        return single.filter_map(|(name, value)| Some((name, value.0?))).collect();
    };
    multiple
        .into_iter()
        .flat_map(|(name, values)| {
            let values = values.0.unwrap_or_default().into_iter();
            values.filter_map(move |value| Some((name.clone(), value.0?)))
        })
        .collect()
}
