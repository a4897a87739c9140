//! The document as an HTTP API of Amazon's API Gateway imports it, with the integration of each
//! route. What an HTTP API does not read or refuses (bodies, schemas, headers, servers, its own
//! validation) is left out: the app answers all of that itself.

use serde_json::{Map, Value, json};

/// Where requests go, and whether the gateway looks at tokens before that.
#[derive(Clone, Debug, Default)]
pub struct Integration {
    /// The function's ARN; without one, a substitution for CloudFormation that names the resource
    /// `Function`, as deploy/template.yaml does.
    pub function_arn: Option<String>,
    /// A JWT authorizer for the operations that need a token.
    pub authorizer: Option<Authorizer>,
}

/// A JWT authorizer of an HTTP API.
#[derive(Clone, Debug)]
pub struct Authorizer {
    /// The `iss` of the tokens; the gateway finds the key set below it.
    pub issuer: String,
    /// The `aud` of the tokens.
    pub audience: String,
}

/// A key set whose tokens an HTTP API's authorizer would all refuse.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnfitKeys {
    /// The text is not a JSON Web Key Set, or an empty one.
    #[error("it is not a key set (RFC 7517) with keys in it")]
    NotKeys,
    /// A key signs otherwise.
    #[error(
        "the key set has a key for {0}, and the authorizer of an HTTP API checks RS256 only: sign \
         with an RSA key, or leave --authorizer out; the app checks every token itself"
    )]
    Algorithm(String),
}

impl Authorizer {
    /// One for the issuer that publishes this key set (`/.well-known/jwks.json`): each key says what
    /// it signs with.
    ///
    /// # Errors
    /// When a key signs with something else than RS256.
    pub fn of(issuer: String, audience: String, key_set: &str) -> Result<Self, UnfitKeys> {
        let key_set: Value = serde_json::from_str(key_set).map_err(|_| UnfitKeys::NotKeys)?;
        let keys = key_set["keys"].as_array().filter(|keys| !keys.is_empty());
        for key in keys.ok_or(UnfitKeys::NotKeys)? {
            let algorithm = key["alg"].as_str().unwrap_or("something that it does not say");
            if algorithm != "RS256" {
                return Err(UnfitKeys::Algorithm(algorithm.to_owned()));
            }
        }
        Ok(Self { issuer, audience })
    }
}

const AUTHORIZER: &str = "accessToken";

/// For an import, from the 3.0.3 document. Whatever no route takes goes to the function too, so that
/// every answer is the app's.
pub fn for_gateway(document: &Value, integration: &Integration) -> Value {
    let mut paths = Map::new();
    for (path, methods) in document["paths"].as_object().into_iter().flatten() {
        let methods = methods.as_object().into_iter().flatten();
        let operations =
            methods.map(|(method, operation)| (method.clone(), route(operation, integration)));
        paths.insert(path.clone(), Value::Object(operations.collect()));
    }
    let mut rest = json!({ "isDefaultRoute": true, "responses": { "default": answer() } });
    rest["x-amazon-apigateway-integration"] = to_function(integration);
    paths.insert("/$default".to_owned(), json!({ "x-amazon-apigateway-any-method": rest }));
    let mut imported = json!({
        "openapi": "3.0.3",
        "info": { "title": document["info"]["title"], "version": document["info"]["version"] },
        "paths": paths,
        "x-amazon-apigateway-importexport-version": "1.0",
    });
    if let Some(Authorizer { issuer, audience }) = &integration.authorizer {
        imported["components"]["securitySchemes"][AUTHORIZER] = json!({
            "type": "oauth2",
            "flows": {},
            "x-amazon-apigateway-authorizer": {
                "type": "jwt",
                "identitySource": "$request.header.Authorization",
                "jwtConfiguration": { "issuer": issuer, "audience": [audience] },
            },
        });
    }
    imported
}

fn route(operation: &Value, integration: &Integration) -> Value {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let in_path: Vec<_> = parameters
        .filter(|it| it["in"] == "path")
        .map(|it| json!({ "name": it["name"], "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let mut route = json!({
        "operationId": operation["operationId"],
        "summary": operation["summary"],
        "responses": { "default": answer() },
        "x-amazon-apigateway-integration": to_function(integration),
    });
    if !in_path.is_empty() {
        route["parameters"] = json!(in_path);
    }
    // Where nobody needs a token, or anyone may come without, the gateway does not look.
    let ways = operation["security"].as_array();
    let guarded = ways.is_some_and(|ways| !ways.is_empty() && !ways.contains(&json!({})));
    if integration.authorizer.is_some() && guarded {
        let scopes = operation.get("x-required-scopes").cloned().unwrap_or(json!([]));
        route["security"] = json!([{ AUTHORIZER: scopes }]);
    }
    route
}

fn answer() -> Value {
    json!({ "description": "What the app answers." })
}

fn to_function(integration: &Integration) -> Value {
    let uri = integration
        .function_arn
        .as_ref()
        .map_or_else(|| json!({ "Fn::Sub": "${Function.Arn}" }), |function| json!(function));
    json!({
        "type": "aws_proxy",
        "httpMethod": "POST",
        "payloadFormatVersion": "2.0",
        "uri": uri,
    })
}
