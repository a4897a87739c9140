//! What a source says without the function, or instead of it. `docs/gateways.md` has the table.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
};

use super::Source;

/// Why the function's answer is not what the client gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("its headers are too large")]
    Headers,
    #[error("its body is too large")]
    Body,
    #[error("its event is larger than Lambda takes")]
    Event,
    #[error("its path leads to no stage")]
    Stage,
    #[error("it broke off")]
    BrokenOff,
    #[error("the function took too long")]
    Slow,
    #[error("the function's answer cannot be passed on, or is too large")]
    Answer,
}

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");
const JSON: &str = "application/json";
const TEXT: &str = "text; charset=utf-8";

impl Refusal {
    /// What the client of this source gets.
    pub(super) fn response(self, source: Source) -> Response<Body> {
        match source {
            Source::HttpApi => self.of_http_api(),
            Source::RestApi => self.of_rest_api(),
            Source::FunctionUrl => self.of_function_url(),
            Source::Alb | Source::AlbMultiValue => self.of_load_balancer(),
        }
    }

    fn of_http_api(self) -> Response<Body> {
        let (status, message) = match self {
            Self::Headers => (431, r#"{"message":"Request Header Fields Too Large"}"#),
            Self::Body | Self::Event => (413, r#"{"message":"Request Entity Too Large"}"#),
            Self::Stage => (404, r#"{"message":"Not Found"}"#),
            Self::BrokenOff => (400, r#"{"message":"Bad Request"}"#),
            Self::Slow => (503, r#"{"message":"Service Unavailable"}"#),
            Self::Answer => (500, r#"{"message":"Internal Server Error"}"#),
        };
        told(status, JSON, message, None)
    }

    fn of_rest_api(self) -> Response<Body> {
        const FAULT: &str = "InternalServerErrorException";
        const BAD: &str = "BadRequestException";
        let (status, kind, message, error) = match self {
            Self::Headers => (431, TEXT, "HTTP header is larger than 10240 bytes.", None),
            Self::Body => (413, TEXT, "HTTP content length exceeded 10485760 bytes.", None),
            Self::Event => (413, JSON, r#"{"message": "Request Too Long"}"#, Some(BAD)),
            Self::Stage => (403, JSON, r#"{"message":"Forbidden"}"#, Some("ForbiddenException")),
            Self::BrokenOff => (400, JSON, r#"{"message": "Bad Request"}"#, Some(BAD)),
            Self::Slow => (504, JSON, r#"{"message": "Endpoint request timed out"}"#, Some(FAULT)),
            Self::Answer => (502, JSON, r#"{"message": "Internal server error"}"#, Some(FAULT)),
        };
        told(status, kind, message, error)
    }

    fn of_function_url(self) -> Response<Body> {
        const TOO_LARGE: &str = "{\"Message\":\"Request must be smaller than 6291456 bytes for the \
                                 InvokeFunction operation\"}";
        match self {
            Self::Body | Self::Event => {
                told(413, JSON, TOO_LARGE, Some("RequestEntityTooLargeException"))
            }
            Self::Headers => told(431, JSON, r#"{"Message":null}"#, None),
            Self::Stage | Self::BrokenOff => told(400, JSON, r#"{"Message":null}"#, None),
            Self::Slow | Self::Answer => told(502, JSON, "Internal Server Error", None),
        }
    }

    fn of_load_balancer(self) -> Response<Body> {
        let (status, title) = match self {
            Self::Headers | Self::Stage | Self::BrokenOff => (400, "400 Bad Request"),
            Self::Body | Self::Event => (413, "413 Request Entity Too Large"),
            Self::Slow | Self::Answer => (502, "502 Bad Gateway"),
        };
        let page = format!(
            "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n\
             <center><h1>{title}</h1></center>\r\n</body>\r\n</html>\r\n"
        );
        let mut response = told(status, "text/html", page, None);
        response.headers_mut().insert(header::SERVER, HeaderValue::from_static("awselb/2.0"));
        response
    }
}

fn told(
    status: u16,
    kind: &'static str,
    body: impl Into<Body>,
    error: Option<&'static str>,
) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = StatusCode::from_u16(status).expect("the tables hold statuses");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Some(error) = error {
        headers.insert(ERROR_TYPE, HeaderValue::from_static(error));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::{Refusal, Source};

    /// Status, content type, length of the body: what captures of the real sources show.
    async fn seen(refusal: Refusal, source: Source) -> (u16, String, usize) {
        let (parts, body) = refusal.response(source).into_parts();
        let length = to_bytes(body, usize::MAX).await.unwrap().len();
        let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
        (parts.status.as_u16(), kind, length)
    }

    #[tokio::test]
    async fn looks_as_it_does_in_the_cloud() {
        let (json, text) = ("application/json", "text; charset=utf-8");
        for (source, refusal, status, kind, length) in [
            (Source::HttpApi, Refusal::Slow, 503, json, 33),
            (Source::HttpApi, Refusal::Answer, 500, json, 35),
            (Source::RestApi, Refusal::Slow, 504, json, 41),
            (Source::RestApi, Refusal::Answer, 502, json, 36),
            (Source::RestApi, Refusal::Body, 413, text, 44),
            (Source::RestApi, Refusal::Event, 413, json, 31),
            (Source::RestApi, Refusal::Stage, 403, json, 23),
            (Source::Alb, Refusal::Answer, 502, "text/html", 122),
        ] {
            let seen = seen(refusal, source).await;
            assert_eq!(seen, (status, kind.to_owned(), length), "{source} {refusal:?}");
        }
    }
}
