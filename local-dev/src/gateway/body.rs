//! The body of a request, whole, up to the source's limit.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt;

use super::Refusal;

/// How much of a body that is too large we still read. A client that is cut off while it sends
/// often never sees the answer.
const DRAINED: usize = 100 * 1024 * 1024;

/// Read the body; a body above the limit is read and dropped, then refused.
pub(super) async fn read(mut body: Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut kept = Vec::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::BrokenOff)?.into_data() else {
            continue;
        };
        seen = seen.saturating_add(data.len());
        if seen > DRAINED {
            break;
        } else if seen > limit {
            kept = Vec::new();
        } else {
            kept.extend_from_slice(&data);
        }
    }
    if seen > limit { Err(Refusal::Body) } else { Ok(kept.into()) }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::{Refusal, read};

    #[tokio::test]
    async fn takes_the_limit_and_not_a_byte_more() {
        assert_eq!(read(Body::from("12345"), 5).await.unwrap().len(), 5);
        assert_eq!(read(Body::from("123456"), 5).await.unwrap_err(), Refusal::Body);
    }
}
