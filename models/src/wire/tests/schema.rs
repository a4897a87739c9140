//! What schemas say of a type.

use super::*;

#[test]
fn of_a_body_says_every_rule() {
    let expected = json!({
        "type": "object",
        "description": "A new trip.",
        "required": ["title", "passPhrase", "again", "seats", "by"],
        "additionalProperties": false,
        "properties": {
            "title": {
                "type": "string", "description": "Its name.",
                "minLength": 1, "maxLength": 5, "pattern": TEXT,
            },
            "note": {
                "type": "string", "description": "More about it.",
                "maxLength": 1000, "pattern": TEXT,
            },
            "contactMail": {
                "type": "string", "description": "Whom to tell.",
                "format": "email", "maxLength": 254,
            },
            "passPhrase": {
                "type": "string",
                "description": "The secret of its guests.\nIt has 5 to 8 bytes in UTF-8.",
                "minLength": 2, "maxLength": 8, "pattern": TEXT,
            },
            "again": {
                "type": "string", "description": "The same as `passPhrase`.", "pattern": TEXT,
            },
            "seats": {
                "type": "integer", "format": "int32", "description": "Never odd.",
                "minimum": -2, "exclusiveMaximum": 10,
            },
            "tags": {
                "type": "array", "description": "Words.", "maxItems": 2,
                "items": { "$ref": "#/components/schemas/Tag" },
            },
            "extra": {
                "type": "array", "description": "More words, written out in place.",
                "minItems": 1, "maxItems": 1,
                "items": {
                    "type": "string", "description": "A word.",
                    "minLength": 1, "maxLength": 3, "pattern": TEXT,
                },
            },
            "place": { "$ref": "#/components/schemas/Place", "description": "Where to." },
            "by": { "$ref": "#/components/schemas/Mode", "description": "How." },
            "back/by": { "$ref": "#/components/schemas/Mode", "description": "And back." },
        },
    });

    assert_eq!(json!(CreateTrip::schema()), expected);
}

#[test]
fn of_what_a_body_refers_to() {
    let mut schemas = Vec::new();
    CreateTrip::schemas(&mut schemas);

    let schemas: BTreeMap<_, _> = schemas.into_iter().collect();
    let expected = json!({
        "Tag": {
            "type": "string", "description": "A word.",
            "minLength": 1, "maxLength": 3, "pattern": TEXT,
        },
        "Place": {
            "type": "object", "description": "Somewhere.", "additionalProperties": false,
            "required": ["latitude"],
            "properties": {
                "latitude": { "type": "number", "format": "double", "maximum": 90.5 },
                "name": { "$ref": "#/components/schemas/Tag" },
            },
        },
        "Mode": {
            "type": "string", "description": "How to go.", "enum": ["onFoot", "train"],
        },
    });
    assert_eq!(json!(schemas), expected);
}

#[test]
fn of_a_query_stands_in_its_parameters() {
    let expected = json!([
        {
            "name": "limit", "in": "query", "required": false,
            "description": "At most so many.",
            "schema": { "type": "integer", "format": "int32", "minimum": 1, "maximum": 100 },
        },
        {
            "name": "tag", "in": "query", "required": false,
            "schema": {
                "type": "string", "description": "A word.",
                "minLength": 1, "maxLength": 3, "pattern": TEXT,
            },
        },
        {
            "name": "by", "in": "query", "required": false,
            "schema": {
                "type": "string", "description": "How to go.", "enum": ["onFoot", "train"],
            },
        },
        {
            "name": "afterId", "in": "query", "required": true,
            "schema": { "type": "string", "maxLength": 3, "pattern": TEXT },
        },
    ]);

    assert_eq!(json!(ListTrips::into_params(|| None)), expected);
}

#[test]
fn of_a_view_knows_no_null() {
    let expected = json!({
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": { "type": "integer", "format": "int32", "minimum": 0 },
            "backBy": { "$ref": "#/components/schemas/Mode" },
            "note": { "type": "string" },
        },
    });

    assert_eq!(json!(TripView::schema()), expected);
}
