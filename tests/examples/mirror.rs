//! For clients that are generated from the spec: gives them random values of every schema as
//! answers, and takes them back as bodies. What a client sends back must be what it was given, and
//! a request must be one that the server's own model takes.
//!
//! `cargo run -p tests --example mirror -- 500 1` makes 500 values of each schema out of the seed 1.
//! Its first line is where it listens, on loopback; the second says the schemas. It ends when its
//! standard input does.
#![expect(clippy::print_stdout, reason = "a program says on stdout where it listens")]

use std::{collections::BTreeMap, env, sync::Arc};

use api::http::{Decode, Description};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    routing::get,
};
use fastrand::Rng;
use serde_json::{Value, json};
use tests::{
    chance,
    spec::{document, validator},
};
use tokio::{io::AsyncReadExt, net::TcpListener};

/// The values of each schema, and what decodes it where it is a request.
struct Mirror {
    values: BTreeMap<String, Vec<Value>>,
    decoders: BTreeMap<String, Decode<[u8]>>,
}

impl Mirror {
    fn new(cases: usize, seed: u64) -> Self {
        let decoders = decoders();
        let mut rng = Rng::with_seed(seed);
        let schemas = document()["components"]["schemas"].as_object().into_iter().flatten();
        let values = schemas.map(|(name, schema)| {
            let validator = validator(schema);
            let values: Vec<_> = (0..cases).map(|_| chance::value(schema, &mut rng)).collect();
            for value in &values {
                assert!(validator.is_valid(value), "{name} does not allow {value}");
            }
            (name.clone(), values)
        });
        Self { values: values.collect(), decoders }
    }

    fn value(&self, schema: &str, index: usize) -> Option<&Value> {
        self.values.get(schema)?.get(index)
    }

    /// Why what came back is not what was given.
    fn judge(&self, schema: &str, index: usize, body: &[u8]) -> Result<(), String> {
        let given = self.value(schema, index).ok_or("there is no such value")?;
        let came: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if !same(given, &came) {
            return Err(format!("{schema}: {given} came back as {came}"));
        }
        match self.decoders.get(schema) {
            Some(decode) => {
                decode(body).map_err(|problem| format!("{schema}: {problem:?}: {came}"))
            }
            None => Ok(()),
        }
    }
}

/// What decodes and validates each request model in the app.
fn decoders() -> BTreeMap<String, Decode<[u8]>> {
    let mut decoders = BTreeMap::new();
    for module in api::route_table() {
        for (_, endpoint) in module.endpoints() {
            let mut description = Description::default();
            (endpoint.describe)(&mut description);
            let Some(decode) = description.decode_body else { continue };
            let body = json!(description.request_body);
            let schema = body["content"]["application/json"]["schema"]["$ref"].as_str();
            let name = schema.and_then(|it| it.rsplit('/').next()).expect("a body has a name");
            decoders.insert(name.to_owned(), decode);
        }
    }
    decoders
}

/// Equal as JSON: 1 and 1.0 are one number.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            one == other || (!(one.is_i64() && other.is_i64()) && one.as_f64() == other.as_f64())
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .all(|(name, value)| other.get(name).is_some_and(|other| same(value, other)))
        }
        _ => one == other,
    }
}

async fn give(
    State(mirror): State<Arc<Mirror>>,
    Path((schema, index)): Path<(String, usize)>,
) -> Result<Json<Value>, StatusCode> {
    mirror.value(&schema, index).cloned().map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn take(
    State(mirror): State<Arc<Mirror>>,
    Path((schema, index)): Path<(String, usize)>,
    body: Bytes,
) -> Result<StatusCode, (StatusCode, String)> {
    match mirror.judge(&schema, index, &body) {
        Ok(()) => Ok(StatusCode::NO_CONTENT),
        Err(why) => Err((StatusCode::UNPROCESSABLE_ENTITY, why)),
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = env::args().skip(1).map(|it| it.parse().expect("a number"));
    let (cases, seed) = (arguments.next().unwrap_or(500), arguments.next().unwrap_or(1));
    let mirror = Arc::new(Mirror::new(usize::try_from(cases).expect("a count"), seed));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("http://{}", listener.local_addr()?);
    let names = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<_>>().join(" ");
    println!("{}", names(mirror.values.keys().collect()));
    println!("{}", names(mirror.decoders.keys().collect()));
    let router = Router::new().route("/{schema}/{index}", get(give).post(take)).with_state(mirror);
    let ended = async {
        let mut nothing = Vec::new();
        drop(tokio::io::stdin().read_to_end(&mut nothing).await);
    };
    axum::serve(listener, router).with_graceful_shutdown(ended).await
}
