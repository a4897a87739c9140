use http::Method;
use serde_json::{Value, json};

use crate::{Answer, Client, Request, samples::good, spec::document};

/// An operation as the document has it: what holds for all of them is tested of all of them, those
/// of tomorrow included.
pub struct Operation {
    /// Its method.
    pub method: Method,
    /// Its path, with `{parameters}`.
    pub path: &'static str,
    /// Its name, which is its handler's.
    pub id: &'static str,
    /// All that the document says of it.
    pub said: &'static Value,
}

impl Operation {
    /// Every one, in the document's order.
    ///
    /// # Panics
    /// When the document is not one.
    pub fn all() -> Vec<Self> {
        let paths = document()["paths"].as_object().expect("the document has paths");
        let methods = |(path, methods): (&'static String, &'static Value)| {
            let methods = methods.as_object().expect("a path has methods");
            methods.iter().map(|(method, said)| Self {
                method: method.to_uppercase().parse().expect("a method"),
                path,
                id: said["operationId"].as_str().expect("an operation has an id"),
                said,
            })
        };
        paths.iter().flat_map(methods).collect()
    }

    /// The one of this method and path.
    pub fn find(method: &Method, path: &str) -> Option<Self> {
        Self::all().into_iter().find(|it| it.path == path && it.method == *method)
    }

    /// Whether nobody gets in without a token; an empty requirement lets everybody in.
    pub fn is_guarded(&self) -> bool {
        let ways = self.said["security"].as_array();
        ways.is_some_and(|ways| !ways.is_empty() && ways.iter().all(|way| *way != json!({})))
    }

    /// The scope that it asks of a token, if any.
    pub fn scope(&self) -> Option<&str> {
        self.said["security"][0]["accessToken"][0].as_str()
    }

    /// The schema of its body, if it takes one.
    pub fn body(&self) -> Option<&Value> {
        self.said["requestBody"]["content"]
            .get("application/json")
            .map(|content| &content["schema"])
    }

    /// Whether its path has any.
    pub fn has_parameters(&self) -> bool {
        self.path.contains('{')
    }

    /// The path with an id of nothing for each parameter.
    pub fn somewhere(&self) -> String {
        self.at("019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d")
    }

    /// The path with this id for each parameter.
    pub fn at(&self, id: &str) -> String {
        let segment = |segment| if str::starts_with(segment, '{') { id } else { segment };
        self.path.split('/').map(segment).collect::<Vec<_>>().join("/")
    }

    /// The path of something that belongs to this person: each parameter is taken from the list at
    /// the path so far, and made there when the list is empty.
    ///
    /// # Panics
    /// When nothing can be made there.
    pub async fn owned_by(&self, person: &Client) -> String {
        let mut path = String::new();
        let mut known = String::new();
        for segment in self.path.split('/').skip(1) {
            if segment.starts_with('{') {
                path = format!("{path}/{}", first_id(person, &path, &known).await);
            } else {
                path = format!("{path}/{segment}");
            }
            known = format!("{known}/{segment}");
        }
        path
    }

    /// Whether it takes a header, and if so, whether it insists on it.
    pub fn header(&self, name: &str) -> Option<bool> {
        let header = self.declared().find(|it| it["in"] == "header" && it["name"] == name)?;
        Some(header["required"] == true)
    }

    /// The parameters in this place, each with a good value: all that can be said, or as little as
    /// is needed.
    fn parameters(&self, place: &str, whole: bool) -> Vec<(&'static str, String)> {
        self.declared()
            .filter(|it| it["in"] == place && (whole || it["required"] == true))
            // Whether a condition holds depends on what is there.
            .filter(|it| !it["name"].as_str().is_some_and(|name| name.starts_with("If-")))
            .map(|it| {
                let value = good(&it["schema"], whole);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (it["name"].as_str().unwrap_or_default(), text)
            })
            .collect()
    }

    fn declared(&self) -> impl Iterator<Item = &'static Value> {
        let parameters = self.said["parameters"].as_array().into_iter().flatten();
        parameters.map(|it| match it["$ref"].as_str() {
            Some(name) => document().pointer(&name[1..]).expect("what is referred to is there"),
            None => it,
        })
    }

    /// A good request of this operation, with all that can be said or as little as is needed.
    pub fn request(&self, client: &Client, path: &str, whole: bool) -> Request {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        pairs.extend_pairs(self.parameters("query", whole));
        let query = pairs.finish();
        let path = if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") };
        let request = client.request(self.method.clone(), path);
        let headers = self.parameters("header", whole).into_iter();
        let request = headers.fold(request, |request, (name, value)| request.header(name, value));
        match self.body() {
            Some(schema) => request.json(good(schema, whole)),
            None => request,
        }
    }
}

async fn first_id(person: &Client, path: &str, template: &str) -> String {
    let first = |answer: Answer| answer.json()["items"][0]["id"].as_str().map(str::to_owned);
    if let Some(id) = first(person.get(path).await.expect(200)) {
        return id;
    }
    let create = Operation::find(&Method::POST, template)
        .unwrap_or_else(|| panic!("nothing can be made at {template}"));
    create.request(person, path, false).await.expect(201);
    first(person.get(path).await.expect(200)).expect("what was made is listed")
}
