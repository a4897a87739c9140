use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::{
    HeaderName, HeaderValue, Method,
    header::{HeaderMap, LINK},
};
use time::{Date, macros::format_description};
use tracing::Span;

use super::{Endpoint, Module, app_version::device};

/// When endpoints were deprecated, and when they are gone. Whoever calls one is told so in every
/// answer's headers (RFC 9745, RFC 8594); the log has who calls; the spec says it in words.
///
/// `Deprecation::since("2026-11-01").sunset("2027-05-01").of(endpoints![get_old_note])`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deprecation {
    since: Date,
    sunset: Option<Date>,
    link: Option<&'static str>,
}

/// Since when (RFC 9745, section 2).
pub(crate) const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

/// Until when at least it answers (RFC 8594, section 3).
pub(crate) const SUNSET: HeaderName = HeaderName::from_static("sunset");

impl Deprecation {
    /// Deprecated from the beginning of this day on, in UTC: `2026-11-01`.
    ///
    /// # Panics
    /// When it is no day.
    pub fn since(day: &str) -> Self {
        Self { since: date(day), sunset: None, link: None }
    }

    /// Gone at the beginning of this day, in UTC, or later.
    ///
    /// # Panics
    /// When it is no day, or one before that of the deprecation (RFC 9745, section 4).
    #[must_use]
    pub fn sunset(self, day: &str) -> Self {
        let (since, sunset) = (self.since, date(day));
        assert!(since <= sunset, "the sunset {sunset} is before the deprecation, {since}");
        Self { sunset: Some(sunset), ..self }
    }

    /// A page that says what to use instead.
    ///
    /// # Panics
    /// When it is no URL that a `Link` can hold.
    #[must_use]
    pub fn link(self, url: &'static str) -> Self {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"<>\"".contains(&byte);
        let good = url.starts_with("https://") && url.bytes().all(plain);
        assert!(good, "`{url}` is not a URL that begins with https://");
        Self { link: Some(url), ..self }
    }

    /// These endpoints, deprecated.
    pub fn of(&self, endpoints: Vec<Endpoint>) -> Vec<Endpoint> {
        let deprecation = Some(Arc::new(self.clone()));
        let deprecated = |mut endpoint: Endpoint| {
            endpoint.deprecation.clone_from(&deprecation);
            endpoint
        };
        endpoints.into_iter().map(deprecated).collect()
    }

    /// The day of the sunset, such as `2027-05-01`, where one is said.
    pub fn sunset_day(&self) -> Option<String> {
        self.sunset.map(|day| day.to_string())
    }

    /// What there is to know, in words.
    pub fn words(&self) -> String {
        let sunset = self.sunset.map(|day| format!(" It is gone on {day} or later."));
        let link = self.link.map(|url| format!(" Instead: <{url}>."));
        let (sunset, link) = (sunset.unwrap_or_default(), link.unwrap_or_default());
        format!("Deprecated since {}.{sunset}{link}", self.since)
    }

    /// The headers that every answer carries, each with what it says.
    pub fn headers(&self) -> Vec<(HeaderName, HeaderValue, &'static str)> {
        let since = self.since.midnight().assume_utc().unix_timestamp();
        let mut headers = vec![(
            DEPRECATION,
            value(format!("@{since}")),
            "Since when it is deprecated (RFC 9745).",
        )];
        if let Some(sunset) = self.sunset {
            let day = format_description!("[weekday repr:short], [day] [month repr:short] [year]");
            let day = sunset.format(day).expect("a day has all of these");
            let said = "When it is gone, at the earliest (RFC 8594).";
            headers.push((SUNSET, value(format!("{day} 00:00:00 GMT")), said));
        }
        if let Some(url) = self.link {
            let sunset = self.sunset.map(|_| format!(", <{url}>; rel=\"sunset\""));
            let links = format!("<{url}>; rel=\"deprecation\"{}", sunset.unwrap_or_default());
            headers.push((LINK, value(links), "What to use instead."));
        }
        headers
    }
}

fn date(day: &str) -> Date {
    Date::parse(day, format_description!("[year]-[month]-[day]"))
        .unwrap_or_else(|_| panic!("`{day}` is not a day such as 2026-11-01"))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("dates and checked URLs are visible ASCII")
}

/// The headers of what is deprecated, by path and method.
pub(crate) type Deprecated = HashMap<String, HashMap<Method, HeaderMap>>;

/// Whatever is deprecated among these; nothing where nothing is.
pub(crate) fn deprecated(modules: &[Module]) -> Option<Arc<Deprecated>> {
    let mut deprecated = Deprecated::new();
    for (_, endpoint) in modules.iter().flat_map(Module::endpoints) {
        let Some(deprecation) = &endpoint.deprecation else { continue };
        let headers = deprecation.headers().into_iter().map(|(name, value, _)| (name, value));
        let methods = deprecated.entry(endpoint.path.clone()).or_default();
        methods.insert(endpoint.http_method(), headers.collect());
    }
    (!deprecated.is_empty()).then(|| Arc::new(deprecated))
}

/// Tell whoever calls what is deprecated, whatever the answer is; and the log, who it was.
pub(crate) async fn tell_of_deprecation(
    State(deprecated): State<Arc<Deprecated>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    // HEAD is answered by what answers GET.
    let method = if request.method() == Method::HEAD { &Method::GET } else { request.method() };
    let headers = path.and_then(|path| deprecated.get(path)?.get(method)).cloned();
    let Some(headers) = headers else { return next.run(request).await };
    let span = Span::current();
    span.record("deprecated", true);
    if let Ok(device) = device(request.headers()) {
        span.record("app_platform", device.platform.map(|platform| platform.name()));
        span.record("app_version", device.version.map(|version| version.to_string()));
    }
    let mut response = next.run(request).await;
    response.headers_mut().extend(headers);
    response
}
