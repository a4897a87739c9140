use axum::response::{IntoResponse, Response};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, LOCATION},
};
use serde::Serialize;
use utoipa::{
    ToSchema,
    openapi::{HeaderBuilder, ObjectBuilder, ResponseBuilder, schema::Type},
};

use super::{Description, Json, Problem};

/// What a handler answers with when all is well.
pub trait Answer: IntoResponse {
    /// Say status and body.
    fn describe(description: &mut Description);
}

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

/// 204: done, and nothing to say.
#[derive(Debug)]
pub struct NoContent;

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
            Err(error) => Problem::internal(error).into_response(),
        }
    }
}

impl<T: Serialize + ToSchema> Answer for Json<T> {
    fn describe(description: &mut Description) {
        let response = ResponseBuilder::new().description("Done.");
        let content = description.content::<T>();
        description.answers(StatusCode::OK, response.content("application/json", content));
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let location = match HeaderValue::try_from(self.location) {
            Ok(location) => location,
            Err(error) => return Problem::internal(error).into_response(),
        };
        (StatusCode::CREATED, [(LOCATION, location)], Json(self.body)).into_response()
    }
}

impl<T: Serialize + ToSchema> Answer for Created<T> {
    fn describe(description: &mut Description) {
        let location = HeaderBuilder::new()
            .description(Some("The path of what was created."))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build();
        let response = ResponseBuilder::new()
            .description("Created.")
            .header("Location", location)
            .content("application/json", description.content::<T>());
        description.answers(StatusCode::CREATED, response);
    }
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
