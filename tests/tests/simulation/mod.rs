//! Histories of several clients on one table over a bad network. Whatever is dropped, late, twice,
//! throttled, lost or in conflict, and wherever a client crashes: what a client was told is done is
//! done, and nothing is done twice. Time, network and clients are simulated, all out of one seed.
//!
//! `LANDLINE_OPERATIONS` says how many operations there are, and `LANDLINE_SEED` with which history
//! to begin.

mod deadline;
mod ledger;
mod phone;
mod things;

use std::{
    cell::RefCell,
    num::NonZero,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::atomic::{AtomicU64, Ordering},
    thread::{available_parallelism, scope},
    time::Duration,
};

use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use models::{
    Ambient, Id, Timestamp,
    store::{Owned, Precondition, Store},
};
use tests::simulation::{Chance, Network};
use tokio::{runtime, time::sleep};
use tracing::subscriber::{NoSubscriber, with_default};

use self::{
    ledger::Ledger,
    phone::{Phone, World, counter, in_an_hour},
    things::{Paper, Receipt, Tally},
};

/// The operations of a history: so many clients, and so many each.
const CLIENTS: usize = 4;
const EACH: usize = 50;
const HISTORY: u64 = (CLIENTS * EACH) as u64;

/// Somebody who is signed in.
struct Person {
    id: Id,
    token: String,
}

fn somebody() -> Person {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let world = tests::World::new().await;
        let maya = world.maya().await;
        let id = maya.signed_in["account"]["id"].as_str().and_then(|id| id.parse().ok());
        Person { id: id.expect("an account has an id"), token: maya.token().to_owned() }
    })
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever asks for it is told what was done")]
fn nothing_acknowledged_is_lost_and_nothing_is_done_twice() {
    let operations = variable("LANDLINE_OPERATIONS").unwrap_or(2_000);
    let histories = operations.div_ceil(HISTORY);
    let first = variable("LANDLINE_SEED").unwrap_or(1);
    let (person, next) = (somebody(), AtomicU64::new(first));

    // A history is one thread's; how many there are at once does not change it.
    let threads = available_parallelism().map_or(1, NonZero::get);
    let told: Vec<[usize; 3]> = scope(|scope| {
        let live = || live_through(&next, first + histories, &person);
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(live)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("a seed has failed")).collect()
    });

    let sum = |fate| told.iter().map(|counts| counts[fate]).sum::<usize>();
    println!(
        "seeds {first} to {}: {} operations, of whose writes {} were done, {} refused and {} \
         never known",
        first + histories - 1,
        histories * HISTORY,
        sum(0),
        sum(1),
        sum(2),
    );
}

/// The next histories, until there are no more before `end`.
#[expect(clippy::print_stdout, reason = "a seed that fails says so")]
fn live_through(next: &AtomicU64, end: u64, person: &Person) -> Vec<[usize; 3]> {
    let seeds = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
    let history = |seed| {
        catch_unwind(AssertUnwindSafe(|| history(seed, person))).unwrap_or_else(|panic| {
            println!(
                "seed {seed} failed. To repeat it: LANDLINE_SEED={seed} LANDLINE_OPERATIONS=1 \
                 cargo test -p tests --test all -- simulation::nothing"
            );
            resume_unwind(panic)
        })
    };
    seeds.take_while(|seed| *seed < end).map(|seed| history(seed).counts).collect()
}

#[test]
fn a_seed_is_the_same_history_each_time() {
    let person = somebody();

    let (first, again) = (history(7, &person), history(7, &person));

    assert!(first.trace.len() > CLIENTS * EACH, "{}", first.trace.len());
    for (first, again) in first.trace.iter().zip(&again.trace) {
        assert_eq!(first, again);
    }
    assert_eq!(first.trace.len(), again.trace.len());
    assert_eq!(first.counts, again.counts);
}

#[test]
fn two_hundred_concurrent_increments_end_at_two_hundred() {
    let person = somebody();

    let (tally, counts) = simulated(7, async {
        let world = Rc::new(begin(7, &person).await);
        let id = world.tallies[0];
        let phone = Phone::<true>::new(world.clone(), Chance::new(7));
        join_all((0..200).map(|_| phone.mark_a_tally_until_answered(id))).await;
        join_all((0..200).map(|_| phone.count())).await;
        let store = world.network.store(&world.ambient);
        let tally = owned::<Tally>(&store, world.owner).get(id).await;
        (tally.expect("an answer").expect("a tally"), world.counts.take())
    });

    // The first mark and the first version are those of its making.
    assert_eq!((tally.marks.len(), tally.version), (201, 201));
    let mut counts = counts;
    counts.sort_unstable();
    assert_eq!(counts, (1..=200).collect::<Vec<_>>());
}

/// What came of a history.
struct Told {
    counts: [usize; 3],
    trace: Vec<String>,
}

/// In every second one phones keep the papers.
fn history(seed: u64, person: &Person) -> Told {
    match seed % 2 {
        0 => simulated(seed, live::<true>(seed, person)),
        _ => simulated(seed, live::<false>(seed, person)),
    }
}

/// On one thread, with a clock that goes on when everybody waits for it.
fn simulated<T>(seed: u64, act: impl Future<Output = T>) -> T {
    // The SDK draws its pauses from here.
    fastrand::seed(seed);
    let mut runtime = runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    // What is logged is looked at by other tests, and takes most of the time.
    with_default(NoSubscriber::new(), || runtime.block_on(act))
}

async fn live<const KEPT: bool>(seed: u64, person: &Person) -> Told {
    let chance = Chance::new(seed);
    let world = Rc::new(begin(seed, person).await);
    world.network.disturb(chance.of(&[40, 100, 250]));
    let mut phones = FuturesUnordered::new();
    for client in 1..=CLIENTS as u64 {
        let chance = Chance::new(seed.wrapping_mul(1_000_003).wrapping_add(client));
        let mut phone = Phone::<KEPT>::new(world.clone(), chance);
        phones.push(async move { phone.act(EACH).await });
    }
    while phones.next().await.is_some() {}

    // What is still on its way arrives.
    sleep(Duration::from_secs(30)).await;
    world.network.disturb(0);
    settle(&world).await;
    check::<KEPT>(&world).await;
    let counts = world.ledger().counts();
    Told { counts, trace: world.network.trace() }
}

async fn begin(seed: u64, person: &Person) -> World {
    let network = Network::new(seed);
    let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), seed);
    let store = network.store(&ambient);
    store.create_table().await.expect("the table can be made");
    let owner = person.id;
    let mut ledger = Ledger::default();
    let mut ids = Vec::new();
    for _ in 0..4 {
        let (id, mark) = (ambient.new_id(), ledger.begin());
        let mut tally = Tally { id, owner, marks: vec![mark], balance: 1_000, version: 1 };
        store.create(&mut tally).await.expect("nothing is wrong yet");
        ledger.done(mark, id, 1);
        ids.push(id);
    }
    let purses = [ids[2], ids[3]];
    ids.truncate(2);
    World {
        network,
        owner,
        token: person.token.clone(),
        tallies: ids,
        purses,
        papers: (0..3).map(|_| ambient.new_id()).collect(),
        ambient,
        ledger: RefCell::new(ledger),
        receipts: RefCell::default(),
        counts: RefCell::default(),
        open: RefCell::default(),
    }
}

/// Every request that was given up is sent again now, and answered.
async fn settle(world: &Rc<World>) {
    let phone = Phone::<true>::new(world.clone(), Chance::new(0));
    let open = world.open.borrow().clone();
    for request in open {
        let answer = phone.send(&request).await;
        assert!(phone.settle(&request, &answer), "{answer:?}");
    }
}

async fn check<const KEPT: bool>(world: &World) {
    let store = world.network.store(&world.ambient);
    let tallies = owned::<Tally>(&store, world.owner);
    let mut purses = Vec::new();
    for id in world.tallies.iter().chain(&world.purses) {
        let before = world.ledger().before(*id);
        let tally = tallies.get(*id).await.expect("an answer").expect("a tally");
        world.ledger().saw_tally(&tally, &before);
        purses.push(tally);
    }
    let purses = &purses[world.tallies.len()..];
    assert_eq!(purses[0].balance + purses[1].balance, 2_000, "lost on the way");
    assert_eq!(purses[0].marks[1..], purses[1].marks[1..], "half a transfer");
    check_receipts(world, &store, &purses[0]).await;
    check_papers::<KEPT>(world, &store).await;

    let count = store.count(counter(), in_an_hour(&world.ambient)).await.expect("an answer");
    let mut told = world.counts.borrow().clone();
    told.push(count);
    let all = told.len();
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), all, "two were told one count");
    assert_eq!(told.last(), Some(&count), "it counts up");
}

async fn check_receipts(world: &World, store: &Store, purse: &Tally) {
    let receipts = owned::<Receipt>(store, world.owner);
    let (mut all, mut cursor) = (Vec::new(), None);
    loop {
        let page = receipts.page(Some(7), cursor.as_deref(), None).await.expect("a page");
        all.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    world.ledger().check_receipts(&all, &world.receipts.borrow());
    let lost = purse.marks[1..].iter().find(|mark| !all.iter().any(|it| it.mark == **mark));
    assert_eq!(lost, None, "a transfer without its receipt");
}

/// A last write tells how many there were, deletions and all.
async fn check_papers<const KEPT: bool>(world: &World, store: &Store) {
    let papers = owned::<Paper<KEPT>>(store, world.owner);
    for id in world.papers.clone() {
        let before = world.ledger().before(id);
        let paper = papers.get(id).await.expect("an answer");
        world.ledger().saw_paper(id, paper.as_ref(), &before);
        let owner = world.owner;
        let make = |known: Option<Paper<KEPT>>| {
            known.unwrap_or(Paper { id, owner, marks: vec![], version: 1 })
        };
        let (paper, _) = papers.put(id, &Precondition::None, make).await.expect("an answer");
        world.ledger().check_paper(id, paper.version - 1);
    }
}

#[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
fn owned<E: models::store::Entity>(store: &Store, owner: Id) -> Owned<E> {
    Owned::new(store.clone(), owner)
}
