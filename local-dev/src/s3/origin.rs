//! Whose requests the bucket takes. Everybody knows its one key, so a signature says nothing of who
//! asks: a page of somebody else's could sign for itself, and ask by its own name.

use std::time::Duration;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use s3s::{S3Error, s3_error};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::host::Host;

/// Refuse what a page of somebody else's may have sent, whatever its signature.
pub(super) async fn only_from_here(request: Request, next: Next) -> Response {
    let is_fixed = Host::asked(&request).is_some_and(|host| host.is_fixed());
    if is_fixed && request.headers().get_all(header::ORIGIN).iter().all(is_of_this_machine) {
        return next.run(request).await;
    }
    refuse(s3_error!(
        AccessDenied,
        "The embedded bucket is asked as localhost or by an address, and by pages of this machine."
    ))
}

/// As a bucket's CORS configuration that lets pages of this machine in
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ManageCorsUsing.html>).
pub(super) fn cors() -> CorsLayer {
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(|origin, _| is_of_this_machine(origin)))
        .allow_methods([Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([header::ETAG])
        .max_age(Duration::from_secs(3000))
}

fn is_of_this_machine(origin: &HeaderValue) -> bool {
    Host::of_origin(origin).is_some_and(|host| host.is_this_machine())
}

fn refuse(error: S3Error) -> Response {
    match error.to_http_response() {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::FORBIDDEN.into_response(),
    }
}
