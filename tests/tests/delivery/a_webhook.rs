use models::{
    platform::webhook::WEBHOOK,
    store::{Entity, Precondition},
};
use tests::{Log, Reply};

use super::*;

/// The world's time, when all of these requests were signed.
const NOW: &str = "1795365000";

#[tokio::test]
async fn is_told_in_a_signed_request() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let endpoint = post.endpoint(url(&receiver)).await;
    let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;

    assert_eq!(post.tell(&[&event]).await, all_done());

    let told = receiver.received().await;
    let body =
        r#"{"data":{"order":7},"timestamp":"2026-11-22T16:30:00.000Z","type":"order.shipped"}"#;
    assert_eq!((told.path.as_str(), told.body.as_str()), ("/hooks", body));
    assert_eq!(told.header("content-type"), "application/json");
    assert_eq!(told.header("webhook-id"), event.id.to_string());
    assert_eq!(told.header("webhook-timestamp"), NOW);
    let signature = endpoint.signature(event.id, post.world.ambient().now(), body);
    assert_eq!(told.header("webhook-signature"), signature);
    assert!(!post.is_in_the_outbox(&event).await);
}

/// By its own word, it wants to hear nothing.
#[tokio::test]
async fn of_an_endpoint_that_is_gone_is_over() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let endpoint = post.endpoint(url(&receiver)).await;
    let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;
    receiver.next(Reply::Status(410));
    let log = Log::listen();

    assert_eq!(post.tell(&[&event]).await, all_done());

    assert_eq!(told_so_far(&mut receiver), [event.id.to_string()]);
    assert!(!post.is_in_the_outbox(&event).await);
    assert!(post.items("DEAD_LETTER").await.is_empty());
    assert!(post.backlogs().await.is_empty());
    let lines = log.lines();
    let said = lines.iter().find(|line| line["level"] == "WARN").expect("it is told");
    assert_eq!(said["fields"]["endpoint"], endpoint.id.to_string());
}

#[tokio::test]
async fn reaches_nothing_inside_in_the_cloud() {
    let mut receiver = Receiver::start().await;
    let post = Post::with(|_, _| Receivers::default()).await;
    let port = receiver.address().port();
    for url in [
        format!("http://127.0.0.1:{port}/"),
        format!("http://localhost:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        format!("https://127.1:{port}/"),
        format!("https://[::ffff:127.0.0.1]:{port}/"),
    ] {
        let endpoint = post.endpoint(url.clone()).await;
        let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;

        assert_eq!(post.tell(&[&event]).await, all_done(), "{url}");

        assert_eq!(receiver.so_far().len(), 0, "{url}");
        assert!(post.is_waiting(&event).await);
    }
}

#[tokio::test]
async fn that_is_deleted_is_not_told() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let endpoint = post.endpoint(url(&receiver)).await;
    let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;
    let key = endpoint.key();
    post.store.delete::<WebhookEndpoint>(key, &Precondition::None).await.unwrap();

    assert_eq!(post.tell(&[&event]).await, all_done());

    assert_eq!(receiver.so_far().len(), 0);
    assert!(!post.is_in_the_outbox(&event).await);
}
