use std::{
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use models::store::Connection;
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

use crate::{
    Client, Door, Emulator, Invocation,
    programs::{TOO_LONG, program},
};

/// The built Lambda function, running under the [`Emulator`]. It ends when this is dropped.
pub struct Function {
    emulator: Emulator,
    child: Mutex<Option<Child>>,
    log: Arc<Mutex<Vec<u8>>>,
    readers: Mutex<Vec<JoinHandle<()>>>,
    ended: watch::Receiver<()>,
}

/// What Lambda itself puts into a function's environment.
pub(crate) const LAMBDA: [(&str, &str); 4] = [
    ("AWS_LAMBDA_FUNCTION_NAME", "landline"),
    ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
    ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ("AWS_REGION", "us-east-1"),
];

impl Function {
    /// Start it on this table, with these tokens. `more` adds to its environment.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(
        auth: &auth::Settings,
        connection: &Connection,
        more: &[(&str, &str)],
    ) -> Arc<Self> {
        Self::start_program("api", auth, connection, more).await
    }

    /// Start another function than the app's: one of `api`'s examples.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_program(
        name: &str,
        auth: &auth::Settings,
        connection: &Connection,
        more: &[(&str, &str)],
    ) -> Arc<Self> {
        let emulator = Emulator::start().await;
        let mut child = Command::new(program(name))
            .env_clear()
            .envs(LAMBDA)
            .env("AWS_LAMBDA_RUNTIME_API", emulator.address())
            .env("AWS_ACCESS_KEY_ID", "landline")
            .env("AWS_SECRET_ACCESS_KEY", "landline")
            .env("AWS_ENDPOINT_URL_DYNAMODB", connection.endpoint.as_deref().unwrap_or_default())
            .env("LANDLINE_ISSUER", &auth.issuer)
            .env("LANDLINE_AUDIENCE", &auth.audience)
            .env("LANDLINE_SIGNING_KEY", auth.signing_key.to_pem())
            .env("LANDLINE_TABLE", &connection.table)
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the function starts");
        let log = Arc::new(Mutex::default());
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        let (running, ended) = watch::channel(());
        let readers =
            vec![keep(stdout, log.clone(), running.clone()), keep(stderr, log.clone(), running)];
        let (child, readers) = (Mutex::new(Some(child)), Mutex::new(readers));
        Arc::new(Self { emulator, child, log, readers, ended })
    }

    /// Somebody without a token.
    pub fn anonymous(self: &Arc<Self>) -> Client {
        Client::new(Door::Lambda(self.clone()))
    }

    /// Hand it an event and wait for its answer.
    ///
    /// # Panics
    /// When it reports an error or does not answer.
    pub async fn invoke(&self, event: Value) -> Value {
        let mut ended = self.ended.clone();
        let answer = timeout(TOO_LONG, self.emulator.queue(&event));
        let answer = tokio::select! {
            answer = answer => answer,
            _ = ended.changed() => panic!("the function has ended\n{}", self.logged()),
        };
        match answer {
            Ok(Ok(Invocation::Answered(answer))) => answer,
            other => panic!("{other:?} for {event}\n{}", self.logged()),
        }
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&log).into_owned()
    }

    /// End it, and give all that it has logged.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end(&self) -> String {
        let child = self.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = child {
            timeout(TOO_LONG, child.kill()).await.expect("it ends").expect("it was running");
        }
        let readers =
            std::mem::take(&mut *self.readers.lock().unwrap_or_else(PoisonError::into_inner));
        for reader in readers {
            reader.await.expect("reading does not panic");
        }
        self.logged()
    }
}

/// Reads to the end, which is when the program has ended.
fn keep(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    log: Arc<Mutex<Vec<u8>>>,
    running: watch::Sender<()>,
) -> JoinHandle<()> {
    tokio::spawn(async move {
        let _running = running;
        let mut chunk = vec![0; 8192];
        while let Ok(length @ 1..) = from.read(&mut chunk).await {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.extend_from_slice(&chunk[..length]);
        }
    })
}
