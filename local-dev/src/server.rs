//! The HTTP server, and what it says when it is up.

use std::{future::Future, io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, State},
    http::{Request, Response},
    serve::ListenerExt,
};
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};

use crate::{Gateway, Mailbox, dev, docs};

/// How long requests that are being answered may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(5);

/// Serve the gateway, the docs page and the mails that were sent on these listeners until `stop` is done, and then until
/// every request is answered, for five seconds at most.
pub async fn serve(
    listeners: Vec<TcpListener>,
    gateway: Gateway,
    mailbox: Arc<Mailbox>,
    stop: impl Future<Output = ()> + Send,
) {
    let (stopping, stopped) = watch::channel(());
    let router = router(gateway, mailbox);
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(serve_one(listener, router.clone(), stopped.clone()));
    }
    drop(stopped);
    stop.await;
    drop(stopping);
    if timeout(GRACE, async { while servers.join_next().await.is_some() {} }).await.is_err() {
        tracing::warn!("stopped before every request was answered");
    }
}

async fn serve_one(listener: TcpListener, router: Router, mut stopped: watch::Receiver<()>) {
    // Small answers leave at once. Should this fail, they leave a little later.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let stopped = async move { while stopped.changed().await.is_ok() {} };
    if let Err(error) = axum::serve(listener, service).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "a listener stopped");
    }
}

fn router(gateway: Gateway, mailbox: Arc<Mailbox>) -> Router {
    let own = docs::routes(gateway.base()).merge(dev::routes(mailbox));
    own.fallback(forward).with_state(gateway)
}

async fn forward(
    State(gateway): State<Gateway>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request<Body>,
) -> Response<Body> {
    gateway.forward(request, peer).await
}

/// Ctrl-C, and the system's request to end.
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
}

impl Signals {
    /// Listen for them from now on: they end the process no longer.
    pub(crate) fn listen() -> io::Result<Self> {
        #[cfg(unix)]
        let signals = Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        };
        #[cfg(not(unix))]
        let signals = Self {};
        Ok(signals)
    }

    /// Done when the next one comes.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        drop(tokio::signal::ctrl_c().await);
    }
}
