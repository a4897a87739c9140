//! What holds for all operations alike, stated once.

use std::collections::BTreeSet;

use api::http::{Code, Description, Guard, ProblemView};
use utoipa::{
    ToSchema,
    openapi::{
        Content, Ref, RefOr, Response, ResponseBuilder, Schema,
        path::{Operation, ParameterIn},
    },
};

pub(crate) const ABOUT: &str = "\
Every answer that is not a success is a problem document (RFC 9457) whose `code` is for programs. \
Timestamps are UTC with milliseconds. Optional fields are absent, never null.";

/// The schemas of problems.
pub(crate) fn problem_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    ProblemView::schemas(&mut schemas);
    schemas
        .push((ProblemView::name().into_owned(), <ProblemView as utoipa::PartialSchema>::schema()));
    schemas
}

/// Add to an operation what its signature says, and the problems that follow from it.
pub(crate) fn complete(operation: &mut Operation, guard: Guard, description: Description) {
    let problems = problems(guard, &description);
    operation.request_body = description.request_body.map(Into::into);
    let parameters: Vec<_> = description.parameters.into_iter().map(RefOr::T).collect();
    operation.parameters = Some(parameters).filter(|parameters| !parameters.is_empty());
    let responses = &mut operation.responses.responses;
    for response in responses.values_mut() {
        if let RefOr::T(response) = response {
            *response = problem(&response.description);
        }
    }
    responses.extend(description.responses.into_iter().map(|(status, it)| (status, it.into())));
    let statuses: BTreeSet<_> = problems.iter().map(|code| code.status()).collect();
    for status in statuses {
        let names: Vec<_> = problems.iter().filter(|code| code.status() == status).collect();
        let names: Vec<_> = names.iter().map(|code| format!("`{}`", code.name())).collect();
        let key = status.as_u16().to_string();
        let told = match responses.get(&key) {
            Some(RefOr::T(own)) => format!("{} Or {}.", own.description, names.join(", ")),
            _ => format!("{}.", names.join(", ")),
        };
        responses.insert(key, problem(&told).into());
    }
}

/// Which problems an operation can tell of, whatever it does.
fn problems(guard: Guard, description: &Description) -> Vec<Code> {
    let mut codes = vec![Code::InternalError, Code::Unavailable];
    codes.extend([Code::MalformedPath, Code::MalformedRequest]);
    if guard.needs_token() {
        codes.push(Code::TokenMissing);
    }
    if guard != Guard::Public {
        codes.extend([Code::TokenExpired, Code::TokenInvalid]);
    }
    if let Guard::Scoped(_) = guard {
        codes.push(Code::InsufficientScope);
    }
    if description.request_body.is_some() {
        codes.extend([Code::MalformedJson, Code::ContentTooLarge, Code::Conflict]);
        codes.extend([Code::UnsupportedMediaType, Code::ValidationFailed]);
    }
    let takes = |place| description.parameters.iter().any(|it| it.parameter_in == place);
    if takes(ParameterIn::Path) {
        codes.push(Code::NotFound);
    }
    if takes(ParameterIn::Query) {
        codes.extend([Code::MalformedQuery, Code::ValidationFailed]);
    }
    if description.parameters.iter().any(|parameter| parameter.name == "cursor") {
        codes.push(Code::CursorInvalid);
    }
    codes
}

fn problem(description: &str) -> Response {
    let schema = Ref::from_schema_name(ProblemView::name());
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", Content::new(Some(schema)))
        .build()
}
