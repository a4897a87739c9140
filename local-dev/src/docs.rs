//! The docs page and the spec: the only paths that local-dev answers itself.

use std::{
    borrow::Cow,
    sync::{Arc, LazyLock, OnceLock},
};

use axum::{
    Router,
    body::Bytes,
    extract::Path,
    http::{StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{MethodRouter, get},
};
use utoipa_swagger_ui::Config;

/// The page may load what this server has, and nothing from anywhere else.
const POLICY: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:";

static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
    let config = Config::from("/openapi.json")
        .validator_url("none")
        .try_it_out_enabled(true)
        .persist_authorization(true)
        .display_operation_id(true);
    Arc::new(config)
});

/// `/docs`, `/openapi.json` and `/openapi-3.0.json`, of an API whose paths begin with `base`.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(base: String) -> Router<S> {
    // Built when it is first asked for.
    let json = Arc::new(OnceLock::new());
    Router::new()
        .route("/openapi.json", spec(0, json.clone(), base.clone()))
        .route("/openapi-3.0.json", spec(1, json, base))
        // The page names its scripts relative to itself.
        .route("/docs", get(async || Redirect::temporary("/docs/")))
        .route("/docs/", get(async || page("")))
        .route("/docs/{*file}", get(async |Path(file): Path<String>| page(&file)))
}

/// Both documents; when declarations contradict each other, the sentence that says how.
type Documents = Arc<OnceLock<Result<[String; 2], String>>>;

fn spec<S: Clone + Send + Sync + 'static>(
    place: usize,
    documents: Documents,
    base: String,
) -> MethodRouter<S> {
    let made = move || openapi::json_below(&base).map_err(|why| why.to_string());
    get(async move || answer(place, documents.get_or_init(made)))
}

fn answer(place: usize, documents: &Result<[String; 2], String>) -> Response {
    match documents {
        Ok(json) => {
            ([(header::CONTENT_TYPE, "application/json")], json[place].clone()).into_response()
        }
        Err(why) => (StatusCode::INTERNAL_SERVER_ERROR, why.clone()).into_response(),
    }
}

fn page(file: &str) -> Response {
    match utoipa_swagger_ui::serve(file, CONFIG.clone()) {
        Ok(Some(file)) => (
            [
                (header::CONTENT_TYPE, file.content_type),
                (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
            ],
            match file.bytes {
                Cow::Borrowed(asset) => Bytes::from_static(asset),
                Cow::Owned(made) => Bytes::from(made),
            },
        )
            .into_response(),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
