//! Each shape of an item that a release has written, in models/samples/<KIND>/<release>.json: this
//! release reads it, and the release before can read what this one makes of it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use models::{
    platform::{
        account::{Account, EmailClaim},
        backlog::{Backlog, DeadLetter, Waiting},
        events::HandledEvent,
        idempotency::KeyedRequest,
        outbox::{Message, Receiver},
        session::Session,
        sweep::Sweep,
        webhook::WebhookEndpoint,
    },
    store::{Entity, Key, Store},
};
use serde_json::Value;
use tests::{
    World,
    evolution::{contains, expect_all_there, expect_kept, get, owned_key, put},
};

fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../models")
}

/// What is in a folder, in its order.
fn list(folder: PathBuf) -> Vec<PathBuf> {
    let entries = fs::read_dir(&folder).unwrap_or_else(|_| panic!("there is no {folder:?}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it is listed").path()).collect();
    paths.sort();
    paths
}

fn stem(path: &Path) -> String {
    path.file_stem().expect("a file has a name").to_string_lossy().into_owned()
}

/// The samples of a kind, by the release that wrote them.
fn samples(kind: &str) -> Vec<(String, Value)> {
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("it can be read");
        let sample =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        (stem(&path), sample)
    };
    list(models().join("samples").join(kind)).into_iter().map(read).collect()
}

/// The kinds that the sources in a folder of models/src declare, with the sources' names.
fn kinds(folder: &str) -> BTreeSet<(String, String)> {
    let mut kinds = BTreeSet::new();
    for path in list(models().join("src").join(folder)) {
        let source = fs::read_to_string(&path).expect("it can be read");
        for constant in ["const KIND: &'static str = \"", "const COUNTER: &str = \""] {
            let found = source.split(constant).skip(1).filter_map(|rest| rest.split('"').next());
            kinds.extend(found.map(|kind| (kind.to_owned(), stem(&path))));
        }
    }
    kinds
}

async fn expect_all_kept<E: Entity>(key: impl Fn(&Value) -> Key) {
    for (release, sample) in samples(E::KIND) {
        expect_kept::<E>(&release, key(&sample), &sample).await;
    }
}

mod what_was_stored {
    use super::*;

    #[tokio::test]
    async fn of_an_account_is_read_and_kept() {
        expect_all_kept::<Account>(owned_key::<Account>).await;
    }

    #[tokio::test]
    async fn of_an_address_is_read_and_kept() {
        let key =
            |sample: &Value| Key::unique::<EmailClaim>(sample["email"]["S"].as_str().unwrap());

        expect_all_kept::<EmailClaim>(key).await;
    }

    #[tokio::test]
    async fn of_a_session_is_read_and_kept() {
        expect_all_kept::<Session>(owned_key::<Session>).await;
    }

    #[tokio::test]
    async fn of_a_request_with_a_key_is_read_and_kept() {
        expect_all_kept::<KeyedRequest>(owned_key::<KeyedRequest>).await;
    }

    #[tokio::test]
    async fn of_a_handled_event_is_read_and_kept() {
        let text = |sample: &Value, name: &str| sample[name]["S"].as_str().unwrap().to_owned();
        let key = |it: &Value| HandledEvent::key_of(&text(it, "handler"), &text(it, "id"));

        expect_all_kept::<HandledEvent>(key).await;
    }

    #[tokio::test]
    async fn of_a_message_is_read_and_kept() {
        expect_all_kept::<Message>(owned_key::<Message>).await;
    }

    #[tokio::test]
    async fn of_a_backlog_is_read_and_kept() {
        let id = |text: &Value| text["S"].as_str().unwrap().parse().unwrap();
        let endpoint = |it: &Value| Receiver::Endpoint(id(&it["receiver"]["M"]["endpoint"]));
        let key = |it: &Value| Backlog::key_of(id(&it["owner"]), endpoint(it));

        expect_all_kept::<Backlog>(key).await;
    }

    #[tokio::test]
    async fn of_a_message_that_waits_is_read_and_kept() {
        expect_all_kept::<Waiting>(owned_key::<Waiting>).await;
    }

    #[tokio::test]
    async fn of_a_dead_letter_is_read_and_kept() {
        expect_all_kept::<DeadLetter>(owned_key::<DeadLetter>).await;
    }

    #[tokio::test]
    async fn of_the_sweep_is_read_and_kept() {
        expect_all_kept::<Sweep>(|_| Sweep::at()).await;
    }

    #[tokio::test]
    async fn of_a_webhook_is_read_and_kept() {
        expect_all_kept::<WebhookEndpoint>(owned_key::<WebhookEndpoint>).await;
    }

    #[tokio::test]
    async fn of_a_counter_is_counted_on() {
        for (release, sample) in samples("COUNTER") {
            let world = World::new().await;
            let store = Store::connect(world.connection(), world.ambient().clone());
            put(&world, &sample).await;
            let window = "2026-11-22T16:30:00.000Z".parse().unwrap();
            let key = Key::counter("SIGN_IN_PER_NETWORK", &["192.0.2.7"], window);

            let count = store.count(key, "2026-11-22T16:45:00.000Z".parse().unwrap()).await;

            assert_eq!(count.unwrap(), 8, "{release}");
            let mut written = get(&world, &sample).await;
            written["count"] = sample["count"].clone();
            expect_all_there(&format!("COUNTER of {release}"), &sample, &written);
        }
    }
}

/// JSON within an item: the items of a topic are `<release>-<topic>.json`.
mod what_a_stored_message_says {
    use models::platform::{mail::Mail, webhook::WebhookEvent};
    use serde::{Serialize, de::DeserializeOwned};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn of_a_mail_is_read_and_kept() {
        expect_said::<Mail>("mail").await;
    }

    #[tokio::test]
    async fn of_an_event_for_a_webhook_is_read_and_kept() {
        expect_said::<WebhookEvent>("webhook").await;
    }

    /// As it was stored, and with what the next release may add to it.
    async fn expect_said<T: Serialize + DeserializeOwned>(topic: &str) {
        let mut samples = samples("OUTBOX");
        samples.retain(|(release, _)| release.ends_with(&format!("-{topic}")));
        assert!(!samples.is_empty(), "there is no sample of a {topic}");
        for (release, mut sample) in samples {
            assert_eq!(sample["topic"]["S"], topic, "{release}");
            let said = sample["payload"]["S"].as_str().expect("a payload is a text");
            let said: Value = serde_json::from_str(said).expect("a payload is JSON");
            let mut later = said.clone();
            later["ofALaterRelease"] = json!({ "x": [1] });
            for stored in [&said, &later] {
                let world = World::new().await;
                let store = Store::connect(world.connection(), world.ambient().clone());
                sample["payload"]["S"] = json!(stored.to_string());
                put(&world, &sample).await;
                let message = store.get::<Message>(owned_key::<Message>(&sample)).await;
                let message = message.expect("the store answers");

                let read = message.expect("it is there").payload::<T>();

                let read = read.unwrap_or_else(|error| panic!("{release}: {stored}: {error}"));
                let written = serde_json::to_value(read).expect("it is JSON");
                assert!(contains(&written, &said), "{release}: {written} has not all of {said}");
            }
        }
    }
}

/// Of any kind: nothing in it is the entity's.
mod a_stored_tombstone {
    use models::store::{Error, Precondition};
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn of_any_release_is_nothing_that_versions_go_on_from() {
        let (_, session) = samples("SESSION").swap_remove(0);
        let key = owned_key::<Session>(&session);
        for (release, rest) in [
            ("0.1.0", json!({})),
            ("0.1.0, kept by phones", json!({ "changedAt": { "S": "2026-11-22T16:29:00.000Z" } })),
        ] {
            let world = World::new().await;
            let store = Store::connect(world.connection(), world.ambient().clone());
            put(&world, &session).await;
            let mut session_there = store.get::<Session>(key.clone()).await.unwrap().unwrap();
            let mut tombstone = json!({
                "pk": session["pk"],
                "sk": session["sk"],
                "kind": { "S": "SESSION" },
                "version": { "N": "7" },
                "deletedAt": { "S": "2026-11-22T16:29:00.000Z" },
                "ttl": { "N": "1795368540" },
                "writeId": { "B": "d3JpdGUtc2FtcGxl" },
            });
            tombstone.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            put(&world, &tombstone).await;

            let read = store.get::<Session>(key.clone()).await.unwrap();
            let created = store.create(&mut session_there.clone()).await;
            let late = store.replace(&mut session_there).await;
            let make = |known: Option<Session>| known.unwrap_or_else(|| session_there.clone());
            let anew = store.put(key.clone(), &Precondition::Absent, make).await.unwrap();

            assert!(read.is_none(), "{release}");
            assert!(matches!(created, Err(Error::Conflict { write: 0 })), "{release}");
            assert!(matches!(late, Err(Error::Conflict { write: 0 })), "{release}");
            assert_eq!((anew.0.version, anew.1), (8, true), "{release}");
        }
    }
}

mod the_samples {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn are_there_for_each_kind_of_the_platform() {
        let mut declared: BTreeSet<_> =
            kinds("platform").into_iter().map(|(kind, _)| kind).collect();
        declared.extend(kinds("store").into_iter().map(|(kind, _)| kind));
        let source = include_str!("evolution.rs");

        let sampled: BTreeSet<_> =
            list(models().join("samples")).iter().map(|path| stem(path)).collect();

        assert_eq!(sampled, declared, "a folder for each kind: see docs/evolving.md");
        for kind in sampled {
            assert!(!samples(&kind).is_empty(), "models/samples/{kind} is empty");
        }
        let held = source.matches("expect_all_kept::<").count();
        assert_eq!(held, declared.len(), "each kind is held to its samples, the counter by itself");
    }

    /// A team's are in the tests of its module, and go with it.
    #[test]
    fn are_there_for_each_kind_of_a_team() {
        for (kind, module) in kinds("entities") {
            let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/{module}.rs"));
            let tests = fs::read_to_string(path).unwrap_or_default();

            let sampled = tests.contains(&format!(r#""kind": {{ "S": "{kind}" }}"#))
                && tests.contains("expect_kept::<");
            assert!(sampled, "tests/tests/{module}.rs has no sample of a {kind}: docs/evolving.md");
        }
    }

    /// Salts and hashes in them are text once they are decoded, which real ones are not.
    #[test]
    fn have_nobodys_secret_in_them() {
        for kind in list(models().join("samples")) {
            for (release, sample) in samples(&stem(&kind)) {
                for (name, value) in sample.as_object().unwrap() {
                    let text = value["S"].as_str().unwrap_or_default();
                    let harmless = match name.as_str() {
                        "salt" | "secret" | "secretHash" | "fingerprint" => is_made_up(text),
                        // In PHC string format these are the last two parts.
                        "passwordHash" => text.rsplit('$').take(2).all(is_made_up),
                        _ => text.split('@').skip(1).all(is_at_example),
                    };
                    assert!(harmless, "`{name}` of {} {release} may be real", stem(&kind));
                }
            }
        }
    }

    /// What is behind the `@`, within a message's payload too.
    fn is_at_example(text: &str) -> bool {
        let rest = text.strip_prefix("example.com");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('"'))
    }

    fn is_made_up(text: &str) -> bool {
        let text = text.replace('+', "-").replace('/', "_");
        URL_SAFE_NO_PAD
            .decode(text.trim_end_matches('='))
            .is_ok_and(|bytes| bytes.starts_with(b"a sample of "))
    }
}

/// What the failing test says when an attribute is added, renamed or removed.
mod a_change_of_an_entity {
    use models::Id;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;

    fn sample() -> Value {
        json!({
            "pk": { "S": "ACCOUNT#019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
            "sk": { "S": "BOX#019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
            "kind": { "S": "BOX" },
            "id": { "S": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
            "owner": { "S": "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
            "label": { "S": "books" },
            "version": { "N": "3" },
        })
    }

    /// A later shape of the entity that has written the sample.
    macro_rules! later {
        ($($(#[$meta:meta])* $field:ident: $type:ty),*) => {
            #[derive(Serialize, Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Later {
                id: Id,
                owner: Id,
                version: u64,
                $($(#[$meta])* $field: $type,)*
            }

            impl Entity for Later {
                const KIND: &'static str = "BOX";

                fn key(&self) -> Key {
                    Key::owned::<Self>(self.owner, self.id)
                }

                fn version_mut(&mut self) -> &mut u64 {
                    &mut self.version
                }
            }

            expect_kept::<Later>("0.1.0", owned_key::<Later>(&sample()), &sample()).await;
        };
    }

    #[tokio::test]
    async fn may_add_a_field_that_is_read_when_it_is_missing() {
        later!(label: String, #[serde(default)] weight: u64);
    }

    #[tokio::test]
    #[should_panic(expected = "BOX of 0.1.0: what was stored must be readable for good: \
                               a stored BOX cannot be read at `weight`")]
    async fn may_not_add_a_field_that_was_never_stored() {
        later!(label: String, weight: u64);
    }

    #[tokio::test]
    #[should_panic(expected = "BOX of 0.1.0: `label` must still be written")]
    async fn may_not_rename_a_field_at_once() {
        later!(#[serde(alias = "label")] title: String);
    }

    #[tokio::test]
    #[should_panic(expected = "BOX of 0.1.0: `label` must still be written")]
    async fn may_not_remove_a_field_at_once() {
        later!();
    }

    #[tokio::test]
    #[should_panic(expected = "BOX of 0.1.0: `label` must keep its type")]
    async fn may_not_change_a_type() {
        later!(#[serde(serialize_with = "as_list")] label: String);
    }

    fn as_list<S: serde::Serializer>(label: &str, serializer: S) -> Result<S::Ok, S::Error> {
        [label].serialize(serializer)
    }

    #[tokio::test]
    #[should_panic(expected = "BOX of 0.1.0: `label` must say what it said")]
    async fn may_not_lose_what_was_said() {
        later!(#[serde(skip_deserializing)] label: String);
    }
}
