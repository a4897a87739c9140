//! The embedded store's door. What keeps the data answers every page of every origin
//! (`Access-Control-Allow-Origin: *`) and asks for no key, so it is not what listens: the port is
//! ours, and what may come in goes on over connections of ours.

use std::{
    error::Error,
    io,
    net::Ipv4Addr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{StatusCode, Version, header},
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use dynoxide::{Database, server::serve_with_shutdown};
use http_body_util::BodyExt;
use hyper::client::conn::http1::{Connection, SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::host::Host;

/// As DynamoDB refuses.
const REFUSED: &str = r#"{"__type":"com.amazon.coral.service#AccessDeniedException","message":"The embedded store is for programs of this machine, by localhost or an address, and for no page."}"#;

/// As many bytes as the database takes, and DynamoDB in its largest request (`BatchWriteItem`).
const LONGEST: usize = 16 * 1024 * 1024;
const TOO_LONG: &str = r#"{"__type":"com.amazon.coral.service#RequestEntityTooLargeException","message":"A request to the embedded store has at most 16 MiB."}"#;

/// Let programs at this database, by this listener, until `stopped` and then until every request is
/// answered.
pub(crate) async fn serve(
    listener: TcpListener,
    database: Database,
    stopped: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let inside = Arc::new(Inside { database, idle: Mutex::default() });
    let router = Router::new().fallback(pass).with_state(inside);
    // Small answers leave at once. Should this fail, they leave a little later.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, router).with_graceful_shutdown(stopped).await
}

async fn pass(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    if !is_of_a_program(&request) {
        return refuse(StatusCode::FORBIDDEN, REFUSED);
    }
    let (mut parts, body) = request.into_parts();
    // The whole of it, so that no client breaks a connection inside. One that has stopped sending
    // hears no answer.
    let Ok(body) = to_bytes(body, LONGEST).await else {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, TOO_LONG);
    };
    // Whether this connection stays says nothing of the one inside.
    parts.headers.remove(header::CONNECTION);
    parts.version = Version::HTTP_11;
    match inside.ask(Request::from_parts(parts, body.into())).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::error!(error, "the embedded store has no answer");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn refuse(status: StatusCode, answer: &'static str) -> Response {
    (status, [(header::CONTENT_TYPE, "application/x-amz-json-1.0")], answer).into_response()
}

/// A page names its origin wherever it could read the answer or change something. One that asks by a
/// name of its own may leave that out of what only reads.
fn is_of_a_program(request: &Request) -> bool {
    let is_fixed = Host::asked(request).is_some_and(|host| host.is_fixed());
    is_fixed && !request.headers().contains_key(header::ORIGIN)
}

/// The database, and connections to it that wait for a request.
struct Inside {
    database: Database,
    idle: Mutex<Vec<Line>>,
}

/// A connection to the database. It ends when this is dropped.
struct Line {
    requests: SendRequest<Body>,
    /// Until it has ended. It goes on while somebody waits for it, and on no task of its own: one that
    /// would have to be woken takes longer.
    connection: Option<Connection<TokioIo<TcpStream>, Body>>,
    _open: oneshot::Sender<()>,
}

type Failed = Box<dyn Error + Send + Sync>;

impl Inside {
    /// One that has broken is not there for the next request.
    async fn ask(&self, request: Request) -> Result<Response, Failed> {
        let mut line = match self.waiting().await {
            Some(line) => line,
            None => self.connect().await?,
        };
        let answer = line.ask(request).await?;
        self.idle().push(line);
        Ok(answer)
    }

    async fn waiting(&self) -> Option<Line> {
        loop {
            let mut line = self.idle().pop()?;
            if line.is_ready().await {
                return Some(line);
            }
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Line>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The library serves nothing but a listener. So each connection has one of its own, on a port of
    /// the system's choice, which is closed as soon as that is taken: the library goes on with it.
    /// Whoever hits this port within that millisecond is inside. A page cannot bring it about, since
    /// what is refused opens nothing, and there are as many as there were requests at once.
    async fn connect(&self) -> Result<Line, Failed> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let stream = TcpStream::connect(listener.local_addr()?).await?;
        stream.set_nodelay(true)?;
        let (requests, connection) = handshake(TokioIo::new(stream)).await?;
        let (open, closed) = oneshot::channel::<()>();
        let closed = async move { drop(closed.await) };
        let mut line = Line { requests, connection: Some(connection), _open: open };
        let hello = Request::get("/").header(header::HOST, "localhost").body(Body::empty())?;
        tokio::select! {
            answer = line.ask(hello) => drop(answer?),
            ended = serve_with_shutdown(listener, self.database.clone(), closed) => ended?,
        }
        Ok(line)
    }
}

impl Line {
    async fn is_ready(&mut self) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        tokio::select! {
            ready = self.requests.ready() => ready.is_ok(),
            _ = connection => false,
        }
    }

    /// The whole answer.
    async fn ask(&mut self, request: Request) -> Result<Response, Failed> {
        let mut answer = pin!(async {
            let (parts, body) = self.requests.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            Ok(Response::from_parts(parts, body.into()))
        });
        if let Some(connection) = &mut self.connection {
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                _ = connection => {}
            }
        }
        // It may have ended behind the answer.
        self.connection = None;
        answer.await
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpStream},
        time::Duration,
    };

    use models::{Ambient, store::Store};

    use crate::{EmbeddedStore, connection};

    /// A scan that begins with this line and these headers.
    fn scan(line: &str, headers: &str) -> String {
        let body = r#"{"TableName":"landline"}"#;
        format!(
            "{line}\r\n{headers}\r\nX-Amz-Target: DynamoDB_20120810.Scan\r\n\
             Content-Type: application/x-amz-json-1.0\r\n\
             Authorization: AWS4-HMAC-SHA256 Credential=a/20261122/us-east-1/dynamodb/aws4_request, \
             SignedHeaders=host, Signature=b\r\nX-Amz-Date: 20261122T163000Z\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len(),
        )
    }

    /// All that is answered on one connection, in small letters. The last request ends it.
    fn send(store: &EmbeddedStore, requests: &str) -> String {
        let address = store.endpoint().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(requests.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.to_lowercase()
    }

    fn ask(store: &EmbeddedStore, line: &str, headers: &str) -> String {
        send(store, &scan(line, &format!("{headers}\r\nConnection: close")))
    }

    async fn with_a_table() -> EmbeddedStore {
        let store = EmbeddedStore::memory().unwrap();
        Store::connect(connection(&store), Ambient::system()).create_table().await.unwrap();
        store
    }

    #[tokio::test]
    async fn is_closed_to_pages_and_to_names_of_others() {
        let store = with_a_table().await;
        for headers in [
            "Host: 127.0.0.1\r\nOrigin: https://example.com",
            "Host: localhost\r\nOrigin: http://localhost",
            "Host: localhost\r\nOrigin: null",
            "Host: localhost\r\nOrigin: http://localhost\r\nOrigin: https://example.com",
            "Host: evil.example.com",
            "Host: evil.example.com:8000\r\nOrigin: http://evil.example.com:8000",
            "Host: localhost.example.com",
            "Host: localhost\r\nHost: evil.example.com",
            "X-Host: localhost",
        ] {
            for method in ["POST", "OPTIONS", "GET"] {
                let preflight = format!("{headers}\r\nAccess-Control-Request-Method: POST");

                let answer = ask(&store, &format!("{method} / HTTP/1.1"), &preflight);

                assert!(answer.starts_with("http/1.1 403 "), "{method} {headers}: {answer}");
                assert!(!answer.contains("access-control"), "{method} {headers}: {answer}");
                assert!(answer.contains("accessdeniedexception"), "{method} {headers}: {answer}");
            }
        }
    }

    #[tokio::test]
    async fn is_closed_where_a_first_line_says_nothing_or_something_else() {
        let store = with_a_table().await;
        for (line, headers, refused) in [
            ("POST / HTTP/1.0", "X-Host: localhost", "http/1.0 403 "),
            ("POST / HTTP/1.0", "Host: evil.example.com", "http/1.0 403 "),
            ("POST http://evil.example.com/ HTTP/1.1", "Host: localhost", "http/1.1 403 "),
            ("POST http://localhost/ HTTP/1.1", "Host: evil.example.com", "http/1.1 403 "),
            ("POST http://localhost/ HTTP/1.1", "X-Host: localhost", "http/1.1 403 "),
        ] {
            let answer = ask(&store, line, headers);

            assert!(answer.starts_with(refused), "{line} {headers}: {answer}");
            assert!(answer.contains("accessdeniedexception"), "{line} {headers}: {answer}");
        }
    }

    #[tokio::test]
    async fn is_open_to_programs_of_this_machine() {
        let store = with_a_table().await;
        for host in [
            "localhost",
            "LocalHost:8000",
            "store.localhost",
            "127.0.0.1:8000",
            "[::1]:8000",
            "192.0.2.7",
        ] {
            // Connections inside serve one request after another.
            for line in ["POST / HTTP/1.1", &format!("POST http://{host}/ HTTP/1.1")] {
                let answer = ask(&store, line, &format!("Host: {host}"));

                assert!(answer.starts_with("http/1.1 200 "), "{host}: {answer}");
                assert!(answer.contains(r#""scannedcount":0"#), "{answer}");
            }
        }
    }

    /// A connection may be a proxy's, of several. What is refused is a body, whatever is in it.
    #[tokio::test]
    async fn asks_each_request_of_a_connection_anew() {
        let store = with_a_table().await;
        let line = "POST / HTTP/1.1";
        let program = scan(line, "Host: localhost");
        let length = program.len();
        let page = format!("{line}\r\nHost: evil.example.com\r\nContent-Length: {length}\r\n\r\n");
        let last = scan(line, "Host: localhost\r\nConnection: close");

        let answers = send(&store, &[&*program, &page, &program, &last].concat());

        let answers: Vec<_> = answers.split("http/1.1 ").skip(1).map(|it| &it[..3]).collect();
        assert_eq!(answers, ["200", "403", "200"]);
    }

    /// Each of these breaks off, or has more than DynamoDB takes.
    #[tokio::test]
    async fn is_open_after_requests_that_were_not_whole_or_too_long() {
        let store = with_a_table().await;
        for (length, sent) in [(17, 17), (16, 8), (1, 0)].map(|it| (it.0 << 20, it.1 << 20)) {
            let address = store.endpoint().strip_prefix("http://").unwrap();
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
            let head = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
            write!(stream, "{head}Content-Length: {length}\r\n\r\n").unwrap();
            // It may have been refused before it was sent.
            drop(stream.write_all(&vec![b' '; sent]));
            drop(stream.shutdown(Shutdown::Write));
            // Its end; a connection that was reset in the middle has no answer.
            drop(stream.read_to_end(&mut Vec::new()));

            let answer = ask(&store, "POST / HTTP/1.1", "Host: localhost");

            assert!(answer.starts_with("http/1.1 200 "), "{sent} of {length}: {answer}");
        }
    }

    #[tokio::test]
    async fn names_the_longest_request_where_one_is_longer() {
        let store = with_a_table().await;
        let chunk = format!("100000\r\n{}\r\n", " ".repeat(0x10_0000));
        let head = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";

        // The last byte is the first that is too many, so that nothing is left unread.
        let answer = send(&store, &format!("{head}{}1\r\n ", chunk.repeat(16)));

        assert!(answer.starts_with("http/1.1 413 "), "{answer}");
        assert!(answer.contains("at most 16 mib"), "{answer}");
    }
}
