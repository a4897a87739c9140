//! What becomes of mails that wait, by the time that an invocation has.

use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use api::{
    events::{Answer, Refused},
    platform::outbox::{Mailer, Undelivered},
};
use futures_util::future::BoxFuture;
use models::{
    Ambient,
    platform::mail::{MAIL, Mail},
};
use tests::simulation::{Network, Trouble};
use tokio::join;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// Takes ten seconds for each mail, and the mail unless it is broken.
#[derive(Default)]
struct Slow {
    asked: Mutex<Vec<Id>>,
    broken: Mutex<bool>,
}

impl Slow {
    fn is_broken(&self, broken: bool) {
        *self.broken.lock().unwrap_or_else(PoisonError::into_inner) = broken;
    }

    /// The mails that it was asked to send so far.
    fn asked(&self) -> Vec<Id> {
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Mailer for Slow {
    fn send<'a>(&'a self, id: Id, _: &'a Mail) -> BoxFuture<'a, Result<(), Undelivered>> {
        Box::pin(async move {
            self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(id);
            tokio::time::sleep(Duration::from_secs(10)).await;
            let broken = *self.broken.lock().unwrap_or_else(PoisonError::into_inner);
            if broken { Err(Undelivered::new("it is broken")) } else { Ok(()) }
        })
    }
}

/// The app's event handlers on a table without a server, so that time may be paused.
struct Office {
    ambient: Ambient,
    network: Network,
    store: Store,
    events: Events,
    mailer: Arc<Slow>,
}

impl Office {
    async fn new() -> Self {
        let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), 7);
        let network = Network::new(7);
        let store = network.store(&ambient);
        store.create_table().await.expect("the table can be made");
        let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
        let (modules, failures) = (api::route_table(), FailureStore::memory());
        let events =
            Events::with_modules(&modules, auth, Default::default(), store.clone(), failures);
        let mailer = Arc::new(Slow::default());
        let receivers = Receivers { mailer: Some(mailer.clone()), ..Receivers::default() };
        let events = events.expect("they are declared well").delivering_to(receivers);
        Self { ambient, network, store, events, mailer }
    }

    /// So many mails about an account, which wait since the mailer was broken.
    async fn wait(&self, count: usize) -> Vec<Id> {
        let (owner, mut ids) = (self.ambient.new_id(), Vec::new());
        self.mailer.is_broken(true);
        for _ in 0..count {
            let mail = self.commit(owner).await;
            self.tell(&mail, 15 * MINUTE).await;
            ids.push(mail.id);
        }
        assert_eq!(self.mailer.asked(), ids[..1]);
        self.mailer.is_broken(false);
        ids
    }

    async fn commit(&self, owner: Id) -> Committed {
        let message = Message::new(&self.ambient, owner, MAIL, &hello()).expect("it is small");
        let id = message.id;
        self.store.write(WriteSet::new().send(message)).await.expect("the store writes");
        let items = self.network.items();
        let item = items.into_iter().find(|item| item["id"]["S"] == id.to_string());
        Committed { id, item: item.expect("it is written") }
    }

    async fn tell(&self, mail: &Committed, time: Duration) {
        let record = (mail.id.to_string(), None, Some(mail.item.clone()));
        self.invoke(&batches::dynamodb(&[record]), time).await.expect("it is acknowledged");
    }

    /// It is time to try receivers again, and an invocation has so much.
    async fn retry(&self, time: Duration) {
        self.try_retry(time).await.expect("it is acknowledged");
    }

    async fn try_retry(&self, time: Duration) -> Result<Answer, Refused> {
        let id = self.ambient.new_id().to_string();
        self.invoke(&batches::tick(&id, "app-retry_deliveries"), time).await
    }

    async fn invoke(&self, event: &Value, time: Duration) -> Result<Answer, Refused> {
        let mut context = Context::default();
        let deadline = self.ambient.now().plus(time).unix_millis();
        context.deadline = deadline.try_into().expect("it is after 1970");
        let event = LambdaEvent::new(to_raw_value(event).expect("it is JSON"), context);
        self.events.invoke(event).await
    }

    fn kinds(&self) -> Vec<String> {
        let items = self.network.items();
        let alive = items.iter().filter(|item| item.get("deletedAt").is_none());
        alive.map(|item| item["kind"]["S"].as_str().expect("text").to_owned()).collect()
    }

    fn has(&self, kind: &str) -> bool {
        self.kinds().iter().any(|it| it == kind)
    }
}

#[tokio::test(start_paused = true)]
async fn what_there_is_no_time_for_is_gone_on_with_by_the_next_tick() {
    let office = Office::new().await;
    let mails = office.wait(6).await;
    office.ambient.advance(MINUTE);

    office.retry(MINUTE).await;
    assert_eq!(office.mailer.asked(), mails[..4], "a fifth would end after the invocation");
    office.retry(MINUTE).await;

    assert_eq!(office.mailer.asked(), mails[4..]);
    assert!(!office.has("WAITING") && !office.has("BACKLOG"), "{:?}", office.kinds());
}

/// A function whose invocations are shorter than a delivery would never deliver what waits.
#[tokio::test(start_paused = true)]
async fn a_tick_without_time_fails_and_takes_nothing_up() {
    let office = Office::new().await;
    let mails = office.wait(1).await;
    let before = office.network.items();
    office.ambient.advance(MINUTE);

    let failed = office.try_retry(Duration::from_secs(24)).await;
    assert!(failed.is_err(), "{failed:?}");
    assert_eq!(office.mailer.asked(), []);
    let backlog = |items: &[Value]| items.iter().find(|it| it["kind"]["S"] == "BACKLOG").cloned();
    assert_eq!(backlog(&office.network.items()), backlog(&before));
    office.retry(MINUTE).await;

    assert_eq!(office.mailer.asked(), mails);
}

/// It would be cut in the middle, and sent again.
#[tokio::test(start_paused = true)]
async fn a_mail_that_there_is_no_time_for_waits_without_an_attempt() {
    let office = Office::new().await;
    let mail = office.commit(office.ambient.new_id()).await;

    office.tell(&mail, Duration::from_secs(24)).await;
    assert_eq!(office.mailer.asked(), []);
    office.ambient.advance(MINUTE);
    office.retry(MINUTE).await;

    assert_eq!(office.mailer.asked(), [mail.id]);
}

/// More than are listed by one call, too.
#[tokio::test(start_paused = true)]
async fn many_receivers_have_their_turns() {
    let office = Office::new().await;
    let mut mails = BTreeSet::new();
    for _ in 0..110 {
        mails.extend(office.wait(1).await);
    }
    office.ambient.advance(MINUTE);

    office.retry(MINUTE).await;
    assert_eq!(office.mailer.asked().len(), 100, "25 at once, four times in this minute");
    office.retry(MINUTE).await;

    assert_eq!(office.mailer.asked().len(), 10);
    assert!(!office.has("WAITING") && !office.has("BACKLOG"), "{:?}", office.kinds());
}

/// That the mailer fails says nothing of an account.
#[tokio::test(start_paused = true)]
async fn mails_are_tried_again_each_quarter_of_an_hour() {
    let office = Office::new().await;
    let mails = office.wait(1).await;
    office.mailer.is_broken(true);

    for minutes in [1, 5, 15, 15, 15] {
        office.ambient.advance(minutes * MINUTE - Duration::from_millis(1));
        office.retry(MINUTE).await;
        assert_eq!(office.mailer.asked(), []);
        office.ambient.advance(Duration::from_millis(1));
        office.retry(MINUTE).await;
        assert_eq!(office.mailer.asked(), mails);
    }
}

/// It has failed at the end of its invocation, and is not forgotten.
#[tokio::test(start_paused = true)]
async fn what_there_is_no_time_to_give_up_waits_on() {
    let office = Office::new().await;
    let mails = office.wait(2).await;
    office.mailer.is_broken(true);
    office.ambient.advance(72 * 60 * MINUTE);

    office.retry(Duration::from_secs(30)).await;
    assert_eq!(office.mailer.asked(), mails[..1]);
    assert!(office.has("WAITING") && !office.has("DEAD_LETTER"), "{:?}", office.kinds());
    office.retry(MINUTE).await;
    assert_eq!(office.mailer.asked(), [], "it is left alone");
    office.ambient.advance(5 * MINUTE);
    office.retry(MINUTE).await;

    assert_eq!(office.mailer.asked(), mails[..1]);
    assert!(office.has("DEAD_LETTER") && !office.has("WAITING"), "{:?}", office.kinds());
}

/// Nothing waited when the table was asked, and the call that ends the backlog takes long.
#[tokio::test(start_paused = true)]
async fn what_comes_while_a_backlog_ends_is_not_left() {
    let office = Office::new().await;
    let owner = office.ambient.new_id();
    let (first, second) = (office.commit(owner).await, office.commit(owner).await);
    office.mailer.is_broken(true);
    office.tell(&first, 15 * MINUTE).await;
    office.mailer.is_broken(false);
    office.ambient.advance(MINUTE);
    // The first one of these claims it.
    office.network.next(1, "PutItem", Trouble::Late(Duration::ZERO));
    office.network.next(1, "PutItem", Trouble::Late(Duration::from_secs(2)));

    let tell = async {
        tokio::time::sleep(Duration::from_secs(11)).await;
        office.tell(&second, 10 * MINUTE).await;
    };
    join!(office.retry(15 * MINUTE), tell);

    assert_eq!(office.mailer.asked(), [first.id, first.id, second.id]);
    assert!(!office.has("WAITING") && !office.has("BACKLOG"), "{:?}", office.kinds());
}
