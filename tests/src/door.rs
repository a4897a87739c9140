//! The ways in: the app in this process, a server on a port, a function under the emulator.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::App;
use axum::{Router, body::Body};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use lambda_runtime::{Context, LambdaEvent};
use local_dev::Gateway;
use models::Ambient;
use serde_json::value::to_raw_value;
use tokio::net::TcpStream;
use tower::ServiceExt;

use crate::{Answer, Function, Request, event};

/// Where requests go in.
#[derive(Clone)]
pub enum Door {
    /// The app's router, without an event around the request.
    Router(Router),
    /// The app in this process, behind the gateway that local-dev has.
    InProcess(Gateway),
    /// The app in this process, which is given so long for each invocation.
    Invoked(App, Ambient, Duration),
    /// A server of HTTP/1.1 at this address.
    Http(SocketAddr),
    /// The built function, behind the emulator.
    Lambda(Arc<Function>),
}

impl Door {
    pub(crate) async fn send(&self, request: &Request) -> Option<Answer> {
        match self {
            Self::Router(router) => {
                let Ok(response) = router.clone().oneshot(request.to_http()).await;
                whole(response).await
            }
            Self::InProcess(gateway) => {
                let peer = SocketAddr::from((request.address, 50_000));
                whole(gateway.forward(request.to_http(), peer).await).await
            }
            Self::Invoked(app, ambient, time) => {
                let mut context = Context::default();
                context.deadline = ambient.now().plus(*time).unix_millis().unsigned_abs();
                let event = to_raw_value(&event::of(request)).expect("an event is JSON");
                let answer = app.invoke(LambdaEvent::new(event, context)).await;
                Some(event::answer(&serde_json::to_value(answer).expect("an answer is JSON")))
            }
            Self::Http(address) => over_tcp(*address, request).await.ok(),
            Self::Lambda(function) => {
                Some(event::answer(&function.invoke(event::of(request)).await))
            }
        }
    }
}

async fn whole(response: http::Response<Body>) -> Option<Answer> {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.ok()?.to_bytes().to_vec();
    Some(Answer { status: parts.status, headers: parts.headers, body })
}

/// A connection for each request: what breaks is this request and no other.
async fn over_tcp(
    address: SocketAddr,
    request: &Request,
) -> Result<Answer, Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    let connection = tokio::spawn(connection);
    let (parts, body) = sender.send_request(request.to_http()).await?.into_parts();
    let body = body.collect().await?.to_bytes().to_vec();
    drop(sender);
    connection.abort();
    Ok(Answer { status: parts.status, headers: parts.headers, body })
}

impl Request {
    fn to_http(&self) -> http::Request<Body> {
        let uri = self.path.parse().unwrap_or_else(|error| panic!("{:?}: {error}", self.path));
        let mut request: http::Request<Body> = http::Request::new(self.body.clone().into());
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers.clone();
        request
    }
}
