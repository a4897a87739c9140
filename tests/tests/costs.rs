//! What an operation asks of the table: its calls, and the units that AWS bills.

use std::time::Duration;

use http::Method;
use serde_json::json;
use tests::{Client, Cost, Door, Faults, Operation, Request, World, call_store};

/// DynamoDB's list prices on demand, in USD for a million units. `docs/costs.md` says where and
/// since when.
const READS: f64 = 0.125;
const WRITES: f64 = 0.625;

fn cost(calls: &[&str], reads: f64, writes: f64) -> Cost {
    Cost { calls: calls.iter().map(|call| (*call).to_owned()).collect(), reads, writes }
}

/// What one good request takes, with an `Idempotency-Key` or without, in a world of its own.
async fn measured(operation: &Operation, keyed: bool) -> Cost {
    let faults = Faults::start().await;
    let world = World::behind(&faults).await;
    let request = prepared(&world, operation).await.without("idempotency-key");
    let request = if keyed { request.header("idempotency-key", "a-key") } else { request };
    faults.cost();

    let answer = request.await;

    let cost = faults.cost();
    assert!(answer.status.is_success(), "{}: {} {}", operation.id, answer.status, answer.text());
    cost
}

/// A request that will be done. A few of the platform's own take more than a schema can say.
async fn prepared(world: &World, operation: &Operation) -> Request {
    let post = |body| world.anonymous().post(operation.path).json(body);
    let (email, password) = ("maya@example.com", "correct horse battery staple");
    match operation.id {
        "create_session" => {
            world.maya().await;
            post(json!({ "email": email, "password": password }))
        }
        "refresh_session" => {
            let maya = world.maya().await;
            post(json!({ "refreshToken": maya.refresh_token() }))
        }
        "change_password" => {
            let body =
                json!({ "currentPassword": password, "newPassword": "incorrect zebra charger" });
            world.maya().await.put(operation.path).json(body)
        }
        "resume_account" => {
            let (admin, maya) = (world.admin().await, id_of(&world.maya().await));
            admin.post(format!("/v1/admin/accounts/{maya}/suspend")).await.expect(200);
            operation.request(&admin, &operation.at(&maya), false)
        }
        _ => by_the_document(world, operation).await,
    }
}

async fn by_the_document(world: &World, operation: &Operation) -> Request {
    if operation.scope().is_some() {
        let maya = id_of(&world.maya().await);
        return operation.request(&world.admin().await, &operation.at(&maya), false);
    }
    if !operation.is_guarded() {
        return operation.request(&world.anonymous(), &operation.somewhere(), false);
    }
    let maya = world.maya().await;
    let path = operation.owned_by(&maya).await;
    // A list is read with something in it.
    if operation.method == Method::GET
        && let Some(create) = Operation::find(&Method::POST, operation.path)
        && create.is_guarded()
    {
        create.request(&maya, &path, false).await.expect(201);
    }
    operation.request(&maya, &path, false)
}

fn id_of(person: &Client) -> String {
    person.signed_in["account"]["id"].as_str().expect("an account has an id").to_owned()
}

mod the_page {
    use std::fs;

    use super::*;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/costs.md");
    const BEGIN: &str = "<!-- Measured from here on. To write it anew: .ci/costs --write -->\n";
    const END: &str = "<!-- Measured up to here. -->\n";

    /// The committed text with this between its marks.
    fn with_measured(committed: &str, table: &str) -> String {
        let (before, rest) = committed.split_once(BEGIN).expect("the page has its first mark");
        let (_, after) = rest.split_once(END).expect("the page has its second mark");
        format!("{before}{BEGIN}\n{table}\n{END}{after}")
    }

    async fn table() -> String {
        let mut table = "| | store calls | read units | write units | a million, USD |\n\
                         |---|---|---:|---:|---:|\n"
            .to_owned();
        for operation in Operation::all() {
            let with = |key| if key { ", `Idempotency-Key`" } else { "" };
            let ways: &[bool] = match operation.header("Idempotency-Key") {
                None => &[false],
                Some(required) if required => &[true],
                Some(_) => &[false, true],
            };
            for keyed in ways {
                let named = format!("`{} {}`{}", operation.method, operation.path, with(*keyed));
                table += &row(&named, &measured(&operation, *keyed).await);
            }
        }
        table
    }

    fn row(named: &str, cost: &Cost) -> String {
        let Cost { reads, writes, .. } = cost;
        let price = (reads * READS + writes * WRITES) * 1000.0;
        let price = price.round() / 1000.0;
        format!("| {named} | {} | {reads} | {writes} | {price:.3} |\n", calls(cost))
    }

    /// By name, since those that are made side by side have no order.
    fn calls(cost: &Cost) -> String {
        if cost.calls.is_empty() {
            return "none".to_owned();
        }
        let mut names = cost.calls.clone();
        names.sort();
        let named = names.chunk_by(|one, other| one == other).map(|same| match same.len() {
            1 => same[0].clone(),
            times => format!("{} × {times}", same[0]),
        });
        named.collect::<Vec<_>>().join(", ")
    }

    #[tokio::test]
    async fn says_what_each_operation_takes() {
        let committed = fs::read_to_string(PATH).expect("the page is committed");

        let measured = with_measured(&committed, &table().await);

        if std::env::var_os("LANDLINE_WRITE_COSTS").is_some() {
            fs::write(PATH, measured).expect("the page can be written");
        } else if let Err(stale) = openapi::check(&committed, &measured) {
            panic!(
                "operations take more or less of the table than docs/costs.md says\n{}\n\
                 when that is meant to be: .ci/costs --write",
                stale.difference
            );
        }
    }

    #[test]
    fn shows_calls_by_name_and_the_price_of_a_million() {
        let sign_in = cost(&["UpdateItem", "GetItem", "UpdateItem", "PutItem"], 1.0, 3.0);

        assert_eq!(
            row("`POST /v1/sessions`", &sign_in),
            "| `POST /v1/sessions` | GetItem, PutItem, UpdateItem × 2 | 1 | 3 | 2.000 |\n"
        );
        assert_eq!(row("a", &cost(&["Query"], 0.5, 0.0)), "| a | Query | 0.5 | 0 | 0.063 |\n");
        assert_eq!(row("a", &cost(&[], 0.0, 0.0)), "| a | none | 0 | 0 | 0.000 |\n");
    }

    #[test]
    fn keeps_what_stands_around_the_table() {
        let page = format!("# Costs\n{BEGIN}\nold\n{END}\nThe end.\n");

        let written = with_measured(&page, "new\n");

        assert_eq!(written, format!("# Costs\n{BEGIN}\nnew\n\n{END}\nThe end.\n"));
    }

    #[test]
    fn names_the_prices_that_it_is_computed_with() {
        let page = fs::read_to_string(PATH).expect("the page is committed");

        for price in [format!("{READS} USD"), format!("{WRITES} USD")] {
            assert!(page.contains(&price), "{price}");
        }
    }
}

/// The answer has to be out in a moment: whatever would ask the table says so instead.
#[tokio::test]
async fn nothing_is_asked_when_there_is_no_time_left() {
    let mut refused = 0;
    for operation in Operation::all() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let request = prepared(&world, &operation).await;
        let time = Duration::from_millis(1_200);
        let door = Door::Invoked(world.app().clone(), world.ambient().clone(), time);
        faults.cost();

        let answer = request.through(door).await;

        assert_eq!(faults.calls(), [""; 0], "{}", operation.id);
        if !answer.status.is_success() {
            assert_eq!(answer.header("retry-after"), "1", "{}", operation.id);
            answer.expect_problem(503, "unavailable");
            refused += 1;
        }
    }
    // All but health, the keys and the configuration.
    assert!(refused >= Operation::all().len() - 4, "{refused}");
}

/// How many items a list has in the longer run.
fn many() -> usize {
    std::env::var("LANDLINE_ITEMS").ok().and_then(|items| items.parse().ok()).unwrap_or(1_000)
}

/// Things that people have.
mod things {
    use serde_json::{Value, json};
    use tests::{Answer, Client, Request, World, call_store};

    pub(super) use tests::things::setup;

    pub(super) fn making(person: &Client, length: usize) -> Request {
        person.post("/things").unspecified().json(json!({ "length": length }))
    }

    pub(super) async fn make(person: &Client) -> Answer {
        making(person, 700).await.expect(201)
    }

    pub(super) async fn page(person: &Client, limit: usize, cursor: Option<&str>) -> Value {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let path = format!("/things?limit={limit}{cursor}");
        person.get(path).unspecified().await.expect(200).json()
    }

    /// Give a person so many: one through the front door, and copies of its item past it.
    pub(super) async fn fill(world: &World, person: &Client, count: usize) {
        make(person).await;
        let store = world.connection();
        let scan = json!({
            "TableName": store.table,
            "FilterExpression": "kind = :kind",
            "ExpressionAttributeValues": { ":kind": { "S": "THING" } },
        });
        let one = call_store(&store, "Scan", &scan).await["Items"][0].take();
        let copy = || {
            let id = world.ambient().new_id();
            let mut item = one.clone();
            item["id"] = json!({ "S": id });
            item["sk"] = json!({ "S": format!("THING#{id}") });
            json!({ "PutRequest": { "Item": item } })
        };
        let mut missing = count - 1;
        while missing > 0 {
            let puts: Vec<_> = (0..missing.min(25)).map(|_| copy()).collect();
            missing -= puts.len();
            let batch = json!({ "RequestItems": { store.table.clone(): puts } });
            let written = call_store(&store, "BatchWriteItem", &batch).await;
            assert_eq!(written, json!({ "UnprocessedItems": {} }));
        }
    }
}

async fn maya_and_her_things() -> (Faults, World, Client) {
    let faults = Faults::start().await;
    let world = World::with_faults(things::setup([]), &faults).await;
    let maya = world.maya().await;
    faults.cost();
    (faults, world, maya)
}

#[tokio::test]
async fn reading_what_one_owns_is_one_call() {
    let (faults, _world, maya) = maya_and_her_things().await;
    let made = things::make(&maya).await;
    faults.cost();

    maya.get(made.header("location")).unspecified().await.expect(200);

    assert_eq!(faults.cost(), cost(&["GetItem"], 1.0, 0.0));
}

#[tokio::test]
async fn making_something_is_one_call() {
    let (faults, _world, maya) = maya_and_her_things().await;

    things::make(&maya).await;

    assert_eq!(faults.cost(), cost(&["PutItem"], 0.0, 1.0));
}

/// Two items, each at twice the units of a write by itself.
#[tokio::test]
async fn making_something_once_is_one_transaction() {
    let (faults, _world, maya) = maya_and_her_things().await;

    things::making(&maya, 7).header("idempotency-key", "a-key").await.expect(201);

    assert_eq!(faults.cost(), cost(&["TransactWriteItems"], 0.0, 4.0));
}

/// Five items are shown, a sixth tells that there are more; 0.9 KB each are two units.
#[tokio::test]
async fn a_page_of_a_list_is_one_call_and_costs_the_same_however_long_the_list_is() {
    for count in [10, many()] {
        let (faults, world, maya) = maya_and_her_things().await;
        things::fill(&world, &maya, count).await;
        let cursors = cursors(&maya, count).await;

        for place in [0, cursors.len() / 2, cursors.len() - 1] {
            faults.cost();
            let page = things::page(&maya, 5, cursors[place].as_deref()).await;

            assert_eq!(page["items"].as_array().map(Vec::len), Some(5), "{place} of {count}");
            assert_eq!(faults.cost(), cost(&["Query"], 2.0, 0.0), "{place} of {count}");
        }
    }
}

/// Where the pages of a list of so many things begin, to its end.
async fn cursors(maya: &Client, count: usize) -> Vec<Option<String>> {
    let limit = (count / 2).min(100);
    let mut cursors = vec![None];
    let mut listed = 0;
    while let Some(place) = cursors.last() {
        let page = things::page(maya, limit, place.as_deref()).await;
        listed += page["items"].as_array().map_or(0, Vec::len);
        let Some(next) = page["nextCursor"].as_str() else { break };
        cursors.push(Some(next.to_owned()));
    }
    assert_eq!(listed, count);
    cursors
}

/// What is added to an operation by mistake is seen.
#[tokio::test]
async fn a_scan_is_counted_as_the_read_that_it_is() {
    let faults = Faults::start().await;
    let world = World::behind(&faults).await;
    world.maya().await;
    faults.cost();

    let store = faults.before(world.connection());
    call_store(&store, "Scan", &json!({ "TableName": store.table })).await;

    // Eventually consistent, all of it within 4 KB.
    assert_eq!(faults.cost(), cost(&["Scan"], 0.5, 0.0));
}
