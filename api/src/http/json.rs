//! Whether a text is JSON at all, told apart from whether it is the JSON that a request wants:
//! the first is 400, the second 422.

use std::{collections::HashSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Reads the whole text and keeps nothing. Refuses what RFC 8259 leaves to the reader and what
/// readers then disagree on: a key twice, nesting beyond 127 levels, numbers beyond a double,
/// lone surrogates.
///
/// # Errors
/// A sentence for the client. It names line and column, never a value.
pub(crate) fn check_syntax(text: &[u8]) -> Result<(), String> {
    if text.is_empty() {
        return Err("The body is empty.".to_owned());
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    Anything.deserialize(&mut json).and_then(|()| json.end()).map_err(|error| {
        match error.to_string() {
            deep if deep.starts_with("recursion") => "It is nested deeper than 127 levels.".into(),
            why => format!("The body is not well-formed: {why}."),
        }
    })
}

struct Anything;

impl<'de> DeserializeSeed<'de> for Anything {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Anything {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Anything)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let mut keys = HashSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("a key stands twice in one object"));
            }
            entries.next_value_seed(Anything)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::check_syntax;

    #[test]
    fn takes_what_is_json() {
        let deep = format!("{}{}", "[".repeat(127), "]".repeat(127));
        for text in ["{}", " [1, -2.5, null, true, \"\\u00e9\"] ", "\"text\"", deep.as_str()] {
            assert_eq!(check_syntax(text.as_bytes()), Ok(()), "{text}");
        }
    }

    #[test]
    fn refuses_what_readers_disagree_on() {
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
        let cases: &[(&[u8], &str)] = &[
            (b"", "empty"),
            (b"{", "EOF"),
            (b"{} x", "trailing characters"),
            (b"{\"a\":1,\"a\":2}", "a key stands twice"),
            (b"[{\"a\":{\"b\":1,\"b\":1}}]", "a key stands twice"),
            (deep.as_bytes(), "nested deeper"),
            (b"1e999", "number out of range"),
            (b"\"\\ud800\"", "hex escape"),
            (b"\"\xff\"", "unicode"),
            (b"\"a\0b\"", "control character"),
            (b"NaN", "expected"),
            (b"\xef\xbb\xbf{}", "expected value"),
        ];
        for (text, why) in cases {
            let told = check_syntax(text).unwrap_err();
            assert!(told.contains(why), "{told:?} does not say {why:?}");
        }
    }
}
