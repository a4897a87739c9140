//! What was stored by an earlier release, held against this one. `docs/evolving.md` says what may
//! change.

use models::store::{Entity, Key, Store};
use serde_json::{Map, Value, json};

use crate::{World, call_store};

/// What each write sets anew.
const OF_THE_WRITE: [&str; 4] = ["version", "writeId", "changedAt", "ttl"];

/// The key of a sample of something that a person owns.
///
/// # Panics
/// When nobody owns it.
pub fn owned_key<E: Entity>(sample: &Value) -> Key {
    let part = |name: &str, prefix: &str| {
        let text = sample[name]["S"].as_str().and_then(|text| text.strip_prefix(prefix));
        text.unwrap_or_else(|| panic!("a {} has a `{name}` that begins with {prefix}", E::KIND))
    };
    let owner = part("pk", "ACCOUNT#").parse().expect("an account has an id");
    Key::owned::<E>(owner, part("sk", &format!("{}#", E::KIND)))
}

/// Hold this release to a sample of an item, in the form in which DynamoDB has it, that an earlier
/// release has written: it is read, and what is written back the earlier release can read.
///
/// # Panics
/// When it is not so. The message names the entity and the rule.
pub async fn expect_kept<E: Entity>(name: &str, key: Key, sample: &Value) {
    let named = format!("{} of {name}", E::KIND);
    let world = World::new().await;
    let store = Store::connect(world.connection(), world.ambient().clone());
    put(&world, sample).await;

    let read = store.get::<E>(key).await.unwrap_or_else(|error| {
        panic!("{named}: what was stored must be readable for good: {error}. See docs/evolving.md")
    });
    let mut entity = read.unwrap_or_else(|| {
        panic!("{named}: what was stored must be found under its key and not have expired")
    });
    let written = store.replace(&mut entity).await;
    written.unwrap_or_else(|error| panic!("{named}: it must be writable: {error}"));

    expect_all_there(&named, sample, &get(&world, sample).await);
}

/// Put an item into the table as it is.
pub async fn put(world: &World, item: &Value) {
    let store = world.connection();
    let request = json!({ "TableName": store.table, "Item": item });
    let answer = call_store(&store, "PutItem", &request).await;
    assert_eq!(answer, json!({}), "the sample is an item");
}

/// The item that is where `sample` was put, as it is.
pub async fn get(world: &World, sample: &Value) -> Value {
    let store = world.connection();
    let key = json!({ "pk": sample["pk"], "sk": sample["sk"] });
    let request = json!({ "TableName": store.table, "Key": key, "ConsistentRead": true });
    call_store(&store, "GetItem", &request).await["Item"].take()
}

/// Each attribute of the sample must be in what was written, for the previous release reads it.
///
/// # Panics
/// When one is not. The message names it.
pub fn expect_all_there(named: &str, sample: &Value, written: &Value) {
    for (name, value) in sample.as_object().expect("an item is an object") {
        let there = &written[name];
        let rule = "must still be written, for the previous release reads it. See docs/evolving.md";
        assert!(!there.is_null(), "{named}: `{name}` {rule}");
        let kind = |value: &Value| value.as_object().and_then(|map| map.keys().next().cloned());
        assert_eq!(kind(there), kind(value), "{named}: `{name}` must keep its type. {rule}");
        if !OF_THE_WRITE.contains(&name.as_str()) {
            let kept = contains(there, value);
            assert!(kept, "{named}: `{name}` must say what it said: {value}, not {there}. {rule}");
        }
    }
}

/// Whether all of a value is in another one, which may have further fields.
pub fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            let within = |whole: &Map<String, Value>, name: &String, value: &Value| {
                whole.get(name).is_some_and(|there| contains(there, value))
            };
            part.iter().all(|(name, value)| within(whole, name, value))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len()
                && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (whole, part) => whole == part,
    }
}
