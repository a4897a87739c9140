//! Holds every answer against the spec. Built once per process.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock},
};

use http::Method;
use jsonschema::{Draft, Validator};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::{Answer, Request, event};

/// The document of the app, as JSON.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
        let json = openapi::json().expect("declarations do not contradict each other");
        serde_json::from_str(&json).expect("a document is JSON")
    });
    &DOCUMENT
}

/// Checks values against one schema of the document, formats included.
///
/// # Panics
/// When it is not a schema.
pub fn validator(schema: &Value) -> Validator {
    within(schema, document()["components"].clone())
}

fn within(schema: &Value, components: Value) -> Validator {
    let mut root = schema.clone();
    root["components"] = components;
    jsonschema::options()
        .with_draft(Draft::Draft202012)
        .should_validate_formats(true)
        .should_ignore_unknown_formats(true)
        .build(&root)
        .unwrap_or_else(|error| panic!("not a schema: {error}: {schema}"))
}

/// What was asked, as far as the spec has a say in it.
pub struct Exchange {
    method: String,
    /// Decoded once; none when it cannot be.
    path: Option<String>,
    body: Vec<u8>,
}

impl Exchange {
    /// This request.
    pub fn of(request: &Request) -> Self {
        let path = request.path.split('?').next().unwrap_or_default();
        // An HTTP API cuts a path at an encoded question mark.
        let path = percent_decode_str(path).decode_utf8().ok();
        let path = path.map(|path| path.split('?').next().unwrap_or_default().to_owned());
        Self { method: request.method.to_string(), path, body: request.body.clone() }
    }

    /// The request in this event.
    pub fn of_event(event: &Value) -> Self {
        let (method, path) = event::target(event);
        Self { method, path, body: event::body(event) }
    }
}

/// The answer is one that the spec has for this request.
///
/// # Panics
/// When it is not.
pub fn check(exchange: &Exchange, answer: &Answer) {
    let Exchange { method, path, .. } = exchange;
    if let Err(why) = SPEC.judge(exchange, answer) {
        let path = path.as_deref().unwrap_or("(not a path)");
        panic!("{method} {path:.200} answered {}: {why}\n{:.2000}", answer.status, answer.text());
    }
}

static SPEC: LazyLock<Spec> = LazyLock::new(|| Spec::read(document()));

struct Spec {
    operations: Vec<Operation>,
    problem: Arc<Validator>,
}

struct Operation {
    method: String,
    path: Vec<String>,
    body: Option<Arc<Validator>>,
    answers: BTreeMap<String, Declared>,
}

struct Declared {
    codes: Vec<String>,
    content: BTreeMap<String, Arc<Validator>>,
    headers: BTreeMap<String, Header>,
}

struct Header {
    required: bool,
    integer: bool,
    schema: Arc<Validator>,
}

/// What the app tells browsers, caches and gateways, and no client's code reads.
const NOT_FOR_CLIENTS: [&str; 14] = [
    "access-control-allow-credentials",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "strict-transport-security",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
];

type Verdict = Result<(), String>;

impl Spec {
    fn judge(&self, exchange: &Exchange, answer: &Answer) -> Verdict {
        ensure(answer.headers.contains_key("x-request-id"), || "it has no X-Request-Id".into())?;
        let head = exchange.method == Method::HEAD.as_str();
        let method = if head { "GET" } else { &exchange.method };
        let path: Option<Vec<_>> = exchange.path.as_deref().map(|path| path.split('/').collect());
        let places = self
            .operations
            .iter()
            .filter(|operation| path.as_ref().is_some_and(|path| matches(&operation.path, path)));
        // A literal segment wins over a parameter, as in the router.
        let least = places.clone().map(Operation::parameters).min();
        let mut places = places.filter(|operation| Some(operation.parameters()) == least);
        let Some(operation) = places.clone().find(|operation| operation.method == method) else {
            ensure(answer.status.as_u16() >= 400, || "the spec has no such operation".into())?;
            if places.next().is_some() && ![400, 426].contains(&answer.status.as_u16()) {
                ensure(answer.status == 405, || "the resource has no such method".into())?;
                ensure(!answer.header("allow").is_empty(), || "it has no Allow".into())?;
            }
            return if head { Ok(()) } else { self.judge_problem(answer) };
        };
        let declared = operation.answers.get(answer.status.as_str());
        let declared = declared.ok_or("the operation does not declare this status")?;
        declared.judge(answer, head)?;
        if answer.status.is_success() || answer.status == 304 {
            operation.judge_body(&exchange.body)
        } else {
            if head { Ok(()) } else { self.judge_problem(answer) }?;
            declared.judge_code(answer, head)
        }
    }

    fn judge_problem(&self, answer: &Answer) -> Verdict {
        let media = answer.header("content-type");
        ensure(media == "application/problem+json", || format!("its media type is {media:?}"))?;
        let problem = json(&answer.body)?;
        valid(&self.problem, &problem)?;
        let code = problem["code"].as_str().unwrap_or_default();
        let expected = format!("urn:landline:problem:{code}");
        ensure(problem["type"] == expected, || "type and code differ".into())?;
        ensure(problem["status"] == answer.status.as_u16(), || {
            "its body has another status".into()
        })?;
        ensure(problem["requestId"] == answer.header("x-request-id"), || {
            "body and header have different request ids".into()
        })
    }

    fn read(document: &Value) -> Self {
        // Answers are checked against schemas without room for more, so that whatever is shown
        // is also documented.
        let mut components = document["components"].clone();
        close(&mut components["schemas"]);
        let mut compiler = Compiler { components, known: HashMap::new() };
        let mut operations = Vec::new();
        for (path, methods) in object(&document["paths"]) {
            for (method, operation) in object(methods) {
                operations.push(Operation {
                    method: method.to_uppercase(),
                    path: path.split('/').map(str::to_owned).collect(),
                    body: operation["requestBody"]["content"]
                        .get("application/json")
                        .map(|content| compiler.compile(&content["schema"])),
                    answers: object(&operation["responses"])
                        .map(|(status, it)| (status.clone(), Declared::read(it, &mut compiler)))
                        .collect(),
                });
            }
        }
        let problem = compiler.compile(&json!({ "$ref": "#/components/schemas/Problem" }));
        Self { operations, problem }
    }
}

impl Operation {
    fn parameters(&self) -> usize {
        self.path.iter().filter(|segment| segment.starts_with('{')).count()
    }

    /// What was accepted is what the spec allows.
    fn judge_body(&self, body: &[u8]) -> Verdict {
        let Some(validator) = &self.body else { return Ok(()) };
        valid(validator, &json(body)?).map_err(|why| format!("the spec refuses its request: {why}"))
    }
}

impl Declared {
    fn read(response: &Value, compiler: &mut Compiler) -> Self {
        let content = object(&response["content"])
            .map(|(name, it)| (name.clone(), compiler.compile(&it["schema"])))
            .collect();
        let headers = object(&response["headers"]).map(|(name, it)| {
            let said = compiler.resolved(it);
            let header = Header {
                required: said["required"] == true,
                integer: said["schema"]["type"] == "integer",
                schema: compiler.compile(&said["schema"]),
            };
            (name.to_ascii_lowercase(), header)
        });
        let headers = headers.collect();
        let codes = response["x-problem-codes"].as_array().into_iter().flatten();
        let codes = codes.filter_map(Value::as_str).map(str::to_owned).collect();
        Self { codes, content, headers }
    }

    fn judge(&self, answer: &Answer, head: bool) -> Verdict {
        let media = answer.header("content-type");
        match self.content.get(media) {
            _ if head => ensure(answer.body.is_empty(), || "HEAD has a body".into())?,
            Some(validator) => valid(validator, &json(&answer.body)?)?,
            None if self.content.is_empty() => {
                ensure(answer.body.is_empty(), || "it has a body".into())?;
            }
            None => return Err(format!("the media type {media:?} is not declared")),
        }
        for (name, header) in &self.headers {
            match answer.headers.get(name) {
                Some(value) => header.judge(value.to_str().unwrap_or_default())?,
                None => ensure(!header.required, || format!("{name} is missing"))?,
            }
        }
        for name in answer.headers.keys().map(http::HeaderName::as_str) {
            let known = self.headers.contains_key(name) || NOT_FOR_CLIENTS.contains(&name);
            ensure(known, || format!("the header {name} is not declared"))?;
        }
        Ok(())
    }

    /// A client that reads the spec knows every code that it can meet.
    fn judge_code(&self, answer: &Answer, head: bool) -> Verdict {
        if head {
            return Ok(());
        }
        let problem = json(&answer.body)?;
        let code = problem["code"].as_str().unwrap_or_default();
        ensure(self.codes.iter().any(|known| known == code), || {
            format!("the spec names other codes: {}", self.codes.join(", "))
        })
    }
}

impl Header {
    fn judge(&self, text: &str) -> Verdict {
        let value = match text {
            "true" => json!(true),
            number if self.integer => json!(number.parse::<i64>().ok()),
            text => json!(text),
        };
        valid(&self.schema, &value)
    }
}

struct Compiler {
    components: Value,
    known: HashMap<String, Arc<Validator>>,
}

impl Compiler {
    fn resolved<'v>(&'v self, value: &'v Value) -> Value {
        let place = value["$ref"].as_str().and_then(|name| name.strip_prefix("#/components"));
        place.and_then(|place| self.components.pointer(place)).unwrap_or(value).clone()
    }

    fn compile(&mut self, schema: &Value) -> Arc<Validator> {
        let components = &self.components;
        let known = self.known.entry(schema.to_string());
        known.or_insert_with(|| Arc::new(within(schema, components.clone()))).clone()
    }
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.contains_key("properties") && !fields.contains_key("additionalProperties") {
                fields.insert("additionalProperties".to_owned(), json!(false));
            }
            fields.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn matches(template: &[String], path: &[&str]) -> bool {
    let fits = |(template, segment): (&String, &&str)| {
        template == segment || (template.starts_with('{') && !segment.is_empty())
    };
    template.len() == path.len() && template.iter().zip(path).all(fits)
}

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn json(body: &[u8]) -> Result<Value, String> {
    serde_json::from_slice(body).map_err(|error| format!("its body is not JSON: {error}"))
}

fn valid(validator: &Validator, value: &Value) -> Verdict {
    let errors: Vec<_> = validator
        .iter_errors(value)
        .map(|error| format!("{} {error}", error.instance_path()))
        .collect();
    ensure(errors.is_empty(), || errors.join("; "))
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};
    use serde_json::{Value, json};

    use super::{Exchange, SPEC};
    use crate::Answer;

    fn judge(method: &str, path: &str, status: u16, media: &str, body: &Value) -> String {
        let exchange =
            Exchange { method: method.into(), path: Some(path.into()), body: Vec::new() };
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "test".parse().unwrap());
        if !media.is_empty() {
            headers.insert("content-type", media.parse().unwrap());
        }
        let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), headers, body };
        SPEC.judge(&exchange, &answer).err().unwrap_or_default()
    }

    fn problem(status: u16, code: &str) -> Value {
        json!({
            "type": format!("urn:landline:problem:{code}"),
            "title": "A title",
            "status": status,
            "code": code,
            "detail": "A detail.",
            "requestId": "test",
        })
    }

    #[test]
    fn takes_what_the_spec_says() {
        let (json, told) = ("application/json", "application/problem+json");
        let lost = problem(404, "not_found");
        for (method, path, status, media, body) in [
            ("GET", "/health", 200, json, json!({ "status": "ok" })),
            ("HEAD", "/health", 200, json, Value::Null),
            ("DELETE", "/v1/sessions/current", 204, "", Value::Null),
            ("DELETE", "/v1/sessions/x", 404, told, lost.clone()),
            ("GET", "/nowhere", 404, told, lost),
        ] {
            assert_eq!(judge(method, path, status, media, &body), "", "{method} {path}");
        }
    }

    #[test]
    fn refuses_headers_that_the_spec_does_not_say() {
        let exchange =
            Exchange { method: "GET".into(), path: Some("/health".into()), body: Vec::new() };
        let judge = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", "test".parse().unwrap());
            headers.insert("content-type", "application/json".parse().unwrap());
            headers.insert(name, value.parse().unwrap());
            let body = json!({ "status": "ok" }).to_string().into_bytes();
            let answer = Answer { status: StatusCode::OK, headers, body };
            SPEC.judge(&exchange, &answer).err().unwrap_or_default()
        };

        assert_eq!(judge("x-content-type-options", "nosniff"), "");
        assert_eq!(judge("x-surprise", "1"), "the header x-surprise is not declared");
        assert_eq!(judge("etag", "\"1\""), "the header etag is not declared");
        assert!(judge("x-request-id", "not a word").contains("not a word"));
    }

    #[test]
    fn refuses_what_the_spec_does_not_say() {
        let (json, told) = ("application/json", "application/problem+json");
        let ok = json!({ "status": "ok" });
        let mut other_status = problem(404, "not_found");
        other_status["status"] = json!(400);
        for (method, path, status, media, body, why) in [
            ("GET", "/health", 201, json, ok.clone(), "does not declare this status"),
            ("GET", "/health", 200, "text/html", ok.clone(), "media type"),
            ("GET", "/health", 200, json, json!({}), "required"),
            ("GET", "/health", 200, json, json!({ "status": "ok", "x": 1 }), "'x'"),
            ("GET", "/health", 200, json, json!({ "status": null }), "null"),
            ("HEAD", "/health", 200, json, ok.clone(), "HEAD has a body"),
            ("GET", "/nowhere", 200, json, ok.clone(), "no such operation"),
            ("POST", "/health", 404, told, problem(404, "not_found"), "no such method"),
            ("POST", "/health", 405, told, problem(405, "method_not_allowed"), "no Allow"),
            ("POST", "/v1/accounts", 201, json, ok.clone(), "required"),
            ("DELETE", "/v1/sessions/current", 204, json, ok, "it has a body"),
            ("GET", "/nowhere", 404, json, problem(404, "not_found"), "media type"),
            ("GET", "/nowhere", 404, told, other_status, "another status"),
            ("GET", "/health", 500, told, problem(500, "not_found"), "other codes"),
            ("GET", "/v1/account", 401, told, problem(401, "token_missing"), "www-authenticate"),
            ("GET", "/health", 503, told, problem(503, "unavailable"), "retry-after"),
        ] {
            let told = judge(method, path, status, media, &body);
            assert!(told.contains(why), "{method} {path} {status}: {told:?} is not {why:?}");
        }
    }
}
