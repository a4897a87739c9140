//! A table that says nothing, and what was handled in an invocation that ends.

use std::time::Duration;

use api::{events::QueueMessage, http::Module};
use models::{Ambient, Timestamp, store::Store};
use serde_json::Value;
use tests::simulation::{Network, Trouble};
use tokio::time::Instant;

use super::{
    BEGINNING, Fate, Order, Served, again, all_done, note_in, one_message, order, serve_on, tallied,
};

async fn serve_through(network: &Network) -> Served {
    let store = network.store(&Ambient::fixed(Timestamp::from_unix_millis(BEGINNING), 7));
    store.create_table().await.expect("the table can be made");
    serve_on(
        &store,
        vec![Module::new("queue").on_message(
            "orders",
            async |message: QueueMessage<Order>, store: Store| {
                note_in(&store, "orders", message.body.number).await?;
                Ok(())
            },
        )],
    )
}

/// What the invocation answers that may take so long, how long it took and what it asked the table.
async fn invoke(served: &Served, network: &Network, millis: u64) -> (Value, Duration, Vec<String>) {
    let (before, began) = (network.trace().len(), Instant::now());
    let deadline = u64::try_from(BEGINNING).expect("it is after 1970") + millis;
    let event = one_message("message-1", &order(1, Fate::Pass));
    let answer = served.invoke_until(&event, deadline).await.expect("an answer");
    let (took, trace) = (began.elapsed(), network.trace());
    // "12 ms: GetItem passed", and when it arrives "13 ms: GetItem: 200 with 7 bytes".
    let sent = trace[before..].iter().filter_map(|line| line.split(' ').nth(2));
    let calls = sent.filter(|name| !name.ends_with(':')).map(str::to_owned).collect();
    (answer, took, calls)
}

#[tokio::test(start_paused = true)]
async fn a_mark_is_not_waited_for_beyond_the_end() {
    let network = Network::new(7);
    let served = serve_through(&network).await;
    network.next(99, "TransactWriteItems", Trouble::Silence);

    let (answer, took, calls) = invoke(&served, &network, 2_000).await;

    assert_eq!(answer, again(&["message-1"]));
    assert!(took <= Duration::from_secs(2), "{took:?}");
    assert!(calls.contains(&"TransactWriteItems".to_owned()), "{calls:?}");
    network.forget();
    assert_eq!(invoke(&served, &network, 2_000).await.0, all_done());
    assert_eq!(tallied(&served.store, "orders").await, [1]);
}

/// Whether it was done is not known then, and it is done once.
#[tokio::test(start_paused = true)]
async fn a_mark_whose_answers_were_lost_to_the_end_is_made_once() {
    let network = Network::new(7);
    let served = serve_through(&network).await;
    network.next(99, "TransactWriteItems", Trouble::LostAnswer);

    let (_, took, _) = invoke(&served, &network, 2_000).await;

    assert!(took <= Duration::from_secs(2), "{took:?}");
    network.forget();
    assert_eq!(invoke(&served, &network, 2_000).await.0, all_done());
    assert_eq!(tallied(&served.store, "orders").await, [1]);
}

/// The SDK tries throttled calls again, the store what met another write: nine attempts in all.
#[tokio::test(start_paused = true)]
async fn the_layers_that_try_a_mark_again_share_their_attempts() {
    let network = Network::new(7);
    let served = serve_through(&network).await;
    for _ in 0..40 {
        network.next(1, "TransactWriteItems", Trouble::Throttled);
        network.next(1, "TransactWriteItems", Trouble::Conflict);
    }

    let (answer, _, calls) = invoke(&served, &network, 60_000).await;

    assert_eq!(answer, again(&["message-1"]));
    assert_eq!(calls.iter().filter(|call| *call == "TransactWriteItems").count(), 9, "{calls:?}");
}

/// What the handler reads, the mark that is there already, and whose it is: no pause between them.
#[tokio::test(start_paused = true)]
async fn a_record_that_was_done_before_costs_three_calls() {
    let network = Network::new(7);
    let served = serve_through(&network).await;
    assert_eq!(invoke(&served, &network, 60_000).await.0, all_done());

    let (answer, _, calls) = invoke(&served, &network, 60_000).await;

    assert_eq!(answer, all_done());
    assert_eq!(calls, ["GetItem", "TransactWriteItems", "GetItem"]);
    assert_eq!(tallied(&served.store, "orders").await, [1]);
}
