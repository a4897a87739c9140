//! Whose requests the bucket takes. Everybody knows its one key, so a signature says nothing of who
//! asks: a page of somebody else's could sign for itself, and ask by its own name, which it lets
//! lead here (DNS rebinding).

use std::{net::IpAddr, time::Duration};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, uri::Authority},
    middleware::Next,
    response::{IntoResponse, Response},
};
use s3s::{S3Error, s3_error};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

/// Refuse what a page of somebody else's may have sent, whatever its signature.
pub(super) async fn only_from_here(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if leads_here(headers) && headers.get(header::ORIGIN).is_none_or(is_of_this_machine) {
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

/// Whether `Host` is an address, such as an emulator's for this machine, or a name that nobody else
/// can have (RFC 6761, section 6.3).
fn leads_here(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else { return false };
    let name = host.host().to_ascii_lowercase();
    let address = name.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(&name);
    name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

fn is_of_this_machine(origin: &HeaderValue) -> bool {
    let origin = origin.to_str().unwrap_or_default();
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let name = host.map(|host| match host.rsplit_once(':') {
        Some((name, port)) if port.parse::<u16>().is_ok() => name,
        _ => host,
    });
    name.is_some_and(|name| ["localhost", "127.0.0.1", "[::1]"].contains(&name))
}

fn refuse(error: S3Error) -> Response {
    match error.to_http_response() {
        Ok(response) => response.map(Body::new),
        Err(_) => StatusCode::FORBIDDEN.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::is_of_this_machine;

    #[test]
    fn knows_pages_of_this_machine() {
        for origin in
            ["http://localhost:5173", "https://localhost", "http://127.0.0.1:80", "http://[::1]:8"]
        {
            assert!(is_of_this_machine(&HeaderValue::from_static(origin)), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost.example.com",
            "http://example.com:3000",
            "http://localhost:x",
            "file://localhost",
        ] {
            assert!(!is_of_this_machine(&HeaderValue::from_static(origin)), "{origin}");
        }
    }
}
