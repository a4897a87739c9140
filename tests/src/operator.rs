use axum::body::Body;
use http::{Request, header::AUTHORIZATION};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use models::store::Connection;
use serde_json::{Map, Value};
use tokio::net::TcpStream;

/// What a store answers to an operation such as `DescribeTable`, as the AWS CLI calls it. By hand,
/// because only the store's own folder may name the SDK.
///
/// # Panics
/// When the store does not answer in JSON.
pub async fn call_store(store: &Connection, operation: &str, request: &Value) -> Value {
    let endpoint = store.endpoint.as_deref().expect("the embedded store has an address");
    let address = endpoint.strip_prefix("http://").expect("on loopback");
    let request = Request::post("/")
        .header("host", address)
        .header("content-type", "application/x-amz-json-1.0")
        .header("x-amz-target", format!("DynamoDB_20120810.{operation}"))
        .header("x-amz-date", "20261122T163000Z")
        .header(AUTHORIZATION, "AWS4-HMAC-SHA256 Credential=landline/20261122/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0")
        .body(Body::from(request.to_string()))
        .expect("a request");

    let stream = TokioIo::new(TcpStream::connect(address).await.expect("it listens"));
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(stream).await.expect("it speaks HTTP");
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await.expect("it answers");
    let body = answer.into_body().collect().await.expect("it answers whole").to_bytes();
    connection.abort();
    serde_json::from_slice(&body).expect("it answers in JSON")
}

/// The request that `aws dynamodb <command>` sends, as a document writes the command down: its
/// options, with these shell variables filled in. What the answer is shown as is left out.
///
/// # Panics
/// When the document has no such command, or one of another form.
pub fn documented_command(document: &str, command: &str, variables: &[(&str, &str)]) -> Value {
    let (_, text) = document
        .split_once(&format!("aws dynamodb {command} "))
        .expect("the document has the command");
    let (text, _) = text.split_once("```").expect("the command ends with its block");
    // A quoted option is closed around a variable and opened again behind it.
    let text = variables.iter().fold(text.replace("\\\n", " "), |text, (name, value)| {
        text.replace(&format!("'${name}'"), value)
    });
    let options = text.split("--").map(str::trim).filter(|option| !option.is_empty());
    let options = options.filter_map(|option| {
        let (name, value) = option.split_once(' ').expect("an option has a value");
        let value = value.trim().trim_matches('\'');
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        let shown = ["query", "output"].contains(&name);
        (!shown).then(|| (camel_case(name), value))
    });
    Value::Object(options.collect::<Map<_, _>>())
}

/// `table-name` is `TableName` on the wire.
fn camel_case(option: &str) -> String {
    let word = |word: &str| word[..1].to_uppercase() + &word[1..];
    option.split('-').map(word).collect()
}
