use std::{collections::BTreeSet, time::Duration};

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

#[tokio::test]
async fn gives_up_after_three_days() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let old = events(&post, &receiver, 2).await;
    let endpoint = post.endpoint(url(&receiver)).await;
    let same = post.commit(WEBHOOK, &shipped(&endpoint)).await;
    receiver.next(Reply::Status(503));
    receiver.next(Reply::Status(503));
    assert_eq!(post.tell(&[&old[0], &old[1], &same]).await, all_done());
    post.world.ambient().advance(3 * DAY - Duration::from_millis(1));
    let young = post.commit(WEBHOOK, &shipped(&endpoint)).await;
    assert_eq!(post.tell(&[&young]).await, all_done());
    (0..2).for_each(|_| receiver.next(Reply::Status(503)));
    post.retry().await;
    assert!(post.is_waiting(&old[0]).await, "a moment before");
    told_so_far(&mut receiver);

    (0..2).for_each(|_| receiver.next(Reply::Status(503)));
    post.world.ambient().advance(5 * MINUTE);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver).len(), 2, "one of each endpoint is tried");
    let mut letters = Vec::new();
    for message in old.iter().chain([&same]) {
        letters.push(post.dead_letter(message).await);
    }
    assert!(post.is_waiting(&young).await);
    assert_eq!(post.tell(&letters.iter().collect::<Vec<_>>()).await, all_done());
    assert_eq!(told_so_far(&mut receiver).len(), 0, "its receiver is not asked once more");

    let set_aside = post.set_aside().await;
    let said: BTreeSet<_> = set_aside.iter().map(|it| it["reason"].to_string()).collect();
    assert_eq!(set_aside.len(), 3);
    assert_eq!(said, BTreeSet::from([r#""it answered with status 503""#.to_owned()]));
    post.world.ambient().advance(DAY);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver), ids(&[young]));
    assert!(post.backlogs().await.is_empty());
}

/// For as long as the bucket of failures keeps it.
#[tokio::test]
async fn what_it_has_given_up_is_delivered_by_a_replay() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 1).await;
    (0..2).for_each(|_| receiver.next(Reply::Status(503)));
    assert_eq!(post.tell(&[&events[0]]).await, all_done());
    post.world.ambient().advance(3 * DAY);
    post.retry().await;
    assert_eq!(post.tell(&[&post.dead_letter(&events[0]).await]).await, all_done());
    told_so_far(&mut receiver);
    post.world.ambient().advance(90 * DAY);

    receiver.next(Reply::Status(500));
    let failed = post.invoke(&json!({ "replay": "failures/" })).await;
    assert_eq!((&failed["replayed"], &failed["left"]), (&json!(0), &json!(0)), "{failed}");
    assert_eq!(post.set_aside().await.len(), 1, "it stays");
    let replayed = post.invoke(&json!({ "replay": "failures/" })).await;

    assert_eq!(replayed, json!({ "replayed": 1, "failed": [], "left": 0 }));
    assert_eq!(told_so_far(&mut receiver), [ids(&events), ids(&events)].concat());
    assert!(post.set_aside().await.is_empty());
}

/// So many times, and so many behind it: one of these shows that the receiver is well.
#[tokio::test]
async fn gives_up_messages_that_their_receiver_refuses_while_it_takes_others() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 4).await;
    (0..4).for_each(|_| receiver.next(Reply::Status(400)));
    assert_eq!(post.tell(&events.iter().collect::<Vec<_>>()).await, all_done());
    for minutes in [1, 5] {
        post.world.ambient().advance(minutes * MINUTE);
        post.retry().await;
    }
    assert_eq!(told_so_far(&mut receiver), vec![events[0].id.to_string(); 3]);

    // The fourth time; and the second one is refused as well.
    receiver.next(Reply::Status(422));
    receiver.next(Reply::Status(200));
    receiver.next(Reply::Status(422));
    post.world.ambient().advance(30 * MINUTE);
    post.retry().await;

    let told = [0, 1, 2, 1].map(|place| events[place].id.to_string());
    assert_eq!(told_so_far(&mut receiver), told);
    assert_eq!(post.tell(&[&post.dead_letter(&events[0]).await]).await, all_done());
    assert_eq!(post.set_aside().await[0]["reason"], "it answered with status 400");
    // The second one is counted anew.
    receiver.next(Reply::Status(422));
    post.world.ambient().advance(MINUTE);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver), ids(&events[1..2]));
    receiver.next(Reply::Status(422));
    post.world.ambient().advance(5 * MINUTE);
    post.retry().await;
    assert_eq!(told_so_far(&mut receiver), [ids(&events[1..2]), ids(&events[3..])].concat());
    assert!(post.backlogs().await.is_empty());
}

#[tokio::test]
async fn gives_up_nothing_early_where_its_receiver_takes_nothing() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 7).await;
    (0..9).for_each(|_| receiver.next(Reply::Status(500)));
    assert_eq!(post.tell(&events.iter().collect::<Vec<_>>()).await, all_done());
    for minutes in [1, 5, 30] {
        post.world.ambient().advance(minutes * MINUTE);
        post.retry().await;
    }
    let told = [vec![events[0].id.to_string(); 3], ids(&events[..6])].concat();
    assert_eq!(told_so_far(&mut receiver), told, "five behind it are tried");

    // No other is where nobody is there, and refusals are counted anew after that.
    for (minutes, status) in [(2 * 60, 503), (5 * 60, 500), (10 * 60, 500)] {
        receiver.next(Reply::Status(status));
        post.world.ambient().advance(minutes * MINUTE);
        post.retry().await;
        assert_eq!(told_so_far(&mut receiver), ids(&events[..1]), "{status}");
    }
    assert_eq!(post.items("WAITING").await.len(), 7);
}

#[tokio::test]
async fn counts_the_refusals_of_each_message_alone() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 3).await;
    (0..3).for_each(|_| receiver.next(Reply::Status(400)));
    assert_eq!(post.tell(&events.iter().collect::<Vec<_>>()).await, all_done());
    for minutes in [1, 5] {
        post.world.ambient().advance(minutes * MINUTE);
        post.retry().await;
    }
    assert_eq!(told_so_far(&mut receiver), vec![events[0].id.to_string(); 3]);

    receiver.next(Reply::Status(200));
    receiver.next(Reply::Status(400));
    post.world.ambient().advance(30 * MINUTE);
    post.retry().await;

    assert_eq!(told_so_far(&mut receiver), ids(&events[..2]), "the third one is not tried");
    assert!(post.is_waiting(&events[1]).await);
}

/// As soon as one shows that nobody is there, the others are left alone.
#[tokio::test]
async fn tries_no_further_message_where_its_receiver_is_away_by_then() {
    let mut receiver = Receiver::start().await;
    let post = Post::new().await;
    let events = events(&post, &receiver, 3).await;
    (0..4).for_each(|_| receiver.next(Reply::Status(400)));
    receiver.next(Reply::Status(502));
    assert_eq!(post.tell(&events.iter().collect::<Vec<_>>()).await, all_done());

    for minutes in [1, 5, 30] {
        post.world.ambient().advance(minutes * MINUTE);
        post.retry().await;
    }

    let told = [vec![events[0].id.to_string(); 4], ids(&events[1..2])].concat();
    assert_eq!(told_so_far(&mut receiver), told);
    assert_eq!(post.items("WAITING").await.len(), 3);
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
