use std::collections::BTreeSet;

use super::*;

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
