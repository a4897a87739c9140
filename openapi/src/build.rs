use std::collections::{BTreeMap, BTreeSet};

use api::http::{Description, Endpoint, Guard, Module, device_parameters};
use utoipa::openapi::{
    ComponentsBuilder, HttpMethod, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, Paths, RefOr,
    Schema, SecurityRequirement, Server,
    info::LicenseBuilder,
    path::{Operation, ParameterIn},
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::TagBuilder,
};

use crate::{deprecation::mark_deprecated, general};

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
}

const SCHEME: &str = "accessToken";

/// The document of these modules.
///
/// # Errors
/// When declarations contradict each other: utoipa alone would keep one of the two silently.
pub fn build(modules: &[Module]) -> Result<OpenApi, Contradiction> {
    let mut parts = Parts::default();
    for module in modules {
        for (guard, endpoint) in module.endpoints() {
            parts.add(module, guard, endpoint)?;
        }
    }
    parts.keep_schema(general::problem_schemas())?;
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT");
    let mut components = ComponentsBuilder::new()
        .schemas_from_iter(parts.schemas)
        .security_scheme(SCHEME, SecurityScheme::Http(scheme.build()));
    for (name, parameter) in device_parameters() {
        components = components.parameter(name, parameter);
    }
    let tags = modules.iter().map(|module| TagBuilder::new().name(module.name()).build());
    Ok(OpenApiBuilder::new()
        .info(info())
        .servers(Some([Server::new("/")]))
        .paths(parts.paths)
        .components(Some(components.build()))
        .tags(Some(tags.collect::<Vec<_>>()))
        .build())
}

fn info() -> utoipa::openapi::Info {
    let mut license = LicenseBuilder::new().name("MIT OR Apache-2.0").build();
    license.identifier = Some("MIT OR Apache-2.0".to_owned());
    InfoBuilder::new()
        .title("Landline")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(general::ABOUT))
        .license(Some(license))
        .build()
}

#[derive(Default)]
struct Parts {
    ids: BTreeSet<String>,
    kinds: BTreeMap<&'static str, &'static str>,
    paths: Paths,
    schemas: BTreeMap<String, RefOr<Schema>>,
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
        operation.tags = Some(vec![module.name().to_owned()]);
        // What a token must be good for may stand in the list (OpenAPI 3.1, Security Requirement).
        let scope = if let Guard::Scoped(scope) = guard { Some(scope) } else { None };
        let token = SecurityRequirement::new::<_, _, &str>(SCHEME, scope);
        operation.security = match guard {
            Guard::Public => None,
            Guard::Anyone => Some(vec![SecurityRequirement::default(), token]),
            Guard::SignedIn | Guard::Scoped(_) => Some(vec![token]),
        };
        let gated = !module.is_for_every_version();
        general::complete(&mut operation, endpoint, guard, gated, description);
        if let Some(deprecation) = &endpoint.deprecation {
            mark_deprecated(&mut operation, deprecation);
        }
        if !self.ids.insert(id.clone()) {
            return Err(Contradiction::OperationId(id));
        }
        let item = self.paths.paths.entry(endpoint.path.clone()).or_default();
        match operation_of(item, &endpoint.method).replace(operation) {
            None => Ok(()),
            Some(_) => Err(Contradiction::Route(id)),
        }
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

fn operation_of<'i>(item: &'i mut PathItem, method: &HttpMethod) -> &'i mut Option<Operation> {
    match method {
        HttpMethod::Get => &mut item.get,
        HttpMethod::Post => &mut item.post,
        HttpMethod::Put => &mut item.put,
        HttpMethod::Delete => &mut item.delete,
        HttpMethod::Options => &mut item.options,
        HttpMethod::Head => &mut item.head,
        HttpMethod::Patch => &mut item.patch,
        HttpMethod::Trace => &mut item.trace,
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
    }
    names.next().is_none().then_some(())
}
