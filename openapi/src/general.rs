//! What holds for all operations alike, stated once.

use std::collections::BTreeSet;

use api::http::{Code, Description, Endpoint, Guard, ProblemView, device_parameters};
use utoipa::{
    ToSchema,
    openapi::{
        Content, HttpMethod, ObjectBuilder, Ref, RefOr, Required, Response, ResponseBuilder,
        Schema,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::Type,
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
pub(crate) fn complete(
    operation: &mut Operation,
    endpoint: &Endpoint,
    guard: Guard,
    gated: bool,
    mut description: Description,
) {
    add_if_none_match(&endpoint.method, &mut description);
    let mut problems = problems(guard, gated, &description);
    if guard.needs_token() && endpoint.is_done_once() {
        problems.extend(add_idempotency_key(&mut description));
    }
    operation.request_body = description.request_body.map(Into::into);
    let mut parameters: Vec<_> = description.parameters.into_iter().map(RefOr::T).collect();
    if gated || description.takes_device {
        let names = device_parameters().map(|(name, _)| name);
        parameters.extend(
            names.map(|name| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")))),
        );
    }
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
        let names: BTreeSet<_> = names.iter().map(|code| format!("`{}`", code.name())).collect();
        let names: Vec<_> = names.into_iter().collect();
        let key = status.as_u16().to_string();
        let told = match responses.get(&key) {
            Some(RefOr::T(own)) => format!("{} Or {}.", own.description, names.join(", ")),
            _ => format!("{}.", names.join(", ")),
        };
        responses.insert(key, problem(&told).into());
    }
}

/// What has a version can be asked for if it is another than the one that is known already, and can
/// be put where there is none (RFC 9110, section 13.1.2).
fn add_if_none_match(method: &HttpMethod, description: &mut Description) {
    let answer = description.responses.get("200");
    let versioned = answer.is_some_and(|answer| answer.headers.contains_key("ETag"));
    let meaning = match method {
        HttpMethod::Get if versioned => "The `ETag` that the client has; the same by now is 304.",
        HttpMethod::Put if description.precondition.is_some() => "`*`: only if there is none yet.",
        _ => return,
    };
    let parameter = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some(meaning))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    description.parameters.push(parameter.build());
    if *method == HttpMethod::Get {
        let known = ResponseBuilder::new().description("It is the one that the client has.");
        description.responses.insert("304".to_owned(), known.build());
    }
}

/// The header by which a request is known again, and the problems that come with it.
fn add_idempotency_key(description: &mut Description) -> Vec<Code> {
    let meaning = "Names this request, for sending it again until it is answered: it is done once. \
                   A UUID will do.";
    let required = if description.leases { Required::True } else { Required::False };
    let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(257));
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(meaning))
        .schema(Some(text.min_length(Some(1))));
    description.parameters.push(parameter.build());
    let mut codes = vec![Code::IdempotencyKeyReused, Code::Conflict];
    if description.leases {
        codes.extend([Code::IdempotencyKeyRequired, Code::RequestInProgress]);
    }
    codes
}

/// Which problems an operation can tell of, whatever it does.
fn problems(guard: Guard, gated: bool, description: &Description) -> Vec<Code> {
    let mut codes = vec![Code::InternalError, Code::Unavailable];
    codes.extend([Code::MalformedPath, Code::MalformedRequest]);
    if gated {
        codes.push(Code::UpgradeRequired);
    }
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
    if let Some(required) = description.precondition {
        codes.push(Code::PreconditionFailed);
        codes.extend(required.then_some(Code::PreconditionRequired));
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
