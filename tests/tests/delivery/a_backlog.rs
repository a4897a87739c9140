mod in_the_end;

use std::time::Duration;

use models::platform::{mail::MAIL, webhook::WEBHOOK};
use tests::Reply;
use tokio::join;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// An endpoint, and so many events for it.
async fn events(post: &Post, receiver: &Receiver, count: usize) -> Vec<Committed> {
    let endpoint = post.endpoint(url(receiver)).await;
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(post.commit(WEBHOOK, &shipped(&endpoint)).await);
    }
    events
}

fn ids(events: &[Committed]) -> Vec<String> {
    events.iter().map(|event| event.id.to_string()).collect()
}

#[tokio::test]
async fn comes_in_order_as_soon_as_its_receiver_takes_it() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 4).await;
    receiver.next(Reply::Redirect("/elsewhere".to_owned()));

    assert_eq!(post.tell(&[&events[0], &events[1]]).await, all_done());
    assert_eq!(post.tell(&[&events[2]]).await, all_done());
    assert_eq!(told_so_far(&mut receiver), ids(&events[..1]), "the others wait");
    post.world.ambient().advance(MINUTE - Duration::from_millis(1));
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver).len(), 0, "it is left alone for a minute");
    post.world.ambient().advance(Duration::from_millis(1));
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver), ids(&events[..3]));
    assert!(post.backlogs().await.is_empty());
    assert_eq!(post.tell(&[&events[3]]).await, all_done());
    assert_eq!(told_so_far(&mut receiver), ids(&events[3..]), "nothing is before it any longer");
    assert_eq!(post.tell(&events.iter().collect::<Vec<_>>()).await, all_done());
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver).len(), 0, "nothing comes twice");
    assert!(post.items("WAITING").await.is_empty());
}

#[tokio::test]
async fn holds_up_no_other_receiver() {
    let (mut failing, mut other) = (Receiver::start().await, Receiver::start().await);
    let post = Post::new().await;
    let first = events(&post, &failing, 2).await;
    let second = events(&post, &other, 1).await;
    let mail = post.commit(MAIL, &hello()).await;
    failing.next(Reply::Closed);

    assert_eq!(post.tell(&[&first[0], &first[1], &second[0], &mail]).await, all_done());

    assert_eq!(told_so_far(&mut failing), ids(&first[..1]));
    assert_eq!(told_so_far(&mut other), ids(&second));
    assert_eq!(post.mails().len(), 1);
}

#[tokio::test]
async fn is_tried_at_longer_and_longer_intervals() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 1).await;
    (0..9).for_each(|_| receiver.next(Reply::Status(503)));
    assert_eq!(post.tell(&[&events[0]]).await, all_done());

    for minutes in [1, 5, 30, 2 * 60, 5 * 60, 10 * 60, 12 * 60, 12 * 60] {
        told_so_far(&mut receiver);
        post.world.ambient().advance(minutes * MINUTE - Duration::from_millis(1));
        post.retry().await;
        assert_eq!(told_so_far(&mut receiver).len(), 0, "{minutes}");
        post.world.ambient().advance(Duration::from_millis(1));
        post.retry().await;
        assert_eq!(told_so_far(&mut receiver), ids(&events), "{minutes}");
    }
}

/// What it has taken shows that it is there.
#[tokio::test]
async fn begins_anew_with_a_minute_after_something_was_taken() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 2).await;
    (0..3).for_each(|_| receiver.next(Reply::Status(503)));
    assert_eq!(post.tell(&[&events[0], &events[1]]).await, all_done());
    for pause in [MINUTE, 5 * MINUTE] {
        post.world.ambient().advance(pause);
        post.retry().await;
    }
    receiver.next(Reply::Status(200));
    receiver.next(Reply::Status(503));
    post.world.ambient().advance(30 * MINUTE);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver)[3..], ids(&events));

    post.world.ambient().advance(MINUTE);
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver), ids(&events[1..]));
}

/// A release that is on its way out may come to what its successor has written.
#[tokio::test]
async fn waits_for_a_message_that_cannot_be_read() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 3).await;
    (0..5).for_each(|_| receiver.next(Reply::Status(500)));
    assert_eq!(post.tell(&events.iter().collect::<Vec<_>>()).await, all_done());
    let second = post.items("WAITING").await.remove(1);
    let mut unreadable = second.clone();
    unreadable["message"]["M"]["payload"] = json!({ "N": "7" });
    post.put(&unreadable).await;

    // The last time it is about to try the next one.
    for minutes in [1, 5, 30, 2 * 60] {
        post.world.ambient().advance(minutes * MINUTE);
        post.retry().await;
    }
    assert_eq!(told_so_far(&mut receiver), vec![events[0].id.to_string(); 5]);
    post.world.ambient().advance(5 * 60 * MINUTE);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver), ids(&events[..1]), "it is not passed over");
    post.put(&second).await;
    post.world.ambient().advance(MINUTE);
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver), ids(&events[1..]));
    assert!(post.backlogs().await.is_empty());
}

#[tokio::test]
async fn waits_for_an_endpoint_that_cannot_be_read() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 2).await;
    let endpoint = post.items("WEBHOOK").await.remove(0);
    let mut unreadable = endpoint.clone();
    unreadable["url"] = json!({ "N": "7" });
    post.put(&unreadable).await;

    assert_eq!(post.tell(&[&events[0], &events[1]]).await, all_done());
    post.put(&endpoint).await;
    post.world.ambient().advance(MINUTE);
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver), ids(&events));
}

#[tokio::test]
async fn of_an_endpoint_that_its_owner_has_deleted_is_gone() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let endpoint = post.endpoint(url(&receiver)).await;
    let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;
    receiver.next(Reply::Status(503));
    assert_eq!(post.tell(&[&event]).await, all_done());
    post.store.write(WriteSet::new().remove(&mut endpoint.clone())).await.unwrap();

    post.world.ambient().advance(MINUTE);
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver).len(), 1);
    assert!(post.items("WAITING").await.is_empty());
    assert!(post.backlogs().await.is_empty());
}

#[tokio::test]
async fn is_worked_off_by_one_tick_alone() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 5).await;
    receiver.next(Reply::Status(503));
    for event in &events {
        assert_eq!(post.tell(&[event]).await, all_done());
    }
    told_so_far(&mut receiver);
    post.world.ambient().advance(MINUTE);

    join!(post.retry(), post.retry(), post.retry());

    assert_eq!(told_so_far(&mut receiver), ids(&events));
}

/// Its invocation was ended in the middle, and Lambda's longest is a quarter of an hour.
#[tokio::test]
async fn that_somebody_has_died_with_is_worked_off_after_that() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 1).await;
    receiver.next(Reply::Status(503));
    assert_eq!(post.tell(&[&events[0]]).await, all_done());
    told_so_far(&mut receiver);
    post.world.ambient().advance(MINUTE);
    let end = post.world.ambient().now().plus(15 * MINUTE);
    let backlog = post.backlogs().await.remove(0);
    assert!(backlog.clone().claim(&post.store, far(), end).await.unwrap().is_some());
    let now = post.world.ambient().now();
    assert!(backlog.claim(&post.store, now, end).await.unwrap().is_none(), "somebody has it");

    post.world.ambient().advance(15 * MINUTE - Duration::from_millis(1));
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver).len(), 0);
    post.world.ambient().advance(Duration::from_millis(1));
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver), ids(&events));
}

#[tokio::test]
async fn that_was_extended_is_claimed_all_the_same() {
    let receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 2).await;
    receiver.next(Reply::Status(503));
    assert_eq!(post.tell(&[&events[0]]).await, all_done());
    let seen = post.backlogs().await.remove(0);
    assert_eq!(post.tell(&[&events[1]]).await, all_done());

    let end = post.world.ambient().now().plus(MINUTE);
    let claimed = seen.claim(&post.store, far(), end).await.unwrap();

    assert!(claimed.expect("nobody else has it").end(&post.store).await.unwrap());
}

/// The stream's handler has seen it, and leaves a message to whoever is about to end it.
#[tokio::test]
async fn does_not_end_when_something_has_come_meanwhile() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 2).await;
    receiver.next(Reply::Status(503));
    assert_eq!(post.tell(&[&events[0]]).await, all_done());
    let mut backlog = post.backlogs().await.remove(0);
    backlog
        .first(&post.store, None)
        .await
        .unwrap()
        .expect("one waits")
        .finish(&post.store)
        .await
        .unwrap();
    assert!(backlog.first(&post.store, None).await.unwrap().is_none());

    assert_eq!(post.tell(&[&events[1]]).await, all_done());

    assert!(!backlog.end(&post.store).await.unwrap());
    post.world.ambient().advance(MINUTE);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver), [ids(&events[..1]), ids(&events[1..])].concat());
    assert!(post.backlogs().await.is_empty());
}

/// Whatever comes between what.
#[tokio::test]
async fn loses_nothing_and_keeps_the_order_while_more_comes() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 30).await;
    for number in 0..60 {
        let status = if number % 3 == 1 || number % 7 == 2 { 503 } else { 200 };
        receiver.next(Reply::Status(status));
    }
    let telling = async {
        for event in &events {
            assert_eq!(post.tell(&[event]).await, all_done());
        }
    };
    let retrying = async {
        for _ in 0..40 {
            post.world.ambient().advance(MINUTE);
            post.retry().await;
        }
    };

    join!(telling, retrying);
    for _ in 0..20 {
        post.world.ambient().advance(30 * MINUTE);
        post.retry().await;
    }

    assert!(post.items("OUTBOX").await.iter().all(|item| item.get("deletedAt").is_some()));
    assert!(post.items("WAITING").await.is_empty());
    let mut told = told_so_far(&mut receiver);
    told.dedup();
    assert_eq!(told, ids(&events));
    assert!(post.backlogs().await.is_empty());
}
