//! What is decoded into a type, and what is not.

use super::*;

#[test]
fn leaves_absent_options_empty() {
    let trip: CreateTrip = decode(trip(json!({}))).expect("it decodes");

    assert!(trip.note.is_none() && trip.back_by.is_none() && trip.tags.is_empty());
    assert_eq!(trip.by, Mode::OnFoot);
}

#[test]
fn refuses_what_no_schema_says() {
    let null = "invalid type: null, expected a string";
    let cases = [
        (trip(json!({ "note": null })), null),
        (trip(json!({ "back/by": null })), null),
        (trip(json!({ "extra": null })), "invalid type: null, expected a sequence"),
        (trip(json!({ "by": { "train": null } })), "invalid type: map, expected a string"),
        (trip(json!({ "by": "Train" })), "unknown variant `Train`"),
        (trip(json!({ "more": 1 })), "unknown field `more`"),
        (trip(json!({ "pass_phrase": "x" })), "unknown field `pass_phrase`"),
        (trip(json!({ "place": [1.5, "x"] })), "invalid type: sequence, expected struct Place"),
        (json!({}), "missing field `title`"),
    ];

    for (body, why) in cases {
        let error = decode::<CreateTrip>(body).err().expect("it does not decode");
        assert!(error.starts_with(why), "{error} instead of {why}");
    }
}

#[test]
fn of_a_query_is_as_strict() {
    let cases = [json!({ "afterId": "a", "limit": null }), json!([1, "a", "train", "a"])];

    for query in cases {
        assert!(decode::<ListTrips>(query).is_err());
    }
}

#[test]
fn round_trips_a_name_and_leaves_out_empty_parts_of_a_view() {
    let view = TripView { id: 1, back_by: Some(Mode::OnFoot), note: None };

    assert_eq!(json!(view), json!({ "id": 1, "backBy": "onFoot" }));
}
