use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    document::Document,
    limits::compare_limits,
    report::{Findings, Path, Subject},
    shape::{More, Parts, Shape},
};

/// Which way a value goes: what an app sends must be taken still; what it gets, it must have been
/// able to get before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Request,
    Answer,
}

/// Compares the schemas of one place.
pub(super) struct Schemas<'d, 'f> {
    old: &'d Document,
    new: &'d Document,
    side: Direction,
    subject: Subject,
    findings: &'f mut Findings,
    /// Those that are being compared: a schema may hold itself.
    open: Vec<(Parts<'d>, Parts<'d>)>,
}

/// Compare the schemas of a place.
pub(super) fn compare_schemas(
    (old, was): (&Document, &Value),
    (new, is): (&Document, &Value),
    side: Direction,
    subject: Subject,
    findings: &mut Findings,
) {
    let mut schemas = Schemas { old, new, side, subject, findings, open: Vec::new() };
    schemas.compare(vec![was], vec![is], &Path::default());
}

impl<'d> Schemas<'d, '_> {
    fn breaking(&mut self, path: &Path, said: impl Into<String>) {
        self.findings.breaking(self.subject.at(path), said);
    }

    fn harmless(&mut self, path: &Path, said: impl Into<String>) {
        self.findings.harmless(self.subject.at(path), said);
    }

    /// Less room breaks requests, more room breaks answers.
    fn room(&mut self, path: &Path, more: bool, said: impl Into<String>) {
        if more == (self.side == Direction::Answer) {
            self.breaking(path, said);
        } else {
            self.harmless(path, said);
        }
    }

    fn compare(&mut self, was: Parts<'d>, is: Parts<'d>, path: &Path) {
        let (old, new) = (self.old, self.new);
        let whole = |document: &'d Document, parts: &[&'d Value]| -> Parts<'d> {
            parts.iter().map(|part| document.resolved(part)).collect()
        };
        let pair = (whole(old, &was), whole(new, &is));
        let same = |one: &Parts<'_>, other: &Parts<'_>| {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| std::ptr::eq(*a, *b))
        };
        if self.open.iter().any(|(a, b)| same(a, &pair.0) && same(b, &pair.1)) {
            return;
        }
        self.open.push(pair);
        let was = Shape::read(old, &was, self.side);
        let is = Shape::read(new, &is, self.side);
        self.compare_shapes(&was, &is, path);
        self.open.pop();
    }

    fn compare_shapes(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        if !self.compare_types(was, is, path) {
            return;
        }
        self.compare_formats(was, is, path);
        self.compare_values(was, is, path);
        self.compare_patterns(was, is, path);
        compare_limits(was, is, self.side, &self.subject.at(path), self.findings);
        self.compare_defaults(was, is, path);
        self.compare_properties(was, is, path);
        self.compare_more(was, is, path);
        if !was.items.is_empty() || !is.items.is_empty() {
            self.compare(was.items.clone(), is.items.clone(), &path.items());
        }
        self.compare_variants(was, is, path);
        for key in was.unknown.keys().chain(is.unknown.keys()).collect::<BTreeSet<_>>() {
            if was.unknown.get(key) != is.unknown.get(key) {
                self.breaking(path, format!("has another `{key}`, which is not looked into"));
            }
        }
    }

    /// Whether the types have anything in common that is worth comparing.
    fn compare_types(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) -> bool {
        let any = BTreeSet::from(["array", "boolean", "null", "number", "object", "string"]);
        let types = |shape: &Shape<'d>| shape.types.clone().unwrap_or_else(|| any.clone());
        let (mut before, mut after) = (types(was), types(is));
        let (null_before, null_after) = (before.remove("null"), after.remove("null"));
        let beyond = |types: &BTreeSet<&'d str>, others: &BTreeSet<&'d str>| {
            let has = |kind: &&&str| {
                let whole = **kind == "integer" && others.contains("number");
                !whole && !others.contains(**kind)
            };
            types.iter().filter(has).count() > 0
        };
        let (less, more) = (beyond(&before, &after), beyond(&after, &before));
        let said = || format!("is {}, {} before", listed(&after), listed(&before));
        match (less, more) {
            (true, true) => self.breaking(path, said()),
            (false, false) => {}
            (_, more) => self.room(path, more, said()),
        }
        match (null_before, null_after) {
            (false, true) => self.room(path, true, "may be null"),
            (true, false) => self.room(path, false, "may no longer be null"),
            _ => {}
        }
        before.intersection(&after).count() > 0 || !less || !more
    }

    fn compare_formats(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        if was.formats == is.formats {
            return;
        }
        let says = |formats: &BTreeSet<&str>| match formats.len() {
            0 => "no format".to_owned(),
            _ => format!("the format {}", quoted(formats)),
        };
        let said = format!("has {}, {} before", says(&is.formats), says(&was.formats));
        let within = |narrow: &BTreeSet<&str>, wide: &BTreeSet<&str>| {
            wide.is_subset(narrow)
                || [("int32", "int64"), ("float", "double")].iter().any(|(less, more)| {
                    narrow.contains(less) && wide.contains(more) && narrow.len() == wide.len()
                })
        };
        match (within(&is.formats, &was.formats), within(&was.formats, &is.formats)) {
            (true, _) => self.room(path, false, said),
            (_, true) => self.room(path, true, said),
            _ => self.breaking(path, said),
        }
    }

    fn compare_values(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        match (&was.values, &is.values) {
            (None, None) => {}
            (None, Some(values)) => {
                self.room(path, false, format!("is one of {}, anything before", json(values)));
            }
            (Some(values), None) => {
                self.room(path, true, format!("is anything, one of {} before", json(values)));
            }
            (Some(before), Some(after)) => {
                let beyond = |values: &[&'d Value], others: &[&'d Value]| -> Vec<&'d Value> {
                    values.iter().copied().filter(|value| !others.contains(value)).collect()
                };
                let (gone, new) = (beyond(before, after), beyond(after, before));
                if !gone.is_empty() {
                    self.room(path, false, format!("is no longer {}", json(&gone)));
                }
                if !new.is_empty() {
                    self.room(path, true, format!("may be {}, which is new", json(&new)));
                }
            }
        }
    }

    /// Which of two patterns allows more is not known: another one is less room.
    fn compare_patterns(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        let new: BTreeSet<_> = is.patterns.difference(&was.patterns).copied().collect();
        let gone: BTreeSet<_> = was.patterns.difference(&is.patterns).copied().collect();
        if !new.is_empty() {
            self.room(path, false, format!("must match {}, which is new", quoted(&new)));
        } else if !gone.is_empty() {
            // No decoder looks at a pattern.
            self.harmless(path, format!("need not match {}", quoted(&gone)));
        }
    }

    /// What an app leaves out means the same as before.
    fn compare_defaults(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        let says =
            |value: Option<&Value>| value.map_or("nothing".to_owned(), |it| format!("`{it}`"));
        if was.default != is.default {
            let said = format!("is {} when absent, {} before", says(is.default), says(was.default));
            if self.side == Direction::Request && was.default.is_some() {
                self.breaking(path, said);
            } else {
                self.harmless(path, said);
            }
        }
    }

    fn compare_properties(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        for (name, before) in &was.properties {
            let at = path.member(name);
            let Some(after) = is.properties.get(name) else {
                match self.side {
                    Direction::Request => self.breaking(&at, "is gone: sent, it is refused"),
                    Direction::Answer => self.breaking(&at, "is gone"),
                }
                continue;
            };
            match (was.required.contains(name), is.required.contains(name)) {
                (false, true) => self.room(&at, false, "is required, optional before"),
                (true, false) => self.room(&at, true, "is optional, required before"),
                _ => {}
            }
            self.compare(before.clone(), after.clone(), &at);
        }
        for name in is.properties.keys().filter(|name| !was.properties.contains_key(*name)) {
            let at = path.member(name);
            match self.side {
                Direction::Request if is.required.contains(name) => {
                    self.breaking(&at, "is new and required");
                }
                Direction::Answer if matches!(was.more, More::None) => {
                    self.breaking(&at, "is new, and there was to be nothing new");
                }
                _ => self.harmless(&at, "is new"),
            }
        }
    }

    fn compare_more(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        match (&was.more, &is.more) {
            (More::Any, More::Any) | (More::None, More::None) => {}
            (More::Of(before), More::Of(after)) => {
                self.compare(before.clone(), after.clone(), &path.values());
            }
            (_, More::None) => self.room(path, false, "has no other properties than those named"),
            (More::None, _) => self.room(path, true, "may have properties that are not named"),
            (More::Any, More::Of(_)) => {
                self.room(path, false, "has other properties of one kind only");
            }
            (More::Of(_), More::Any) => {
                self.room(path, true, "may have other properties of any kind")
            }
        }
    }

    fn compare_variants(&mut self, was: &Shape<'d>, is: &Shape<'d>, path: &Path) {
        if was.discriminator != is.discriminator {
            self.breaking(path, "is told apart by another property");
        }
        match (was.variants.is_empty(), is.variants.is_empty()) {
            (true, true) => return,
            (true, false) => self.breaking(path, "is a choice, none before"),
            (false, true) => self.breaking(path, "is no longer a choice"),
            (false, false) => {}
        }
        for (name, before) in &was.variants {
            match is.variants.get(name) {
                Some(after) => self.compare(before.clone(), after.clone(), &path.variant(name)),
                None => self.room(path, false, format!("is no longer `{name}`")),
            }
        }
        for name in is.variants.keys().filter(|name| !was.variants.contains_key(*name)) {
            self.room(path, true, format!("may be `{name}`, which is new"));
        }
    }
}

fn listed(types: &BTreeSet<&str>) -> String {
    let named = types.iter().map(|kind| match *kind {
        "array" => "a list".to_owned(),
        "integer" | "object" => format!("an {kind}"),
        kind => format!("a {kind}"),
    });
    match types.len() {
        0 => "nothing".to_owned(),
        5.. => "anything".to_owned(),
        _ => named.collect::<Vec<_>>().join(" or "),
    }
}

fn quoted(texts: &BTreeSet<&str>) -> String {
    texts.iter().map(|text| format!("`{text}`")).collect::<Vec<_>>().join(", ")
}

fn json(values: &[&Value]) -> String {
    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
}
