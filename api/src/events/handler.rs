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
}

impl Failure {
    /// A handler's own.
    pub fn new(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::of("handler_failed", reason)
    }

    pub(crate) fn of(code: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { code, reason: reason.into() }
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

/// A function that takes a record of an event, and what else it needs as handlers of requests do.
pub trait Handler<R, A>: Clone + Send + Sync + 'static {
    /// Handle one record.
    fn handle(
        &self,
        record: R,
        parts: &mut Parts,
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
                // One of them takes no argument, and asks neither.
                async fn handle(&self, record: R, _parts: &mut Parts, _services: &Services) -> Result {
                    $(
                        let $name = $argument::from_request_parts(_parts, _services).await;
                        let $name = $name.map_err(refused)?;
                    )*
                    self(record, $($name),*).await
                }
            }
        )+
    };
}

handlers! {
    []
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
