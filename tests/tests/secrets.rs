//! Nothing secret reaches a log, an error or `Debug`: the harness looks for it in every test, and
//! here is shown that it finds it.

use std::{fs, path::Path, thread};

use api::{
    App, Web,
    http::{Code, Created, Json, Module, Problem, Result, endpoints},
};
use auth::SigningKey;
use models::{
    aws::{Access, Credentials},
    platform::config::Config,
    store::{Connection, Store},
    view,
};
use serde_json::json;
use tests::{Client, Door, Log, Setup, World};
use tokio::runtime::Builder;

const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

#[view]
struct Nothing {}

/// Log a token.
#[utoipa::path(get, path = "/logs")]
async fn get_logs() -> Result<Json<Nothing>> {
    tracing::info!(token = JWT, "signed in");
    Ok(Json(Nothing {}))
}

/// Log an address where hardly anybody looks.
#[utoipa::path(get, path = "/logs-debug")]
async fn get_logs_debug() -> Result<Json<Nothing>> {
    tracing::debug!("looking for {:?}", Some("maya@example.com"));
    Ok(Json(Nothing {}))
}

/// Log a hash on a thread that blocks.
#[utoipa::path(get, path = "/logs-elsewhere")]
async fn get_logs_elsewhere() -> Result<Json<Nothing>> {
    let log = || tracing::warn!("$argon2id$v=19$m=19456 does not match");
    tokio::task::spawn_blocking(log).await.map_err(Problem::internal)?;
    Ok(Json(Nothing {}))
}

/// Log a password, and panic.
#[utoipa::path(get, path = "/panics")]
async fn get_panics() -> Result<Json<Nothing>> {
    tracing::error!("it was omar-likes-sourdough");
    panic!("nobody shall know")
}

/// Keep a cause with an address in it, for the log.
#[utoipa::path(get, path = "/causes")]
async fn get_causes() -> Result<Json<Nothing>> {
    Err(Problem::internal("there is a second maya@example.com"))
}

/// Tell whose address it is.
#[utoipa::path(get, path = "/tells")]
async fn get_tells() -> Result<Created<Nothing>> {
    Err(Problem::new(Code::Conflict, "That is maya@example.com already."))
}

/// Do nothing wrong.
#[utoipa::path(get, path = "/keeps")]
async fn get_keeps() -> Result<Json<Nothing>> {
    tracing::info!("signed in");
    Ok(Json(Nothing {}))
}

async fn gossiping_world() -> World {
    let module = Module::new("gossip").public(endpoints![
        get_logs,
        get_logs_debug,
        get_logs_elsewhere,
        get_panics,
        get_causes,
        get_tells,
        get_keeps
    ]);
    World::with(Setup { modules: vec![module], ..Setup::default() }).await
}

/// What a test fails with, that is run here as a test of its own is: on a thread and a runtime that
/// nobody else has. Nothing when it passes.
fn failure<T: Future<Output = ()> + 'static>(test: impl FnOnce() -> T + Send + 'static) -> String {
    let run = || {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime starts").block_on(test());
    };
    let panic = thread::spawn(run).join().err();
    let text = panic.map(|panic| *panic.downcast::<String>().expect("it says why"));
    text.unwrap_or_default()
}

mod a_test_fails {
    use super::*;

    #[test]
    fn whose_request_makes_the_app_log_or_tell_a_secret() {
        for (path, kind) in [
            ("/logs", "a secret was logged\na JSON Web Token"),
            ("/logs-debug", "a secret was logged\nan e-mail address"),
            ("/logs-elsewhere", "a secret was logged\na password hash"),
            ("/panics", "a secret was logged\na password: omar-likes-sourdough"),
            ("/causes", "a secret was logged\nan e-mail address"),
            ("/tells", "the answer 409 Conflict has a secret\nan e-mail address"),
            ("/keeps", ""),
        ] {
            let failure = failure(move || async move {
                let world = gossiping_world().await;
                drop(world.anonymous().get(path).unspecified().await);
            });

            assert!(failure.starts_with(kind), "{path}: {failure:?}");
            assert_eq!(failure.is_empty(), kind.is_empty(), "{path}: {failure:?}");
        }
    }

    #[test]
    fn at_its_end_where_nothing_else_looks() {
        let failure = failure(|| async {
            let world = gossiping_world().await;
            // On another thread, after the last request.
            tokio::spawn(async { tracing::info!("{JWT}") }).await.expect("it ends");
            drop(world);
        });

        assert!(failure.starts_with("a secret was logged"), "{failure:?}");
    }

    #[test]
    fn where_the_panic_that_told_of_it_is_lost() {
        let failure = failure(|| async {
            let world = gossiping_world().await;
            let request = world.anonymous().get("/logs").unspecified();
            drop(tokio::spawn(async { drop(request.await) }).await);
        });

        assert!(failure.starts_with("a secret was logged"), "{failure:?}");
    }

    #[test]
    fn that_reads_the_log_itself() {
        let failure = failure(|| async {
            let world = gossiping_world().await;
            let log = tests::Log::listen();
            tracing::info!("{JWT}");
            assert!(log.text().contains(JWT));
            drop((world, log));
        });

        assert!(failure.starts_with("a secret was logged"), "{failure:?}");
    }

    #[test]
    fn alone_and_not_one_that_runs_beside_it() {
        let failure = failure(|| async {
            let world = gossiping_world().await;
            let other = failure(|| async {
                let world = gossiping_world().await;
                world.anonymous().get("/logs").unspecified().await;
            });
            assert_ne!(other, "");
            world.anonymous().get("/keeps").unspecified().await.expect(200);
        });

        assert_eq!(failure, "");
    }
}

mod an_address_of_the_table_that_is_none {
    use super::*;

    /// The SDK's own error for it quotes the request, and with it what was to be stored.
    #[tokio::test]
    async fn is_told_without_what_was_to_be_stored() {
        let world = World::new().await;
        let connection = Connection::embedded("127.0.0.1:8000", "landline");
        let store = Store::connect(connection, world.ambient().clone());
        let auth = world.auth().clone();
        let app =
            App::with_modules(api::route_table(), auth, Web::default(), Config::default(), store);
        let log = Log::listen();

        let nobody = Client::new(Door::Router(app.router()));
        let body = json!({
            "email": "maya@example.com",
            "password": "correct horse battery staple",
            "displayName": "Maya Lindqvist",
        });
        let answer = nobody.post("/v1/accounts").json(body).await;

        answer.expect_problem(503, "unavailable");
        assert!(!log.text().contains("SdkBody"), "{}", log.text());
        assert!(log.text().contains("dispatch failure"), "{}", log.text());
    }
}

mod debug {
    use super::*;

    /// The lines of a key between its first and its last.
    fn body(pem: &str) -> Vec<&str> {
        let lines: Vec<_> = pem.lines().map(str::trim).collect();
        lines[1..lines.len() - 1].to_vec()
    }

    #[test]
    fn of_a_signing_key_has_its_id_and_no_more() {
        let key = SigningKey::generate();

        let shown = format!("{key:?} {key:#?}");

        assert!(shown.contains(key.id()), "{shown}");
        let pem = key.to_pem();
        assert!(body(&pem).into_iter().all(|line| !shown.contains(line)), "{shown}");
    }

    #[test]
    fn of_what_is_not_a_key_does_not_repeat_it() {
        let pem = SigningKey::generate().to_pem();
        let secret = body(&pem)[0];
        for text in [pem.replace("PRIVATE", "PUBLIC"), pem.replacen("MIG", "MIH", 1)] {
            let error = SigningKey::from_pem(&text).map(drop).expect_err("it is not a key");

            let shown = format!("{error:?} {error}");

            assert!(!shown.contains(&secret[4..]), "{shown}");
        }
    }

    #[test]
    fn of_credentials_and_connections_has_no_part_of_the_key() {
        let token = Some("s3ss10n-t0k3n".to_owned());
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", token);
        let access = Access { credentials: credentials.clone(), ..Access::embedded() };
        let connection = Connection { access, ..Connection::embedded("", "landline") };

        let shown = format!("{credentials:?} {connection:#?}");

        for part in ["AKIA", "wJalr", "s3ss10n"] {
            assert!(!shown.contains(part), "{shown}");
        }
    }

    /// Of a type whose `Debug` is derived every field is shown: none of them may be a secret, unless
    /// its own type shows none of it.
    #[test]
    fn is_derived_by_no_type_that_holds_a_secret() {
        let (names, shy) = (
            [
                "password",
                "secret",
                "token",
                "salt",
                "hash",
                "pem",
                "private",
                "email",
                "credential",
            ],
            ["Credentials", "SigningKey"],
        );
        let mut seen = 0;
        for source in sources(&["models", "auth", "api"]) {
            for (name, fields) in derived(&source) {
                seen += 1;
                for field in fields {
                    let (field, kind) = field.split_once(':').unwrap_or(("", &field));
                    let named = names.iter().any(|name| field.ends_with(name));
                    assert!(!named || shy.contains(&kind.trim()), "{name}.{field} is shown");
                }
            }
        }
        assert!(seen > 10, "only {seen} types were found");
    }

    fn sources(crates: &[&str]) -> Vec<String> {
        let mut folders: Vec<_> = crates
            .iter()
            .map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name).join("src"))
            .collect();
        let mut sources = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("the folder is there") {
                let path = entry.expect("it can be read").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "rs") {
                    sources.push(fs::read_to_string(path).expect("sources are text"));
                }
            }
        }
        sources
    }

    /// The types whose `Debug` is derived, each with its named fields as they are written.
    fn derived(source: &str) -> Vec<(String, Vec<String>)> {
        let derives = source.split("#[derive(").skip(1);
        let debug = derives.filter(|rest| {
            rest.split(')').next().is_some_and(|list| list.split(", ").any(|it| it == "Debug"))
        });
        let declared = debug.filter_map(|rest| {
            let lines = rest.lines().map(str::trim);
            let lines =
                lines.skip_while(|line| !line.contains("struct ") && !line.contains("enum "));
            let mut lines = lines.take_while(|line| *line != "}");
            let name = lines.next()?.to_owned();
            if name.ends_with([';', '}']) {
                return Some((name, Vec::new()));
            }
            let fields = lines.filter(|line| !line.starts_with("//") && !line.starts_with('#'));
            let fields = fields.map(|line| line.trim_start_matches("pub ").trim_end_matches(','));
            Some((name, fields.map(str::to_owned).collect()))
        });
        declared.collect()
    }
}
