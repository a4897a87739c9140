//! Which decoded values are refused, and how that is told.

use super::*;

#[test]
fn passes_at_each_edge() {
    let edges = [
        json!({ "title": "a" }),
        json!({ "title": "ééééé" }),
        json!({ "passPhrase": "éé1", "again": "éé1" }),
        json!({ "passPhrase": "éééé", "again": "éééé" }),
        json!({ "seats": -2 }),
        json!({ "seats": 8 }),
        json!({ "tags": ["a", "éée"] }),
        json!({ "extra": ["a"] }),
        json!({ "place": { "latitude": 90.5, "name": "abc" } }),
        json!({ "note": "" }),
    ];

    for edge in edges {
        assert_eq!(refusals::<CreateTrip>(trip(edge.clone())), [""; 0], "{edge}");
    }
}

#[test]
fn refuses_beyond_each_edge() {
    let cases = [
        (json!({ "title": "" }), "/title length: must have 1 to 5 characters"),
        (json!({ "title": "éééééé" }), "/title length: must have 1 to 5 characters"),
        (json!({ "title": "a\0" }), "/title nul: must not contain the character U+0000"),
        (json!({ "note": "\0" }), "/note nul: must not contain the character U+0000"),
        (
            json!({ "contactMail": "a@b" }),
            "/contactMail email: must be an address such as name@example.com",
        ),
        (json!({ "passPhrase": "éé", "again": "éé" }), "/passPhrase bytes: must have 5 to 8 bytes"),
        (
            json!({ "passPhrase": "éééé1", "again": "éééé1" }),
            "/passPhrase bytes: must have 5 to 8 bytes",
        ),
        (json!({ "again": "1" }), "/again must_match: must be the same as passPhrase"),
        (json!({ "seats": -4 }), "/seats range: must be at least -2 and less than 10"),
        (json!({ "seats": 10 }), "/seats range: must be at least -2 and less than 10"),
        (json!({ "seats": 5 }), "/seats odd: is not valid"),
        (json!({ "tags": ["a", "b", "c"] }), "/tags length: must have at most 2 items"),
        (json!({ "tags": ["a", ""] }), "/tags/1 length: must have 1 to 3 characters"),
        (json!({ "extra": [] }), "/extra length: must have exactly 1 item"),
        (json!({ "place": { "latitude": 90.6 } }), "/place/latitude range: must be at most 90.5"),
        (
            json!({ "place": { "latitude": 1, "name": "abcd" } }),
            "/place/name length: must have 1 to 3 characters",
        ),
    ];

    for (change, why) in cases {
        assert_eq!(refusals::<CreateTrip>(trip(change)), [why]);
    }
}

#[test]
fn of_a_query_works_alike() {
    assert_eq!(refusals::<ListTrips>(json!({ "afterId": "abc", "limit": 100 })), [""; 0]);
    assert_eq!(
        refusals::<ListTrips>(json!({ "afterId": "abcd", "limit": 101, "tag": "" })),
        [
            "/afterId length: must have at most 3 characters",
            "/limit range: must be 1 to 100",
            "/tag length: must have 1 to 3 characters",
        ]
    );
}

#[test]
fn names_all_broken_rules_in_order_and_no_value() {
    let secret = trip(json!({ "title": "hidden\0", "seats": 11, "passPhrase": "1" }));
    let request: CreateTrip = decode(secret).expect("it decodes");

    let found = violations(&request.validate().expect_err("it is refused"));

    let expected = json!([
        {
            "pointer": "/again", "code": "must_match",
            "message": "must be the same as passPhrase", "limits": {},
        },
        {
            "pointer": "/passPhrase", "code": "bytes",
            "message": "must have 5 to 8 bytes", "limits": { "min": 5, "max": 8 },
        },
        {
            "pointer": "/seats", "code": "range",
            "message": "must be at least -2 and less than 10",
            "limits": { "min": -2, "exclusiveMax": 10 },
        },
        { "pointer": "/seats", "code": "odd", "message": "is not valid", "limits": {} },
        {
            "pointer": "/title", "code": "length",
            "message": "must have 1 to 5 characters", "limits": { "min": 1, "max": 5 },
        },
        {
            "pointer": "/title", "code": "nul",
            "message": "must not contain the character U+0000", "limits": {},
        },
    ]);
    assert_eq!(json!(found), expected);
}

#[test]
fn lists_items_by_number_and_escapes_names() {
    let items = (0..12).map(|index| {
        let mut errors = ValidationErrors::new();
        errors.add("", ValidationError::new("bad").with_message(format!("is {index}").into()));
        (index, Box::new(errors))
    });
    let mut errors = ValidationErrors::new();
    errors.errors_mut().insert("a/b~c".into(), ValidationErrorsKind::List(items.collect()));

    let pointers: Vec<_> = violations(&errors).into_iter().map(|it| it.pointer).collect();

    let expected: Vec<_> = (0..12).map(|index| format!("/a~1b~0c/{index}")).collect();
    assert_eq!(pointers, expected);
}

#[test]
fn of_a_custom_rule_keeps_the_refused_value_out() {
    let mut error = ValidationError::new("custom");
    error.add_param("value".into(), &42);
    error.add_param("min".into(), &"secret");
    error.add_param("max".into(), &7);
    let mut errors = ValidationErrors::new();
    errors.add("field", error);

    let [violation] = violations(&errors).try_into().expect("one rule");

    assert_eq!(violation.limits, BTreeMap::from([("max".to_owned(), json!(7))]));
}
