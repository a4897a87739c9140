//! Somebody who is sent things over HTTP on loopback: a webhook's endpoint, or what stands in for
//! Amazon SES. What it answers, a test says beforehand; real AWS is not among the tests.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;
use tokio::{
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::programs::TOO_LONG;

/// Takes requests and answers 200, unless a test says otherwise. It stops when it is dropped.
pub struct Receiver {
    address: SocketAddr,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    received: UnboundedReceiver<Received>,
    server: JoinHandle<()>,
}

/// What is answered in place of 200.
#[derive(Clone, Debug)]
pub enum Reply {
    /// This status.
    Status(u16),
    /// That it is elsewhere.
    Redirect(String),
    /// An error of AWS's by its code, in words that name somebody.
    Refusal(&'static str),
    /// Nothing, for as long as the connection stands.
    Never,
    /// Nothing, and the connection ends.
    Closed,
}

/// A request as it came.
#[derive(Debug)]
pub struct Received {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

impl Received {
    /// A header as text; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Receiver {
    /// Start.
    ///
    /// # Panics
    /// When there is no loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let (sender, received) = unbounded_channel();
        let replies = Arc::default();
        let server = tokio::spawn(serve(listener, sender, Arc::clone(&replies)));
        Self { address, replies, received, server }
    }

    /// Where it listens: `127.0.0.1` and a port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answer the next request without a reply of its own so.
    pub fn next(&self, reply: Reply) {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner).push_back(reply);
    }

    /// The next request, once it is here.
    ///
    /// # Panics
    /// When none comes.
    pub async fn received(&mut self) -> Received {
        let received = timeout(TOO_LONG, self.received.recv()).await.expect("a request comes");
        received.expect("it runs")
    }

    /// The requests that are here and that nobody has asked for.
    pub fn so_far(&mut self) -> Vec<Received> {
        std::iter::from_fn(|| self.received.try_recv().ok()).collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    listener: TcpListener,
    sender: UnboundedSender<Received>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
) {
    // Dropped with this task, and with it everything that they are doing.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (sender, replies) = (sender.clone(), replies.clone());
        let answer = service_fn(move |request| answer(sender.clone(), replies.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer);
        connections.spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    sender: UnboundedSender<Received>,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8_lossy(&body.collect().await?.to_bytes()).into_owned();
    let path = parts.uri.path().to_owned();
    let reply = replies.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let _ = sender.send(Received { path, headers: parts.headers, body });
    let response = Response::builder();
    Ok(match reply {
        None => response.body(json!({ "MessageId": "0100" }).to_string())?,
        Some(Reply::Status(status)) => response.status(status).body(String::new())?,
        Some(Reply::Redirect(place)) => {
            response.status(302).header("location", place).body(String::new())?
        }
        Some(Reply::Refusal(code)) => {
            let words = json!({ "message": "Email address is not verified: maya@example.com" });
            response.status(400).header("x-amzn-errortype", code).body(words.to_string())?
        }
        Some(Reply::Never) => std::future::pending().await,
        Some(Reply::Closed) => return Err("the connection ends".into()),
    })
}
