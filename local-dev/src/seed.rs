//! Two people with some notes each, made through the front door as a phone would.

use std::net::{Ipv4Addr, SocketAddr};

use axum::{
    body::{Body, to_bytes},
    http::{Method, Request, StatusCode, header},
};
use serde_json::{Value, json};

use crate::Gateway;

struct Person {
    email: &'static str,
    name: &'static str,
    password: &'static str,
    notes: &'static [Note],
}

struct Note {
    title: &'static str,
    body: &'static str,
    tags: &'static [&'static str],
}

const PEOPLE: [Person; 2] = [
    Person {
        email: "maya@example.com",
        name: "Maya",
        password: "maya-likes-lighthouses",
        notes: &[
            Note {
                title: "Packing list",
                body: "Tent, stove, the good rope, two head torches.",
                tags: &["travel", "lists"],
            },
            Note {
                title: "Lighthouse opening hours",
                body: "Saturdays from ten. The stairs close at half past four.",
                tags: &["travel"],
            },
            Note { title: "Call the harbour office", body: "", tags: &[] },
        ],
    },
    Person {
        email: "omar@example.com",
        name: "Omar",
        password: "omar-likes-sourdough",
        notes: &[
            Note {
                title: "Starter, day four",
                body: "Doubled in six hours at 24 °C. Smells of yoghurt.",
                tags: &["bread"],
            },
            Note {
                title: "Ideas for the shop window",
                body: "A shelf of jars, lit from behind.",
                tags: &["work", "ideas"],
            },
        ],
    },
];

/// Why the store could not be filled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SeedError {
    #[error(
        "{0} is registered already, with another password: sign in with that one, or empty the data directory with `reset`"
    )]
    OtherPassword(&'static str),
    #[error("{method} {path} answered {status} while filling the store: {body}")]
    Unexpected { method: Method, path: &'static str, status: StatusCode, body: String },
}

/// Make whatever is missing, and say who can sign in. Run twice, it changes nothing.
pub(crate) async fn fill(gateway: &Gateway) -> Result<String, SeedError> {
    let mut report = "Ready to sign in:\n".to_owned();
    for person in &PEOPLE {
        let made = Client::sign_in(gateway, person).await?.write(person.notes).await?;
        let Person { email, password, .. } = person;
        report += &format!("  {email}  password {password}  {made} new notes\n");
    }
    Ok(report)
}

/// Somebody who is signed in.
struct Client<'a> {
    gateway: &'a Gateway,
    token: String,
}

impl<'a> Client<'a> {
    /// Register, or sign in where that happened before.
    async fn sign_in(gateway: &'a Gateway, person: &Person) -> Result<Self, SeedError> {
        let mut client = Self { gateway, token: String::new() };
        let Person { email, name, password, .. } = person;
        let account = json!({ "email": email, "displayName": name, "password": password });
        let mut answer = client.send(Method::POST, "/v1/accounts", Some(account)).await;
        if answer.is(StatusCode::CONFLICT) {
            let known = json!({ "email": email, "password": password });
            answer = client.send(Method::POST, "/v1/sessions", Some(known)).await;
            if answer.is(StatusCode::UNAUTHORIZED) {
                return Err(SeedError::OtherPassword(email));
            }
        }
        let session = answer.success()?;
        client.token = session["tokens"]["accessToken"].as_str().unwrap_or_default().to_owned();
        Ok(client)
    }

    /// Write the notes that are not there yet, sign out, and say how many they were.
    async fn write(&self, notes: &[Note]) -> Result<usize, SeedError> {
        let answer = self.send(Method::GET, "/v1/notes?limit=100", None).await;
        // A team that has deleted the example gets people without notes.
        let notes = if answer.is(StatusCode::NOT_FOUND) { &[] } else { notes };
        let page = if notes.is_empty() { Value::Null } else { answer.success()? };
        let items = page["items"].as_array().cloned().unwrap_or_default();
        let missing: Vec<_> = notes
            .iter()
            .filter(|note| items.iter().all(|item| item["title"] != note.title))
            .collect();
        for Note { title, body, tags } in &missing {
            let note = json!({ "title": title, "body": body, "tags": tags });
            self.send(Method::POST, "/v1/notes", Some(note)).await.success()?;
        }
        self.send(Method::DELETE, "/v1/sessions/current", None).await.success()?;
        Ok(missing.len())
    }

    async fn send(&self, method: Method, path: &'static str, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(&method).uri(path);
        if body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if !self.token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).expect("paths and tokens are plain text");
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (parts, body) = self.gateway.forward(request, here).await.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        Answer { method, path, status: parts.status, body: body.to_vec() }
    }
}

struct Answer {
    method: Method,
    path: &'static str,
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn is(&self, status: StatusCode) -> bool {
        self.status == status
    }

    /// The JSON of an answer that says yes; null where it says nothing.
    fn success(self) -> Result<Value, SeedError> {
        if self.status.is_success() {
            return Ok(serde_json::from_slice(&self.body).unwrap_or_default());
        }
        let Self { method, path, status, body } = self;
        let body = String::from_utf8_lossy(&body).into_owned();
        Err(SeedError::Unexpected { method, path, status, body })
    }
}
