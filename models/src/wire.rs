//! What holds for everything a client sends: how it is decoded, the rules that
//! [`request`](crate::request) writes checks for, and how broken ones are told.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::StringDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::Value;
use utoipa::ToSchema;
use validator::{Validate, ValidationError, ValidationErrors, ValidationErrorsKind};

use crate::view;

#[cfg(test)]
mod tests;

/// What a client is shown: every type that [`view`] stands on.
pub trait View: Serialize + ToSchema {
    /// Whether it is one resource with a `version` of its own, which its entity tag is made of.
    const VERSIONED: bool;

    /// The number of the resource's last change, where there is one.
    fn version(&self) -> Option<u64>;
}

/// What a check says of a value.
pub type Verdict = Result<(), ValidationError>;

/// The names that limits may have in an answer.
const LIMITS: [&str; 5] = ["min", "max", "equal", "exclusiveMin", "exclusiveMax"];

/// A rule that a value of a request breaks.
#[view]
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Where the value is: a JSON pointer (RFC 6901), such as `/tags/3`.
    #[schema(examples("/tags/3"))]
    pub pointer: String,
    /// The rule, for programs, such as `length`.
    #[schema(examples("length"))]
    pub code: String,
    /// The rule, for people.
    #[schema(examples("must have 1 to 30 characters"))]
    pub message: String,
    /// The numbers in the rule: `min`, `max`, `equal`, `exclusiveMin`, `exclusiveMax`.
    #[schema(value_type = std::collections::BTreeMap<String, f64>)]
    pub limits: BTreeMap<String, Value>,
}

/// All broken rules, by name within an object and by index within a list. The refused values are not
/// among what is told.
pub fn violations(errors: &ValidationErrors) -> Vec<Violation> {
    let mut found = Vec::new();
    visit(errors, "", &mut found);
    found
}

fn visit(errors: &ValidationErrors, parent: &str, found: &mut Vec<Violation>) {
    let fields: BTreeMap<_, _> = errors.errors().iter().collect();
    for (name, kind) in fields {
        let pointer = match name.as_ref() {
            "" => parent.to_owned(),
            name => format!("{parent}/{}", name.replace('~', "~0").replace('/', "~1")),
        };
        match kind {
            ValidationErrorsKind::Struct(errors) => visit(errors, &pointer, found),
            ValidationErrorsKind::List(items) => {
                for (index, errors) in items {
                    visit(errors, &format!("{pointer}/{index}"), found);
                }
            }
            ValidationErrorsKind::Field(errors) => {
                found.extend(errors.iter().map(|error| violation(&pointer, error)));
            }
        }
    }
}

fn violation(pointer: &str, error: &ValidationError) -> Violation {
    let limits = error
        .params
        .iter()
        .filter(|(name, value)| LIMITS.contains(&name.as_ref()) && value.is_number());
    Violation {
        pointer: pointer.to_owned(),
        code: error.code.to_string(),
        message: error.message.as_deref().unwrap_or("is not valid").to_owned(),
        limits: limits.map(|(name, value)| (name.to_string(), value.clone())).collect(),
    }
}

/// Adds to `errors` what the checks of one field refuse.
pub fn collect<const N: usize>(
    errors: &mut ValidationErrors,
    name: &'static str,
    verdicts: [Verdict; N],
) {
    for error in verdicts.into_iter().filter_map(Result::err) {
        errors.add(name, error);
    }
}

/// Adds to `errors` what the value of a field refuses by its own rules, unless the field is already
/// refused as a whole.
pub fn nested(errors: &mut ValidationErrors, name: &'static str, value: &impl Validate) {
    if !errors.errors().contains_key(name) {
        errors.merge_self(name, value.validate());
    }
}

/// Stops the build, by being ambiguous, at a field without `nested` whose type has rules of its own:
/// the schema would tell those rules and nothing would check them.
pub trait HasNoRulesOrSaysNested<A> {
    /// Something to name.
    const OK: bool = true;
}

impl<T> HasNoRulesOrSaysNested<()> for T {}
impl<T: Validate> HasNoRulesOrSaysNested<bool> for T {}

/// How many code points a text may have, as JSON Schema counts them.
pub fn characters(value: &str, limits: &[(&'static str, u64)]) -> Verdict {
    counted("length", "character", value.chars().count(), limits)
}

/// How many bytes a text may have in UTF-8.
pub fn bytes(value: &str, limits: &[(&'static str, u64)]) -> Verdict {
    counted("bytes", "byte", value.len(), limits)
}

/// How many items a list may have.
pub fn items<T>(value: &[T], limits: &[(&'static str, u64)]) -> Verdict {
    counted("length", "item", value.len(), limits)
}

/// Between what a number may be.
pub fn range<T>(value: &T, limits: &[(&'static str, T)]) -> Verdict
where
    T: Copy + PartialOrd + Into<Value>,
{
    within(*value, limits).map_err(|span| {
        let message = format!("must be {span}");
        limited(refused("range", message), limits)
    })
}

fn counted(
    code: &'static str,
    unit: &str,
    count: usize,
    limits: &[(&'static str, u64)],
) -> Verdict {
    within(count as u64, limits).map_err(|span| {
        let plural = if limits.iter().all(|(_, limit)| *limit == 1) { "" } else { "s" };
        limited(refused(code, format!("must have {span} {unit}{plural}")), limits)
    })
}

/// Says in words what `value` should have been.
fn within<T>(value: T, limits: &[(&'static str, T)]) -> Result<(), String>
where
    T: Copy + PartialOrd + Into<Value>,
{
    let holds = limits.iter().all(|(name, limit)| match *name {
        "min" => value >= *limit,
        "max" => value <= *limit,
        "exclusiveMin" => value > *limit,
        "exclusiveMax" => value < *limit,
        _ => value == *limit,
    });
    if holds { Ok(()) } else { Err(words(limits)) }
}

fn words<T: Copy + Into<Value>>(limits: &[(&'static str, T)]) -> String {
    if let [("min", min), ("max", max)] = limits {
        return format!("{} to {}", (*min).into(), (*max).into());
    }
    let part = |(name, limit): &(&str, T)| {
        let word = match *name {
            "min" => "at least",
            "max" => "at most",
            "exclusiveMin" => "more than",
            "exclusiveMax" => "less than",
            _ => "exactly",
        };
        format!("{word} {}", (*limit).into())
    };
    limits.iter().map(part).collect::<Vec<_>>().join(" and ")
}

fn limited<T: Copy + Into<Value>>(
    mut error: ValidationError,
    limits: &[(&'static str, T)],
) -> ValidationError {
    error.params.extend(limits.iter().map(|(name, limit)| ((*name).into(), (*limit).into())));
    error
}

fn refused(
    code: &'static str,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> ValidationError {
    ValidationError::new(code).with_message(message.into())
}

/// Two fields must be equal; `other` is the name of the second.
pub fn same(equal: bool, other: &str) -> Verdict {
    if equal { Ok(()) } else { Err(refused("must_match", format!("must be the same as {other}"))) }
}

/// Refuses U+0000.
pub fn no_nul(value: &str) -> Verdict {
    if value.contains('\0') {
        return Err(refused("nul", "must not contain the character U+0000"));
    }
    Ok(())
}

/// An address that mail can be sent to: `local@domain` in ASCII, by RFC 5321 without its quoted
/// local parts and address literals.
pub fn email(value: &str) -> Verdict {
    let ok = value.len() <= 254
        && value
            .split_once('@')
            .is_some_and(|(local, domain)| is_local(local) && is_domain(domain));
    if ok { Ok(()) } else { Err(refused("email", "must be an address such as name@example.com")) }
}

fn is_local(local: &str) -> bool {
    let is_atext = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
    local.len() <= 64 && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.split('.').all(is_label)
        && domain
            .rsplit_once('.')
            .is_some_and(|(_, last)| !last.bytes().all(|b| b.is_ascii_digit()))
}

/// Decodes an optional field that is there: absent is `None`, and `null` is a wrong type.
pub fn present<'de, D, T>(input: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(input).map(Some)
}

/// Applies an optional field of a change: absent leaves `place` as it is.
pub fn set<T>(place: &mut T, change: Option<T>) {
    if let Some(value) = change {
        *place = value;
    }
}

/// Takes a struct from an object and an enum from a string only. serde by itself also takes
/// `["a", "b"]` for a struct of two fields, and `{"name": null}` for the enum's `name`, which no
/// schema says.
pub struct Strict<D>(pub D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_struct(name, fields, ObjectOnly(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_enum(StringDeserializer::new(String::deserialize(self.0)?))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map identifier ignored_any
    }
}

struct ObjectOnly<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for ObjectOnly<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(map)
    }
}
