use std::time::Duration;

use api::platform::outbox::Ses;
use models::{aws::Access, platform::mail::MAIL};
use tests::{Log, Reply};

use super::*;

#[tokio::test]
async fn is_taken_once_and_is_gone_then() {
    let post = Post::new().await;
    let mail = post.commit(MAIL, &hello()).await;

    assert_eq!(post.tell(&[&mail]).await, all_done());
    assert_eq!(post.tell(&[&mail]).await, all_done());

    let expected = json!({
        "id": mail.id,
        "sentAt": "2026-11-22T16:30:00.000Z",
        "to": "maya@example.com",
        "subject": "Hello",
        "text": "Hi Maya",
    });
    assert_eq!(post.mails(), [expected]);
    assert!(!post.is_in_the_outbox(&mail).await);
}

async fn by_ses(ses: &Receiver) -> Post {
    let endpoint = format!("http://{}", ses.address());
    Post::with(|_, ambient| {
        let from = "Landline <hello@example.com>";
        let ses = Ses::new(from, Access::embedded(), Some(endpoint), ambient.clone());
        Receivers { mailer: Some(Arc::new(ses)), webhooks: of_this_machine() }
    })
    .await
}

#[tokio::test]
async fn is_sent_by_ses() {
    let mut ses = Receiver::start().await;
    let post = by_ses(&ses).await;
    let mut both = hello();
    both["html"] = json!("<p>Hi Maya</p>");
    let mail = post.commit(MAIL, &both).await;

    assert_eq!(post.tell(&[&mail, &mail]).await, all_done());

    let sent = ses.received().await;
    assert_eq!(sent.path, "/v2/email/outbound-emails");
    assert!(sent.header("authorization").contains("/us-east-1/ses/aws4_request"), "{sent:?}");
    let text = |text: &str| json!({ "Data": text, "Charset": "UTF-8" });
    assert_eq!(
        serde_json::from_str::<Value>(&sent.body).unwrap(),
        json!({
            "FromEmailAddress": "Landline <hello@example.com>",
            "Destination": { "ToAddresses": ["maya@example.com"] },
            "Content": { "Simple": {
                "Subject": text("Hello"),
                "Body": { "Text": text("Hi Maya"), "Html": text("<p>Hi Maya</p>") },
            } },
        }),
    );
    assert_eq!(ses.so_far().len(), 0, "it was sent once");
    assert!(!post.is_in_the_outbox(&mail).await);
}

#[tokio::test]
async fn that_is_none_for_ses_is_set_aside_and_names_nobody() {
    let mut ses = Receiver::start().await;
    let post = by_ses(&ses).await;
    let mail = post.commit(MAIL, &hello()).await;
    ses.next(Reply::Refusal("BadRequestException"));

    assert_eq!(post.tell(&[&mail]).await, all_done());
    assert_eq!(post.tell(&[&post.dead_letter(&mail).await]).await, all_done());

    assert_eq!(ses.so_far().len(), 1, "it is not asked once more");
    assert_eq!(post.set_aside().await[0]["reason"], "SES refused it: BadRequestException");
    assert!(post.backlogs().await.is_empty());
}

/// It may have been taken, and SES cannot tell one that comes again. What SES rejects may be as good as
/// others: the sender's identity is not verified.
#[tokio::test]
async fn is_asked_of_ses_once_and_waits() {
    let mut ses = Receiver::start().await;
    let post = by_ses(&ses).await;
    for reply in [
        Reply::Status(503),
        Reply::Closed,
        Reply::Refusal("MessageRejected"),
        Reply::Refusal("SendingPausedException"),
        Reply::Refusal("AccessDeniedException"),
    ] {
        let mail = post.commit(MAIL, &hello()).await;
        ses.next(reply.clone());
        let log = Log::listen();

        assert_eq!(post.tell(&[&mail]).await, all_done());

        assert_eq!(ses.so_far().len(), 1, "{reply:?}");
        assert!(post.is_waiting(&mail).await);
        let lines = log.lines();
        let said = lines.iter().find(|line| line["level"] == "ERROR").expect("it is told");
        assert_eq!(said["fields"]["message"], "mail waits, since it was not taken");
        assert!(!log.text().contains("maya"), "{}", log.text());

        post.world.ambient().advance(Duration::from_secs(60));
        post.retry().await;
        assert_eq!(ses.so_far().len(), 1, "{reply:?}");
        assert!(!post.is_waiting(&mail).await);
    }
}

/// Then it was not taken, and it is none of the mail's failures.
#[tokio::test]
async fn is_asked_of_ses_again_when_too_many_were_sent() {
    let mut ses = Receiver::start().await;
    let post = by_ses(&ses).await;
    let mail = post.commit(MAIL, &hello()).await;
    ses.next(Reply::Refusal("TooManyRequestsException"));

    assert_eq!(post.tell(&[&mail]).await, all_done());

    assert_eq!(ses.so_far().len(), 2);
    assert!(!post.is_in_the_outbox(&mail).await);
}

#[tokio::test]
async fn that_is_none_is_set_aside_before_anybody_is_asked() {
    let post = Post::new().await;
    let mut injected = hello();
    injected["subject"] = json!("Hi\r\nBcc: eve@example.com");
    for none in [injected, json!(7)] {
        let mail = post.commit(MAIL, &none).await;

        assert_eq!(post.tell(&[&mail]).await, all_done());
        assert_eq!(post.tell(&[&post.dead_letter(&mail).await]).await, all_done());
    }

    assert_eq!(post.set_aside().await.len(), 2);
    assert_eq!(post.mails().len(), 0);
}

#[tokio::test]
async fn is_set_aside_where_no_sender_is_configured() {
    let post = Post::with(|_, _| Receivers::default()).await;
    let mail = post.commit(MAIL, &hello()).await;

    assert_eq!(post.tell(&[&mail]).await, all_done());
    assert_eq!(post.tell(&[&post.dead_letter(&mail).await]).await, all_done());

    let reason = "mail has no sender: LANDLINE_MAIL_FROM";
    assert_eq!(post.set_aside().await[0]["reason"], reason);
}

/// Others' mails would wait for it, ten seconds each.
#[tokio::test]
async fn is_not_asked_of_ses_for_a_minute_after_it_was_silent() {
    let mut ses = Receiver::start().await;
    let mut post = by_ses(&ses).await;
    let first = post.commit(MAIL, &hello()).await;
    ses.next(Reply::Closed);
    assert_eq!(post.tell(&[&first]).await, all_done());
    assert_eq!(ses.so_far().len(), 1);

    post.owner = post.world.ambient().new_id();
    let second = post.commit(MAIL, &hello()).await;
    assert_eq!(post.tell(&[&second]).await, all_done());
    assert_eq!(ses.so_far().len(), 0);
    assert!(post.is_waiting(&second).await);
    post.world.ambient().advance(Duration::from_secs(60));
    post.retry().await;

    assert_eq!(ses.so_far().len(), 2);
    assert!(post.items("WAITING").await.is_empty());
}
