use std::sync::Arc;

use axum::{
    handler::Handler,
    routing::{MethodFilter, MethodRouter, on},
};
use http::Method;
use utoipa::openapi::{HttpMethod, path::Operation};

use super::{Code, Deprecation, Description, Signature};
use crate::{Services, events::Listener};

/// A part of the app: its endpoints, who may call them, and its event handlers
/// ([`events`](crate::events)).
pub struct Module {
    name: &'static str,
    about: &'static str,
    codes: Vec<Code>,
    for_every_version: bool,
    endpoints: Vec<(Guard, Endpoint)>,
    pub(crate) listeners: Vec<Listener>,
}

/// Who may call an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    /// Everybody.
    Public,
    /// Everybody; whoever brings an access token is known by it, and a bad one is refused.
    Anyone,
    /// Whoever brings an access token.
    SignedIn,
    /// Whoever brings an access token of this scope.
    Scoped(&'static str),
}

impl Guard {
    /// Whether nobody gets past it without an access token.
    pub fn needs_token(self) -> bool {
        matches!(self, Self::SignedIn | Self::Scoped(_))
    }
}

/// One operation. Its documentation is kept as functions that nobody has called yet: building
/// the schemas of 60 operations would cost a cold start 2.5 ms.
pub struct Endpoint {
    /// The method.
    pub method: HttpMethod,
    /// The path, with `{name}` for each parameter.
    pub path: String,
    /// What the handler's attribute and comment say.
    pub operation: fn() -> Operation,
    /// What the handler's signature says.
    pub describe: fn(&mut Description),
    /// Since when it is deprecated, if it is.
    pub deprecation: Option<Arc<Deprecation>>,
    handler: MethodRouter<Services>,
}

impl Module {
    /// A module without endpoints; the name is its tag in the spec.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            about: "",
            codes: Vec::new(),
            for_every_version: false,
            endpoints: Vec::new(),
            listeners: Vec::new(),
        }
    }

    /// Say in a sentence what the module is about, for those who write apps: its tag's description.
    #[must_use]
    pub fn about(self, about: &'static str) -> Self {
        Self { about, ..self }
    }

    /// Kinds of problems of the module's own, which its handlers' attributes may name.
    #[must_use]
    pub fn problems(mut self, codes: impl IntoIterator<Item = Code>) -> Self {
        self.codes.extend(codes);
        self
    }

    /// The module's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the module is about; empty where nobody has said it.
    pub fn description(&self) -> &'static str {
        self.about
    }

    /// The kinds of problems of the module's own.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// Apps that are too old reach the module too: for what tells them so.
    #[must_use]
    pub fn for_every_version(self) -> Self {
        Self { for_every_version: true, ..self }
    }

    /// Whether apps that are too old reach it.
    pub fn is_for_every_version(&self) -> bool {
        self.for_every_version
    }

    /// Endpoints for everybody.
    #[must_use]
    pub fn public(self, endpoints: Vec<Endpoint>) -> Self {
        self.guarded(Guard::Public, endpoints)
    }

    /// Endpoints for whoever is signed in.
    #[must_use]
    pub fn signed_in(self, endpoints: Vec<Endpoint>) -> Self {
        self.guarded(Guard::SignedIn, endpoints)
    }

    /// Endpoints for everybody, whose handlers take an `Option<Caller>`.
    #[must_use]
    pub fn anyone(self, endpoints: Vec<Endpoint>) -> Self {
        self.guarded(Guard::Anyone, endpoints)
    }

    /// Endpoints for whoever has this scope.
    #[must_use]
    pub fn scoped(self, scope: &'static str, endpoints: Vec<Endpoint>) -> Self {
        self.guarded(Guard::Scoped(scope), endpoints)
    }

    fn guarded(mut self, guard: Guard, endpoints: Vec<Endpoint>) -> Self {
        self.endpoints.extend(endpoints.into_iter().map(|endpoint| (guard, endpoint)));
        self
    }

    /// Each endpoint with its guard.
    pub fn endpoints(&self) -> impl Iterator<Item = (Guard, &Endpoint)> {
        self.endpoints.iter().map(|(guard, endpoint)| (*guard, endpoint))
    }

    pub(crate) fn into_endpoints(self) -> Vec<(Guard, Endpoint)> {
        self.endpoints
    }
}

impl Endpoint {
    /// What [`endpoints!`](crate::endpoints) calls: `P` is what `#[utoipa::path]` made beside
    /// the handler.
    ///
    /// # Panics
    /// When the attribute names more than one method, or a path that does not start with a slash.
    pub fn new<P, H, T, A>(handler: H) -> Self
    where
        P: utoipa::Path,
        H: Signature<A> + Handler<T, Services>,
        T: 'static,
    {
        let [method] = P::methods().try_into().unwrap_or_else(|methods: Vec<_>| {
            panic!("{}: an endpoint has one method, not {}", P::path(), methods.len())
        });
        let path = P::path();
        let name = std::any::type_name::<H>();
        assert!(path.starts_with('/'), "{name}: the path `{path}` must start with a slash");
        Self {
            path,
            operation: P::operation,
            describe: H::describe,
            deprecation: None,
            handler: on(filter(&method), handler),
            method,
        }
    }

    /// Whether a second of the same would be another one (RFC 9110, section 9.2.2), so that a
    /// request may carry a key by which it is known again.
    pub fn is_done_once(&self) -> bool {
        matches!(self.method, HttpMethod::Post | HttpMethod::Patch)
    }

    /// Whether it is none of the methods that only read (RFC 9110, section 9.2.1).
    pub(crate) fn changes_something(&self) -> bool {
        !self.http_method().is_safe()
    }

    pub(crate) fn http_method(&self) -> Method {
        http_method(&self.method)
    }

    pub(crate) fn into_handler(self) -> MethodRouter<Services> {
        self.handler
    }
}

fn http_method(method: &HttpMethod) -> Method {
    match method {
        HttpMethod::Get => Method::GET,
        HttpMethod::Post => Method::POST,
        HttpMethod::Put => Method::PUT,
        HttpMethod::Delete => Method::DELETE,
        HttpMethod::Options => Method::OPTIONS,
        HttpMethod::Head => Method::HEAD,
        HttpMethod::Patch => Method::PATCH,
        HttpMethod::Trace => Method::TRACE,
    }
}

fn filter(method: &HttpMethod) -> MethodFilter {
    http_method(method).try_into().expect("axum knows each of these methods")
}

/// The [`Endpoint`]s of these handlers, each of which carries `#[utoipa::path]`:
/// `endpoints![list_notes, create_note]`.
#[macro_export]
macro_rules! endpoints {
    ($($handler:ident),+ $(,)?) => {
        ::pastey::paste! {
            vec![$($crate::http::Endpoint::new::<[<__path_ $handler>], _, _, _>($handler)),+]
        }
    };
}
