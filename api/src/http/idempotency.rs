//! Requests that are done once however often they are sent (`Idempotency-Key`,
//! draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A request with a key has its writes collected, and they happen together with the record of its
//! answer. Sent again, at the same time too, it loses the record's condition and is given the
//! answer of the first. A request that failed has written nothing, and leaves no record.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use auth::Caller;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, ETAG, LOCATION},
    request::Parts,
};
use models::{
    Timestamp,
    platform::idempotency::{KeptAnswer, KeyedRequest},
    store::{self, Store, WriteSet},
};
use serde_json::Value;
use tower::ServiceExt;

use super::{Code, Describe, Description, Problem, extract};
use crate::{Services, edge::Deadline};

/// The header that names a request.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that was given before.
pub(crate) const IDEMPOTENCY_REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A larger body is not kept: asked for again, it is made anew from the resource.
const LARGEST_KEPT: usize = 32 * 1024;

/// Without a deadline of its own an invocation ends after so long (API Gateway's limit).
const LONGEST: Duration = Duration::from_secs(30);

/// A request on its way to being done once.
#[derive(Clone)]
struct Keyed {
    request: KeyedRequest,
    /// The table, and not what is collected for it.
    store: Store,
    /// Set by the handler's [`Lease`].
    lease: Arc<OnceLock<KeyedRequest>>,
}

/// Where the body of a replayed answer is to be had.
#[derive(Clone)]
struct Rebuild(String);

/// The layer within the guard of POST and PATCH.
pub(crate) async fn do_once(
    State(services): State<Services>,
    request: Request,
    next: Next,
) -> Response {
    match attempt(&services, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn attempt(services: &Services, request: Request, next: Next) -> Result<Response, Problem> {
    let Some(key) = key(request.headers())? else { return Ok(next.run(request).await) };
    let (parts, body) = request.into_parts();
    let body = extract::read(body).await?;
    let store = extract::store(&parts, services);
    let request = name(&parts, &key, &body, store.ambient().now())?;
    let keyed = Keyed { request, store: store.clone(), lease: Arc::default() };
    let tries = store.tries();
    let (mut view, mut collected) = store.collecting();
    loop {
        let mut request = Request::from_parts(parts.clone(), Body::from(body.clone()));
        request.extensions_mut().insert(view);
        request.extensions_mut().insert(keyed.clone());
        let response = next.clone().run(request).await;
        let writes = collected.take();
        if !response.status().is_success() {
            return instead(services, &keyed, &parts, response).await;
        }
        let lease = keyed.lease.get().cloned();
        let leased = lease.is_some();
        // A look-up, for one: nobody's data is kept for that. Or it was done before, and has left
        // nothing to do.
        if writes.is_empty() && !leased {
            return Ok(replay(&keyed, &parts).await?.unwrap_or(response));
        }
        let (response, answer) = kept(response).await?;
        let written = store.write_within(&tries, record(&keyed, lease, answer).and(writes)).await;
        let error = match written {
            Ok(()) => return Ok(response),
            Err(error) => error,
        };
        if let Some(lease) = keyed.lease.get() {
            // What a lease is for cannot be done anew.
            end_unknown(services, lease.clone()).await?;
            return Err(error.into());
        }
        if !matches!(error, store::Error::Conflict { .. }) {
            return Err(error.into());
        }
        if let Some(known) = replay(&keyed, &parts).await? {
            return Ok(known);
        }
        // Nobody has said yet that what is there does not allow it.
        if !tries.back_off(store.ambient()).await {
            return Err(store::Error::Unavailable(error.to_string()).into());
        }
        // Whether it was a race or what is there does not allow it, the handler finds out.
        (view, collected) = store.checked().collecting();
    }
}

/// A handler has had its effect, and the writes that go with it are refused. Nobody may take the
/// request over and have the effect again: it stays without an answer.
async fn end_unknown(services: &Services, mut lease: KeyedRequest) -> Result<(), Problem> {
    lease.held_until = None;
    match services.store.replace(&mut lease).await {
        // The writes have happened after all, and the answer with them.
        Ok(()) | Err(store::Error::Conflict { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The answer with its record, in the place of the lease where there is one.
fn record(keyed: &Keyed, lease: Option<KeyedRequest>, answer: KeptAnswer) -> WriteSet {
    let answered = |request| KeyedRequest { held_until: None, answer: Some(answer), ..request };
    match lease {
        Some(lease) => WriteSet::new().replace(&mut answered(lease)),
        None => WriteSet::new().create(&mut answered(keyed.request.clone())),
    }
}

/// A request that fails now may have been done before: its condition no longer holds, for one.
async fn instead(
    services: &Services,
    keyed: &Keyed,
    parts: &Parts,
    response: Response,
) -> Result<Response, Problem> {
    if let Some(lease) = keyed.lease.get() {
        let mut lease = lease.clone();
        lease.give_back(services.store.ambient().now());
        // Lost to somebody who took it over, it is theirs.
        return match services.store.replace(&mut lease).await {
            Ok(()) | Err(store::Error::Conflict { .. }) => Ok(response),
            Err(error) => Err(error.into()),
        };
    }
    Ok(replay(keyed, parts).await?.unwrap_or(response))
}

/// The answer that the request was given before, if it was.
async fn replay(keyed: &Keyed, parts: &Parts) -> Result<Option<Response>, Problem> {
    let Some(known) = keyed.request.known(&keyed.store).await? else { return Ok(None) };
    if known.is_another_than(&keyed.request) {
        let detail = "Another request was sent with this key. Make a new one.";
        return Err(Problem::new(Code::IdempotencyKeyReused, detail));
    }
    match known {
        KeyedRequest { answer: Some(answer), .. } => given_again(answer, parts).map(Some),
        KeyedRequest { held_until: Some(_), .. } => Ok(None),
        _ => {
            let detail = "It was done, and its answer was lost. Look before you send another.";
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

fn given_again(answer: KeptAnswer, parts: &Parts) -> Result<Response, Problem> {
    let KeptAnswer { status, headers, body } = answer;
    let shown_by = match (&body, headers.get(LOCATION.as_str())) {
        (Some(_), _) => None,
        (None, Some(location)) => Some(Rebuild(location.clone())),
        // Answered with the resource whose path it is; what a POST answers may be anything.
        (None, None) if parts.method == Method::PATCH => Some(Rebuild(parts.uri.path().to_owned())),
        (None, None) => return Err(too_large()),
    };
    let mut response = Response::new(Body::from(body.unwrap_or_default()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
    let headers = headers.iter().filter_map(|(name, value)| {
        Some((HeaderName::try_from(name).ok()?, HeaderValue::try_from(value).ok()?))
    });
    response.headers_mut().extend(headers);
    if let Some(rebuild) = shown_by {
        response.extensions_mut().insert(rebuild);
    }
    Ok(response)
}

/// There is no answer to give again. Whoever were told to try again would do so for nothing.
fn too_large() -> Problem {
    let detail = "It was done, and its answer was too large to be kept. Get what it was done to.";
    Problem::new(Code::Conflict, detail)
}

/// The layer around the routes that makes a body anew which was too large to be kept: what GET
/// shows of the resource now.
pub(crate) async fn rebuild(
    State(routes): State<Router>,
    request: Request,
    next: Next,
) -> Response {
    let authorization = request.headers().get(AUTHORIZATION).cloned();
    let store = request.extensions().get::<Store>().cloned();
    let mut response = next.run(request).await;
    let Some(Rebuild(path)) = response.extensions_mut().remove() else { return response };
    let mut request = Request::new(Body::empty());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = path.parse().unwrap_or_default();
    request.headers_mut().extend(authorization.map(|token| (AUTHORIZATION, token)));
    if let Some(store) = store {
        request.extensions_mut().insert(store);
    }
    let Ok(shown) = routes.oneshot(request).await;
    if !shown.status().is_success() {
        // What is gone by now is not the answer that was given before. Where nobody says what the
        // problem is, no route shows the resource.
        let told = shown.extensions().get::<Problem>().is_some();
        return if told { shown } else { too_large().into_response() };
    }
    // What is shown now has the entity tag of now.
    response.headers_mut().remove(ETAG);
    response.headers_mut().extend(shown.headers().get(ETAG).cloned().map(|tag| (ETAG, tag)));
    *response.body_mut() = shown.into_body();
    response
}

/// What is kept of an answer, and the answer.
async fn kept(response: Response) -> Result<(Response, KeptAnswer), Problem> {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(Problem::internal)?;
    let headers = [CONTENT_TYPE, LOCATION, ETAG].into_iter().filter_map(|name| {
        let value = parts.headers.get(&name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    });
    let answer = KeptAnswer {
        status: parts.status.as_u16(),
        headers: headers.collect(),
        body: (body.len() <= LARGEST_KEPT).then(|| String::from_utf8_lossy(&body).into_owned()),
    };
    Ok((Response::from_parts(parts, body.into()), answer))
}

/// The request by its person, route and key, and what makes it the same one.
fn name(parts: &Parts, key: &str, body: &[u8], now: Timestamp) -> Result<KeyedRequest, Problem> {
    let caller = parts.extensions.get::<Caller>();
    let caller = caller.ok_or_else(|| Problem::internal("a key without a caller"))?;
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let route = format!("{} {route}", parts.method);
    let query = parts.uri.query().unwrap_or_default();
    // Some clients write the members of an object in another order each time.
    let json = serde_json::from_slice::<Value>(body).map(|json| json.to_string());
    let body = json.as_ref().map_or(body, |json| json.as_bytes());
    let asked = [parts.uri.path().as_bytes(), query.as_bytes(), body];
    Ok(KeyedRequest::new(caller.account, &route, key, &asked, now))
}

/// A string in quotes (RFC 9651, section 3.3.3), or the bare word that many clients send.
fn key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = quoted.unwrap_or(text);
    // A gateway joins two headers with a comma.
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"\\,".contains(&byte);
    if values.next().is_none() && (1..=255).contains(&key.len()) && key.bytes().all(plain) {
        return Ok(Some(key.to_owned()));
    }
    let detail = "`Idempotency-Key` is one text of 1 to 255 visible characters, such as a UUID.";
    Err(Problem::new(Code::MalformedRequest, detail))
}

/// For handlers with effects outside the table, which no transaction can take back: while one is
/// at it, the same request is answered 409. The request must have a key. What the handler writes
/// happens together with its answer's record, afterwards.
///
/// Where somebody else has changed one of its items by then, those writes are refused, all of them:
/// there was an effect, so the handler is not called again, and the request is 409 `conflict` until
/// its key is forgotten. So such a handler writes only what nobody else does: something new, which
/// tells of the effect. A mail or a webhook that goes with a change of what others change too is a
/// message of the outbox: it is committed with the change, and needs no lease.
///
/// A function that dies between the effect and the record leaves a lease that ends with its
/// invocation's deadline, and nobody can know whether there was an effect. The same request is then
/// done again. So hand [`Lease::id`] on to whoever has the effect, as its own idempotency key.
#[derive(Debug)]
pub struct Lease(String);

impl Lease {
    /// 43 characters, the same each time that this request is done.
    pub fn id(&self) -> &str {
        &self.0
    }
}

impl FromRequestParts<Services> for Lease {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        #[cfg(feature = "events")]
        if let Some(handling) = parts.extensions.get::<crate::events::Handling>().cloned() {
            return handling.lease().await.map(Self);
        }
        let Some(keyed) = parts.extensions.get::<Keyed>().cloned() else {
            let detail = "Send an `Idempotency-Key`: this request must not be done twice.";
            return Err(Problem::new(Code::IdempotencyKeyRequired, detail));
        };
        let id = keyed.request.text();
        if keyed.lease.get().is_some() {
            return Ok(Self(id));
        }
        let store = keyed.store;
        let now = store.ambient().now();
        let deadline = parts.extensions.get::<Deadline>();
        let until = deadline.map_or_else(|| now.plus(LONGEST), |Deadline(end)| *end);
        let mut lease = KeyedRequest { held_until: Some(until), ..keyed.request };
        let taken = match lease.known(&store).await? {
            None => store.create(&mut lease).await,
            Some(known) if known.may_be_taken_over(&lease, now) => {
                lease.version = known.version;
                store.replace(&mut lease).await
            }
            // Answered, or another request: the layer finds that out.
            Some(known) => return Err(being_done(known.held_until.unwrap_or(now), now)),
        };
        match taken {
            Ok(()) => {
                let _ = keyed.lease.set(lease);
                Ok(Self(id))
            }
            Err(store::Error::Conflict { .. }) => Err(being_done(until, now)),
            Err(error) => Err(error.into()),
        }
    }
}

impl Describe for Lease {
    fn describe(description: &mut Description) {
        description.leases = true;
    }
}

fn being_done(until: Timestamp, now: Timestamp) -> Problem {
    Problem::new(Code::RequestInProgress, "The first one is not answered yet.")
        .retry_after(until.since(now))
}
