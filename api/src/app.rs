use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use auth::{Auth, TokenError};
use axum::{
    Router,
    extract::{FromRef, MatchedPath, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{
        ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_MATCH,
        IF_NONE_MATCH, LINK, LOCATION, REFERRER_POLICY, RETRY_AFTER, STRICT_TRANSPORT_SECURITY,
        WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
    },
};
use models::{Ambient, platform::config::Config, store::Store};
use tower::util::option_layer;
use tower_http::cors::CorsLayer;
use tracing::{Instrument, error, field::Empty, info, info_span};

#[cfg(feature = "events")]
use crate::platform::outbox::Receivers;
use crate::{
    Settings, Web,
    edge::Deadline,
    http::{
        Code, DEPRECATION, Guard, IDEMPOTENCY_KEY, IDEMPOTENCY_REPLAYED, Module, Problem, SUNSET,
        answer_not_modified,
        app_version::{APP_PLATFORM, APP_VERSION, Gate, check_version},
        deprecated, do_once, rebuild, refuse_unheeded, tell_of_deprecation,
    },
};

/// What handlers can ask for.
#[derive(Clone)]
pub struct Services {
    pub(crate) store: Store,
    pub(crate) auth: Auth,
    config: Arc<Config>,
    #[cfg(feature = "events")]
    receivers: Receivers,
}

impl Services {
    pub(crate) fn new(auth: auth::Settings, config: Config, store: Store) -> Self {
        Self {
            auth: Auth::new(auth, &store),
            store,
            config: Arc::new(config),
            #[cfg(feature = "events")]
            receivers: Receivers::default(),
        }
    }

    #[cfg(feature = "events")]
    pub(crate) fn delivering_to(&self, receivers: Receivers) -> Self {
        Self { receivers, ..self.clone() }
    }
}

#[cfg(feature = "events")]
impl FromRef<Services> for Receivers {
    fn from_ref(services: &Services) -> Self {
        services.receivers.clone()
    }
}

impl FromRef<Services> for Arc<Config> {
    fn from_ref(services: &Services) -> Self {
        services.config.clone()
    }
}

/// The app, ready for events and requests. Cheap to clone.
#[derive(Clone)]
pub struct App {
    router: Router,
    base_path: Arc<str>,
}

impl App {
    /// Connect and build the router from the route table. Sends nothing and builds no schema.
    pub fn new(settings: Settings, ambient: Ambient) -> Self {
        let store = Store::connect(settings.store, ambient);
        Self::with_modules(
            crate::route_table(),
            settings.auth,
            settings.web,
            settings.config,
            store,
        )
    }

    /// An app of other modules than [`route_table`](crate::route_table)'s.
    pub fn with_modules(
        modules: Vec<Module>,
        auth: auth::Settings,
        web: Web,
        config: Config,
        store: Store,
    ) -> Self {
        let services = Services::new(auth, config, store);
        let gate = gate(&modules, services.config.clone());
        let deprecated = deprecated(&modules).map(|it| from_fn_with_state(it, tell_of_deprecation));
        let mut router = Router::new();
        for (guard, endpoint) in modules.into_iter().flat_map(Module::into_endpoints) {
            let path = endpoint.path.clone();
            let once = guard.needs_token() && endpoint.is_done_once();
            let (changes, describe) = (endpoint.changes_something(), endpoint.describe);
            let mut handler = endpoint.into_handler();
            if once {
                handler = handler.route_layer(from_fn_with_state(services.clone(), do_once));
            }
            if changes {
                handler = handler.route_layer(from_fn_with_state(describe, refuse_unheeded));
            }
            let handler = match guard {
                Guard::Public => handler,
                guard => {
                    let state = (services.auth.clone(), guard);
                    handler.route_layer(from_fn_with_state(state, check_token))
                }
            };
            router = router.route(&path, handler);
        }
        let routes = router.clone().with_state(services.clone());
        let router = router
            .fallback(async || Problem::not_found("resource"))
            // The last layer is the outermost.
            .layer(from_fn_with_state(routes, rebuild))
            .layer(from_fn(answer_not_modified))
            .layer(from_fn_with_state(gate, check_version))
            .layer(from_fn(refuse))
            .layer(from_fn(catch_panic))
            .layer(from_fn_with_state(services.store.clone(), keep_deadline))
            .layer(option_layer(cors(web.cors_origins)))
            .layer(option_layer(deprecated))
            .layer(from_fn_with_state(services.store.ambient().clone(), finish))
            .with_state(services);
        Self { router, base_path: web.base_path.into() }
    }

    pub(crate) fn base_path(&self) -> &str {
        &self.base_path
    }

    /// The router itself: requests without an event around them.
    pub fn router(&self) -> Router {
        self.router.clone()
    }
}

fn gate(modules: &[Module], config: Arc<Config>) -> Arc<Gate> {
    let open = modules.iter().filter(|module| module.is_for_every_version());
    let paths = open.flat_map(Module::endpoints).map(|(_, endpoint)| endpoint.path.clone());
    Arc::new(Gate { config, for_every_version: paths.collect() })
}

/// What a page of these origins may do. Without any there is no layer: a browser lets no page
/// call the API, and OPTIONS is a method like others.
fn cors(origins: Vec<HeaderValue>) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let layer = CorsLayer::new()
        .allow_origin(origins)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            AUTHORIZATION,
            CONTENT_TYPE,
            IF_MATCH,
            IF_NONE_MATCH,
            IDEMPOTENCY_KEY,
            REQUEST_ID,
            APP_PLATFORM,
            APP_VERSION,
        ])
        .expose_headers([
            ALLOW,
            ETAG,
            LINK,
            LOCATION,
            RETRY_AFTER,
            WWW_AUTHENTICATE,
            IDEMPOTENCY_REPLAYED,
            DEPRECATION,
            SUNSET,
            REQUEST_ID,
        ])
        .max_age(Duration::from_secs(7200));
    Some(layer)
}

/// The guard: the handler finds the caller in the request.
async fn check_token(
    State((auth, guard)): State<(Auth, Guard)>,
    mut request: Request,
    next: Next,
) -> Response {
    match auth.caller(request.headers()).await {
        Ok(caller) => {
            if let Guard::Scoped(scope) = guard
                && !caller.has_scope(scope)
            {
                return Problem::insufficient_scope(scope).into_response();
            }
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(TokenError::Missing) if guard == Guard::Anyone => next.run(request).await,
        Err(error) => Problem::from(error).into_response(),
    }
}

/// What the edge could not make a request of carries its problem along.
async fn refuse(mut request: Request, next: Next) -> Response {
    match request.extensions_mut().remove::<Problem>() {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    }
}

/// A handler that panics answers 500, and the next request is served. What it panicked with may
/// hold anything, a person's text too, so it is not kept; [`log_panics`] says where it was.
async fn catch_panic(request: Request, next: Next) -> Response {
    match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        Err(_) => Problem::internal("the handler panicked").into_response(),
    }
}

/// Answering takes so long at most; the runtime needs the rest to hand the answer over.
const HANDING_OVER: Duration = Duration::from_secs(1);

/// The request's store ends so long before that. Whoever waits for the table is told, and answers
/// for itself.
const GIVING_UP: Duration = Duration::from_millis(250);

/// A handler that is not done a second before the invocation ends is answered for. Its writes are
/// conditional or happen together, so nothing is left half written; whether they have happened is
/// not known, as with every answer that is lost.
async fn keep_deadline(State(store): State<Store>, mut request: Request, next: Next) -> Response {
    let Some(Deadline(end)) = request.extensions().get().copied() else {
        return next.run(request).await;
    };
    let now = store.ambient().now();
    let left = end.since(now).saturating_sub(HANDING_OVER);
    request.extensions_mut().insert(store.until(now.plus(left.saturating_sub(GIVING_UP))));
    tokio::time::timeout(left, next.run(request)).await.unwrap_or_else(|_| {
        Problem::new(Code::Unavailable, "It took too long. Try again.").into_response()
    })
}

/// Log where a panic was, as a line like others, and not what it said: that may hold anything.
/// For programs, before they start.
pub fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string);
        error!(place = place.as_deref().unwrap_or("-"), "panicked");
    }));
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The outermost layer: the request's id, one log line, problems written out.
async fn finish(State(ambient): State<Ambient>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&request, &ambient);
    let method = request.method().clone();
    // The route, not the path: ids and whatever else people put into URLs stay out of the log.
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let route = route.as_deref().unwrap_or("-");
    let span = info_span!(
        "request",
        id,
        %method,
        route,
        deprecated = Empty,
        app_platform = Empty,
        app_version = Empty
    );
    let response = next.run(request).instrument(span.clone()).await;
    let _entered = span.enter();
    let mut response = write_out(response, &id);
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    info!(status = response.status().as_u16(), micros, "answered");
    secure(response.headers_mut());
    let value = HeaderValue::try_from(id).expect("checked to be visible ASCII");
    response.headers_mut().insert(REQUEST_ID, value);
    response
}

/// What every answer of an API of private data says to browsers and caches on its way
/// (OWASP REST Security Cheat Sheet).
fn secure(headers: &mut HeaderMap) {
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (STRICT_TRANSPORT_SECURITY, "max-age=63072000"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (REFERRER_POLICY, "no-referrer"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// The client's `X-Request-Id` where it is a plain word, so that its log and ours can be laid
/// side by side; otherwise a new one.
fn request_id(request: &Request, ambient: &Ambient) -> String {
    let plain = |id: &&str| {
        (1..=128).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.filter(plain).map_or_else(|| ambient.new_id().to_string(), str::to_owned)
}

fn write_out(mut response: Response, request_id: &str) -> Response {
    // The router's own 405 comes with `Allow` and nothing else.
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        let allow = response.headers().get(ALLOW).cloned();
        let detail = "The `Allow` header names the methods that there are.";
        response = Problem::new(Code::MethodNotAllowed, detail).into_response();
        response.headers_mut().extend(allow.map(|methods| (ALLOW, methods)));
    }
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    if let Some(cause) = problem.cause() {
        error!(code = problem.code().name(), cause, "failed");
    }
    let body = serde_json::to_vec(&problem.told(request_id)).unwrap_or_default();
    *response.body_mut() = body.into();
    response
}
