use std::{borrow::Cow, time::Duration};

use auth::TokenError;
use axum::response::{IntoResponse, Response};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use models::{platform::config::Oldest, store, view, wire::Violation};

/// A kind of problem: its stable name for programs, its status, its title for people. A module
/// that needs a kind of its own makes it with [`Code::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    status: StatusCode,
    name: &'static str,
    title: &'static str,
}

impl Code {
    /// A kind of a module's own.
    pub const fn new(status: StatusCode, name: &'static str, title: &'static str) -> Self {
        Self { status, name, title }
    }

    /// The status that it is told with.
    pub fn status(self) -> StatusCode {
        self.status
    }

    /// The name that programs tell it by. Never changes.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether the same request may well be answered otherwise in a while: its answer says when, in
    /// `Retry-After`.
    fn passes(self) -> bool {
        [Self::TooManyRequests, Self::Unavailable, Self::RequestInProgress].contains(&self)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $code:ident = $status:ident, $name:literal, $title:literal;)+) => {
        #[expect(non_upper_case_globals, reason = "they read as the variants of an open enum")]
        impl Code {
            $(
                $(#[doc = $doc])+
                pub const $code: Self = Self::new(StatusCode::$status, $name, $title);
            )+

            /// Every kind of Landline's own, each with what it means: the one table of statuses.
            pub const ALL: &[(Self, &str)] = &[$((Self::$code, concat!($($doc),+))),+];
        }
    };
}

codes! {
    /// Not JSON, not whole, too deep, or a key twice.
    MalformedJson = BAD_REQUEST, "malformed_json", "The body is not well-formed JSON";
    /// Not percent-encoded UTF-8.
    MalformedQuery = BAD_REQUEST, "malformed_query", "The query string is malformed";
    /// Not percent-encoded UTF-8, or with segments that no resource has.
    MalformedPath = BAD_REQUEST, "malformed_path", "The path is malformed";
    /// Not a request that HTTP knows.
    MalformedRequest = BAD_REQUEST, "malformed_request", "The request is malformed";
    /// Of another listing or person, changed, or too old.
    CursorInvalid = BAD_REQUEST, "cursor_invalid", "The cursor is not valid";
    /// No access token where one is needed.
    TokenMissing = UNAUTHORIZED, "token_missing", "An access token is needed";
    /// Refresh and try again.
    TokenExpired = UNAUTHORIZED, "token_expired", "The access token has expired";
    /// Not a token of ours for this API.
    TokenInvalid = UNAUTHORIZED, "token_invalid", "The access token is not valid";
    /// No account has this address and password.
    CredentialsInvalid = UNAUTHORIZED, "credentials_invalid", "Address and password do not match";
    /// The token is good, and not for this.
    InsufficientScope = FORBIDDEN, "insufficient_scope", "The access token is not for this";
    /// Nobody gets new tokens for the account until it is resumed.
    AccountSuspended = FORBIDDEN, "account_suspended", "The account is suspended";
    /// Sign in again.
    SessionRevoked = UNAUTHORIZED, "session_revoked", "The session has ended";
    /// Not there, not the caller's, or not an id.
    NotFound = NOT_FOUND, "not_found", "There is no such resource";
    /// `Allow` names the methods that there are.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method_not_allowed", "The resource has no such method";
    /// Another account has the address.
    EmailTaken = CONFLICT, "email_taken", "The e-mail address is taken";
    /// Somebody else was faster, or what is there does not allow it.
    Conflict = CONFLICT, "conflict", "What is there does not allow it";
    /// The resource is not as the request says.
    PreconditionFailed = PRECONDITION_FAILED, "precondition_failed", "The resource is another by now";
    /// The request must say which version it is about.
    PreconditionRequired = PRECONDITION_REQUIRED, "precondition_required", "A precondition is needed";
    /// The same request is being done.
    RequestInProgress = CONFLICT, "request_in_progress", "The same request is being done";
    /// More than is read.
    ContentTooLarge = PAYLOAD_TOO_LARGE, "content_too_large", "The body is too large";
    /// Something else than JSON.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "The body is not JSON";
    /// A wrong type, a missing or unknown field, or a broken rule; `errors` names them.
    ValidationFailed = UNPROCESSABLE_ENTITY, "validation_failed", "The request breaks rules";
    /// The key is of another request.
    IdempotencyKeyReused = UNPROCESSABLE_ENTITY, "idempotency_key_reused", "The key is of another request";
    /// This request must have a key.
    IdempotencyKeyRequired = BAD_REQUEST, "idempotency_key_required", "An idempotency key is needed";
    /// The app is older than the oldest version that is served.
    UpgradeRequired = UPGRADE_REQUIRED, "upgrade_required", "The app must be updated";
    /// Try again after `Retry-After`.
    TooManyRequests = TOO_MANY_REQUESTS, "too_many_requests", "Too many requests";
    /// Our fault; the log has the cause under the request's id.
    InternalError = INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong";
    /// Try again after `Retry-After`.
    Unavailable = SERVICE_UNAVAILABLE, "unavailable", "The service is not available";
}

/// What is told instead of an answer. The app's outermost layer writes it out, with the
/// request's id, and logs the cause, which is never told.
#[derive(Clone, Debug)]
pub struct Problem(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: Code,
    detail: Cow<'static, str>,
    errors: Vec<Violation>,
    cause: Option<String>,
    retry_after: Option<Duration>,
    scope: Option<&'static str>,
    store_url: Option<String>,
}

/// A problem as it is told (RFC 9457).
#[view]
pub struct ProblemView {
    /// Names the kind of problem as a URI.
    #[serde(rename = "type")]
    #[schema(examples("urn:landline:problem:validation_failed"))]
    pub problem_type: String,
    /// The kind of problem, for people.
    #[schema(examples("The request breaks rules"))]
    pub title: String,
    /// The HTTP status.
    #[schema(minimum = 400, maximum = 599, examples(422))]
    pub status: u16,
    /// The kind of problem, for programs. Never changes; new ones may come.
    #[schema(examples("validation_failed"))]
    pub code: String,
    /// This problem, for people.
    #[schema(examples("One value is not as it should be."))]
    pub detail: String,
    /// What the log has the request under.
    #[schema(examples("01a20449-4b5b-7c92-8118-fa4b777793b3"))]
    pub request_id: String,
    /// Every broken rule of the request, where there are any.
    pub errors: Option<Vec<Violation>>,
    /// Where a newer version of the app is, when it is too old (`upgrade_required`).
    #[schema(examples("https://apps.apple.com/app/id1"))]
    pub store_url: Option<String>,
}

impl Problem {
    /// A problem of this kind; `detail` is told as it is.
    pub fn new(code: Code, detail: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            detail: detail.into(),
            errors: Vec::new(),
            cause: None,
            retry_after: code.passes().then_some(Duration::from_secs(1)),
            scope: None,
            store_url: None,
        }))
    }

    /// The token is good, and does not have this scope.
    pub fn insufficient_scope(scope: &'static str) -> Self {
        let detail = format!("The access token needs the scope `{scope}`.");
        let mut problem = Self::new(Code::InsufficientScope, detail);
        problem.0.scope = Some(scope);
        problem
    }

    /// The app is older than the oldest version that is served.
    pub(crate) fn upgrade_required(oldest: &Oldest) -> Self {
        let detail = format!("Version {} or newer is needed.", oldest.minimum_version);
        let mut problem = Self::new(Code::UpgradeRequired, detail);
        problem.0.store_url = oldest.store_url().map(str::to_owned);
        problem
    }

    /// Say when to try again; `Retry-After` is in whole seconds, so rather later.
    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after = Some(wait);
        self
    }

    /// There is no such thing, or it is somebody else's, which is the same to the caller.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// Something that must not happen did. The cause is for the log.
    pub fn internal(cause: impl ToString) -> Self {
        Self::new(Code::InternalError, "The request can be tried again.").caused_by(cause)
    }

    pub(crate) fn invalid(errors: Vec<Violation>) -> Self {
        let detail = match errors.len() {
            1 => Cow::Borrowed("One value is not as it should be."),
            many => Cow::Owned(format!("{many} values are not as they should be.")),
        };
        let mut problem = Self::new(Code::ValidationFailed, detail);
        problem.0.errors = errors;
        problem
    }

    fn caused_by(mut self, cause: impl ToString) -> Self {
        self.0.cause = Some(cause.to_string());
        self
    }

    /// What `WWW-Authenticate` says (RFC 6750, section 3: at least one parameter, and no error code
    /// where there was no token).
    fn challenge(&self) -> Option<String> {
        let error = match self.0.code {
            Code::TokenExpired | Code::TokenInvalid | Code::SessionRevoked => {
                ", error=\"invalid_token\"".to_owned()
            }
            Code::InsufficientScope => {
                let scope = self.0.scope.unwrap_or_default();
                format!(", error=\"insufficient_scope\", scope=\"{scope}\"")
            }
            code if code.status == StatusCode::UNAUTHORIZED => String::new(),
            _ => return None,
        };
        Some(format!("Bearer realm=\"api\"{error}"))
    }

    /// The headers of its answer.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(challenge) = self.challenge() {
            headers.extend(HeaderValue::try_from(challenge).map(|value| (WWW_AUTHENTICATE, value)));
        }
        if let Some(wait) = self.0.retry_after {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            headers.insert(RETRY_AFTER, seconds.to_string().parse().expect("digits"));
        }
        headers
    }

    /// The kind of problem.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What is behind it, for the log only.
    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }

    /// The problem in full, for the request of this id.
    pub fn told(self, request_id: &str) -> ProblemView {
        let Inner { code, detail, errors, store_url, .. } = *self.0;
        ProblemView {
            problem_type: format!("urn:landline:problem:{}", code.name),
            title: code.title.to_owned(),
            status: code.status.as_u16(),
            code: code.name.to_owned(),
            detail: detail.into_owned(),
            request_id: request_id.to_owned(),
            errors: Some(errors).filter(|errors| !errors.is_empty()),
            store_url,
        }
    }
}

/// Status and headers, and the problem for the outermost layer to write out.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = (self.0.code.status, self.headers()).into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<store::Error> for Problem {
    fn from(error: store::Error) -> Self {
        use store::Error;
        match error {
            Error::Conflict { .. } => Self::new(Code::Conflict, "Look at it again and try again."),
            Error::PreconditionFailed => {
                Self::new(Code::PreconditionFailed, "Get it again, and decide anew.")
            }
            Error::InvalidCursor => Self::new(Code::CursorInvalid, "Begin at the first page."),
            Error::TooLarge => {
                Self::new(Code::ContentTooLarge, "All of it together is more than can be kept.")
            }
            Error::Unreadable { .. } | Error::ForeignOwner { .. } | Error::Refused(_) => {
                Self::internal(error)
            }
            Error::Unavailable(_) => {
                Self::new(Code::Unavailable, "Try again in a moment.").caused_by(error)
            }
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Missing => {
                Self::new(Code::TokenMissing, "Send `Authorization: Bearer <accessToken>`.")
            }
            TokenError::Expired => Self::new(Code::TokenExpired, "Refresh the session's tokens."),
            TokenError::Invalid => Self::new(Code::TokenInvalid, "It is not one of this API's."),
            TokenError::Unavailable => {
                Self::new(Code::Unavailable, "Try again in a moment.").caused_by(error)
            }
        }
    }
}

impl From<auth::Error> for Problem {
    fn from(error: auth::Error) -> Self {
        use auth::Error;
        match error {
            Error::EmailTaken => Self::new(Code::EmailTaken, "Sign in, or use another address."),
            Error::WrongCredentials => {
                Self::new(Code::CredentialsInvalid, "Check the address and the password.")
            }
            Error::WrongPassword => {
                Self::new(Code::CredentialsInvalid, "The current password is another one.")
            }
            Error::NoAccount => Self::not_found("account"),
            Error::SessionEnded => Self::new(Code::SessionRevoked, "Sign in again."),
            Error::Suspended => Self::new(Code::AccountSuspended, "Ask whoever runs this service."),
            Error::TooOften(wait) => {
                Self::new(Code::TooManyRequests, "Try again later.").retry_after(wait)
            }
            Error::Busy => Self::new(Code::Unavailable, "Try again in a moment."),
            Error::NoSigningKey(_) => {
                Self::new(Code::Unavailable, "Try again in a moment.").caused_by(error)
            }
            Error::Store(error) => error.into(),
            Error::Internal(_) => Self::internal(error),
        }
    }
}
