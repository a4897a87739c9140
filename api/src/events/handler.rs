use std::{borrow::Cow, error::Error};

use axum::{extract::FromRequestParts, response::IntoResponse};
use http::request::Parts;

use crate::{Services, http::Problem};

/// What an event handler gives: nothing, or why it has failed.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Why a record was not handled. `?` makes one of any error.
///
/// The reason is logged, and kept with the record once that is set aside, so it names no person.
#[derive(Clone, Debug)]
pub struct Failure {
    code: &'static str,
    reason: Cow<'static, str>,
    is_final: bool,
}

impl Failure {
    /// A handler's own.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of("handler_failed", reason)
    }

    /// One that no further attempt would change: the record is set aside at once.
    pub fn for_good(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { is_final: true, ..Self::new(reason) }
    }

    pub(crate) fn of(code: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into(), is_final: false }
    }

    /// Whether the record is set aside at once.
    pub fn is_final(&self) -> bool {
        self.is_final
    }

    /// The kind of failure, for programs: `handler_failed`, `undecodable`, `panicked`, `timed_out`
    /// or `undeclared_write`.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What has gone wrong, for people.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

impl<E: Error + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(models::causes(&error))
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let code = problem.code().name();
        Self::new(match problem.cause() {
            Some(cause) => format!("{code}: {cause}"),
            None => code.to_owned(),
        })
    }
}

/// An argument of an event handler: whether its record is one that it has set aside, and is replayed.
/// What has mended the cause since then may make another attempt worth it.
#[derive(Clone, Copy, Debug)]
pub struct IsReplay(pub bool);

impl FromRequestParts<Services> for IsReplay {
    type Rejection = Problem;

    #[cfg_attr(not(feature = "events"), expect(unused_variables, reason = "nothing is replayed"))]
    async fn from_request_parts(
        parts: &mut Parts,
        _: &Services,
    ) -> std::result::Result<Self, Problem> {
        #[cfg(feature = "events")]
        if let Some(handling) = parts.extensions.get::<super::Handling>() {
            return Ok(Self(handling.is_replay()));
        }
        Err(Problem::internal("a request is no record of an event"))
    }
}

/// A function that takes a record of an event, and what else it needs as handlers of requests do.
pub trait Handler<R, A>: Clone + Send + Sync + 'static {
    /// Handle one record. Who takes nothing else does not have the parts made.
    fn handle(
        &self,
        record: R,
        parts: impl FnOnce() -> Parts + Send,
        services: &Services,
    ) -> impl Future<Output = Result> + Send;
}

macro_rules! handlers {
    ($([$($argument:ident $name:ident),*])+) => {
        $(
            impl<H, Done, R, $($argument),*> Handler<R, ($($argument,)*)> for H
            where
                H: Fn(R, $($argument),*) -> Done + Clone + Send + Sync + 'static,
                Done: Future<Output = Result> + Send,
                R: Send,
                $($argument: FromRequestParts<Services> + Send,)*
            {
                async fn handle(
                    &self,
                    record: R,
                    parts: impl FnOnce() -> Parts + Send,
                    services: &Services,
                ) -> Result {
                    let parts = &mut parts();
                    $(
                        let $name = $argument::from_request_parts(parts, services).await;
                        let $name = $name.map_err(refused)?;
                    )*
                    self(record, $($name),*).await
                }
            }
        )+
    };
}

impl<H, Done, R> Handler<R, ()> for H
where
    H: Fn(R) -> Done + Clone + Send + Sync + 'static,
    Done: Future<Output = Result> + Send,
    R: Send,
{
    async fn handle(&self, record: R, _: impl FnOnce() -> Parts + Send, _: &Services) -> Result {
        self(record).await
    }
}

handlers! {
    [A1 a1]
    [A1 a1, A2 a2]
    [A1 a1, A2 a2, A3 a3]
    [A1 a1, A2 a2, A3 a3, A4 a4]
    [A1 a1, A2 a2, A3 a3, A4 a4, A5 a5]
    [A1 a1, A2 a2, A3 a3, A4 a4, A5 a5, A6 a6]
}

fn refused(rejection: impl IntoResponse) -> Failure {
    let mut response = rejection.into_response();
    match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem.into(),
        None => Failure::new(format!("an argument was refused: {}", response.status())),
    }
}
