//! The program `events`, as Lambda starts it and as an operator does.

use serde_json::json;
use tests::{Bucket, Function, Invocation, Outcome, World, batches, run};

use super::{Fate, message, order};

/// An event that none of the app's own modules listens to.
fn nobodys() -> serde_json::Value {
    batches::sqs("nobodys", &[message("message-1", None, &order(1, Fate::Pass))])
}

#[tokio::test]
async fn tells_lambda_by_name_what_nobody_has_declared() {
    let (world, bucket) = (World::new().await, Bucket::serve().await);
    let more = [("LANDLINE_FAILURES", "failures"), ("AWS_ENDPOINT_URL_S3", bucket.endpoint())];
    let function =
        Function::start_program("events", world.auth(), &world.connection(), &more).await;

    let invocation = function.try_invoke(&nobodys()).await;

    let Invocation::Failed(error) = invocation else { panic!("acknowledged: {invocation:?}") };
    assert_eq!(error["errorType"], "UndeclaredEvent");
    assert_eq!(error["errorMessage"], "no module has declared a handler for the queue `nobodys`",);
    let logged = function.end().await;
    assert!(logged.contains("not acknowledged"), "{logged}");
}

#[tokio::test]
async fn replays_when_it_is_told_to() {
    let (world, bucket) = (World::new().await, Bucket::serve().await);
    let more = [("LANDLINE_FAILURES", "failures"), ("AWS_ENDPOINT_URL_S3", bucket.endpoint())];
    let function =
        Function::start_program("events", world.auth(), &world.connection(), &more).await;

    let answer = function.invoke(json!({ "replay": "failures/" })).await;

    assert_eq!(answer, json!({ "replayed": 0, "failed": [], "left": 0 }));
}

#[tokio::test]
async fn does_not_start_without_a_bucket() {
    let nothing: [&str; 0] = [];

    let outcome = run("events", nothing, &[]).await;

    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stdout.contains("LANDLINE_FAILURES is not set"), "{}", outcome.stdout);
}

mod as_a_command {
    use super::*;

    async fn call(bucket: &Bucket, arguments: &[&str]) -> Outcome {
        let world = World::new().await;
        let connection = world.connection();
        let key = world.auth().signing.in_hand().expect("it is in hand").to_pem();
        let environment = [
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "landline"),
            ("AWS_SECRET_ACCESS_KEY", "landline"),
            ("AWS_ENDPOINT_URL_DYNAMODB", connection.endpoint.as_deref().unwrap_or_default()),
            ("AWS_ENDPOINT_URL_S3", bucket.endpoint()),
            ("LANDLINE_FAILURES", "failures"),
            ("LANDLINE_ISSUER", "https://api.example.com"),
            ("LANDLINE_AUDIENCE", "landline"),
            ("LANDLINE_SIGNING_KEY", &key),
            ("LANDLINE_TABLE", &connection.table),
        ];
        run("events", arguments, &environment).await
    }

    #[tokio::test]
    async fn replays_and_ends() {
        let bucket = Bucket::serve().await;

        let outcome = call(&bucket, &["replay"]).await;

        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(outcome.stdout.contains("replayed"), "{}", outcome.stdout);
    }

    #[tokio::test]
    async fn fails_while_something_is_left() {
        let bucket = Bucket::serve().await;
        let kept = json!({ "requestContext": {}, "payload": nobodys() });
        let key = "aws/lambda/1.json";
        bucket.failures().put(key, kept.to_string().into_bytes()).await.unwrap();

        let all = call(&bucket, &["replay", "aws/lambda/"]).await;
        let other = call(&bucket, &["replay", "failures/"]).await;

        assert_eq!(all.code, Some(1), "{all:?}");
        assert!(all.stdout.contains("1 failures were not handled; they stay"), "{}", all.stdout);
        assert_eq!(other.code, Some(0), "{other:?}");
        assert_eq!(bucket.failures().list("").await.unwrap(), [key]);
    }

    #[tokio::test]
    async fn says_how_it_is_called() {
        let bucket = Bucket::serve().await;

        let outcome = call(&bucket, &["again"]).await;

        assert_eq!(outcome.code, Some(2));
        assert_eq!(outcome.stderr, "usage: events [replay [PREFIX]]\n");
    }
}
