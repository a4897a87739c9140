//! What holds for all operations alike, stated once.

use api::http::{
    Code, Description, ENTITY_TAGS, Endpoint, Guard, Module, ProblemView, device_parameters,
};
use serde_json::Value;
use utoipa::{
    ToSchema,
    openapi::{
        Content, HttpMethod, ObjectBuilder, Ref, RefOr, Required, ResponseBuilder, Schema,
        path::{Operation, ParameterBuilder, ParameterIn},
        schema::Type,
    },
};

use crate::{Contradiction, answers::Answers};

pub(crate) const ABOUT: &str = "\
Every answer that is not a success is a problem document (RFC 9457) whose `code` is for programs. \
Timestamps are UTC with milliseconds. Optional fields are absent, never null.";

/// A key in quotes (RFC 9651, section 3.3.3), or the bare word that many clients send.
const IDEMPOTENCY_KEY: &str = r#"^("[!#-+\--\[\]-~]{1,255}"|[!#-+\--\[\]-~]{1,255})$"#;

/// The schemas of problems.
pub(crate) fn problem_schemas() -> Vec<(String, RefOr<Schema>)> {
    let mut schemas = Vec::new();
    ProblemView::schemas(&mut schemas);
    schemas
        .push((ProblemView::name().into_owned(), <ProblemView as utoipa::PartialSchema>::schema()));
    schemas
}

/// Add to an operation what its signature says, and what follows from that and its guard.
pub(crate) fn complete(
    mut operation: Operation,
    endpoint: &Endpoint,
    guard: Guard,
    module: &Module,
    mut description: Description,
) -> Result<Value, Contradiction> {
    let gated = !module.is_for_every_version();
    add_if_none_match(&endpoint.method, &mut description);
    let mut problems = problems(endpoint, guard, gated, &description);
    let keyed = guard.needs_token() && endpoint.is_done_once();
    if keyed {
        problems.extend(add_idempotency_key(&mut description));
    }
    let id = operation.operation_id.clone().unwrap_or_default();
    let answers = Answers {
        id: &id,
        guard,
        codes: module.codes(),
        replayed: keyed,
        pointer: first_value(&description),
    };
    let answers = answers.describe(&operation.responses, &description.responses, problems)?;
    operation.request_body = description.request_body.map(Into::into);
    let mut parameters: Vec<_> = description.parameters.into_iter().map(RefOr::T).collect();
    if gated || description.takes_device {
        let names = device_parameters().map(|(name, _)| name);
        parameters.extend(
            names.map(|name| RefOr::Ref(Ref::new(format!("#/components/parameters/{name}")))),
        );
    }
    operation.parameters = Some(parameters).filter(|parameters| !parameters.is_empty());
    // What follows a blank line of the handler's comment is for a client to know; where there is
    // nothing, the first line says it all.
    if operation.description.as_ref().is_none_or(String::is_empty) {
        operation.description.clone_from(&operation.summary);
    }
    let mut operation = serde_json::to_value(operation).expect("an operation is plain data");
    operation["responses"] = answers;
    Ok(operation)
}

/// A value of the request that may be refused: of its body, or else of its query.
fn first_value(description: &Description) -> String {
    let query = description.parameters.iter().find(|it| it.parameter_in == ParameterIn::Query);
    let query = query.map(|parameter| parameter.name.as_str());
    let content = description.request_body.as_ref().and_then(|body| body.content.values().next());
    let name = match content {
        Some(RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. })) => {
            schema.ref_location.rsplit('/').next()
        }
        _ => None,
    };
    let schema = description.schemas.iter().find(|(it, _)| Some(it.as_str()) == name);
    let body = schema.and_then(|(_, schema)| match schema {
        RefOr::T(Schema::Object(object)) => {
            object.required.first().or(object.properties.keys().next()).map(String::as_str)
        }
        _ => None,
    });
    format!("/{}", body.or(query).unwrap_or_default())
}

/// What has a version can be asked for if it is another than the one that is known already, and can
/// be put where there is none (RFC 9110, section 13.1.2).
fn add_if_none_match(method: &HttpMethod, description: &mut Description) {
    let answer = description.responses.get("200");
    let versioned = answer.is_some_and(|answer| answer.headers.contains_key("ETag"));
    let text = ObjectBuilder::new().schema_type(Type::String);
    let (meaning, schema) = match method {
        HttpMethod::Get if versioned => (
            "The `ETag` that the client has; the same by now is 304.",
            text.pattern(Some(ENTITY_TAGS)).examples(["\"3\""]),
        ),
        HttpMethod::Put if description.precondition.is_some() => {
            let any = text.pattern(Some("^[*]$")).min_length(Some(1)).max_length(Some(1));
            ("`*`: only if there is none yet.", any.examples(["*"]))
        }
        _ => return,
    };
    let parameter = ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .description(Some(meaning))
        .schema(Some(schema));
    description.parameters.push(parameter.build());
    if *method == HttpMethod::Get {
        let tag = description.responses["200"].headers["ETag"].clone();
        let known = ResponseBuilder::new().description("It is the one that the client has.");
        let mut known = known.build();
        known.headers.insert("ETag".to_owned(), tag);
        description.responses.insert("304".to_owned(), known);
    }
}

/// The header by which a request is known again, and the problems that come with it.
fn add_idempotency_key(description: &mut Description) -> Vec<Code> {
    let meaning = "Names this request, for sending it again until it is answered: it is done once. \
                   A UUID will do.";
    let required = if description.leases { Required::True } else { Required::False };
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(IDEMPOTENCY_KEY))
        .max_length(Some(257))
        .examples(["8e03978e-40d5-43e8-bc93-6894a57f9324"]);
    let parameter = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(required)
        .description(Some(meaning))
        .schema(Some(text.min_length(Some(1))));
    description.parameters.push(parameter.build());
    // The body is read for its fingerprint, whether or not the handler takes one; and an answer
    // whose body was too large to be kept is made anew of a resource that may be gone.
    let mut codes = vec![Code::IdempotencyKeyReused, Code::Conflict];
    codes.extend([Code::ContentTooLarge, Code::NotFound]);
    if description.leases {
        codes.extend([Code::IdempotencyKeyRequired, Code::RequestInProgress]);
    }
    codes
}

/// Which problems an operation can tell of, whatever it does.
fn problems(
    endpoint: &Endpoint,
    guard: Guard,
    gated: bool,
    description: &Description,
) -> Vec<Code> {
    let mut codes = vec![Code::InternalError, Code::Unavailable];
    codes.extend([Code::MalformedQuery, Code::MalformedRequest]);
    if endpoint.method != HttpMethod::Get {
        codes.push(Code::Conflict);
    }
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
        codes.extend([Code::MalformedJson, Code::ContentTooLarge]);
        codes.extend([Code::UnsupportedMediaType, Code::ValidationFailed]);
    }
    let takes = |place| description.parameters.iter().any(|it| it.parameter_in == place);
    if takes(ParameterIn::Path) {
        codes.extend([Code::MalformedPath, Code::NotFound]);
    }
    if let Some(required) = description.precondition {
        codes.push(Code::PreconditionFailed);
        codes.extend(required.then_some(Code::PreconditionRequired));
    }
    if takes(ParameterIn::Query) {
        codes.push(Code::ValidationFailed);
    }
    if description.parameters.iter().any(|parameter| parameter.name == "cursor") {
        codes.push(Code::CursorInvalid);
    }
    codes
}
