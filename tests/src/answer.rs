use http::{HeaderMap, StatusCode};
use serde_json::{Value, json};

use crate::watch;

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, whole.
    pub body: Vec<u8>,
}

impl Answer {
    /// The answer, if it has this status.
    ///
    /// # Panics
    /// If it has another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// The answer, if it is a problem of this status and kind.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.json()["code"], code, "{}", self.text());
        self
    }

    /// What is no success tells nobody a secret. A success may: tokens are what signing in is for.
    ///
    /// # Panics
    /// When it does.
    pub(crate) fn check_secrets(&self) {
        if !self.status.is_success() {
            let headers = self.headers.iter().map(|(name, value)| format!("{name}: {value:?}\n"));
            let text = format!("{}{}", headers.collect::<String>(), self.text());
            watch::check_text(&format!("the answer {}", self.status), &text);
        }
    }

    /// The pointers and codes of a validation problem's errors, in the order of the answer.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn violations(self) -> Vec<(String, String)> {
        let problem = self.expect_problem(422, "validation_failed").json();
        let errors = problem["errors"].as_array().expect("a validation problem has errors");
        let word = |error: &Value, name: &str| error[name].as_str().unwrap_or_default().to_owned();
        errors.iter().map(|error| (word(error, "pointer"), word(error, "code"))).collect()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body as JSON, null where it is something else or nothing.
    pub fn json_or_null(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text, for messages and searches.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Whether the text stands anywhere in the answer, headers included.
    pub fn mentions(&self, text: &str) -> bool {
        self.text().contains(text)
            || self
                .headers
                .values()
                .any(|value| String::from_utf8_lossy(value.as_bytes()).contains(text))
    }

    /// All of the answer that does not differ from one run to the next: ids, times and tokens are
    /// replaced by what they are.
    pub fn likeness(&self) -> Value {
        // How an answer travels is the server's to say.
        let names = self.headers.keys().map(|name| name.as_str());
        let names = names.filter(|name| !["connection", "content-length", "date"].contains(name));
        let headers =
            names.map(|name| (name.to_owned(), json!(likeness_of_text(self.header(name)))));
        let headers = headers.collect::<serde_json::Map<_, _>>();
        let body = serde_json::from_slice(&self.body).map_or_else(|_| json!(self.text()), likeness);
        json!({ "status": self.status.as_u16(), "headers": headers, "body": body })
    }
}

fn likeness(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(likeness_of_text(&text)),
        Value::Array(items) => items.into_iter().map(likeness).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, likeness(value))).collect()
        }
        other => other,
    }
}

fn likeness_of_text(text: &str) -> String {
    let part = |part: &str| -> String {
        if part.parse::<models::Id>().is_ok() {
            "<id>".to_owned()
        } else if part.parse::<models::Timestamp>().is_ok() {
            "<time>".to_owned()
        } else if part.len() > 60 && !part.contains(' ') {
            "<token>".to_owned()
        } else {
            part.to_owned()
        }
    };
    text.split('/').map(part).collect::<Vec<_>>().join("/")
}
