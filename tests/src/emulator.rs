//! What Lambda is to a function: the Runtime API, which hands out events one by one and takes
//! answers (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>).

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::Value;
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// More than this many events waiting at once is a mistake in a test.
const QUEUE: usize = 1_000;

/// A Runtime API on loopback. It stops when it is dropped.
pub struct Emulator {
    address: SocketAddr,
    events: mpsc::Sender<Event>,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What a function made of an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Invocation {
    /// It answered.
    Answered(Value),
    /// It reported an error, which is what a caller would see as a 502.
    Failed(Value),
}

struct Event {
    id: String,
    payload: String,
}

struct Shared {
    events: tokio::sync::Mutex<mpsc::Receiver<Event>>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    invoked: u64,
    callers: HashMap<String, oneshot::Sender<Invocation>>,
}

impl Emulator {
    /// Start one.
    ///
    /// # Panics
    /// When there is no loopback.
    pub async fn start() -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let shared = Arc::new(Shared {
            events: tokio::sync::Mutex::new(receiver),
            waiting: Mutex::default(),
        });
        let invocation = "/2018-06-01/runtime/invocation";
        let router = Router::new()
            .route(&format!("{invocation}/next"), get(next))
            .route(&format!("{invocation}/{{id}}/response"), post(response))
            .route(&format!("{invocation}/{{id}}/error"), post(error))
            .route("/2018-06-01/runtime/init/error", post(init_error))
            .with_state(shared.clone());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { address, events: sender, shared, server }
    }

    /// For the function's `AWS_LAMBDA_RUNTIME_API`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Hand an event to the function; what it made of it comes through the receiver.
    ///
    /// # Panics
    /// When too many events wait.
    pub fn queue(&self, event: &Value) -> oneshot::Receiver<Invocation> {
        let (caller, answered) = oneshot::channel();
        let id = {
            let mut waiting = self.shared.waiting();
            waiting.invoked += 1;
            let id = format!("8476a536-e9f4-11e8-9739-{:012x}", waiting.invoked);
            waiting.callers.insert(id.clone(), caller);
            id
        };
        let event = Event { id, payload: event.to_string() };
        self.events.try_send(event).expect("fewer events wait than fit into the queue");
        answered
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn waiting(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, id: &str, invocation: Invocation) -> StatusCode {
        match self.waiting().callers.remove(id) {
            Some(caller) => {
                // Whoever asked may have given up.
                drop(caller.send(invocation));
                StatusCode::ACCEPTED
            }
            None => StatusCode::BAD_REQUEST,
        }
    }
}

/// Held open until there is an event, as Lambda does it.
async fn next(State(shared): State<Arc<Shared>>) -> Response {
    let Some(event) = shared.events.lock().await.recv().await else {
        return StatusCode::GONE.into_response();
    };
    let function = "arn:aws:lambda:us-east-1:123456789012:function:landline";
    let headers = [
        ("Content-Type", "application/json"),
        ("Lambda-Runtime-Aws-Request-Id", event.id.as_str()),
        // The year 2286: the deadline of an invocation under test never comes.
        ("Lambda-Runtime-Deadline-Ms", "9999999999999"),
        ("Lambda-Runtime-Invoked-Function-Arn", function),
        ("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0"),
    ];
    (headers, event.payload).into_response()
}

async fn response(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.settle(&id, Invocation::Answered(read(&body)))
}

async fn error(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    body: Bytes,
) -> StatusCode {
    shared.settle(&id, Invocation::Failed(read(&body)))
}

async fn init_error(State(shared): State<Arc<Shared>>, body: Bytes) -> StatusCode {
    // It will answer nobody.
    for (_, caller) in shared.waiting().callers.drain() {
        drop(caller.send(Invocation::Failed(read(&body))));
    }
    StatusCode::ACCEPTED
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body)
        .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()))
}
