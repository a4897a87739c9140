use models::platform::mail::MAIL;

use super::*;

#[tokio::test]
async fn that_nobody_takes_is_kept_whole() {
    let post = Post::new().await;
    let push = post.commit("push", &json!({ "title": "Hello" })).await;
    let astray = post.commit("webhook", &json!({ "title": "Hello" })).await;

    assert_eq!(post.tell(&[&push, &astray]).await, all_done());
    let push = post.dead_letter(&push).await;
    assert_eq!(post.tell(&[&push, &post.dead_letter(&astray).await]).await, all_done());

    let mut kept = post.set_aside().await;
    kept.sort_by_key(|kept| kept["reason"].to_string());
    assert_eq!(kept[0]["reason"], "a stored OUTBOX cannot be read at payload");
    assert_eq!(kept[1]["reason"], "nobody takes messages of the topic `push`");
    assert_eq!(kept[1]["failures"], 1);
    assert_eq!(kept[1]["record"]["dynamodb"]["NewImage"], push.item);
    assert_eq!(push.item["message"]["M"]["payload"]["S"], r#"{"title":"Hello"}"#);
}

#[tokio::test]
async fn that_nobody_takes_holds_up_nobody() {
    let post = Post::new().await;
    let push = post.commit("push", &json!({})).await;
    let mail = post.commit(MAIL, &hello()).await;

    assert_eq!(post.tell(&[&push, &mail]).await, all_done());

    assert_eq!(post.mails().len(), 1);
}
