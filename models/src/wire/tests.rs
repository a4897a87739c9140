//! The macros on sample types: what is decoded, what is refused, and what the schema says of both.

use serde::de::DeserializeOwned;
use serde_json::json;
use utoipa::{IntoParams, PartialSchema, ToSchema};

use super::*;
use crate::request;

mod decoding;
mod schema;
mod validation;

/// A new trip.
#[request]
struct CreateTrip {
    /// Its name.
    #[validate(length(min = 1, max = 5))]
    title: String,
    /// More about it.
    #[validate(length(max = 1000))]
    note: Option<String>,
    /// Whom to tell.
    #[validate(email)]
    contact_mail: Option<String>,
    /// The secret of its guests.
    #[validate(bytes(min = 5, max = 8))]
    pass_phrase: String,
    /// The same as `passPhrase`.
    #[validate(must_match(other = pass_phrase))]
    again: String,
    /// Never odd.
    #[validate(range(min = -2, exclusive_max = 10), custom(function = even))]
    seats: i32,
    /// Words.
    #[validate(length(max = 2), nested)]
    #[serde(default)]
    tags: Vec<Tag>,
    /// More words, written out in place.
    #[validate(length(equal = 1), nested)]
    #[schema(inline)]
    extra: Option<Vec<Tag>>,
    /// Where to.
    #[validate(nested)]
    place: Option<Place>,
    /// How.
    by: Mode,
    /// And back.
    #[serde(rename = "back/by")]
    back_by: Option<Mode>,
}

fn even(value: &i32) -> Verdict {
    if value % 2 == 0 { Ok(()) } else { Err(ValidationError::new("odd")) }
}

/// A word.
#[request]
struct Tag(#[validate(length(min = 1, max = 3))] String);

/// Somewhere.
#[request]
struct Place {
    #[validate(range(max = 90.5))]
    latitude: f64,
    #[validate(nested)]
    name: Option<Tag>,
}

/// How to go.
#[request]
#[derive(Debug, PartialEq, serde::Serialize)]
enum Mode {
    OnFoot,
    Train,
}

/// Which trips to list.
#[request(query)]
struct ListTrips {
    /// At most so many.
    #[validate(range(min = 1, max = 100))]
    limit: Option<u32>,
    #[validate(nested)]
    tag: Option<Tag>,
    by: Option<Mode>,
    #[validate(length(max = 3))]
    after_id: String,
}

#[view]
struct TripView {
    id: u32,
    back_by: Option<Mode>,
    note: Option<String>,
}

const TEXT: &str = r"^[^\u0000]*$";

fn trip(changes: Value) -> Value {
    let mut trip = json!({
        "title": "Rome", "passPhrase": "12345", "again": "12345", "seats": 4, "by": "onFoot",
    });
    for (name, value) in changes.as_object().expect("an object") {
        trip[name] = value.clone();
    }
    trip
}

fn decode<T: DeserializeOwned>(body: Value) -> Result<T, String> {
    serde_json::from_value(body).map_err(|error| error.to_string())
}

/// The broken rules, as `pointer code: message`.
fn refusals<T: DeserializeOwned + Validate>(body: Value) -> Vec<String> {
    let request: T = decode(body).expect("it decodes");
    let found = request.validate().err().map(|errors| violations(&errors)).unwrap_or_default();
    found.iter().map(|it| format!("{} {}: {}", it.pointer, it.code, it.message)).collect()
}

#[test]
fn email_is_strict() {
    let (local, label) = ("a".repeat(64), "b".repeat(63));
    let long = |last: usize| format!("{local}@{label}.{label}.{}", "c".repeat(last));
    let good = ["a@b.co", "first.last+tag@sub.example.com", "!#$%&'*+-/=?^_`{|}~@example.com"];
    let good = good.map(str::to_owned).into_iter().chain([
        "a@1.b2".to_owned(),
        "a@xn--bcher-kva.example".to_owned(),
        format!("{local}@example.com"),
        format!("a@{label}.com"),
        long(61),
    ]);
    let bad = [
        "",
        "@",
        "a",
        "a@",
        "@b.co",
        "a@b",
        "a@@b.co",
        "a@b@c.co",
        ".a@b.co",
        "a.@b.co",
        "a..b@c.co",
        "a b@c.co",
        "\"a\"@b.co",
        "a(x)@b.co",
        "a@-b.co",
        "a@b-.co",
        "a@b..co",
        "a@.b.co",
        "a@b.co.",
        "a@b_c.co",
        "a@127.0.0.1",
        "a@[127.0.0.1]",
        "a@b.123",
        "ä@b.co",
        "a@bä.co",
        " a@b.co",
        "a@b.co\n",
        "a\0@b.co",
        "a,b@c.co",
        "A <a@b.co>",
    ];
    let bad = bad.map(str::to_owned).into_iter().chain([
        format!("{local}a@example.com"),
        format!("a@{label}b.com"),
        long(62),
    ]);

    good.for_each(|address| assert!(email(&address).is_ok(), "{address:?} is an address"));
    bad.for_each(|address| assert!(email(&address).is_err(), "{address:?} is none"));
}
