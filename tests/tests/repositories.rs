//! What a repository has from the store beyond single items: batches, projections, lookups and
//! sets of writes. The phones' side of it is in the tests of the modules.

use std::time::Duration;

use models::{
    Id, Timestamp,
    store::{
        Connection, Entity, Error, Key, Lookup, Owned, Precondition, Projection, Store, WriteSet,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::{Fault, Faults, World, call_store};

/// Something that a person sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parcel {
    id: Id,
    owner: Id,
    label: String,
    content: String,
    number: Option<String>,
    carrier_number: Option<String>,
    ends_at: Option<Timestamp>,
    version: u64,
}

impl Entity for Parcel {
    const KIND: &'static str = "PARCEL";
    const KEPT_BY_PHONES: bool = true;

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.ends_at
    }

    fn lookup(&self) -> Option<Lookup> {
        let own = self.number.as_deref();
        let own = own.map(|number| Lookup::of_owner::<Self>(self.owner, "number", number));
        let carriers = self.carrier_number.as_deref();
        own.or(carriers.map(|number| Lookup::of_all::<Self>("carrierNumber", number)))
    }
}

/// A parcel in a list.
#[derive(Debug, PartialEq, Deserialize)]
struct Label {
    id: Id,
    label: String,
}

impl Projection for Label {
    type Of = Parcel;
}

struct Office {
    faults: Faults,
    world: World,
    store: Store,
    maya: Owned<Parcel>,
    omar: Owned<Parcel>,
}

#[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
async fn office() -> Office {
    let faults = Faults::start().await;
    let world = World::behind(&faults).await;
    let store = Store::connect(faults.before(world.connection()), world.ambient().clone());
    let maya = Owned::new(store.clone(), world.ambient().new_id());
    let omar = Owned::new(store.clone(), world.ambient().new_id());
    Office { faults, world, store, maya, omar }
}

fn parcel(of: &Owned<Parcel>, label: &str) -> Parcel {
    Parcel {
        id: of.ambient().new_id(),
        owner: of.owner(),
        label: label.to_owned(),
        content: "books".to_owned(),
        number: None,
        carrier_number: None,
        ends_at: None,
        version: 1,
    }
}

fn parcels(of: &Owned<Parcel>, count: usize) -> Vec<Parcel> {
    (0..count).map(|place| parcel(of, &place.to_string())).collect()
}

fn ids(parcels: &[Parcel]) -> Vec<Id> {
    parcels.iter().map(|parcel| parcel.id).collect()
}

async fn kept(of: &Owned<Parcel>, label: &str) -> Parcel {
    let mut parcel = parcel(of, label);
    of.keep(&mut parcel).await.expect("it is kept");
    parcel
}

/// The keys of a parcel as DynamoDB has them.
fn keys(parcel: &Parcel) -> Value {
    json!({
        "pk": { "S": format!("ACCOUNT#{}", parcel.owner) },
        "sk": { "S": format!("PARCEL#{}", parcel.id) },
    })
}

/// A parcel as DynamoDB has it, before its first change.
fn item(parcel: &Parcel) -> Value {
    let mut item = keys(parcel);
    for (name, value) in [
        ("kind", json!({ "S": "PARCEL" })),
        ("id", json!({ "S": parcel.id })),
        ("owner", json!({ "S": parcel.owner })),
        ("label", json!({ "S": parcel.label })),
        ("content", json!({ "S": parcel.content })),
        ("number", json!({ "NULL": true })),
        ("carrierNumber", json!({ "NULL": true })),
        ("endsAt", json!({ "NULL": true })),
        ("changedAt", json!({ "S": "2026-11-22T16:30:00.000Z" })),
        ("version", json!({ "N": "1" })),
    ] {
        item[name] = value;
    }
    item
}

mod a_batch_of_reads {
    use super::*;

    #[tokio::test]
    async fn gives_what_is_there_in_the_order_of_the_ids() {
        let Office { faults, world, store: _, maya, omar } = office().await;
        let (first, second) = (kept(&maya, "first").await, kept(&maya, "second").await);
        let (omars, deleted) = (kept(&omar, "Omar's").await, kept(&maya, "deleted").await);
        maya.delete(deleted.id, &Precondition::None).await.unwrap();
        let ends_at = Some(world.ambient().now().plus(Duration::from_secs(1)));
        let mut expired = Parcel { ends_at, ..parcel(&maya, "expired") };
        maya.keep(&mut expired).await.unwrap();
        world.advance(Duration::from_secs(1));
        faults.calls();

        let missing = world.ambient().new_id();
        let ids = [second.id, omars.id, deleted.id, missing, second.id, expired.id, first.id];
        let found = maya.get_all(&ids).await.unwrap();

        assert_eq!(found, [second, first]);
        assert_eq!(faults.calls(), ["BatchGetItem"]);
    }

    #[tokio::test]
    async fn asks_for_a_hundred_at_once() {
        let Office { faults, world: _world, store: _, maya, omar: _ } = office().await;
        let mut all = parcels(&maya, 101);
        maya.keep_all(&mut all).await.unwrap();
        faults.calls();

        for (count, calls) in [(0, 0), (1, 1), (100, 1), (101, 2)] {
            let found = maya.get_all(&ids(&all[..count])).await.unwrap();

            assert_eq!(found, all[..count]);
            assert_eq!(faults.calls(), vec!["BatchGetItem"; calls]);
        }
    }

    #[tokio::test]
    async fn goes_on_with_what_was_left_out() {
        let Office { faults, world: _world, store: _, maya, omar: _ } = office().await;
        let (first, second) = (kept(&maya, "first").await, kept(&maya, "second").await);
        let in_part = json!({
            "Responses": { "landline": [item(&first)] },
            "UnprocessedKeys": { "landline": { "Keys": [keys(&second)] } },
        });
        faults.calls();
        faults.next(1, "BatchGetItem", Fault::Answer(200, in_part));

        let found = maya.get_all(&[first.id, second.id]).await.unwrap();

        assert_eq!(found, [first, second]);
        assert_eq!(faults.calls(), ["BatchGetItem", "BatchGetItem"]);
    }

    #[tokio::test]
    async fn is_given_up_when_the_rest_does_not_come() {
        let Office { faults, world: _world, store: _, maya, omar: _ } = office().await;
        let first = kept(&maya, "first").await;
        let nothing = json!({
            "Responses": {},
            "UnprocessedKeys": { "landline": { "Keys": [keys(&first)] } },
        });
        faults.calls();
        faults.next(100, "BatchGetItem", Fault::Answer(200, nothing));

        let found = maya.get_all(&[first.id]).await;

        assert!(matches!(found, Err(Error::Unavailable(_))), "{found:?}");
        assert_eq!(faults.calls(), ["BatchGetItem"; 9]);
    }

    /// DynamoDB gives 16 MB in one answer.
    #[tokio::test]
    async fn may_be_larger_than_an_answer() {
        let Office { faults: _, world, store: _, maya, omar: _ } = office().await;
        let store = Store::connect(world.connection(), world.ambient().clone());
        #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
        let maya = Owned::new(store, maya.owner());
        let mut all = parcels(&maya, 45);
        all.iter_mut().for_each(|parcel| parcel.content = "x".repeat(380 * 1024));
        maya.keep_all(&mut all).await.unwrap();

        let found = maya.get_all(&ids(&all)).await.unwrap();

        assert_eq!(ids(&found), ids(&all));
    }
}

mod a_batch_of_writes {
    use super::*;

    #[tokio::test]
    async fn keeps_twenty_five_at_once() {
        for (count, calls) in [(0, 0), (1, 1), (25, 1), (26, 2)] {
            let Office { faults, world, store: _, maya, omar: _ } = office().await;
            let mut all = parcels(&maya, count);
            all.iter_mut().for_each(|parcel| parcel.version = 7);

            maya.keep_all(&mut all).await.unwrap();

            assert_eq!(faults.calls(), vec!["BatchWriteItem"; calls]);
            assert!(all.iter().all(|parcel| parcel.version == 1));
            for parcel in &all {
                let request = json!({ "TableName": "landline", "Key": keys(parcel) });
                let stored = call_store(&world.connection(), "GetItem", &request).await;
                assert_eq!(stored["Item"], item(parcel));
            }
        }
    }

    #[tokio::test]
    async fn goes_on_with_what_was_left_out() {
        let Office { faults, world: _world, store: _, maya, omar: _ } = office().await;
        let mut all = parcels(&maya, 2);
        let rest: Vec<_> =
            all.iter().map(|it| json!({ "PutRequest": { "Item": item(it) } })).collect();
        let in_part = json!({ "UnprocessedItems": { "landline": rest } });
        faults.next(2, "BatchWriteItem", Fault::Answer(200, in_part));

        maya.keep_all(&mut all).await.unwrap();

        assert_eq!(faults.calls(), ["BatchWriteItem"; 3]);
        assert_eq!(maya.get_all(&ids(&all)).await.unwrap(), all);
    }

    #[tokio::test]
    async fn is_given_up_when_the_rest_is_not_taken() {
        let Office { faults, world: _world, store: _, maya, omar: _ } = office().await;
        let mut all = parcels(&maya, 1);
        let rest = json!([{ "PutRequest": { "Item": item(&all[0]) } }]);
        let nothing = json!({ "UnprocessedItems": { "landline": rest } });
        faults.next(100, "BatchWriteItem", Fault::Answer(200, nothing));

        let written = maya.keep_all(&mut all).await;

        assert!(matches!(written, Err(Error::Unavailable(_))), "{written:?}");
        assert_eq!(faults.calls(), ["BatchWriteItem"; 9]);
    }

    #[tokio::test]
    async fn is_refused_whole_when_one_is_somebody_elses_or_too_large() {
        let Office { faults, world: _world, store: _, maya, omar } = office().await;
        let mut with_omars = [parcel(&maya, "own"), parcel(&omar, "Omar's")];
        let mut with_a_large_one = parcels(&maya, 30);
        with_a_large_one[29].content = "x".repeat(400 * 1024);

        let somebody_elses = maya.keep_all(&mut with_omars).await;
        let too_large = maya.keep_all(&mut with_a_large_one).await;

        assert!(matches!(somebody_elses, Err(Error::ForeignOwner { kind: "PARCEL" })));
        assert!(matches!(too_large, Err(Error::TooLarge)), "{too_large:?}");
        assert_eq!(faults.calls(), [""; 0]);
    }

    #[tokio::test]
    async fn that_happens_with_others_happens_in_their_transaction() {
        let Office { faults, world: _world, store, maya, omar: _ } = office().await;
        let (later, collected) = store.collecting();
        #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
        let collecting = Owned::<Parcel>::new(later, maya.owner());
        let (mut all, mut other) = (parcels(&maya, 2), parcel(&maya, "other"));
        let together = WriteSet::new().create(&mut other);

        collecting.together_with(together).unwrap().keep_all(&mut all).await.unwrap();
        assert_eq!(faults.calls(), [""; 0]);
        store.write(collected.take()).await.unwrap();

        assert_eq!(faults.calls(), ["TransactWriteItems"]);
        all.push(other);
        assert_eq!(maya.get_all(&ids(&all)).await.unwrap(), all);
    }
}

mod a_projection {
    use super::*;

    #[tokio::test]
    async fn has_the_fields_that_it_names() {
        let Office { faults, world, store: _, maya, omar } = office().await;
        let parcel = kept(&maya, "for Omar").await;
        let ends_at = Some(world.ambient().now().plus(Duration::from_secs(1)));
        let mut short = Parcel { ends_at, ..super::parcel(&maya, "short") };
        maya.keep(&mut short).await.unwrap();
        faults.calls();
        let expected = Label { id: parcel.id, label: "for Omar".to_owned() };

        assert_eq!(maya.get_as::<Label>(parcel.id).await.unwrap(), Some(expected));
        assert_eq!(faults.calls(), ["GetItem"]);
        assert_eq!(omar.get_as::<Label>(parcel.id).await.unwrap(), None);
        assert!(maya.get_as::<Label>(short.id).await.unwrap().is_some());
        world.advance(Duration::from_secs(1));
        assert_eq!(maya.get_as::<Label>(short.id).await.unwrap(), None);
        maya.delete(parcel.id, &Precondition::None).await.unwrap();
        assert_eq!(maya.get_as::<Label>(parcel.id).await.unwrap(), None);
    }

    /// A page of whole items ends after 128 KB.
    #[tokio::test]
    async fn of_a_page_leaves_the_rest_behind() {
        let Office { faults, world, store: _, maya, omar: _ } = office().await;
        for label in ["a", "b", "c", "d", "e"] {
            let content = "x".repeat(50 * 1024);
            maya.keep(&mut Parcel { content, ..parcel(&maya, label) }).await.unwrap();
            world.advance(Duration::from_millis(1));
        }
        let gone = kept(&maya, "gone").await;
        maya.delete(gone.id, &Precondition::None).await.unwrap();
        faults.calls();

        let whole = maya.page(None, None, None).await.unwrap();
        assert_eq!(whole.items.len(), 2);
        let labels = maya.page_of::<Label>(None, None, None).await.unwrap();
        let rest = maya.page_of::<Label>(None, whole.next_cursor.as_deref(), None).await.unwrap();

        let read = |items: Vec<Label>| items.into_iter().map(|it| it.label).collect::<String>();
        assert_eq!((read(labels.items), labels.next_cursor), ("edcba".to_owned(), None));
        assert_eq!((read(rest.items), rest.next_cursor), ("cba".to_owned(), None));
        assert_eq!(faults.calls(), ["Query"; 3]);
    }

    #[tokio::test]
    async fn goes_from_page_to_page() {
        let Office { faults: _faults, world, store: _, maya, omar: _ } = office().await;
        for label in ["a", "b", "c"] {
            kept(&maya, label).await;
            world.advance(Duration::from_millis(1));
        }

        let mut read = Vec::new();
        let mut cursor = None;
        loop {
            let page = maya.page_of::<Label>(Some(1), cursor.as_deref(), None).await.unwrap();
            read.extend(page.items.into_iter().map(|it| it.label));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }

        assert_eq!(read, ["c", "b", "a"]);
    }
}

mod a_page {
    use super::*;

    /// Each call reads one more than is asked for, and what is deleted is not among what is shown.
    #[tokio::test]
    async fn goes_on_behind_tombstones_for_four_calls() {
        for (deleted, calls, shown) in [(0, 1, 2), (3, 2, 2), (9, 4, 2), (12, 4, 0)] {
            let Office { faults, world, store: _, maya, omar: _ } = office().await;
            for place in 0..15 {
                let parcel = kept(&maya, &place.to_string()).await;
                if place >= 15 - deleted {
                    maya.delete(parcel.id, &Precondition::None).await.unwrap();
                }
                world.advance(Duration::from_millis(1));
            }
            faults.calls();

            let page = maya.page(Some(2), None, None).await.unwrap();

            assert_eq!(faults.calls(), vec!["Query"; calls], "{deleted}");
            assert_eq!((page.items.len(), page.next_cursor.is_some()), (shown, true), "{deleted}");
        }
    }
}

mod a_lookup {
    use super::*;

    async fn numbered(of: &Owned<Parcel>, number: &str) -> Parcel {
        let mut parcel = Parcel { number: Some(number.to_owned()), ..parcel(of, number) };
        of.keep(&mut parcel).await.expect("it is kept");
        parcel
    }

    #[tokio::test]
    async fn finds_what_says_it_among_ones_own() {
        let Office { faults, world, store: _, maya, omar } = office().await;
        let first = numbered(&maya, "R-7").await;
        world.advance(Duration::from_millis(1));
        let second = numbered(&maya, "R-7").await;
        let omars = numbered(&omar, "R-7").await;
        numbered(&maya, "R-8").await;
        kept(&maya, "without a number").await;
        faults.calls();

        let found = maya.look_up("number", "R-7").await.unwrap();

        assert_eq!(found, [second, first], "newest first");
        assert_eq!(faults.calls(), ["Query", "BatchGetItem"]);
        assert_eq!(omar.look_up("number", "R-7").await.unwrap(), [omars]);
        faults.calls();
        assert_eq!(maya.look_up("number", "R-9").await.unwrap(), []);
        assert_eq!(maya.look_up("label", "R-7").await.unwrap(), []);
        assert_eq!(faults.calls(), ["Query", "Query"]);
    }

    #[tokio::test]
    async fn finds_what_says_it_among_everybodys() {
        let Office { faults: _faults, world: _world, store, maya, omar } = office().await;
        let mut all = Vec::new();
        for of in [&maya, &omar] {
            let carrier_number = Some("1Z 999".to_owned());
            let mut parcel = Parcel { carrier_number, ..parcel(of, "carried") };
            of.keep(&mut parcel).await.unwrap();
            all.push(parcel);
        }
        all.sort_by_key(|parcel| std::cmp::Reverse(parcel.id));

        let lookup = Lookup::of_all::<Parcel>("carrierNumber", "1Z 999");
        let found = store.look_up::<Parcel>(&lookup).await.unwrap();

        assert_eq!(found, all);
        assert_eq!(maya.look_up("carrierNumber", "1Z 999").await.unwrap(), []);
    }

    #[tokio::test]
    async fn follows_what_changes() {
        let Office { faults: _faults, world: _world, store: _, maya, omar: _ } = office().await;
        let parcel = numbered(&maya, "R-7").await;
        let found = async |number: &str| maya.look_up("number", number).await.unwrap().len();

        let renumber = |parcel: &mut Parcel| parcel.number = Some("R-8".to_owned());
        maya.change(parcel.id, &Precondition::None, renumber).await.unwrap();
        assert_eq!([found("R-7").await, found("R-8").await], [0, 1]);
        maya.delete(parcel.id, &Precondition::None).await.unwrap();
        assert_eq!([found("R-7").await, found("R-8").await], [0, 0]);
    }

    /// The index is behind the table, which this answer stands for.
    #[tokio::test]
    async fn gives_nothing_that_no_longer_says_it() {
        let Office { faults, world: _world, store: _, maya, omar } = office().await;
        let other = numbered(&maya, "R-8").await;
        let deleted = numbered(&maya, "R-9").await;
        maya.delete(deleted.id, &Precondition::None).await.unwrap();
        let omars = numbered(&omar, "R-7").await;
        let behind: Vec<_> = [&other, &deleted, &omars].into_iter().map(keys).collect();
        faults.next(1, "Query", Fault::Answer(200, json!({ "Items": behind, "Count": 3 })));

        let found = maya.look_up("number", "R-7").await.unwrap();

        assert_eq!(found, []);
    }

    #[tokio::test]
    async fn costs_what_has_none_nothing() {
        let Office { faults: _faults, world, store: _, maya, omar: _ } = office().await;
        kept(&maya, "without a number").await;
        let parcel = numbered(&maya, "R-7").await;

        let request = json!({ "TableName": "landline", "IndexName": "byLookup" });
        let indexed = call_store(&world.connection(), "Scan", &request).await;

        let items = indexed["Items"].as_array().expect("a list");
        let [item] = items.as_slice() else { panic!("{items:?}") };
        assert_eq!(item["sk"]["S"], format!("PARCEL#{}", parcel.id));
        let names: Vec<_> = item.as_object().expect("an item").keys().collect();
        assert_eq!(names, ["lookup", "pk", "sk"]);
        assert!(!item["lookup"].to_string().contains("R-7"), "it is hashed: {item}");
    }
}

mod a_set_of_writes {
    use super::*;

    #[tokio::test]
    async fn has_a_hundred_and_no_more() {
        let Office { faults, world: _world, store, maya, omar: _ } = office().await;
        let create = |all: &mut [Parcel]| all.iter_mut().fold(WriteSet::new(), WriteSet::create);
        let (mut hundred, mut more) = (parcels(&maya, 100), parcels(&maya, 101));

        let written = store.write(create(&mut hundred)).await;
        let refused = store.write(create(&mut more)).await;

        written.unwrap();
        assert!(matches!(refused, Err(Error::TooLarge)), "{refused:?}");
        assert_eq!(faults.calls(), ["TransactWriteItems"]);
        assert_eq!(maya.get_all(&ids(&hundred)).await.unwrap(), hundred);
        assert_eq!(maya.get_all(&ids(&more)).await.unwrap(), []);
    }

    #[tokio::test]
    async fn beside_ones_own_is_not_to_somebody_elses() {
        let Office { faults, world: _world, store: _, maya, omar } = office().await;
        let mut omars = kept(&omar, "Omar's").await;
        faults.calls();

        for writes in [
            WriteSet::new().create(&mut parcel(&omar, "new")),
            WriteSet::new().replace(&mut omars.clone()),
            WriteSet::new().remove(&mut omars),
            WriteSet::new().delete(omars.key()),
        ] {
            let refused = maya.together_with(writes).map(drop);

            assert!(matches!(refused, Err(Error::ForeignOwner { .. })), "{refused:?}");
        }
        assert_eq!(faults.calls(), [""; 0]);
    }

    /// DynamoDB's limit for all of a transaction is 4 MB.
    #[tokio::test]
    async fn is_too_large_when_it_is_so_together() {
        let Office { faults, world: _world, store, maya, omar: _ } = office().await;
        for (count, fits) in [(10, true), (11, false)] {
            let mut all = parcels(&maya, count);
            all.iter_mut().for_each(|parcel| parcel.content = "x".repeat(390 * 1024));
            faults.calls();

            let set = all.iter_mut().fold(WriteSet::new(), WriteSet::create);
            let written = store.write(set).await;

            assert_eq!(written.is_ok(), fits, "{written:?}");
            assert!(fits || matches!(written, Err(Error::TooLarge)), "{written:?}");
            assert_eq!(faults.calls().len(), usize::from(fits));
        }
    }
}

mod an_item {
    use std::collections::BTreeMap;

    use super::*;

    /// Something with fields of any name.
    #[derive(Clone, Serialize, Deserialize)]
    struct Bag {
        id: Id,
        owner: Id,
        content: BTreeMap<String, Value>,
        version: u64,
    }

    impl Entity for Bag {
        const KIND: &'static str = "BAG";

        fn key(&self) -> Key {
            Key::owned::<Self>(self.owner, self.id)
        }

        fn version_mut(&mut self) -> &mut u64 {
            &mut self.version
        }
    }

    fn bag(world: &World, content: impl IntoIterator<Item = (String, Value)>) -> Bag {
        let (id, owner) = (world.ambient().new_id(), world.ambient().new_id());
        Bag { id, owner, content: content.into_iter().collect(), version: 1 }
    }

    #[tokio::test]
    async fn is_measured_with_its_names() {
        let Office { faults, world, store, .. } = office().await;
        for (bytes, fits) in [(399, true), (400, false)] {
            let mut named = bag(&world, [("x".repeat(bytes * 1024), json!(true))]);
            let mut texts = bag(&world, [("x".to_owned(), json!("x".repeat(bytes * 1024)))]);
            faults.calls();

            for bag in [&mut named, &mut texts] {
                let written = store.create(bag).await;

                assert_eq!(written.is_ok(), fits, "{written:?}");
                assert!(fits || matches!(written, Err(Error::TooLarge)), "{written:?}");
            }
            assert_eq!(faults.calls().len(), if fits { 2 } else { 0 });
        }
    }

    /// The store never gets to refuse one.
    #[tokio::test]
    async fn near_the_limit_is_kept_or_too_large_and_nothing_else() {
        let Office { faults: _faults, world, store, .. } = office().await;
        for less in (0..1200).step_by(40) {
            for numbers in [0, 1000] {
                let numbers = (0..numbers).map(|place| (format!("n{place:04}"), json!(1)));
                let mut bag = bag(&world, numbers);
                let left = 400 * 1024 - less - bag.content.len() * 7;
                bag.content.insert("x".to_owned(), json!("x".repeat(left)));

                let written = store.create(&mut bag).await;

                assert!(matches!(written, Ok(()) | Err(Error::TooLarge)), "{less}: {written:?}");
            }
        }
    }
}

mod a_table_of_an_older_release {
    use super::*;

    #[tokio::test]
    async fn gets_what_it_lacks() {
        let world = World::new().await;
        let key = |name: &str, key_type| json!({ "AttributeName": name, "KeyType": key_type });
        let text = |name: &str| json!({ "AttributeName": name, "AttributeType": "S" });
        let older = Connection { table: "older".to_owned(), ..world.connection() };
        let create = json!({
            "TableName": "older",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [text("pk"), text("sk")],
            "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
        });
        call_store(&older, "CreateTable", &create).await;
        let store = Store::connect(older.clone(), world.ambient().clone());

        store.create_table().await.unwrap();
        store.create_table().await.unwrap();

        let describe = async |store: &Connection| {
            let request = json!({ "TableName": store.table });
            let mut table = call_store(store, "DescribeTable", &request).await["Table"].take();
            let definitions = table["AttributeDefinitions"].as_array_mut().expect("a list");
            definitions.sort_by_key(|definition| definition["AttributeName"].to_string());
            let index = table["GlobalSecondaryIndexes"][0].take();
            let (keys, projection) = (&index["KeySchema"], &index["Projection"]);
            json!([table["AttributeDefinitions"], table["StreamSpecification"], keys, projection])
        };
        assert_eq!(describe(&older).await, describe(&world.connection()).await);
    }
}
