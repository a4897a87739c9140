//! What an operation answers: what its signature gives, its own problems, and those that follow
//! from guard and signature. Each problem comes with its headers, its code and an example.

use std::collections::BTreeMap;

use api::http::{Code, Guard, Problem, ProblemView};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Responses},
};

use crate::Contradiction;

/// The answers of one operation.
pub(crate) struct Answers<'a> {
    /// The operation's id.
    pub(crate) id: &'a str,
    /// Who may call it.
    pub(crate) guard: Guard,
    /// Problems of its module's own.
    pub(crate) codes: &'a [Code],
    /// Whether its answer may be one that was given before.
    pub(crate) replayed: bool,
    /// A value of the request that a rule may refuse, as a JSON pointer.
    pub(crate) pointer: String,
}

/// A kind of problem, and what it means here.
struct Told {
    code: Code,
    meaning: String,
}

/// An id as requests have them.
const REQUEST_ID: &str = "01a20449-4b5b-7c92-8118-fa4b777793b3";

/// The headers that answers of all operations may have, by their names among the components.
pub(crate) fn headers() -> Value {
    json!({
        "RequestId": {
            "description": "What the log has the request under: the client's own `X-Request-Id`, \
                            where it has sent a plain word of at most 128 characters.",
            "required": true,
            "schema": {
                "type": "string",
                "pattern": "^[0-9A-Za-z_.:-]{1,128}$",
                "examples": [REQUEST_ID],
            },
        },
        "RetryAfter": {
            "description": "In how many seconds to try again (RFC 9110, section 10.2.3).",
            "required": true,
            "schema": { "type": "integer", "format": "int32", "minimum": 1, "examples": [1] },
        },
        "Challenge": {
            "description": "What access is for (RFC 6750, section 3).",
            "required": true,
            "schema": {
                "type": "string",
                "examples": ["Bearer realm=\"api\", error=\"invalid_token\""],
            },
        },
        "IdempotencyReplayed": {
            "description": "There when the answer was given before to the same request.",
            "required": false,
            "schema": { "type": "boolean", "examples": [true] },
        },
    })
}

impl Answers<'_> {
    /// All of them by status: `own` as the handler's attribute has them, `given` as its signature
    /// does, and `general` for what holds because of guard and signature.
    pub(crate) fn describe(
        &self,
        own: &Responses,
        given: &BTreeMap<String, utoipa::openapi::Response>,
        general: Vec<Code>,
    ) -> Result<Value, Contradiction> {
        let mut answers = Map::new();
        for (status, response) in given {
            answers.insert(status.clone(), self.success(status, response));
        }
        for (status, told) in self.problems(own, general)? {
            answers.insert(status, self.problem(&told));
        }
        Ok(Value::Object(answers))
    }

    fn success(&self, status: &str, response: &utoipa::openapi::Response) -> Value {
        let mut answer = serde_json::to_value(response).expect("a response is plain data");
        if !answer["headers"].is_object() {
            answer["headers"] = json!({});
        }
        for (_, header) in answer["headers"].as_object_mut().into_iter().flatten() {
            header["required"] = json!(true);
        }
        answer["headers"]["X-Request-Id"] = reference("headers", "RequestId");
        if self.replayed && status.starts_with('2') {
            answer["headers"]["Idempotency-Replayed"] = reference("headers", "IdempotencyReplayed");
        }
        answer
    }

    fn problems(
        &self,
        own: &Responses,
        general: Vec<Code>,
    ) -> Result<BTreeMap<String, Vec<Told>>, Contradiction> {
        let mut problems = BTreeMap::<String, Vec<Told>>::new();
        for (status, response) in &own.responses {
            let RefOr::T(response) = response else { continue };
            for (name, meaning) in named(&response.description) {
                let code = self.code(status, name)?;
                let meaning = meaning.to_owned();
                problems.entry(status.clone()).or_default().push(Told { code, meaning });
            }
            if !problems.contains_key(status) {
                return Err(Contradiction::Answer(self.id.to_owned(), status.clone()));
            }
        }
        for code in general {
            let told = problems.entry(code.status().as_u16().to_string()).or_default();
            if told.iter().all(|known| known.code != code) {
                told.push(Told { code, meaning: meaning(code) });
            }
        }
        Ok(problems)
    }

    /// The code of this name, which is one of Landline's or of the module's, and of this status.
    fn code(&self, status: &str, name: &str) -> Result<Code, Contradiction> {
        let landlines = Code::ALL.iter().map(|(code, _)| code);
        let code = self.codes.iter().chain(landlines).find(|code| code.name() == name);
        let code = *code.ok_or_else(|| Contradiction::Code(self.id.to_owned(), name.to_owned()))?;
        if code.status().as_str() == status {
            Ok(code)
        } else {
            Err(Contradiction::Status(self.id.to_owned(), name.to_owned(), status.to_owned()))
        }
    }

    fn problem(&self, told: &[Told]) -> Value {
        let made: Vec<_> = told.iter().map(|told| (told, self.made(told))).collect();
        let mut headers = json!({ "X-Request-Id": reference("headers", "RequestId") });
        for (name, component) in [("Retry-After", "RetryAfter"), ("WWW-Authenticate", "Challenge")]
        {
            let with = made.iter().filter(|(_, problem)| problem.headers().contains_key(name));
            let count = with.count();
            if count == made.len() {
                headers[name] = reference("headers", component);
            } else if count > 0 {
                headers[name] = self::headers()[component].take();
                headers[name]["required"] = json!(false);
            }
        }
        let sentences: Vec<_> =
            told.iter().map(|it| format!("`{}`: {}", it.code.name(), it.meaning)).collect();
        let mut codes: Vec<_> = told.iter().map(|told| told.code.name()).collect();
        codes.sort_unstable();
        let examples: Map<_, _> = made
            .into_iter()
            .map(|(told, problem)| (told.code.name().to_owned(), self.example(problem)))
            .collect();
        json!({
            "description": sentences.join(" "),
            "headers": headers,
            "content": {
                "application/problem+json": {
                    "schema": reference("schemas", &ProblemView::name()),
                    "examples": examples,
                },
            },
            "x-problem-codes": codes,
        })
    }

    fn made(&self, told: &Told) -> Problem {
        match (told.code, self.guard) {
            (Code::InsufficientScope, Guard::Scoped(scope)) => Problem::insufficient_scope(scope),
            (code, _) => Problem::new(code, capitalised(&told.meaning)),
        }
    }

    fn example(&self, problem: Problem) -> Value {
        let code = problem.code();
        let mut told = serde_json::to_value(problem.told(REQUEST_ID)).expect("plain data");
        if code == Code::ValidationFailed {
            told["detail"] = json!("One value is not as it should be.");
            told["errors"] = json!([{
                "pointer": self.pointer,
                "code": "wrong_type",
                "message": "must be a string",
                "limits": {},
            }]);
        }
        json!({ "summary": told["title"], "value": told })
    }
}

/// What the table of codes says of one.
fn meaning(code: Code) -> String {
    let known = Code::ALL.iter().find(|(known, _)| *known == code);
    let meaning = known.map_or("", |(_, meaning)| meaning.trim());
    let mut letters = meaning.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn capitalised(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The codes that an attribute's description names, each with its sentence:
/// "`email_taken`: another account has the address."
fn named(description: &str) -> Vec<(&str, &str)> {
    let mut named = Vec::new();
    let mut rest = description;
    while let Some((name, after)) = leading(rest) {
        let next = after.match_indices('`').find(|(at, _)| leading(&after[*at..]).is_some());
        let (sentence, others) = after.split_at(next.map_or(after.len(), |(at, _)| at));
        named.push((name, sentence.trim()));
        rest = others;
    }
    named
}

/// The code that the text begins with, and what comes after it.
fn leading(text: &str) -> Option<(&str, &str)> {
    let (name, after) = text.strip_prefix('`')?.split_once("`: ")?;
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (!name.is_empty() && name.bytes().all(word)).then_some((name, after))
}

pub(crate) fn reference(place: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{place}/{name}") })
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn reads_the_codes_of_an_attribute() {
        let text = "`credentials_invalid`: not `this` one. `session_revoked`: it has ended.";

        let expected =
            [("credentials_invalid", "not `this` one."), ("session_revoked", "it has ended.")];
        assert_eq!(named(text), expected);
        assert_eq!(named("It is too late."), []);
        assert_eq!(named("It is `too_late`: see there."), []);
    }
}
