use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, LOCATION},
};
use models::wire::View;
use utoipa::openapi::{HeaderBuilder, ObjectBuilder, ResponseBuilder, schema::Type};

use super::{Description, Json, Problem, conditions::entity_tag};

/// What a handler answers with when all is well.
pub trait Answer: IntoResponse {
    /// Say status and body.
    fn describe(description: &mut Description);
}

/// 200: what is the same for everybody, and stays so for a while: caches may keep it.
#[derive(Debug)]
pub struct Public<T>(pub T);

/// For so long, in seconds: what takes its place must be there as long before it is needed.
const PUBLIC: &str = "public, max-age=300";

/// 201: something new, and where it is.
#[derive(Debug)]
pub struct Created<T> {
    location: String,
    body: T,
}

impl<T> Created<T> {
    /// The new thing at this path.
    pub fn at(location: impl Into<String>, body: T) -> Self {
        Self { location: location.into(), body }
    }
}

/// 201 or 200: all of something is as the request says, and whether it is new.
#[derive(Debug)]
pub enum Put<T> {
    /// It is new.
    Created(Created<T>),
    /// It was there before.
    Replaced(T),
}

/// 204: done, and nothing to say.
#[derive(Debug)]
pub struct NoContent;

impl<T: View> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        let body = match serde_json::to_vec(&self.0) {
            Ok(body) => body,
            Err(error) => return Problem::internal(error).into_response(),
        };
        let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
        let tag = self.0.version().map(|version| (ETAG, entity_tag(version)));
        response.headers_mut().extend(tag);
        response
    }
}

impl<T: View> Answer for Json<T> {
    fn describe(description: &mut Description) {
        let response = shows::<T>("Done.", description);
        description.answers(StatusCode::OK, response);
    }
}

impl<T: View> IntoResponse for Public<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        if response.status().is_success() {
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(PUBLIC));
        }
        response
    }
}

impl<T: View> Answer for Public<T> {
    fn describe(description: &mut Description) {
        let response = shows::<T>("Done.", description);
        let caching = text_header("For how long it may be kept.", PUBLIC);
        description.answers(StatusCode::OK, response.header("Cache-Control", caching));
    }
}

impl<T: View> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let location = match HeaderValue::try_from(self.location) {
            Ok(location) => location,
            Err(error) => return Problem::internal(error).into_response(),
        };
        (StatusCode::CREATED, [(LOCATION, location)], Json(self.body)).into_response()
    }
}

impl<T: View> Answer for Created<T> {
    fn describe(description: &mut Description) {
        let response = shows::<T>("Created.", description);
        let location = text_header(
            "The path of what was created.",
            "/v1/things/019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d",
        );
        description.answers(StatusCode::CREATED, response.header("Location", location));
    }
}

impl<T: View> IntoResponse for Put<T> {
    fn into_response(self) -> Response {
        match self {
            Self::Created(created) => created.into_response(),
            Self::Replaced(body) => Json(body).into_response(),
        }
    }
}

impl<T: View> Answer for Put<T> {
    fn describe(description: &mut Description) {
        Created::<T>::describe(description);
        Json::<T>::describe(description);
    }
}

/// An answer whose body is this view; it has an entity tag where the view has a version.
fn shows<T: View>(said: &str, description: &mut Description) -> ResponseBuilder {
    let response = ResponseBuilder::new()
        .description(said)
        .content("application/json", description.content::<T>());
    if !T::VERSIONED {
        return response;
    }
    response.header("ETag", text_header("The version of the resource, for `If-Match`.", "\"3\""))
}

fn text_header(description: &str, example: &str) -> utoipa::openapi::Header {
    HeaderBuilder::new()
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String).examples([example])))
        .build()
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Answer for NoContent {
    fn describe(description: &mut Description) {
        let response = ResponseBuilder::new().description("Done.");
        description.answers(StatusCode::NO_CONTENT, response);
    }
}
