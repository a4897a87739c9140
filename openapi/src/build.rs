use std::collections::{BTreeMap, BTreeSet};

use api::http::{Decode, Description, Endpoint, Guard, Module, device_parameters, device_schemas};
use serde_json::{Map, Value, json};
use utoipa::openapi::{HttpMethod, RefOr, Schema, path::ParameterIn};

use crate::{answers, deprecation::mark_deprecated, example, general};

/// Declarations that cannot stand in one document.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Two handlers of one name; the name is the operation's id and the client's method.
    #[error("two handlers are named {0}; an operation id must be unique")]
    OperationId(String),
    /// Two types of one name; the document would keep one of them.
    #[error("two different schemas are named {0}")]
    Schema(String),
    /// Two entities of one kind; each would list the other's items.
    #[error("two entities are of the kind {0}")]
    Kind(&'static str),
    /// Two handlers of one method and path.
    #[error("{0} has the method and path of another handler")]
    Route(String),
    /// Nobody is signed in at a public endpoint.
    #[error("{0} is public and takes a Caller")]
    PublicCaller(String),
    /// A lease needs a key, and only POST and PATCH of somebody who is signed in have one.
    #[error("{0} takes a Lease and cannot be sent with an idempotency key")]
    Lease(String),
    /// The path has other parameters than the handler.
    #[error("{0} does not take the parameters of its path")]
    PathParameters(String),
    /// An attribute tells of an answer without a code, or of one that the signature gives.
    #[error(
        "{0} says of its answer {1} which problem it is; begin with the code: \
         \"`not_found`: there is no such thing.\""
    )]
    Answer(String, String),
    /// A code that nobody has declared: a typing error, or one of the module's own.
    #[error("{0} names the problem `{1}`, which is none; declare it with Module::problems")]
    Code(String, String),
    /// A code is told with its own status and no other.
    #[error("{0} tells of the problem `{1}` with the status {2}, which is not its own")]
    Status(String, String, String),
    /// The handler would not take what the document shows as an example.
    #[error("{0} does not take its own example: {1}; give its fields #[schema(examples(..))]")]
    Example(String, String),
}

/// The security scheme of access tokens.
pub(crate) const SCHEME: &str = "accessToken";

/// The document of these modules, as OpenAPI 3.1.
///
/// # Errors
/// When declarations contradict each other: utoipa alone would keep one of the two silently.
pub fn build(modules: &[Module]) -> Result<Value, Contradiction> {
    let mut parts = Parts::default();
    for module in modules {
        for (guard, endpoint) in module.endpoints() {
            parts.add(module, guard, endpoint)?;
        }
    }
    parts.keep_schema(general::problem_schemas())?;
    parts.keep_schema(device_schemas())?;
    let parameters: BTreeMap<_, _> = device_parameters().into_iter().collect();
    // A module may have event handlers alone.
    let tags = modules
        .iter()
        .filter(|module| module.endpoints().next().is_some())
        .map(|module| json!({ "name": module.name(), "description": module.description() }));
    let mut document = json!({
        "openapi": "3.1.0",
        "info": info(),
        "servers": [{ "url": "/" }],
        "tags": tags.collect::<Vec<_>>(),
        "paths": parts.paths,
        "components": {
            "headers": answers::headers(),
            "parameters": parameters,
            "schemas": parts.schemas,
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The `accessToken` of whoever is signed in.",
                },
            },
        },
    });
    example::fill(&mut document);
    parts.try_examples(&document)?;
    Ok(document)
}

fn info() -> Value {
    json!({
        "title": "Landline",
        "version": env!("CARGO_PKG_VERSION"),
        "description": general::ABOUT,
        "contact": { "name": "Landline" },
        "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
    })
}

#[derive(Default)]
struct Parts {
    ids: BTreeSet<String>,
    kinds: BTreeMap<&'static str, &'static str>,
    paths: BTreeMap<String, Map<String, Value>>,
    schemas: BTreeMap<String, RefOr<Schema>>,
    decoders: Vec<(String, String, Decode<[u8]>)>,
}

impl Parts {
    fn add(
        &mut self,
        module: &Module,
        guard: Guard,
        endpoint: &Endpoint,
    ) -> Result<(), Contradiction> {
        let mut operation = (endpoint.operation)();
        let mut description = Description::default();
        (endpoint.describe)(&mut description);
        let id = operation.operation_id.clone().unwrap_or_default();
        if !guard.needs_token() && description.takes_caller
            || guard == Guard::Public && description.takes_caller_if_any
        {
            return Err(Contradiction::PublicCaller(id));
        }
        if description.leases && !(guard.needs_token() && endpoint.is_done_once()) {
            return Err(Contradiction::Lease(id));
        }
        for (kind, entity) in std::mem::take(&mut description.kinds) {
            if *self.kinds.entry(kind).or_insert(entity) != entity {
                return Err(Contradiction::Kind(kind));
            }
        }
        self.keep_schema(std::mem::take(&mut description.schemas))?;
        name_parameters(&endpoint.path, &mut description)
            .ok_or_else(|| Contradiction::PathParameters(id.clone()))?;
        let method = method_name(&endpoint.method);
        if let Some(decode) = description.decode_body {
            let pointer = format!("/paths/{}/{method}", endpoint.path.replace('/', "~1"));
            self.decoders.push((id.clone(), pointer, decode));
        }
        operation.tags = Some(vec![module.name().to_owned()]);
        let mut operation = general::complete(operation, endpoint, guard, module, description)?;
        operation["security"] = security(guard);
        if let Some(deprecation) = &endpoint.deprecation {
            mark_deprecated(&mut operation, deprecation);
        }
        if !self.ids.insert(id.clone()) {
            return Err(Contradiction::OperationId(id));
        }
        let item = self.paths.entry(endpoint.path.clone()).or_default();
        match item.insert(method.to_owned(), operation) {
            None => Ok(()),
            Some(_) => Err(Contradiction::Route(id)),
        }
    }

    /// Each handler takes what the document shows as an example of its body.
    fn try_examples(&self, document: &Value) -> Result<(), Contradiction> {
        for (id, pointer, decode) in &self.decoders {
            let operation = document.pointer(pointer).unwrap_or(&Value::Null);
            let content = &operation["requestBody"]["content"]["application/json"];
            let body = content["examples"]["example"]["value"].to_string();
            decode(body.as_bytes()).map_err(|problem| {
                let broken = serde_json::to_value(problem.told("")).unwrap_or_default();
                let why = broken["errors"][0]["message"].as_str().or(broken["title"].as_str());
                let place = broken["errors"][0]["pointer"].as_str().unwrap_or_default();
                let why = format!("{place} {}", why.unwrap_or_default());
                Contradiction::Example(id.clone(), why.trim().to_owned())
            })?;
        }
        Ok(())
    }

    fn keep_schema(&mut self, schemas: Vec<(String, RefOr<Schema>)>) -> Result<(), Contradiction> {
        for (name, schema) in schemas {
            match self.schemas.get(&name) {
                Some(known) if *known != schema => return Err(Contradiction::Schema(name)),
                _ => drop(self.schemas.insert(name, schema)),
            }
        }
        Ok(())
    }
}

/// Who may call it. Public is said too, or a tool would take it for forgotten; what a token must be
/// good for may stand in the list (OpenAPI 3.1, Security Requirement Object).
fn security(guard: Guard) -> Value {
    match guard {
        Guard::Public => json!([]),
        Guard::Anyone => json!([{}, { SCHEME: [] }]),
        Guard::SignedIn => json!([{ SCHEME: [] }]),
        Guard::Scoped(scope) => json!([{ SCHEME: [scope] }]),
    }
}

fn method_name(method: &HttpMethod) -> &'static str {
    match method {
        HttpMethod::Get => "get",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Delete => "delete",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Patch => "patch",
        HttpMethod::Trace => "trace",
    }
}

/// Give the handler's path parameters the names that the path has for them, in order.
fn name_parameters(path: &str, description: &mut Description) -> Option<()> {
    let mut names =
        path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    let in_path = |parameter: &&mut utoipa::openapi::path::Parameter| {
        parameter.parameter_in == ParameterIn::Path
    };
    for parameter in description.parameters.iter_mut().filter(in_path) {
        names.next()?.clone_into(&mut parameter.name);
        let meaning = parameter_meaning(&parameter.name);
        parameter.description.get_or_insert(meaning);
    }
    names.next().is_none().then_some(())
}

/// `noteId` is the id of the note.
fn parameter_meaning(name: &str) -> String {
    let mut words = String::new();
    for letter in name.strip_suffix("Id").unwrap_or(name).chars() {
        if letter.is_uppercase() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    if name.ends_with("Id") { format!("The id of the {words}.") } else { format!("The {words}.") }
}
