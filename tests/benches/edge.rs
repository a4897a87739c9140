//! What the edge costs: each event through ours and through lambda_http, with the same router
//! behind both, turn by turn in one run. Prints the medians and their ratio.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{hint::black_box, time::Instant};

use api::{App, Web};
use lambda_http::{Adapter, lambda_runtime::tower::Service, request::LambdaRequest};
use lambda_runtime::{Context, LambdaEvent};
use models::{
    Ambient, Timestamp,
    platform::config::Config,
    store::{Connection, Store},
};
use serde_json::value::RawValue;

const ROUNDS: usize = 4000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(compare());
}

async fn compare() {
    println!("{:<62} {:>9} {:>12} {:>6}", "event", "ours, us", "lambda_http", "ratio");
    let app = app();
    for (name, event) in tests::aws_events() {
        let sources = ["example-apigw-request.json", "example-apigw-v2-request-no-authorizer.json"];
        let albs = "example-alb-lambda-target-request";
        if !sources.contains(&name.as_str()) && !name.starts_with(albs) {
            continue;
        }
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            black_box(through_edge(&app, &event).await);
            ours.push(began.elapsed().as_nanos());
            let began = Instant::now();
            black_box(through_lambda_http(&app, &event).await);
            theirs.push(began.elapsed().as_nanos());
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!("{name:<62} {:>9.1} {:>12.1} {:>6.2}", ours / 1e3, theirs / 1e3, ours / theirs);
    }
}

async fn through_edge(app: &App, event: &str) -> Vec<u8> {
    let payload: Box<RawValue> = serde_json::from_str(event).expect("the event is JSON");
    let answer = app.invoke(LambdaEvent::new(payload, Context::default())).await;
    serde_json::to_vec(&answer).expect("an answer is JSON")
}

async fn through_lambda_http(app: &App, event: &str) -> Vec<u8> {
    let payload: LambdaRequest = serde_json::from_str(event).expect("the event is of AWS");
    let mut adapter = Adapter::from(app.router());
    let answer = adapter.call(LambdaEvent::new(payload, Context::default())).await;
    serde_json::to_vec(&answer.expect("the router answers")).expect("an answer is JSON")
}

/// No route of these events touches the store, which is nowhere.
fn app() -> App {
    let connection = Connection::embedded("http://127.0.0.1:1", "none");
    let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), 1);
    let key = auth::SigningKey::generate();
    let auth = auth::Settings::new("https://api.example.com", "example", key);
    let store = Store::connect(connection, ambient);
    App::with_modules(api::route_table(), auth, Web::default(), Config::default(), store)
}

fn median(mut nanos: Vec<u128>) -> f64 {
    nanos.sort_unstable();
    nanos[nanos.len() / 2] as f64
}
