use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use time::{Date, macros::format_description};

/// An OpenAPI document (3.0 or 3.1) in JSON, whose references have all been found.
pub struct Document {
    pub(super) root: Value,
    /// By method and path; how a path calls its parameters makes no other path of it.
    pub(super) operations: BTreeMap<(String, String), Operation>,
}

/// Why a text is not a [`Document`].
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// JSON it is not.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// JSON, and something else than a document of a version that is known.
    #[error("it is not an OpenAPI document of version 3.0 or 3.1")]
    NotOpenApi,
    /// A part is not what it must be.
    #[error("{place} must be {what}")]
    Malformed {
        /// A JSON pointer.
        place: String,
        /// What belongs there.
        what: &'static str,
    },
    /// A reference to nothing, or out of the document.
    #[error("`{0}` refers to nothing in the document")]
    Reference(String),
}

/// An operation as a document has it, with what its path says for all methods.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) said: Value,
    /// What the path says for all of its methods.
    pub(super) shared: Vec<Value>,
    pub(super) sunset: Option<Date>,
}

const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

impl std::str::FromStr for Document {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let root = serde_json::from_str(text).map_err(|it| Unreadable::NotJson(it.to_string()))?;
        Self::read(root)
    }
}

impl Document {
    /// The document that this JSON is.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(root: Value) -> Result<Self, Unreadable> {
        let version = root["openapi"].as_str().unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            return Err(Unreadable::NotOpenApi);
        }
        check_references(&root, &root)?;
        let mut operations = BTreeMap::new();
        let paths = root["paths"].as_object().ok_or(Unreadable::NotOpenApi)?;
        for (path, item) in paths {
            let place = format!("/paths/{}", escaped(path));
            let item = expect(item, &place, "an object", Value::is_object)?;
            if item.get("$ref").is_some() {
                let what = "written out, not referred to";
                return Err(Unreadable::Malformed { place, what });
            }
            let shared = list(&item["parameters"], &format!("{place}/parameters"))?;
            for method in METHODS {
                let Some(said) = item.get(method) else { continue };
                let place = format!("{place}/{method}");
                let operation = Operation::read(method, path, said, &shared, &place)?;
                operations.insert((method.to_owned(), nameless(path)), operation);
            }
        }
        Ok(Self { root, operations })
    }

    /// The version of the API.
    pub fn version(&self) -> &str {
        self.root["info"]["version"].as_str().unwrap_or_default()
    }

    /// What is there, or what is referred to there.
    pub(super) fn resolved<'d>(&'d self, mut value: &'d Value) -> &'d Value {
        // No chain of references is longer than the document; one that bites its tail ends too.
        for _ in 0..32 {
            match value["$ref"].as_str() {
                Some(target) => value = self.target(target),
                None => return value,
            }
        }
        &Value::Null
    }

    pub(super) fn target(&self, reference: &str) -> &Value {
        let found = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
        found.expect("all references were followed when the document was read")
    }

    /// Where the API is: at its host's root, where nothing else is said.
    pub(super) fn servers(&self) -> BTreeSet<&str> {
        let urls = items(&self.root["servers"]).map(|it| it["url"].as_str().unwrap_or_default());
        let urls: BTreeSet<_> = urls.collect();
        if urls.is_empty() { BTreeSet::from(["/"]) } else { urls }
    }
}

impl Operation {
    fn read(
        method: &str,
        path: &str,
        said: &Value,
        shared: &[Value],
        place: &str,
    ) -> Result<Self, Unreadable> {
        expect(said, place, "an object", Value::is_object)?;
        list(&said["parameters"], &format!("{place}/parameters"))?;
        expect(&said["responses"], &format!("{place}/responses"), "an object", Value::is_object)?;
        let sunset = match said.get("x-sunset") {
            None => None,
            Some(sunset) => {
                let date = sunset.as_str().and_then(date);
                let place = format!("{place}/x-sunset");
                let what = "a date such as 2027-05-01";
                Some(date.ok_or(Unreadable::Malformed { place, what })?)
            }
        };
        let (method, path, said) = (method.to_uppercase(), path.to_owned(), said.clone());
        Ok(Self { method, path, said, shared: shared.to_vec(), sunset })
    }

    pub(super) fn title(&self) -> String {
        format!("{} {} ({})", self.method, self.path, self.id())
    }

    pub(super) fn id(&self) -> &str {
        self.said["operationId"].as_str().unwrap_or("no id")
    }

    pub(super) fn is_deprecated(&self) -> bool {
        self.said["deprecated"] == true
    }
}

/// The day that a text such as `2027-05-01` names.
pub(crate) fn date(text: &str) -> Option<Date> {
    Date::parse(text, format_description!("[year]-[month]-[day]")).ok()
}

/// The members of an object, or nothing.
pub(super) fn members(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    value.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The items of a list, or nothing.
pub(super) fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// The texts in a list.
pub(super) fn texts(value: &Value) -> BTreeSet<&str> {
    items(value).filter_map(Value::as_str).collect()
}

fn nameless(path: &str) -> String {
    let nameless = |segment| if str::starts_with(segment, '{') { "{}" } else { segment };
    path.split('/').map(nameless).collect::<Vec<_>>().join("/")
}

fn escaped(path: &str) -> String {
    path.replace('~', "~0").replace('/', "~1")
}

fn expect<'v>(
    value: &'v Value,
    place: &str,
    what: &'static str,
    is: impl Fn(&Value) -> bool,
) -> Result<&'v Value, Unreadable> {
    let place = || Unreadable::Malformed { place: place.to_owned(), what };
    if is(value) { Ok(value) } else { Err(place()) }
}

fn list(value: &Value, place: &str) -> Result<Vec<Value>, Unreadable> {
    let is_list = |value: &Value| value.is_null() || value.is_array();
    let list = expect(value, place, "a list", is_list)?;
    Ok(items(list).cloned().collect())
}

/// Examples and the like are data: what looks like a reference in them is none.
const DATA: [&str; 5] = ["example", "examples", "default", "enum", "const"];

fn check_references(root: &Value, value: &Value) -> Result<(), Unreadable> {
    if let Some(reference) = value.get("$ref").and_then(Value::as_str) {
        let found = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
        found.ok_or_else(|| Unreadable::Reference(reference.to_owned()))?;
    }
    let inner = members(value).filter(|(name, _)| !DATA.contains(name)).map(|(_, value)| value);
    inner.chain(items(value)).try_for_each(|inner| check_references(root, inner))
}
