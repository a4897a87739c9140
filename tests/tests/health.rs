use http::Method;
use serde_json::json;
use tests::World;

mod get_health {
    use super::*;

    #[tokio::test]
    async fn answers_everybody() {
        let world = World::new().await;

        let answer = world.anonymous().get("/health").await.expect(200);

        assert_eq!(answer.json(), json!({ "status": "ok" }));
    }

    #[tokio::test]
    async fn answers_head_without_a_body() {
        let world = World::new().await;

        let answer = world.anonymous().request(Method::HEAD, "/health").await.expect(200);

        assert_eq!(answer.text(), "");
    }

    #[tokio::test]
    async fn does_not_mind_a_token_that_is_none() {
        let world = World::new().await;

        world.anonymous().with_token("nonsense").get("/health").await.expect(200);
    }
}
