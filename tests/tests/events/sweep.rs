//! What has expired leaves the table, and nothing else does.

use std::time::Duration;

use api::events::Refused;
use models::{
    Ambient, Id, Timestamp,
    platform::{
        backlog::Backlog,
        events::HandledEvent,
        mail::MAIL,
        outbox::{Message, Receiver},
        sweep::{PAGES, Sweep},
    },
    store::{Entity, Key, Precondition, Store, WriteSet},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::{
    Faults, Log, World, batches,
    simulation::{Network, Trouble},
};
use tokio::{join, time::sleep};

use super::{BEGINNING, Served, serve_on};

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Something that may end.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ticket {
    owner: Id,
    number: u8,
    says: String,
    expires_at: Option<Timestamp>,
    version: u64,
}

impl Entity for Ticket {
    const KIND: &'static str = "TICKET";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.number)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}

/// The app's own event handlers on a table of their own.
struct Swept {
    network: Network,
    ambient: Ambient,
    store: Store,
    served: Served,
}

impl Swept {
    async fn new() -> Self {
        let ambient = Ambient::fixed(Timestamp::from_unix_millis(BEGINNING), 7);
        let network = Network::new(7);
        let store = network.store(&ambient);
        store.create_table().await.expect("the table can be made");
        let served = serve_on(&store, api::route_table());
        Self { network, ambient, store, served }
    }

    /// A ticket that ends so long from now, or never.
    async fn ticket(&self, number: u8, end: Option<Duration>) -> Ticket {
        self.ticket_of(Id::from_hash([9; 16]), number, end, 10).await
    }

    async fn ticket_of(&self, owner: Id, number: u8, end: Option<Duration>, size: usize) -> Ticket {
        let expires_at = end.map(|end| self.ambient.now().plus(end));
        let mut ticket = Ticket { owner, number, says: "x".repeat(size), expires_at, version: 1 };
        self.store.create(&mut ticket).await.expect("it is new");
        ticket
    }

    /// So many tickets that end in an hour, three to a page of the table.
    async fn large_tickets(&self, count: u8) {
        for number in 0..count {
            self.ticket_of(Id::from_hash([9; 16]), number, Some(HOUR), 340 * 1024).await;
        }
    }

    /// The sort keys of all that is in the table, but for what is kept of runs and failures.
    fn there(&self) -> Vec<String> {
        let items = self.network.items();
        let own = [Sweep::KIND, HandledEvent::KIND];
        let items = items.iter().filter(|item| !own.iter().any(|own| item["kind"]["S"] == *own));
        items.map(|item| item["sk"]["S"].as_str().expect("text").to_owned()).collect()
    }

    async fn try_run(&self, id: &str) -> Result<Value, Refused> {
        self.served.try_invoke(&batches::tick(id, "landline-sweep_expired")).await
    }

    async fn run(&self, id: &str) {
        assert_eq!(self.try_run(id).await, Ok(Value::Null));
    }

    /// How many calls of this operation there were so far.
    fn calls(&self, operation: &str) -> usize {
        let arrived = format!(" {operation}: ");
        self.network.trace().iter().filter(|line| line.contains(&arrived)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_goes_and_nothing_else() {
    let world = Swept::new().await;
    world.ticket(1, Some(HOUR)).await;
    world.ticket(2, Some(3 * HOUR)).await;
    world.ticket(3, None).await;
    let deleted = world.ticket(4, None).await;
    world.store.delete::<Ticket>(deleted.key(), &Precondition::None).await.unwrap();
    let counter = Key::counter("SIGN_IN_PER_PAIR", &["maya"], world.ambient.now());
    world.store.count(counter, world.ambient.now().plus(HOUR)).await.unwrap();
    assert_eq!(world.there().len(), 5);
    world.ambient.advance(2 * HOUR);

    world.run("1").await;

    assert_eq!(world.there(), ["TICKET#2", "TICKET#3"]);
}

/// Until its end it reads as what it is, and the end that DynamoDB knows is rounded down.
#[tokio::test(start_paused = true)]
async fn what_ends_stays_until_its_last_second_is_over() {
    let world = Swept::new().await;
    let ticket = world.ticket(1, Some(Duration::from_millis(10_700))).await;
    for (passed, reads, stays) in
        [(10_699, true, true), (1, false, true), (299, false, true), (1, false, false)]
    {
        world.ambient.advance(Duration::from_millis(passed));

        world.run(&format!("{passed}-{reads}-{stays}")).await;

        let read = world.store.get::<Ticket>(ticket.key()).await.unwrap();
        assert_eq!((read.is_some(), world.there().len()), (reads, usize::from(stays)), "{passed}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_made_anew_between_look_and_deletion_stays() {
    let world = Swept::new().await;
    let ticket = world.ticket(1, Some(HOUR)).await;
    world.ambient.advance(2 * HOUR);
    world.network.next(1, "DeleteItem", Trouble::Late(Duration::from_millis(800)));

    let anew = async {
        sleep(Duration::from_millis(400)).await;
        assert_eq!(world.calls("Scan"), 1, "it was seen before");
        world.ticket(1, Some(HOUR)).await;
        assert_eq!(world.calls("DeleteItem"), 0, "the deletion comes after");
    };
    join!(world.run("1"), anew);

    assert_eq!(world.calls("DeleteItem"), 1);
    assert!(world.store.get::<Ticket>(ticket.key()).await.unwrap().is_some());
}

/// In the table's order, which here is that of the keys.
#[tokio::test(start_paused = true)]
async fn a_run_goes_on_where_the_last_one_ended_and_begins_anew_at_the_end() {
    let world = Swept::new().await;
    let pages = u8::try_from(PAGES).unwrap();
    world.large_tickets(3 * pages + 5).await;
    world.ambient.advance(2 * HOUR);

    world.run("1").await;

    assert_eq!(world.calls("Scan"), PAGES);
    assert_eq!(world.there().len(), 5);
    // Before the place where it is now.
    let early = world.ticket_of(Id::from_hash([0; 16]), 1, Some(HOUR), 10).await;
    world.ambient.advance(2 * HOUR);
    world.run("2").await;
    assert_eq!(world.calls("Scan"), PAGES + 2);
    assert_eq!(world.there(), [format!("TICKET#{}", early.number)]);
    world.run("3").await;
    assert_eq!(world.calls("Scan"), PAGES + 3);
    assert!(world.there().is_empty());
}

#[tokio::test(start_paused = true)]
async fn of_two_runs_at_once_one_ends_after_a_page() {
    let world = Swept::new().await;
    world.large_tickets(12).await;
    world.ticket_of(Id::from_hash([10; 16]), 1, None, 10).await;
    world.ambient.advance(2 * HOUR);

    join!(world.run("1"), world.run("2"));

    assert_eq!(world.there(), ["TICKET#1"]);
    assert_eq!(world.calls("Scan"), 4 + 1);
    assert!(world.served.set_aside().is_empty());
}

/// Lambda sends the same tick again.
#[tokio::test(start_paused = true)]
async fn a_run_that_fails_leaves_nothing_out() {
    for (operation, trouble) in [
        ("GetItem", Trouble::Throttled),
        ("Scan", Trouble::Throttled),
        ("DeleteItem", Trouble::Throttled),
        ("DeleteItem", Trouble::LostAnswer),
        ("PutItem", Trouble::Throttled),
        ("PutItem", Trouble::LostAnswer),
    ] {
        let world = Swept::new().await;
        for number in 0..40 {
            world.ticket(number, Some(HOUR)).await;
        }
        world.ticket(40, None).await;
        world.ambient.advance(2 * HOUR);
        world.network.next(100, operation, trouble);

        let failed = world.try_run("1").await;
        world.network.forget();
        let again = world.try_run("1").await;

        let one = Refused::Failed { failed: 1, records: 1 };
        assert_eq!(failed, Err(one), "{operation} {trouble:?}");
        assert_eq!(again, Ok(Value::Null), "{operation} {trouble:?}");
        assert_eq!(world.there(), ["TICKET#40"], "{operation} {trouble:?}");
    }
}

/// One that another transaction is at is left to the next round.
#[tokio::test(start_paused = true)]
async fn a_deletion_that_meets_another_write_is_left_for_later() {
    let world = Swept::new().await;
    world.ticket(1, Some(HOUR)).await;
    world.ambient.advance(2 * HOUR);
    world.network.next(1, "DeleteItem", Trouble::Conflict);

    world.run("1").await;
    assert_eq!(world.there().len(), 1);
    world.run("2").await;

    assert!(world.there().is_empty());
}

/// It ends by itself, and is no failure. The next run does the page again, what is left of it.
#[tokio::test(start_paused = true)]
async fn a_run_takes_half_of_its_time_at_most() {
    let world = Swept::new().await;
    for number in 0..100 {
        world.ticket(number, Some(HOUR)).await;
    }
    world.ambient.advance(2 * HOUR);
    world.network.next(100, "DeleteItem", Trouble::Late(Duration::from_millis(900)));
    let end = world.ambient.now().plus(Duration::from_secs(4)).unix_millis().unsigned_abs();
    let tick = batches::tick("1", "landline-sweep_expired");

    let answer = world.served.invoke_until(&tick, end).await;

    assert_eq!(answer, Ok(Value::Null));
    let left = world.there().len();
    assert!((1..100).contains(&left), "{left} are left");
    assert_eq!(world.calls("DeleteItem"), 100 - left, "none is on its way");
    world.network.forget();
    world.run("2").await;
    assert!(world.there().is_empty());
    assert!(world.served.set_aside().is_empty());
}

/// Neither those that wait for less than a day, nor what is left of those that were delivered.
#[tokio::test(start_paused = true)]
async fn messages_that_nobody_delivers_are_counted_and_not_named() {
    let world = Swept::new().await;
    let owner = world.ambient.new_id();
    let commit = async || {
        let message = Message::new(&world.ambient, owner, MAIL, &json!({})).expect("it is small");
        world.store.write(WriteSet::new().send(message.clone())).await.expect("the store writes");
        message
    };
    commit().await;
    commit().await;
    let delivered = commit().await;
    world.ambient.advance(Duration::from_millis(1));
    commit().await;
    world.ambient.advance(24 * HOUR);
    world.store.delete::<Message>(delivered.key(), &Precondition::None).await.unwrap();
    let log = Log::listen();

    world.run("1").await;

    let warnings = log.lines();
    let warnings: Vec<_> = warnings.iter().filter(|line| line["level"] == "WARN").collect();
    let [warning] = warnings[..] else { panic!("{}", log.text()) };
    let fields = &warning["fields"];
    assert_eq!(*fields, json!({ "message": "messages are overdue", "swept.abandoned": 2 }));
    assert!(!log.text().contains(&owner.to_string()), "{}", log.text());
    assert_eq!(world.there().len(), 4, "they stay for whoever finds out");
}

/// They have three days and a half, and some hours more.
#[tokio::test(start_paused = true)]
async fn messages_that_nobody_gives_up_are_counted_too() {
    let world = Swept::new().await;
    let owner = world.ambient.new_id();
    let message = Message::new(&world.ambient, owner, MAIL, &json!({})).expect("it is small");
    world.store.write(WriteSet::new().send(message.clone())).await.expect("the store writes");
    Backlog::extend(&world.store, message, Receiver::Mailer).await.expect("the store writes");
    world.ambient.advance(4 * 24 * HOUR);
    let log = Log::listen();
    let warnings = || log.lines().iter().filter(|line| line["level"] == "WARN").count();

    world.run("1").await;
    assert_eq!(warnings(), 0, "{}", log.text());
    world.ambient.advance(Duration::from_millis(1));
    world.run("2").await;

    assert_eq!(warnings(), 1, "{}", log.text());
}

/// What docs/events.md says of the costs.
#[tokio::test]
async fn a_run_takes_a_read_of_the_table_and_a_write_for_what_goes() {
    let faults = Faults::start().await;
    let world = World::behind(&faults).await;
    let store = Store::connect(faults.before(world.connection()), world.ambient().clone());
    let served = serve_on(&store, api::route_table());
    let owner = Id::from_hash([9; 16]);
    for number in 0..3 {
        let expires_at = Some(world.ambient().now().plus(HOUR));
        let says = "x".repeat(600);
        let mut ticket = Ticket { owner, number, says, expires_at, version: 1 };
        store.create(&mut ticket).await.unwrap();
    }
    world.ambient().advance(2 * HOUR);
    faults.cost();

    served.invoke(&batches::tick("1", "landline-sweep_expired")).await;

    let cost = faults.cost();
    let deletions = ["DeleteItem"; 3];
    let calls = [&["GetItem", "Scan"][..], &deletions, &["PutItem"]].concat();
    assert_eq!(cost.calls, calls);
    assert!((cost.reads - 1.5).abs() < 0.01, "one of the place, and half for 4 KB: {cost:?}");
    assert!((cost.writes - 4.0).abs() < 0.01, "{cost:?}");
}
