use std::{collections::HashSet, sync::Arc};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, request::Parts};
use models::platform::{
    app::{Device, Platform, Version},
    config::Config,
};
use utoipa::openapi::{
    ObjectBuilder, Ref, RefOr, Required, Schema,
    path::{Parameter, ParameterBuilder, ParameterIn},
    schema::Type,
};

use super::{Code, Describe, Description, Problem};
use crate::Services;

/// What the app runs on, as it says in each request.
pub(crate) const APP_PLATFORM: HeaderName = HeaderName::from_static("x-app-platform");

/// Which version of the app it is, as it says in each request.
pub(crate) const APP_VERSION: HeaderName = HeaderName::from_static("x-app-version");

/// What asks. A header that is there and makes no sense is refused: read as absent, it would
/// let an app pass that meant to say what it is.
pub(crate) fn device(headers: &HeaderMap) -> Result<Device, Problem> {
    let platform = single(headers, &APP_PLATFORM, Platform::of_name).map_err(|()| {
        let names = Platform::ALL.map(Platform::name).join(", ");
        malformed(format!("`X-App-Platform` must be one of {names}."))
    })?;
    let version = single(headers, &APP_VERSION, |text| text.parse::<Version>().ok());
    let version = version.map_err(|()| {
        malformed("`X-App-Version` must be one to four numbers with dots, such as 2.3.0.".into())
    })?;
    Ok(Device { platform, version })
}

fn malformed(detail: String) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}

/// The header's value; none where it is absent, an error where it is not one or not alone.
fn single<T>(
    headers: &HeaderMap,
    name: &HeaderName,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ()> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let value = value.to_str().ok().and_then(|text| read(text.trim()));
    if values.next().is_some() { Err(()) } else { value.map(Some).ok_or(()) }
}

impl FromRequestParts<Services> for Device {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        device(&parts.headers)
    }
}

impl Describe for Device {
    fn describe(description: &mut Description) {
        description.takes_device = true;
    }
}

/// Who is let in: the versions that are served, and every version on these paths.
pub(crate) struct Gate {
    pub(crate) config: Arc<Config>,
    pub(crate) for_every_version: HashSet<String>,
}

/// Refuse apps that are older than the oldest version that is served: on every path but those for
/// every version, so on a path too that is there no more.
pub(crate) async fn check_version(
    State(gate): State<Arc<Gate>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    if path.is_some_and(|path| gate.for_every_version.contains(path)) {
        return next.run(request).await;
    }
    match device(request.headers()).map(|device| gate.config.apps.update_for(device)) {
        Ok(None) => next.run(request).await,
        Ok(Some(oldest)) => Problem::upgrade_required(oldest).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// The two headers as parameters of an operation, each by a name for the document.
pub fn device_parameters() -> [(&'static str, Parameter); 2] {
    let parameter = |name: &str, description: &str, schema: RefOr<Schema>| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .required(Required::False)
            .description(Some(description))
            .schema(Some(schema))
            .build()
    };
    let platform = Ref::from_schema_name(PLATFORM).into();
    let version = ObjectBuilder::new().schema_type(Type::String).pattern(Some(Version::PATTERN));
    let version = version.examples(["2.3.0"]).into();
    [
        ("AppPlatform", parameter("X-App-Platform", "What the app runs on.", platform)),
        ("AppVersion", parameter("X-App-Version", "Which version of the app it is.", version)),
    ]
}

/// The schemas of those parameters that have a name: generators make one type of each.
pub fn device_schemas() -> Vec<(String, RefOr<Schema>)> {
    let platform = ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some("What an app runs on."))
        .enum_values(Some(Platform::ALL.map(Platform::name)));
    vec![(PLATFORM.to_owned(), platform.into())]
}

const PLATFORM: &str = "AppPlatform";
