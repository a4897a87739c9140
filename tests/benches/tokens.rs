//! What the check of an access token costs: each through the guard's own call and through
//! `jsonwebtoken::decode` alone, turn by turn in one run. Prints the medians and their ratio.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{hint::black_box, time::Instant};

use auth::{Auth, SigningKey};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use models::{Ambient, store::Store};
use serde::Deserialize;
use tests::{
    Client, Setup, World,
    forger::{ed25519_key, rsa_key},
};

const ROUNDS: usize = 20_000;

/// What the app needs of the claims.
#[derive(Deserialize)]
#[expect(dead_code, reason = "they are decoded to be there")]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    sid: String,
    iat: i64,
    exp: i64,
    scope: Option<String>,
    roles: Option<Vec<String>>,
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(compare());
}

async fn compare() {
    println!("{:<8} {:>9} {:>12} {:>6}", "token", "ours, us", "decode, us", "ratio");
    for (key, algorithm) in [
        (SigningKey::generate(), Algorithm::ES256),
        (rsa_key(), Algorithm::RS256),
        (ed25519_key(), Algorithm::EdDSA),
    ] {
        let world = World::with(Setup {
            auth: auth::Settings::new("https://api.example.com", "landline", key),
            // The library reads the machine's clock.
            ambient: Ambient::system(),
            ..Setup::default()
        })
        .await;
        let maya = world.maya().await;
        let published = published_key(&maya).await;
        let mut validation = Validation::new(algorithm);
        validation.set_issuer(&["https://api.example.com"]);
        validation.set_audience(&["landline"]);
        let store = Store::connect(world.connection(), world.ambient().clone());
        let auth = Auth::new(world.auth().clone(), &store);
        let bearer = HeaderValue::try_from(format!("Bearer {}", maya.token())).expect("ASCII");
        let headers = HeaderMap::from_iter([(AUTHORIZATION, bearer)]);

        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            black_box(auth.caller(&headers).now_or_never().expect("at once")).expect("good");
            ours.push(began.elapsed().as_nanos());
            let began = Instant::now();
            black_box(decode::<Claims>(maya.token(), &published, &validation)).expect("good");
            theirs.push(began.elapsed().as_nanos());
        }
        let (ours, theirs) = (median(ours), median(theirs));
        let (ratio, ours, theirs) = (ours / theirs, ours / 1e3, theirs / 1e3);
        println!("{:<8} {ours:>9.1} {theirs:>12.1} {ratio:>6.2}", format!("{algorithm:?}"));
    }
}

async fn published_key(client: &Client) -> DecodingKey {
    let keys = client.get("/.well-known/jwks.json").await.expect(200).json();
    let jwk = serde_json::from_value(keys["keys"][0].clone()).expect("a JWK");
    DecodingKey::from_jwk(&jwk).expect("a usable key")
}

fn median(mut nanos: Vec<u128>) -> f64 {
    nanos.sort_unstable();
    nanos[nanos.len() / 2] as f64
}
