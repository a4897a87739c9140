//! What can go wrong between the SDK and the table: answers that are lost, cut or never given.

use std::{
    collections::VecDeque,
    convert::Infallible,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    body::{Bytes, Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use models::store::Connection;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinHandle, JoinSet, yield_now},
};

/// More than so many connections at once are a mistake in a test.
const CONNECTIONS: usize = 1_000;

/// What DynamoDB takes and gives at most, in bytes.
const BODY: usize = 16 * 1024 * 1024;

/// A proxy on loopback before a store. It counts the calls, and does to them what it is told;
/// without being told it passes them on. It stops when it is dropped.
pub struct Faults {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// What happens to a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: the next fault hits a later call.
    None,
    /// The store does it, and the connection closes in place of an answer.
    LostAnswer,
    /// The store does it, and the connection closes before the answer's last byte.
    BrokenAnswer,
    /// The store does it, and the last byte of the answer is missing, from its length too.
    ShortAnswer,
    /// The store does not hear of it: this is the answer.
    Answer(u16, Value),
    /// The store hears of it when the hold is released.
    Held(Hold),
}

/// Holds a call back, so that a test can do something just before it.
#[derive(Clone, Debug, Default)]
pub struct Hold(Arc<(Notify, Notify)>);

impl Hold {
    /// Wait until the call has come.
    pub async fn reached(&self) {
        self.0.0.notified().await;
    }

    /// Let it go on.
    pub fn release(&self) {
        self.0.1.notify_one();
    }

    async fn hold(&self) {
        self.0.0.notify_one();
        self.0.1.notified().await;
    }
}

impl Fault {
    /// An error as DynamoDB tells it: `Fault::error(400, "ThrottlingException", "Slow down.")`.
    pub fn error(status: u16, name: &str, message: &str) -> Self {
        let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
        Self::Answer(status, json!({ "__type": name, "message": message }))
    }
}

#[derive(Default)]
struct Shared {
    store: OnceLock<SocketAddr>,
    connections: AtomicUsize,
    told: Mutex<Told>,
}

/// What calls took, as the store counts it (`ReturnConsumedCapacity`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    /// The operations, in their order.
    pub calls: Vec<String>,
    /// Read units: one for each 4 KB that is read as of now.
    pub reads: f64,
    /// Write units: one for each KB, two within a transaction.
    pub writes: f64,
}

#[derive(Default)]
struct Told {
    faults: VecDeque<(&'static str, Fault)>,
    cost: Cost,
}

impl Faults {
    /// Start one.
    ///
    /// # Panics
    /// When there is no loopback.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared::default());
        let server = tokio::spawn(serve(listener, shared.clone()));
        Self { address, shared, server }
    }

    /// Stand before this store: the connection that leads through here.
    ///
    /// # Panics
    /// When it stands before another one, or this one has no address.
    pub fn before(&self, store: Connection) -> Connection {
        let endpoint = store.endpoint.as_deref().and_then(|it| it.strip_prefix("http://"));
        let address = endpoint.and_then(|it| it.parse().ok()).expect("the store has an address");
        assert_eq!(*self.shared.store.get_or_init(|| address), address, "it has a store");
        Connection { endpoint: Some(format!("http://{}", self.address)), ..store }
    }

    /// Do this to the next so many calls of an operation, such as `PutItem`, after what it was
    /// told to do to them before.
    pub fn next(&self, calls: usize, operation: &'static str, fault: Fault) {
        let faults = std::iter::repeat_n((operation, fault), calls);
        self.shared.told().faults.extend(faults);
    }

    /// The operations that were called since this was asked before, in their order. An attempt of
    /// the SDK is a call.
    pub fn calls(&self) -> Vec<String> {
        self.cost().calls
    }

    /// The same, and what they took.
    pub fn cost(&self) -> Cost {
        std::mem::take(&mut self.shared.told().cost)
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::Relaxed)
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Count a call, and see what is to happen to it.
    fn call(&self, operation: &str) -> Fault {
        let mut told = self.told();
        told.cost.calls.push(operation.to_owned());
        let place = told.faults.iter().position(|(of, _)| *of == operation);
        let fault = place.and_then(|place| told.faults.remove(place));
        fault.map_or(Fault::None, |(_, fault)| fault)
    }
}

impl Told {
    /// Add up what the store says that a call took.
    fn count(&mut self, operation: &str, answer: &[u8]) {
        let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
        let consumed = &answer["ConsumedCapacity"];
        let tables = consumed.as_array().map_or(std::slice::from_ref(consumed), Vec::as_slice);
        let units: f64 = tables.iter().filter_map(|table| table["CapacityUnits"].as_f64()).sum();
        if operation.contains("Get") || ["Query", "Scan"].contains(&operation) {
            self.cost.reads += units;
        } else {
            self.cost.writes += units;
        }
    }
}

/// The call, asking for what it takes.
fn asking_for_the_cost(
    mut parts: http::request::Parts,
    body: &[u8],
) -> Result<Request<Full<Bytes>>, Failure> {
    let mut body: Value = serde_json::from_slice(body)?;
    body["ReturnConsumedCapacity"] = json!("TOTAL");
    parts.headers.remove(header::CONTENT_LENGTH);
    Ok(Request::from_parts(parts, Full::new(body.to_string().into())))
}

type Body = UnsyncBoxBody<Bytes, io::Error>;
type Failure = Box<dyn std::error::Error + Send + Sync>;

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and with it everything that they are doing.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if connections.len() >= CONNECTIONS {
            continue;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        let shared = shared.clone();
        let answer = service_fn(move |request| answer(shared.clone(), request));
        let connection = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), answer);
        // A connection that fails is a fault that was asked for.
        connections.spawn(async move { drop(connection.await) });
    }
}

/// An error closes the connection without an answer.
async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Body>, Failure> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY).collect().await?.to_bytes();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let operation = target.and_then(|target| target.rsplit('.').next()).unwrap_or_default();
    let operation = operation.to_owned();
    let fault = shared.call(&operation);
    if let Fault::Answer(status, body) = fault {
        let headers = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/x-amz-json-1.0"),
        )]);
        return Ok(response(
            StatusCode::from_u16(status)?,
            headers,
            whole(body.to_string().into()),
        ));
    }
    if let Fault::Held(hold) = &fault {
        hold.hold().await;
    }
    let store = *shared.store.get().ok_or("it stands before no store")?;
    let request = asking_for_the_cost(parts, &body)?;
    let (status, mut headers, body) = pass_on(store, request).await?;
    shared.told().count(&operation, &body);
    let short = body.slice(..body.len().saturating_sub(1));
    let body = match fault {
        Fault::None | Fault::Answer(..) | Fault::Held(_) => whole(body),
        Fault::LostAnswer => return Err("the answer is lost".into()),
        Fault::BrokenAnswer => broken_off(short),
        Fault::ShortAnswer => {
            headers.remove(header::CONTENT_LENGTH);
            whole(short)
        }
    };
    Ok(response(status, headers, body))
}

async fn pass_on(
    store: SocketAddr,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, HeaderMap, Bytes), Failure> {
    let stream = TokioIo::new(TcpStream::connect(store).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, BODY).collect().await?.to_bytes();
    Ok((parts.status, parts.headers, body))
}

fn response(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// The pause lets out what there is before the end.
fn broken_off(body: Bytes) -> Body {
    let end = stream::once(async {
        yield_now().await;
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    StreamBody::new(stream::iter([Ok(Frame::data(body))]).chain(end)).boxed_unsync()
}
