//! Pages of local-dev's own, for whoever sits at this machine: the mails that were sent.

use std::{fmt::Write, net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::{ConnectInfo, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{
    host::Host,
    mail::{Mailbox, SentMail},
};

/// Nothing is loaded, nothing runs, and no page frames this one. A mail's own page is in a sandbox
/// besides.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
     frame-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/dev/outbox` and `/dev/outbox.json`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(mailbox: Arc<Mailbox>) -> Router<S> {
    Router::new()
        .route("/dev/outbox", get(show_mails))
        .route("/dev/outbox.json", get(list_mails))
        .with_state(mailbox)
        .layer(from_fn(only_from_here))
}

/// Mails have codes to sign in with: they are shown to this machine alone, and by its own name, so
/// that no page of somebody else's reaches them by a name that it lets lead here.
async fn only_from_here(request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let peer_is_here = peer.is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    if !peer_is_here || !is_asked_by_our_name(&request) {
        let why = "This page is for the machine that local-dev runs on, as localhost.\n";
        return (StatusCode::FORBIDDEN, why).into_response();
    }
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Other pages of this machine are others', too.
fn is_asked_by_our_name<B>(request: &Request<B>) -> bool {
    let Some(host) = Host::asked(request) else { return false };
    let is_own = |origin| Host::of_origin(origin).as_ref() == Some(&host);
    host.is_this_machine() && request.headers().get_all(header::ORIGIN).iter().all(is_own)
}

async fn list_mails(State(mailbox): State<Arc<Mailbox>>) -> Response {
    match mailbox.all() {
        Ok(mails) => Json(mails).into_response(),
        Err(error) => unreadable(&error),
    }
}

async fn show_mails(State(mailbox): State<Arc<Mailbox>>) -> Response {
    match mailbox.all() {
        Ok(mails) => axum::response::Html(page(&mails)).into_response(),
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &std::io::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, format!("the mails cannot be read: {error}\n"))
        .into_response()
}

const HEAD: &str = "<!doctype html><html lang=en><meta charset=utf-8>\
     <meta name=viewport content='width=device-width'><title>Outbox</title><style>\
     body{font:16px/1.5 system-ui;max-width:48rem;margin:2rem auto;padding:0 1rem}\
     article{border-top:1px solid #ccc;padding:1rem 0}pre{white-space:pre-wrap}\
     iframe{width:100%;height:24rem;border:1px solid #ccc}</style><h1>Outbox</h1>";

fn page(mails: &[SentMail]) -> String {
    let mut page = HEAD.to_owned();
    if mails.is_empty() {
        page.push_str("<p>No mail was sent.");
    }
    for SentMail { id, sent_at, mail } in mails {
        let [to, subject, text] = [mail.to(), mail.subject(), mail.text()].map(escaped);
        // Writing into a text does not fail.
        let _ = write!(
            page,
            "<article id={id}><h2>{subject}</h2><p>To {to}, {sent_at}<pre>{text}</pre>"
        );
        if let Some(html) = mail.html().map(escaped) {
            let _ = write!(page, "<iframe sandbox title='As HTML' srcdoc=\"{html}\"></iframe>");
        }
        page.push_str("</article>");
    }
    page
}

/// As text in HTML, and within quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::is_asked_by_our_name;

    #[test]
    fn is_for_whoever_asks_by_this_machines_own_name() {
        let asked = |host: &str, origins: &[&str]| {
            let request = Request::get("/dev/outbox").header("host", host);
            let request = origins.iter().fold(request, |it, origin| it.header("origin", *origin));
            is_asked_by_our_name(&request.body(()).unwrap())
        };

        for host in ["localhost:3000", "localhost", "127.0.0.1:3000", "[::1]:3000", "[::1]"] {
            let own = format!("http://{host}");
            assert!(asked(host, &[]), "{host}");
            assert!(asked(host, &[&own]), "{host}");
            for other in ["https://example.com", "null", "http://localhost:5173"] {
                assert!(!asked(host, &[other]), "{host} {other}");
                assert!(!asked(host, &[&own, other]), "{host} {other}");
            }
        }
        for host in ["", "example.com", "localhost.example.com:3000", "192.168.1.7:3000", "::1"] {
            assert!(!asked(host, &[]), "{host}");
        }
        assert!(!is_asked_by_our_name(&Request::new(())));
    }
}
