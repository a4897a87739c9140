//! What stands in for AWS where it keeps secrets: Parameter Store and Secrets Manager on loopback,
//! one call of each, as their API references describe it. Real AWS is not among the tests.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http::{Request, Response, header::AUTHORIZATION};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};

/// Keeps texts by name. It stops when it is dropped.
pub struct Secrets {
    address: SocketAddr,
    told: Arc<Mutex<Told>>,
    server: JoinHandle<()>,
}

#[derive(Default)]
struct Told {
    kept: Vec<(String, String)>,
    refusal: Option<(u16, Value)>,
    calls: Vec<(String, Value)>,
}

impl Secrets {
    /// Start with nothing kept.
    ///
    /// # Panics
    /// When there is no loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let told = Arc::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&told)));
        Self { address, told, server }
    }

    /// The address to use in place of AWS's own.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Keep this text under this name, in both services.
    pub fn keep(&self, name: &str, text: &str) {
        let mut told = lock(&self.told);
        told.kept.retain(|(known, _)| known != name);
        told.kept.push((name.to_owned(), text.to_owned()));
    }

    /// Answer with an error of this status and name from now on, or do not any longer.
    pub fn refuse(&self, refusal: Option<(u16, &str)>) {
        let refusal = refusal.map(|(status, name)| (status, json!({ "__type": name })));
        lock(&self.told).refusal = refusal;
    }

    /// What was called since this was asked before: target and body of each call.
    pub fn calls(&self) -> Vec<(String, Value)> {
        std::mem::take(&mut lock(&self.told).calls)
    }
}

impl Drop for Secrets {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(told: &Mutex<Told>) -> MutexGuard<'_, Told> {
    told.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn serve(listener: TcpListener, told: Arc<Mutex<Told>>) {
    // Dropped with this task, and with it everything that they are doing.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let told = told.clone();
        let answer = service_fn(move |request| answer(told.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer);
        connections.spawn(async move { drop(connection.await) });
    }
}

async fn answer(
    told: Arc<Mutex<Told>>,
    request: Request<Incoming>,
) -> Result<Response<String>, Box<dyn std::error::Error + Send + Sync>> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let body: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
    let signed = header(AUTHORIZATION.as_str()).starts_with("AWS4-HMAC-SHA256 Credential=");
    let spoken = header("content-type") == "application/x-amz-json-1.1";
    let target = header("x-amz-target");
    let mut told = lock(&told);
    told.calls.push((target.clone(), body.clone()));
    let (status, body) = match &told.refusal {
        Some(refusal) => refusal.clone(),
        None if !signed || !spoken || parts.method != "POST" => {
            (400, json!({ "__type": "UnrecognizedClientException" }))
        }
        None => told.find(&target, &body),
    };
    let response = Response::builder().status(status);
    Ok(response.header("content-type", "application/x-amz-json-1.1").body(body.to_string())?)
}

impl Told {
    /// <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html>,
    /// <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>
    fn find(&self, target: &str, body: &Value) -> (u16, Value) {
        let named = |name: &Value| {
            let kept = self.kept.iter().find(|(known, _)| Some(known.as_str()) == name.as_str());
            kept.map(|(_, text)| text)
        };
        match target {
            "AmazonSSM.GetParameter" => match named(&body["Name"]) {
                // Without decryption a SecureString comes as it is kept.
                Some(_) if body["WithDecryption"] != true => {
                    (200, json!({ "Parameter": { "Name": body["Name"], "Value": "AQICAHg" } }))
                }
                Some(text) => {
                    (200, json!({ "Parameter": { "Name": body["Name"], "Value": text } }))
                }
                None => (400, json!({ "__type": "ParameterNotFound" })),
            },
            "secretsmanager.GetSecretValue" => match named(&body["SecretId"]) {
                Some(text) => (200, json!({ "Name": body["SecretId"], "SecretString": text })),
                None => (400, json!({ "__type": "ResourceNotFoundException" })),
            },
            _ => (400, json!({ "__type": "UnknownOperationException" })),
        }
    }
}
