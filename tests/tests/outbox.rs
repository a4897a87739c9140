//! Messages that are committed together with what they tell of.

use std::time::Duration;

use api::http::{Json, Module, NoContent, Path, Problem, Result, endpoints};
use futures_util::future::join_all;
use models::{
    Id,
    platform::outbox::Message,
    store::{Entity, Key, Owned, Precondition, Store, WriteSet},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::{Answer, Client, Fault, Faults, Setup, World};

/// Something that a person wants.
#[derive(Clone, Serialize, Deserialize)]
struct Order {
    id: Id,
    owner: Id,
    shipped: bool,
    version: u64,
}

impl Entity for Order {
    const KIND: &'static str = "ORDER";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// What to write to the person.
#[models::request]
struct Letter {
    /// How long it shall be.
    length: usize,
}

/// Order something, and get a mail about it.
#[utoipa::path(post, path = "/orders/{orderId}")]
async fn place_order(
    orders: Owned<Order>,
    Path(id): Path<Id>,
    Json(letter): Json<Letter>,
) -> Result<NoContent> {
    let mail = json!({ "text": "x".repeat(letter.length) });
    let mut order = Order { id, owner: orders.owner(), shipped: false, version: 1 };
    orders.sending("mail", &mail)?.keep(&mut order).await?;
    Ok(NoContent)
}

/// Ship it, and tell the person's phone.
#[utoipa::path(post, path = "/orders/{orderId}/ship")]
async fn ship_order(orders: Owned<Order>, Path(id): Path<Id>) -> Result<NoContent> {
    let orders = orders.sending("push", &json!({ "orderId": id }))?;
    let shipped = orders.change(id, &Precondition::None, |order| order.shipped = true).await?;
    shipped.map(|_| NoContent).ok_or_else(|| Problem::not_found("order"))
}

/// Forget it, and tell another system.
#[utoipa::path(delete, path = "/orders/{orderId}")]
async fn delete_order(orders: Owned<Order>, Path(id): Path<Id>) -> Result<NoContent> {
    let orders = orders.sending("webhook", &json!({ "orderId": id }))?;
    let deleted = orders.delete(id, &Precondition::None).await?;
    deleted.then_some(NoContent).ok_or_else(|| Problem::not_found("order"))
}

fn setup() -> Setup {
    let mut modules = api::route_table();
    let orders = endpoints![place_order, ship_order, delete_order];
    modules.push(Module::new("orders").signed_in(orders));
    Setup { modules, ..Setup::default() }
}

async fn place(client: &Client, order: Id) -> Answer {
    client.post(format!("/orders/{order}")).unspecified().json(json!({ "length": 4 })).await
}

async fn ship(client: &Client, order: Id) -> Answer {
    client.post(format!("/orders/{order}/ship")).unspecified().await
}

fn account(client: &Client) -> Id {
    let id = client.signed_in["account"]["id"].as_str().expect("an id");
    id.parse().expect("an id")
}

/// What is in the outbox about somebody, newest first: topics and payloads.
async fn sent(world: &World, client: &Client) -> Vec<(String, Value)> {
    let store = Store::connect(world.connection(), world.ambient().clone());
    #[expect(clippy::disallowed_methods, reason = "the test looks into the table")]
    let messages = Owned::<Message>::new(store, account(client));
    let page = messages.page(Some(100), None, None).await.expect("a page");
    let read = |message: Message| (message.topic.clone(), message.payload().expect("it is JSON"));
    page.items.into_iter().map(read).collect()
}

fn mail() -> (String, Value) {
    ("mail".to_owned(), json!({ "text": "xxxx" }))
}

mod a_message {
    use super::*;

    #[tokio::test]
    async fn is_there_when_the_write_is() {
        let world = World::with(setup()).await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let order = world.ambient().new_id();

        place(&maya, order).await.expect(204);
        world.advance(Duration::from_millis(1));
        ship(&maya, order).await.expect(204);
        world.advance(Duration::from_millis(1));
        maya.delete(format!("/orders/{order}")).unspecified().await.expect(204);

        let told = |topic: &str| (topic.to_owned(), json!({ "orderId": order }));
        assert_eq!(sent(&world, &maya).await, [told("webhook"), told("push"), mail()]);
        assert_eq!(sent(&world, &omar).await, []);
    }

    #[tokio::test]
    async fn is_not_there_when_the_write_is_not() {
        let world = World::with(setup()).await;
        let maya = world.maya().await;
        let (order, none) = (world.ambient().new_id(), world.ambient().new_id());
        place(&maya, order).await.expect(204);

        place(&maya, order).await.expect_problem(409, "conflict");
        ship(&maya, none).await.expect_problem(404, "not_found");
        let delete = maya.delete(format!("/orders/{none}")).unspecified();
        delete.await.expect_problem(404, "not_found");

        assert_eq!(sent(&world, &maya).await, [mail()]);
    }

    #[tokio::test]
    async fn is_there_once_when_the_write_is_made_again() {
        let faults = Faults::start().await;
        let world = World::with_faults(setup(), &faults).await;
        let maya = world.maya().await;
        let order = world.ambient().new_id();
        let mut lost = Fault::error(400, "TransactionCanceledException", "Transaction cancelled");
        if let Fault::Answer(_, body) = &mut lost {
            body["CancellationReasons"] =
                json!([{ "Code": "ConditionalCheckFailed" }, { "Code": "None" }]);
        }
        faults.next(1, "TransactWriteItems", Fault::LostAnswer);

        place(&maya, order).await.expect(204);
        faults.next(1, "TransactWriteItems", lost);
        world.advance(Duration::from_millis(1));
        faults.calls();
        ship(&maya, order).await.expect(204);

        let expected = ["GetItem", "TransactWriteItems", "GetItem", "TransactWriteItems"];
        assert_eq!(faults.calls(), expected);
        let push = ("push".to_owned(), json!({ "orderId": order }));
        assert_eq!(sent(&world, &maya).await, [push, mail()]);
    }

    #[tokio::test]
    async fn is_there_once_under_an_idempotency_key() {
        let world = World::with(setup()).await;
        let maya = world.maya().await;
        let order = world.ambient().new_id();
        let path = format!("/orders/{order}");
        let place = || {
            let request = maya.post(&path).unspecified().header("idempotency-key", "k");
            request.json(json!({ "length": 4 }))
        };

        place().await.expect(204);
        place().await.expect(204);
        for answer in join_all((0..20).map(|_| async { place().await })).await {
            answer.expect(204);
        }

        assert_eq!(sent(&world, &maya).await, [mail()]);
    }

    #[tokio::test]
    async fn has_a_payload_of_64_kb_at_most() {
        let world = World::with(setup()).await;
        let maya = world.maya().await;
        let place = async |length: usize| {
            let path = format!("/orders/{}", world.ambient().new_id());
            maya.post(&path).unspecified().json(json!({ "length": length })).await
        };
        // As long as the payload is beside its text: {"text":""}
        let most = 64 * 1024 - 11;

        place(most).await.expect(204);
        place(most + 1).await.expect_problem(413, "content_too_large");

        assert_eq!(sent(&world, &maya).await.len(), 1);
    }

    #[tokio::test]
    async fn is_forgotten_after_a_fortnight() {
        let world = World::with(setup()).await;
        let maya = world.maya().await;
        place(&maya, world.ambient().new_id()).await.expect(204);

        let fortnight = Duration::from_secs(14 * 24 * 60 * 60);
        world.advance(fortnight.checked_sub(Duration::from_millis(1)).unwrap());
        assert_eq!(sent(&world, &maya).await.len(), 1);
        world.advance(Duration::from_millis(1));
        assert_eq!(sent(&world, &maya).await.len(), 0);
    }
}

mod several_messages {
    use super::*;

    #[tokio::test]
    async fn go_with_one_set_of_writes() {
        let world = World::new().await;
        let maya = world.maya().await;
        let store = Store::connect(world.connection(), world.ambient().clone());
        let (id, owner) = (world.ambient().new_id(), account(&maya));
        let mut order = Order { id, owner, shipped: false, version: 1 };
        let message = |topic: &str| {
            world.advance(Duration::from_millis(1));
            Message::new(world.ambient(), owner, topic, &json!({})).unwrap()
        };

        let set = WriteSet::new().create(&mut order).send(message("mail")).send(message("push"));
        store.write(set.clone()).await.unwrap();
        store.write(set).await.unwrap_err();

        let topics: Vec<_> = sent(&world, &maya).await.into_iter().map(|(it, _)| it).collect();
        assert_eq!(topics, ["push", "mail"]);
    }
}
