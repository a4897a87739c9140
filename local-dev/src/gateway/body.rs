//! The body of a request, whole, up to the gateway's limit.

use axum::{
    body::{Body, Bytes},
    http::StatusCode,
};
use http_body_util::BodyExt;

/// What an HTTP API takes.
const LARGEST: usize = 10 * 1024 * 1024;
/// How much of a body that is too large we still read. A client that is cut off while it sends
/// often never sees the answer.
const DRAINED: usize = 10 * LARGEST;

/// Read the body; a body above the limit is read and dropped, then refused.
pub(super) async fn read(mut body: Body) -> Result<Bytes, StatusCode> {
    let mut kept = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen > DRAINED {
            break;
        } else if seen > LARGEST {
            kept = Vec::new();
        } else {
            kept.extend_from_slice(&data);
        }
    }
    if seen > LARGEST { Err(StatusCode::PAYLOAD_TOO_LARGE) } else { Ok(kept.into()) }
}

#[cfg(test)]
mod tests {
    use axum::{body::Body, http::StatusCode};

    use super::{LARGEST, read};

    #[tokio::test]
    async fn takes_the_limit_and_not_a_byte_more() {
        assert_eq!(read(Body::from(vec![b'x'; LARGEST])).await.unwrap().len(), LARGEST);
        let refusal = read(Body::from(vec![b'x'; LARGEST + 1])).await.unwrap_err();
        assert_eq!(refusal, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
