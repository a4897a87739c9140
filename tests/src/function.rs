use std::{
    io::pipe,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
};

use models::store::Connection;
use serde_json::Value;
use tokio::{
    process::{Child, Command},
    time::timeout,
};

use crate::{
    Client, Door, Emulator, Invocation, event,
    programs::{Said, TOO_LONG, program},
};

/// The built Lambda function, running under the [`Emulator`]. It ends when this is dropped.
pub struct Function {
    emulator: Emulator,
    child: Mutex<Option<Child>>,
    said: Said,
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

    /// Start another function than the app's: `events`, or one of `api`'s examples.
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
        let signing_key = auth.signing.in_hand().expect("a test has its key in hand");
        let (log, into_log) = pipe().expect("a pipe");
        let child = Command::new(program(name))
            .env_clear()
            .envs(LAMBDA)
            .env("AWS_LAMBDA_RUNTIME_API", emulator.address())
            .env("AWS_ACCESS_KEY_ID", "landline")
            .env("AWS_SECRET_ACCESS_KEY", "landline")
            .env("AWS_ENDPOINT_URL_DYNAMODB", connection.endpoint.as_deref().unwrap_or_default())
            .env("LANDLINE_ISSUER", &auth.issuer)
            .env("LANDLINE_AUDIENCE", &auth.audience)
            .env("LANDLINE_SIGNING_KEY", signing_key.to_pem())
            .env("LANDLINE_TABLE", &connection.table)
            // As much as it can be made to say, to be looked through for secrets.
            .env("LANDLINE_LOG", "debug")
            .envs(more.iter().copied())
            .stdin(Stdio::null())
            .stdout(into_log.try_clone().expect("a pipe"))
            .stderr(into_log)
            .kill_on_drop(true)
            .spawn()
            .expect("the function starts");
        Arc::new(Self { emulator, child: Mutex::new(Some(child)), said: Said::through(log) })
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
        match self.try_invoke(&event).await {
            Invocation::Answered(answer) => answer,
            other => panic!("{other:?} for {event}\n{}", self.logged()),
        }
    }

    /// Hand it an event and wait for its answer, or for the error that it reports.
    ///
    /// # Panics
    /// When it does neither.
    pub async fn try_invoke(&self, event: &Value) -> Invocation {
        let answer = timeout(TOO_LONG, self.emulator.queue(event));
        let answer = tokio::select! {
            answer = answer => answer,
            () = self.said.ended() => panic!("the function has ended\n{}", self.logged()),
        };
        match answer {
            Ok(Ok(invocation)) => {
                let (Invocation::Answered(told) | Invocation::Failed(told)) = &invocation;
                event::check_secrets(told);
                invocation
            }
            other => panic!("{other:?} for {event}\n{}", self.logged()),
        }
    }

    /// What it has logged so far.
    pub fn logged(&self) -> String {
        self.said.so_far()
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
        self.said.whole()
    }
}

impl Drop for Function {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        // It may have ended already.
        drop(child.take().map(|mut child| child.start_kill()));
        self.said.check("the function");
    }
}
