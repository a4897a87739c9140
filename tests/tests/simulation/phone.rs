//! One of the clients: what it does, and what it is told.

use std::{
    cell::{RefCell, RefMut},
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::pin,
    rc::Rc,
    task::Poll,
    time::Duration,
};

use api::App;
use http::Method;
use models::{
    Ambient, Id, Timestamp,
    platform::config::Config,
    store::{Entity, Error, Key, Owned, Precondition, Store, WriteSet},
};
use serde_json::{Value, json};
use tests::{
    Answer, Client, Door, signing_key,
    simulation::{Chance, Network},
};
use tokio::time::sleep;

use super::{
    ledger::Ledger,
    things::{Mark, Paper, Receipt, Tally, module},
};

/// What all clients of a history have in common.
pub(super) struct World {
    pub(super) network: Network,
    pub(super) ambient: Ambient,
    /// Whose everything is, and the token that says so.
    pub(super) owner: Id,
    pub(super) token: String,
    pub(super) tallies: Vec<Id>,
    pub(super) purses: [Id; 2],
    pub(super) papers: Vec<Id>,
    pub(super) ledger: RefCell<Ledger>,
    /// The marks that have receipts.
    pub(super) receipts: RefCell<Vec<Mark>>,
    /// What was told by the counter.
    pub(super) counts: RefCell<Vec<u64>>,
    /// Requests with keys whose answers nobody has.
    pub(super) open: RefCell<Vec<Keyed>>,
}

impl World {
    pub(super) fn ledger(&self) -> RefMut<'_, Ledger> {
        self.ledger.borrow_mut()
    }
}

/// A request that is sent until it is answered.
#[derive(Clone)]
pub(super) struct Keyed {
    mark: Mark,
    method: Method,
    path: String,
    if_match: Option<u64>,
    of: Of,
}

#[derive(Clone, Copy)]
enum Of {
    Tally(Id),
    Paper(Id),
    Receipt,
}

/// A client with a process of its own, which it loses when it crashes.
pub(super) struct Phone<const KEPT: bool> {
    world: Rc<World>,
    chance: Chance,
    store: Store,
    client: Client,
    /// What it believes the papers to be.
    papers: BTreeMap<Id, Paper<KEPT>>,
}

/// Run this until it is done, or until it is to be polled for one time more than that.
async fn unless_it_crashes<T>(polls: Option<usize>, act: impl Future<Output = T>) -> Option<T> {
    let mut act = pin!(act);
    let mut left = polls.unwrap_or(usize::MAX);
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        act.as_mut().poll(context).map(Some)
    })
    .await
}

impl<const KEPT: bool> Phone<KEPT> {
    pub(super) fn new(world: Rc<World>, chance: Chance) -> Self {
        let store = world.network.store(&world.ambient);
        // Some invocations have less time than an operation of the store may take.
        let time = Duration::from_secs(chance.of(&[4, 30]));
        let client = client(&world, &store, time);
        Self { world, chance, store, client, papers: BTreeMap::new() }
    }

    pub(super) async fn act(&mut self, times: usize) {
        for _ in 0..times {
            self.world.ambient.advance(self.chance.millis(20));
            let crash = (self.chance.below(20) == 0).then(|| self.chance.below(24));
            if unless_it_crashes(crash, self.act_once()).await.is_none() {
                *self = Self::new(self.world.clone(), self.chance.clone());
            }
        }
    }

    async fn act_once(&mut self) {
        match self.chance.below(100) {
            0..22 => self.mark_a_tally().await,
            22..36 => self.transfer().await,
            36..50 => self.mark_a_tally_once().await,
            50..56 => self.make_a_receipt_once().await,
            56..61 => self.mark_a_paper_once().await,
            61..68 => self.put_a_paper(Precondition::None).await,
            68..71 => self.put_a_paper(Precondition::Absent).await,
            71..79 => self.change_a_paper().await,
            79..83 => self.replace_a_paper().await,
            83..88 => self.delete_a_paper().await,
            88..93 => self.read_a_tally().await,
            93..96 => self.read_a_paper().await,
            _ => self.count().await,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
    fn owned<E: Entity>(&self) -> Owned<E> {
        Owned::new(self.store.clone(), self.world.owner)
    }

    async fn mark_a_tally(&mut self) {
        let (id, mark) = (self.chance.of(&self.world.tallies), self.world.ledger().begin());
        let push = |tally: &mut Tally| tally.marks.push(mark);
        let changed = self.owned().change(id, &Precondition::None, push).await;
        match changed {
            Ok(tally) => {
                let tally = tally.expect("nobody deletes a tally");
                self.world.ledger().done(mark, id, tally.version);
            }
            Err(error) => unknown(&error),
        }
    }

    /// From one purse to the other, with a receipt, in one write.
    async fn transfer(&mut self) {
        let mark = self.world.ledger().begin();
        self.world.receipts.borrow_mut().push(mark);
        let [from, to] = self.world.purses;
        let purses = self.owned::<Tally>();
        let (Ok(from), Ok(to)) = (purses.get(from).await, purses.get(to).await) else { return };
        let (mut from, mut to) = (from.expect("it is there"), to.expect("it is there"));
        let amount = i64::from(mark % 7);
        from.balance -= amount;
        to.balance += amount;
        from.marks.push(mark);
        to.marks.push(mark);
        let (id, owner) = (self.world.ambient.new_id(), self.world.owner);
        let mut receipt = Receipt { id, owner, mark, version: 1 };
        let writes = WriteSet::new().replace(&mut from).create(&mut receipt).replace(&mut to);
        match self.store.write(writes).await {
            Ok(()) => {
                self.world.ledger().done(mark, from.id, from.version);
                self.world.ledger().done(mark, to.id, to.version);
            }
            Err(Error::Conflict { .. }) => self.world.ledger().refused(mark),
            Err(error) => unknown(&error),
        }
    }

    fn keyed(&self, method: Method, path: String, of: Of) -> Keyed {
        Keyed { mark: self.world.ledger().begin(), method, path, if_match: None, of }
    }

    async fn mark_a_tally_once(&mut self) {
        let id = self.chance.of(&self.world.tallies);
        let request = self.keyed(Method::POST, format!("/tallies/{id}"), Of::Tally(id));
        self.send_until_answered(request).await;
    }

    /// However long that takes: who is told to come again waits a while.
    pub(super) async fn mark_a_tally_until_answered(&self, id: Id) {
        let request = self.keyed(Method::POST, format!("/tallies/{id}"), Of::Tally(id));
        while !self.settle(&request, &self.send(&request).await) {
            sleep(self.chance.millis(20_000)).await;
        }
    }

    async fn make_a_receipt_once(&mut self) {
        let request = self.keyed(Method::POST, "/receipts".to_owned(), Of::Receipt);
        self.world.receipts.borrow_mut().push(request.mark);
        self.send_until_answered(request).await;
    }

    async fn mark_a_paper_once(&mut self) {
        let id = self.chance.of(&self.world.papers);
        let Some(version) = self.papers.get(&id).map(|paper| paper.version) else {
            return self.read_paper(id).await;
        };
        let request = self.keyed(
            Method::PATCH,
            format!("/{}/{id}", if KEPT { "papers" } else { "slips" }),
            Of::Paper(id),
        );
        self.world.ledger().begin_paper(id);
        self.send_until_answered(Keyed { if_match: Some(version), ..request }).await;
    }

    async fn send_until_answered(&mut self, request: Keyed) {
        self.world.open.borrow_mut().push(request.clone());
        for _ in 0..4 {
            let arrives = self.chance.below(10) > 0;
            let gives_up = (self.chance.below(10) == 0).then(|| self.chance.below(24));
            let sent = unless_it_crashes(gives_up, self.send(&request)).await;
            if let Some(answer) = sent.filter(|_| arrives)
                && self.settle(&request, &answer)
            {
                if answer.status.is_success() && self.chance.below(4) == 0 {
                    self.send_again(&request, &answer).await;
                }
                return;
            }
        }
    }

    pub(super) async fn send(&self, request: &Keyed) -> Answer {
        let Keyed { mark, method, path, if_match, .. } = request;
        let sent = self.client.request(method.clone(), path).unspecified();
        let sent = sent.header("idempotency-key", format!("key-{mark}"));
        let sent = sent.json(json!({ "mark": mark }));
        match if_match {
            Some(version) => sent.header("if-match", format!("\"{version}\"")).await,
            None => sent.await,
        }
    }

    /// Take the answer in. False when it is none, and the request is to be sent again.
    pub(super) fn settle(&self, request: &Keyed, answer: &Answer) -> bool {
        let mark = request.mark;
        let mut ledger = self.world.ledger();
        match (answer.status.as_u16(), request.of) {
            (503, _) => return false,
            (200, Of::Tally(id)) => ledger.done(mark, id, version(answer)),
            (200, Of::Paper(id)) => {
                ledger.done(mark, id, version(answer));
                ledger.paper_done(id, version(answer));
            }
            (404 | 412, Of::Paper(id)) => {
                ledger.refused(mark);
                ledger.paper_refused(id);
            }
            (201, Of::Receipt) => ledger.done_apart(mark),
            _ => panic!("{answer:?}"),
        }
        self.world.open.borrow_mut().retain(|open| open.mark != mark);
        true
    }

    /// Whoever sends it once more is told the same.
    async fn send_again(&self, request: &Keyed, first: &Answer) {
        let again = self.send(request).await;
        if again.status == 503 {
            return;
        }
        assert_eq!(again.body, first.body, "the answer that was given before");
        assert_eq!(again.header("idempotency-replayed"), "true", "{again:?}");
    }

    async fn put_a_paper(&mut self, precondition: Precondition) {
        let (id, mark) = (self.chance.of(&self.world.papers), self.world.ledger().begin());
        let owner = self.world.owner;
        self.world.ledger().begin_paper(id);
        let make = |known: Option<Paper<KEPT>>| {
            let mut paper = known.unwrap_or(Paper { id, owner, marks: vec![], version: 1 });
            paper.marks.push(mark);
            paper
        };
        let put = self.owned().put(id, &precondition, make).await;
        self.paper_was_written(id, mark, put.map(|(paper, _)| Some(paper)));
    }

    /// The one that it knows, if that is still so.
    async fn change_a_paper(&mut self) {
        let id = self.chance.of(&self.world.papers);
        let Some(known) = self.papers.get(&id) else { return self.read_paper(id).await };
        let precondition = Precondition::Versions(vec![known.version]);
        let mark = self.world.ledger().begin();
        self.world.ledger().begin_paper(id);
        let push = |paper: &mut Paper<KEPT>| paper.marks.push(mark);
        let changed = self.owned().change(id, &precondition, push).await;
        self.paper_was_written(id, mark, changed);
    }

    async fn replace_a_paper(&mut self) {
        let id = self.chance.of(&self.world.papers);
        let Some(mut paper) = self.papers.get(&id).cloned() else {
            return self.read_paper(id).await;
        };
        let mark = self.world.ledger().begin();
        self.world.ledger().begin_paper(id);
        paper.marks.push(mark);
        let replaced = self.owned().replace(&mut paper).await;
        self.paper_was_written(id, mark, replaced.map(|()| Some(paper)));
    }

    fn paper_was_written(
        &mut self,
        id: Id,
        mark: Mark,
        written: Result<Option<Paper<KEPT>>, Error>,
    ) {
        let mut ledger = self.world.ledger();
        match written {
            Ok(Some(paper)) => {
                ledger.done(mark, id, paper.version);
                ledger.paper_done(id, paper.version);
                self.papers.insert(id, paper);
            }
            Ok(None) | Err(Error::PreconditionFailed | Error::Conflict { .. }) => {
                ledger.refused(mark);
                ledger.paper_refused(id);
                self.papers.remove(&id);
            }
            Err(error) => unknown(&error),
        }
    }

    async fn delete_a_paper(&mut self) {
        let id = self.chance.of(&self.world.papers);
        let known = self.papers.remove(&id).filter(|_| self.chance.below(2) == 0);
        let precondition = known.map(|paper| Precondition::Versions(vec![paper.version]));
        self.world.ledger().begin_deletion(id);
        let deleted =
            self.owned::<Paper<KEPT>>().delete(id, &precondition.unwrap_or_default()).await;
        match deleted {
            Ok(true) => self.world.ledger().paper_done(id, 0),
            Ok(false) | Err(Error::PreconditionFailed) => self.world.ledger().paper_refused(id),
            Err(error) => unknown(&error),
        }
    }

    async fn read_a_tally(&mut self) {
        let id = self.chance.of(&self.world.tallies);
        let before = self.world.ledger().before(id);
        match self.owned::<Tally>().get(id).await {
            Ok(tally) => {
                let tally = tally.expect("nobody deletes a tally");
                self.world.ledger().saw_tally(&tally, &before);
            }
            Err(error) => unknown(&error),
        }
    }

    async fn read_a_paper(&mut self) {
        let id = self.chance.of(&self.world.papers);
        self.read_paper(id).await;
    }

    async fn read_paper(&mut self, id: Id) {
        let before = self.world.ledger().before(id);
        match self.owned::<Paper<KEPT>>().get(id).await {
            Ok(paper) => {
                self.world.ledger().saw_paper(id, paper.as_ref(), &before);
                self.papers.extend(paper.map(|paper| (id, paper)));
            }
            Err(error) => unknown(&error),
        }
    }

    pub(super) async fn count(&self) {
        match self.store.count(counter(), in_an_hour(&self.world.ambient)).await {
            Ok(count) => self.world.counts.borrow_mut().push(count),
            Err(error) => unknown(&error),
        }
    }
}

/// Signed in once and for all: no request asks the table who it is from.
fn client(world: &World, store: &Store, time: Duration) -> Client {
    let door = Door::Invoked(app(store), world.ambient.clone(), time);
    Client::new(door).with_token(world.token.clone())
}

pub(super) fn app(store: &Store) -> App {
    let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
    let (web, config) = (api::Web::default(), Config::default());
    App::with_modules(vec![module()], auth, web, config, store.clone())
}

fn version(answer: &Answer) -> u64 {
    let body: Value = answer.json();
    body["version"].as_u64().expect("a version")
}

/// The only error that leaves open what has happened.
fn unknown(error: &Error) {
    assert!(matches!(error, Error::Unavailable(_)), "{error}");
}

pub(super) fn counter() -> Key {
    Key::counter("SIMULATED", &[], Timestamp::from_unix_millis(0))
}

pub(super) fn in_an_hour(ambient: &Ambient) -> Timestamp {
    ambient.now().plus(Duration::from_secs(3600))
}
