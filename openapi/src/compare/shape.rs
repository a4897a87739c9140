use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    document::{Document, items, members, texts},
    limits::Limits,
    schema::Direction,
};

/// The parts of a schema, all of which hold of a value.
pub(super) type Parts<'d> = Vec<&'d Value>;

/// What a schema says, in one form: references followed, `allOf` put together, 3.0's `nullable` and
/// 3.1's type `null` alike.
#[derive(Default)]
pub(super) struct Shape<'d> {
    /// `None`: any.
    pub(super) types: Option<BTreeSet<&'d str>>,
    pub(super) formats: BTreeSet<&'d str>,
    /// The closed list of values, if it is one.
    pub(super) values: Option<Vec<&'d Value>>,
    pub(super) patterns: BTreeSet<&'d str>,
    pub(super) limits: Limits<'d>,
    pub(super) properties: BTreeMap<&'d str, Parts<'d>>,
    pub(super) required: BTreeSet<&'d str>,
    pub(super) more: More<'d>,
    pub(super) items: Parts<'d>,
    /// By the name of each: its value of the discriminator, or of its schema.
    pub(super) variants: BTreeMap<String, Parts<'d>>,
    pub(super) discriminator: Option<&'d str>,
    pub(super) default: Option<&'d Value>,
    /// What is not known here, such as `not` and `if`.
    pub(super) unknown: BTreeMap<&'d str, Vec<&'d Value>>,
}

/// Properties beyond those with a name.
#[derive(Default)]
pub(super) enum More<'d> {
    #[default]
    Any,
    Of(Parts<'d>),
    None,
}

/// Words about a value, which no value breaks.
const WORDS: [&str; 10] = [
    "title",
    "description",
    "example",
    "examples",
    "deprecated",
    "externalDocs",
    "xml",
    "readOnly",
    "writeOnly",
    "$comment",
];

impl<'d> Shape<'d> {
    pub(super) fn read(document: &'d Document, parts: &[&'d Value], side: Direction) -> Self {
        let mut shape = Self::default();
        let (mut waiting, mut seen): (Parts<'d>, Parts<'d>) = (parts.to_vec(), Vec::new());
        let mut nullable = false;
        while let Some(part) = waiting.pop() {
            // A schema that is part of itself says nothing more the second time.
            if seen.iter().any(|known| std::ptr::eq(*known, part)) {
                continue;
            }
            seen.push(part);
            if *part == Value::Bool(false) {
                shape.unknown.entry("false").or_default().push(part);
            }
            nullable |= part["nullable"] == true;
            for (key, value) in members(part) {
                shape.take(document, key, value, part, &mut waiting);
            }
        }
        if let Some(types) = &mut shape.types
            && nullable
        {
            types.insert("null");
        }
        shape.hide(document, side);
        shape
    }

    fn take(
        &mut self,
        document: &'d Document,
        key: &'d str,
        value: &'d Value,
        part: &'d Value,
        waiting: &mut Parts<'d>,
    ) {
        match key {
            "$ref" => waiting.extend(value.as_str().map(|reference| document.target(reference))),
            "allOf" => waiting.extend(items(value)),
            "oneOf" | "anyOf" => self.take_variants(key, value, part, waiting),
            "discriminator" => self.discriminator = value["propertyName"].as_str(),
            "type" => self.take_types(value, part),
            "format" => self.formats.extend(value.as_str()),
            "enum" => self.take_values(items(value).collect()),
            "const" => self.take_values(vec![value]),
            "pattern" => self.patterns.extend(value.as_str()),
            "properties" => {
                for (name, property) in members(value) {
                    self.properties.entry(name).or_default().push(property);
                }
            }
            "required" => self.required.extend(texts(value)),
            "additionalProperties" | "unevaluatedProperties" => self.more.take(value),
            "items" => self.items.push(value),
            "default" => self.default = Some(value),
            "nullable" => {}
            _ if self.limits.take(key, value, part) => {}
            _ if WORDS.contains(&key) || key.starts_with("x-") => {}
            _ => self.unknown.entry(key).or_default().push(value),
        }
    }

    fn take_types(&mut self, value: &'d Value, part: &'d Value) {
        let mut types = texts(value);
        types.extend(value.as_str());
        if part["nullable"] == true {
            types.insert("null");
        }
        self.types = Some(match self.types.take() {
            None => types,
            Some(known) => known.intersection(&types).copied().collect(),
        });
    }

    fn take_values(&mut self, values: Vec<&'d Value>) {
        self.values = Some(match self.values.take() {
            None => values,
            Some(known) => known.into_iter().filter(|value| values.contains(value)).collect(),
        });
    }

    /// Of `[null, Something]` remains Something, which may be null.
    fn take_variants(
        &mut self,
        key: &'d str,
        value: &'d Value,
        part: &'d Value,
        waiting: &mut Parts<'d>,
    ) {
        let is_null = |variant: &&Value| variant["type"] == "null";
        let variants: Vec<_> = items(value).filter(|variant| !is_null(variant)).collect();
        if let ([variant], true) = (variants.as_slice(), items(value).any(|it| is_null(&it))) {
            self.unknown.entry("null").or_default();
            waiting.push(variant);
            return;
        }
        if !self.variants.is_empty() {
            self.unknown.entry(key).or_default().push(value);
            return;
        }
        for (at, variant) in variants.into_iter().enumerate() {
            let name = name_of(variant, part).unwrap_or_else(|| format!("variant {at}"));
            self.variants.insert(name, vec![variant]);
        }
    }

    /// What only answers have is not in requests, and the other way around.
    fn hide(&mut self, document: &'d Document, side: Direction) {
        // `null` was only noted: the type of the one variant was not read yet.
        if self.unknown.remove("null").is_some()
            && let Some(types) = &mut self.types
        {
            types.insert("null");
        }
        let key = match side {
            Direction::Request => "readOnly",
            Direction::Answer => "writeOnly",
        };
        self.properties.retain(|_, parts| {
            !parts.iter().any(|part| part[key] == true || document.resolved(part)[key] == true)
        });
        let properties = &self.properties;
        self.required.retain(|name| properties.contains_key(name));
    }

    /// Whether it may be this type.
    pub(super) fn is(&self, kind: &str) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(kind))
    }
}

impl<'d> More<'d> {
    fn take(&mut self, value: &'d Value) {
        match (value, &mut *self) {
            (Value::Bool(false), _) => *self = Self::None,
            (Value::Bool(true), _) | (_, Self::None) => {}
            (_, Self::Of(parts)) => parts.push(value),
            (_, Self::Any) => *self = Self::Of(vec![value]),
        }
    }
}

/// What the discriminator calls the variant, or else its schema's name or title.
fn name_of(variant: &Value, part: &Value) -> Option<String> {
    let last = |reference: &str| reference.rsplit('/').next().unwrap_or_default().to_owned();
    let Some(reference) = variant["$ref"].as_str() else {
        return variant["title"].as_str().map(str::to_owned);
    };
    let is_it = |target: &str| target == reference || target == last(reference);
    let mapping = members(&part["discriminator"]["mapping"]);
    let mut mapped = mapping.filter(|(_, target)| target.as_str().is_some_and(is_it));
    mapped.next().map(|(value, _)| value.to_owned()).or_else(|| Some(last(reference)))
}
