//! Whatever comes in: a problem document of the right status, nothing written, nothing repeated,
//! and the next request served.

use http::Method;
use serde_json::{Value, json};
use tests::{Client, World, event};

/// Stands in what is sent, and must not stand in what comes back.
const CANARY: &str = "c4n4ry";

/// Maya, and what there is to spoil.
async fn maya_and_her_account(world: &World) -> (Client, Value) {
    let maya = world.maya().await;
    let account = maya.get("/v1/account").await.expect(200).json();
    (maya, account)
}

fn nested(levels: usize) -> String {
    format!("{}{}", "[".repeat(levels), "]".repeat(levels))
}

mod text_that_is_not_json {
    use super::*;

    #[tokio::test]
    async fn is_400() {
        let world = World::new().await;
        let (maya, account) = maya_and_her_account(&world).await;
        let name = |raw: &[u8]| [b"{\"displayName\":\"c4n4ry ", raw, b"\"}"].concat();
        let utf16: Vec<u8> =
            "{\"displayName\":\"c4n4ry\"}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let long = format!("{{\"displayName\":\"c4n4ry\",\"x\":{}}}", "9".repeat(10_000));

        let cases: Vec<(Vec<u8>, &str)> = vec![
            (b"".into(), "nothing"),
            (b" \n".into(), "nothing but white space"),
            (b"c4n4ry".into(), "a word"),
            (b"displayName=c4n4ry".into(), "a form"),
            (b"{'displayName':'c4n4ry'}".into(), "single quotes"),
            (b"{displayName:\"c4n4ry\"}".into(), "a key without quotes"),
            (b"{\"displayName\":\"c4n4ry\",}".into(), "a trailing comma"),
            (b"{\"displayName\":\"c4n4ry\"} // c4n4ry".into(), "a comment"),
            (b"{\"displayName\":\"c4n4ry\"}{}".into(), "two values"),
            (b"{\"displayName\":\"c4n4ry\"".into(), "cut off before the end"),
            (b"{\"displayName\":\"c4n4".into(), "cut off in a text"),
            (b"{\"displayName\":\"c4n4ry\\".into(), "cut off in an escape"),
            (b"{\"displayName\":\"c4n4ry\\u00".into(), "cut off in a code point"),
            (name(b"\\x41"), "an escape that is none"),
            (name(b"\xff"), "a byte that is not UTF-8"),
            (name(b"\xc3"), "half a character"),
            (name(b"\xc0\xaf"), "an overlong encoding"),
            (name(b"\xed\xa0\x80"), "an encoded surrogate"),
            (name(b"\0"), "a raw NUL"),
            (name(b"\n"), "a raw line break"),
            (name(b"\\ud800"), "a lone high surrogate"),
            (name(b"\\udc00"), "a lone low surrogate"),
            (name(b"\\udc00\\ud800"), "surrogates the wrong way round"),
            (b"\xef\xbb\xbf{\"displayName\":\"c4n4ry\"}".into(), "a byte order mark"),
            (utf16, "UTF-16"),
            (b"{\"displayName\":\"c4n4ry\",\"displayName\":\"c4n4ry\"}".into(), "a key twice"),
            (
                b"{\"displayName\":\"c4n4ry\",\"displayN\\u0061me\":\"c4n4ry\"}".into(),
                "a key twice, escaped",
            ),
            (
                b"{\"displayName\":\"c4n4ry\",\"x\":{\"y\":1,\"y\":2}}".into(),
                "a key twice, deep down",
            ),
            (b"{\"displayName\":\"c4n4ry\",\"x\":NaN}".into(), "NaN"),
            (b"{\"displayName\":\"c4n4ry\",\"x\":Infinity}".into(), "infinity"),
            (b"{\"displayName\":\"c4n4ry\",\"x\":1e999}".into(), "a number beyond a double"),
            (b"{\"displayName\":\"c4n4ry\",\"x\":-1e999}".into(), "a number below a double"),
            (long.into(), "ten thousand digits"),
            (b"{\"displayName\":\"c4n4ry\",\"x\":01}".into(), "a leading zero"),
            (b"{\"displayName\":\"c4n4ry\",\"x\":0x1}".into(), "hexadecimal"),
            (b"{\"displayName\":\"c4n4ry\",\"x\":True}".into(), "another language's true"),
            (nested(128).into(), "128 levels"),
            (nested(100_000).into(), "100,000 levels"),
            ("[".repeat(1_000_000).into(), "a million levels, never closed"),
            (format!("{{\"displayName\":{}}}", nested(127)).into(), "128 levels in a field"),
            (format!("{{\"x\":{}1", "{\"x\":".repeat(200)).into(), "200 objects"),
        ];
        for (body, why) in cases {
            let answer = maya.patch("/v1/account").json_text(body).await;

            assert_eq!(answer.status, 400, "{why}: {}", answer.text());
            assert_eq!(answer.json()["code"], "malformed_json", "{why}");
            assert!(!answer.mentions(CANARY), "{why}: {}", answer.text());
        }
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), account);
    }

    #[tokio::test]
    async fn is_told_in_full() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.patch("/v1/account").json_text("").await.expect(400);

        let expected = json!({
            "type": "urn:landline:problem:malformed_json",
            "title": "The body is not well-formed JSON",
            "status": 400,
            "code": "malformed_json",
            "detail": "The body is empty.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
    }
}

mod json_that_is_not_what_is_wanted {
    use super::*;

    #[tokio::test]
    async fn is_422_and_names_the_place() {
        let world = World::new().await;
        let (maya, account) = maya_and_her_account(&world).await;

        for (body, pointer, code) in [
            // The root.
            ("null", "", "wrong_type"),
            ("true", "", "wrong_type"),
            ("7", "", "wrong_type"),
            ("1e308", "", "wrong_type"),
            ("123456789012345678901234567890", "", "wrong_type"),
            ("\"c4n4ry\"", "", "wrong_type"),
            ("\"c4n4ry, expected c4n4ry\"", "", "wrong_type"),
            ("[]", "", "wrong_type"),
            ("[\"c4n4ry\"]", "", "wrong_type"),
            (&nested(127), "", "wrong_type"),
            // Unknown fields.
            ("{\"DisplayName\":\"c4n4ry\"}", "/DisplayName", "unknown_field"),
            ("{\"display_name\":\"c4n4ry\"}", "/display_name", "unknown_field"),
            ("{\"displayName\":\"a\",\"x\":\"c4n4ry\"}", "/x", "unknown_field"),
            ("{\"\":\"c4n4ry\"}", "/", "unknown_field"),
            ("{\"a~b/c\":\"c4n4ry\"}", "/a~0b~1c", "unknown_field"),
            ("{\"__proto__\":{\"x\":\"c4n4ry\"}}", "/__proto__", "unknown_field"),
            ("{\"id\":\"c4n4ry\"}", "/id", "unknown_field"),
            ("{\"passwordHash\":\"c4n4ry\"}", "/passwordHash", "unknown_field"),
            // Wrong types.
            ("{\"displayName\":null}", "/displayName", "wrong_type"),
            ("{\"displayName\":7}", "/displayName", "wrong_type"),
            ("{\"displayName\":1e308}", "/displayName", "wrong_type"),
            ("{\"displayName\":true}", "/displayName", "wrong_type"),
            ("{\"displayName\":[\"c4n4ry\"]}", "/displayName", "wrong_type"),
            ("{\"displayName\":{\"c4n4ry\":1}}", "/displayName", "wrong_type"),
            // Rules.
            ("{\"displayName\":\"\"}", "/displayName", "length"),
            ("{\"displayName\":\"c4n4ry\\u0000\"}", "/displayName", "nul"),
        ] {
            let answer = maya.patch("/v1/account").json_text(body).await;

            assert!(!answer.mentions(CANARY), "{body}: {}", answer.text());
            let expected = [(pointer.to_owned(), code.to_owned())];
            assert_eq!(answer.violations(), expected, "{body:.200}");
        }
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), account);
    }

    #[tokio::test]
    async fn is_told_in_full() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = json!({ "displayName": [CANARY] });
        let answer = maya.patch("/v1/account").json(body).await.expect(422);

        let expected = json!({
            "type": "urn:landline:problem:validation_failed",
            "title": "The request breaks rules",
            "status": 422,
            "code": "validation_failed",
            "detail": "One value is not as it should be.",
            "requestId": "test",
            "errors": [{
                "pointer": "/displayName",
                "code": "wrong_type",
                "message": "must be a string",
                "limits": {},
            }],
        });
        assert_eq!(answer.json(), expected);
    }

    #[tokio::test]
    async fn does_not_come_back_by_way_of_a_name() {
        let world = World::new().await;
        let maya = world.maya().await;
        let name = "n".repeat(100_000);

        let answer = maya.patch("/v1/account").json(json!({ name: 1 })).await.expect(422);

        assert!(answer.body.len() < 2_000, "{} bytes", answer.body.len());
    }

    #[tokio::test]
    async fn is_named_right_even_with_a_backtick_in_it() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.patch("/v1/account").json(json!({ "a`b": 1 })).await;

        assert_eq!(answer.violations(), [("/a`b".to_owned(), "unknown_field".to_owned())]);
    }

    #[tokio::test]
    async fn is_as_deep_as_127_levels_at_most() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = format!("{{\"displayName\":{}}}", nested(126));
        let answer = maya.patch("/v1/account").json_text(body).await;

        assert_eq!(answer.violations(), [("/displayName".to_owned(), "wrong_type".to_owned())]);
    }

    #[tokio::test]
    async fn may_spell_itself_as_json_may() {
        let world = World::new().await;
        let maya = world.maya().await;

        for (body, name) in [
            (" \t\r\n{ \"displayName\" : \"a\" } \n", "a"),
            ("{\"displayN\\u0061me\":\"b\"}", "b"),
            ("{\"displayName\":\"\\u00e9\\ud83c\\udfd5\\/\"}", "é🏕/"),
            ("{\"displayName\":\"\\uffff\\u007f\\u0001\"}", "\u{ffff}\u{7f}\u{1}"),
        ] {
            let account = maya.patch("/v1/account").json_text(body).await.expect(200).json();

            assert_eq!(account["displayName"], name);
        }
    }
}

mod a_large_body {
    use super::*;

    const LARGEST: usize = 1024 * 1024;

    /// JSON of this many bytes, most of them white space.
    fn padded(length: usize) -> String {
        let body = "{\"displayName\":\"c4n4ry\"}";
        format!("{body}{}", " ".repeat(length - body.len()))
    }

    #[tokio::test]
    async fn is_read_up_to_a_mebibyte() {
        let world = World::new().await;
        let maya = world.maya().await;

        maya.patch("/v1/account").json_text(padded(LARGEST)).await.expect(200);
        let before = maya.get("/v1/account").await.expect(200).json();
        let answer = maya.patch("/v1/account").json_text(padded(LARGEST + 1)).await.expect(413);

        let expected = json!({
            "type": "urn:landline:problem:content_too_large",
            "title": "The body is too large",
            "status": 413,
            "code": "content_too_large",
            "detail": "The body may have at most 1048576 bytes.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), before);
    }
}

mod a_content_type {
    use super::*;

    #[tokio::test]
    async fn is_json_in_utf_8_or_415() {
        let world = World::new().await;
        let (maya, account) = maya_and_her_account(&world).await;

        for content_type in [
            "",
            "text/plain",
            "text/json",
            "application/jsonp",
            "application/problem+json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/json; charset=latin1",
            "application/json; charset=utf-16",
            "application/json;charset=\"iso-8859-1\"",
            "application/json, text/plain",
            "*/*",
        ] {
            let request = maya.patch("/v1/account").body("{\"displayName\":\"c4n4ry\"}");
            let answer = request.header("content-type", content_type).await;

            assert_eq!(answer.status, 415, "{content_type}");
            assert_eq!(answer.json()["code"], "unsupported_media_type", "{content_type}");
        }
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), account);
    }

    #[tokio::test]
    async fn is_required() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer =
            maya.patch("/v1/account").body("{\"displayName\":\"c4n4ry\"}").await.expect(415);

        let expected = json!({
            "type": "urn:landline:problem:unsupported_media_type",
            "title": "The body is not JSON",
            "status": 415,
            "code": "unsupported_media_type",
            "detail": "Send JSON as application/json.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
    }

    #[tokio::test]
    async fn may_be_spelled_in_many_ways() {
        let world = World::new().await;
        let maya = world.maya().await;

        for content_type in [
            "application/json",
            "APPLICATION/JSON",
            "application/json;charset=UTF-8",
            "application/json ; charset=\"utf-8\"",
            "application/json; profile=\"x\"",
        ] {
            let request = maya.patch("/v1/account").body("{\"displayName\":\"a\"}");

            request.header("content-type", content_type).await.expect(200);
        }
    }
}

mod a_query {
    use super::*;

    #[tokio::test]
    async fn is_percent_encoded_utf_8_or_400() {
        let world = World::new().await;
        let maya = world.maya().await;

        for query in [
            "cursor=%",
            "cursor=%c",
            "cursor=%zz",
            "cursor=%ff",
            "cursor=%c3",
            "cursor=%ed%a0%80",
            "%ff=1",
            "x=%ff",
        ] {
            let answer = maya.get(format!("/v1/sessions?{query}")).await;

            assert_eq!(answer.json()["code"], "malformed_query", "{query}");
            assert_eq!(answer.status, 400, "{query}");
        }
    }

    #[tokio::test]
    async fn is_422_where_it_breaks_a_rule() {
        let world = World::new().await;
        let maya = world.maya().await;

        for (query, pointer, code) in [
            ("limit=0", "/limit", "range"),
            ("limit=101", "/limit", "range"),
            ("limit=-1", "/limit", "wrong_type"),
            ("limit=1.0", "/limit", "wrong_type"),
            ("limit=1e2", "/limit", "wrong_type"),
            ("limit=0x10", "/limit", "wrong_type"),
            ("limit=c4n4ry", "/limit", "wrong_type"),
            ("limit=%201", "/limit", "wrong_type"),
            ("limit=1&limit=2", "/limit", "duplicate"),
            ("cursor=", "/cursor", "length"),
            ("cursor", "/cursor", "length"),
            ("cursor=c4n4ry%00", "/cursor", "nul"),
            ("cursor=c4n4ry&cursor=c4n4ry", "/cursor", "duplicate"),
            (&format!("cursor=c4n4ry{}", "c".repeat(995)), "/cursor", "length"),
            ("LIMIT=1", "/LIMIT", "unknown_field"),
            ("limit%5B%5D=1", "/limit[]", "unknown_field"),
            ("x=c4n4ry", "/x", "unknown_field"),
        ] {
            let answer = maya.get(format!("/v1/sessions?{query}")).await;

            assert!(!answer.mentions(CANARY), "{query}: {}", answer.text());
            let expected = [(pointer.to_owned(), code.to_owned())];
            assert_eq!(answer.violations(), expected, "{query:.200}");
        }
    }

    #[tokio::test]
    async fn says_what_a_number_must_be() {
        let world = World::new().await;
        let maya = world.maya().await;

        for query in
            ["limit=many", "limit=", "limit", "limit=-1", "limit=1.5", "limit=99999999999999999999"]
        {
            let answer = maya.get(format!("/v1/sessions?{query}")).await.expect(422);

            let error = answer.json()["errors"][0].clone();
            let message = error["message"].as_str().unwrap();
            assert_eq!(error["code"], "wrong_type", "{query}: {error}");
            assert!(message.contains("number") || message.contains("integer"), "{query}: {error}");
        }
    }

    #[tokio::test]
    async fn may_spell_itself_as_a_form_may() {
        let world = World::new().await;
        let maya = world.maya().await;
        maya.sign_in("maya@example.com").await;

        for (query, count) in
            [("", 2), ("limit=1", 1), ("&limit=1", 1), ("limit=1&", 1), ("l%69mit=%31", 1)]
        {
            let page = maya.get(format!("/v1/sessions?{query}")).await.expect(200).json();

            assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
        }
    }

    #[tokio::test]
    async fn is_handled_whatever_an_event_has_in_it() {
        let world = World::new().await;
        let maya = world.maya().await;
        let authorization = format!("Bearer {}", maya.token());
        let long = format!("cursor={}", "a".repeat(100_000));

        for query in [
            "cursor=a b",
            "cursor=\"a\"",
            "cursor=<a>",
            "cursor=a\0",
            "cursor=a\nb",
            "cursor=é",
            "#",
            "cursor=a#b",
            "?",
            "cursor=a?b",
            "cursor={a}",
            "cursor=a\\b",
            "cursor=a|b",
            "cursor=a^b",
            &long,
        ] {
            let mut event = event::http_api("GET", "/v1/sessions", query);
            event["headers"]["authorization"] = json!(authorization);

            let answer = world.deliver(event).await;

            assert!([200, 400, 422].contains(&answer.status.as_u16()), "{query:.20}");
        }
    }
}

mod a_path {
    use super::*;

    #[tokio::test]
    async fn has_no_second_spelling() {
        let world = World::new().await;
        let maya = world.maya().await;
        let list = maya.get("/v1/sessions").await.expect(200).json();
        let id = list["items"][0]["id"].as_str().unwrap();
        let plain = id.replace('-', "");
        let long = "9".repeat(3 * 1024);

        for (path, status, code) in [
            // No such resource.
            ("/".to_owned(), 404, "not_found"),
            ("/nowhere".to_owned(), 404, "not_found"),
            ("/V1/sessions".to_owned(), 404, "not_found"),
            ("/v1".to_owned(), 404, "not_found"),
            ("/v1/session".to_owned(), 404, "not_found"),
            (format!("/v1/sessions/{id}/tokens"), 404, "not_found"),
            ("/v1/sessions%2F%C3%A9%2Fx".to_owned(), 404, "not_found"),
            // Not an id.
            (format!("/v1/sessions/{plain}"), 404, "not_found"),
            (format!("/v1/sessions/{{{id}}}"), 404, "not_found"),
            (format!("/v1/sessions/urn:uuid:{id}"), 404, "not_found"),
            (format!("/v1/sessions/{long}"), 404, "not_found"),
            (format!("/v1/sessions/{id}%20"), 404, "not_found"),
            (format!("/v1/sessions/{id}%23"), 404, "not_found"),
            (format!("/v1/sessions/%23{id}"), 404, "not_found"),
            (format!("/v1/sessions/{id}%252F"), 404, "not_found"),
            (format!("/v1/sessions/a%2F{id}"), 404, "not_found"),
            (format!("/v1/sessions/{id};x=1"), 404, "not_found"),
            ("/v1/sessions/-1".to_owned(), 404, "not_found"),
            ("/v1/sessions/%F0%9F%8F%95".to_owned(), 404, "not_found"),
            ("/v1/sessions/00000000-0000-0000-0000-000000000000".to_owned(), 404, "not_found"),
            // Could mean two things.
            ("/v1/sessions/".to_owned(), 400, "malformed_path"),
            (format!("/v1/sessions/{id}/"), 400, "malformed_path"),
            (format!("/v1/sessions/{id}%2F"), 400, "malformed_path"),
            (format!("//v1/sessions/{id}"), 400, "malformed_path"),
            (format!("/v1//sessions/{id}"), 400, "malformed_path"),
            (format!("/v1/sessions//{id}"), 400, "malformed_path"),
            (format!("/v1/sessions/%2F{id}"), 400, "malformed_path"),
            (format!("/v1/./sessions/{id}"), 400, "malformed_path"),
            (format!("/v1/sessions/../sessions/{id}"), 400, "malformed_path"),
            ("/v1/sessions/..".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/.".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%2e%2E".to_owned(), 400, "malformed_path"),
            ("/health/..%2fv1/sessions".to_owned(), 400, "malformed_path"),
            ("/health/..%5cv1".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/a%5Cb".to_owned(), 400, "malformed_path"),
            (format!("/v1/sessions/{id}%00"), 400, "malformed_path"),
            (format!("/v1/sessions/{id}%0A"), 400, "malformed_path"),
            ("/v1/sessions/%7F".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%C2%85".to_owned(), 400, "malformed_path"),
            // Cannot be decoded.
            ("/v1/sessions/%".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%2".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%zz".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%ff".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%c3".to_owned(), 400, "malformed_path"),
            ("/v1/sessions/%c0%af".to_owned(), 400, "malformed_path"),
        ] {
            let answer = maya.delete(&path).await;

            let seen = (answer.status.as_u16(), answer.json()["code"].clone());
            assert_eq!(seen, (status, json!(code)), "{path:.80}");
        }
        assert_eq!(maya.get("/v1/sessions").await.expect(200).json(), list);
    }

    #[tokio::test]
    async fn is_decoded_once() {
        let world = World::new().await;
        let maya = world.maya().await;

        for spell in [
            |id: &str| format!("/v1/%73essions/{id}"),
            |id: &str| format!("/v1/sessions/{}", id.replace('-', "%2D")),
            |id: &str| format!("/v1/sessions%2F{id}"),
            // An HTTP API cuts the path there, and says so nowhere.
            |id: &str| format!("/v1/sessions/{id}%3Fx"),
        ] {
            let other = maya.sign_in("maya@example.com").await;
            let path = spell(other.signed_in["session"]["id"].as_str().unwrap());

            maya.delete(&path).await.expect(204);
        }
    }

    #[tokio::test]
    async fn is_read_the_same_way_in_an_event() {
        let world = World::new().await;
        let maya = world.maya().await;
        let list = maya.get("/v1/sessions").await.expect(200).json();
        let authorization = format!("Bearer {}", maya.token());
        let id = list["items"][0]["id"].as_str().unwrap();

        for (raw_path, status) in [
            (format!("/v1/sessions/{id}#"), 404),
            (format!("/v1/sessions/{id}?"), 404),
            (format!("/v1/sessions/{id}%2F"), 404),
            (format!("/v1/sessions/{id}%"), 404),
            (format!("/v1/sessions/{id} "), 404),
            (format!("/v1/sessions/{id}\""), 404),
            ("/v1/sessions?limit=1".to_owned(), 404),
            ("/v1/sessions#".to_owned(), 404),
            ("/v1/sessions/é".to_owned(), 404),
            (format!("/v1/sessions/{}", "9".repeat(60_000)), 404),
            ("/".to_owned(), 404),
            (String::new(), 404),
            ("*".to_owned(), 400),
            ("v1/sessions".to_owned(), 400),
            ("http://example.com/v1/sessions".to_owned(), 400),
            ("//".to_owned(), 400),
            ("//example.com/v1/sessions".to_owned(), 400),
            ("/v1/sessions/".to_owned(), 400),
            ("/v1//sessions".to_owned(), 400),
            ("/v1/sessions/..".to_owned(), 400),
            ("/v1/sessions/../sessions".to_owned(), 400),
            ("/v1/sessions/.".to_owned(), 400),
            ("/v1/sessions\\..\\sessions".to_owned(), 400),
            (format!("/v1/sessions/{id}\0"), 400),
            (format!("/v1/sessions/{id}\n"), 400),
            (format!("/v1/sessions/{id}"), 204),
        ] {
            let mut event = event::http_api("DELETE", &raw_path, "");
            event["headers"]["authorization"] = json!(authorization);

            let answer = world.deliver(event).await;

            assert_eq!(answer.status, status, "{raw_path:?}");
        }
    }
}

mod a_very_long_path {
    use super::*;

    #[tokio::test]
    async fn is_not_blamed_on_the_query() {
        let world = World::new().await;
        let path = format!("/v1/sessions/{}", "9".repeat(100_000));

        let answer = world.deliver(event::http_api("DELETE", &path, "")).await;

        assert_ne!(answer.json()["code"], "malformed_query");
    }
}

mod a_method {
    use super::*;

    #[tokio::test]
    async fn options_is_one_of_those_where_no_page_may_call() {
        let world = World::new().await;

        for path in ["/health", "/v1/account"] {
            let answer = world.anonymous().request(Method::OPTIONS, path).await;

            answer.expect_problem(405, "method_not_allowed");
        }
        let answer = world.anonymous().request(Method::OPTIONS, "/nowhere").await;
        answer.expect_problem(404, "not_found");
    }

    #[tokio::test]
    async fn that_a_resource_does_not_have_is_405() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.request(Method::PUT, "/v1/account").json(json!({})).await.expect(405);

        let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "HEAD", "PATCH"]);
        let expected = json!({
            "type": "urn:landline:problem:method_not_allowed",
            "title": "The resource has no such method",
            "status": 405,
            "code": "method_not_allowed",
            "detail": "The `Allow` header names the methods that there are.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
    }

    #[tokio::test]
    async fn is_handled_whatever_an_event_has_for_it() {
        let world = World::new().await;

        for (method, status) in [
            (json!("GET"), 200),
            (json!("get"), 405),
            (json!("BREW"), 405),
            (json!("G E T"), 400),
            (json!(""), 400),
            (json!(null), 400),
            (json!(7), 400),
            (json!("GÉT"), 400),
        ] {
            let mut event = event::http_api("", "/health", "");
            event["requestContext"]["http"]["method"] = method.clone();

            let answer = world.deliver(event).await;

            assert_eq!(answer.status, status, "{method}");
        }
    }
}

mod an_event {
    use super::*;

    #[tokio::test]
    async fn may_have_a_body_that_is_not_base64() {
        let world = World::new().await;
        let maya = world.maya().await;
        let mut event = event::http_api("PATCH", "/v1/account", "");
        event["headers"]["authorization"] = json!(format!("Bearer {}", maya.token()));
        event["headers"]["content-type"] = json!("application/json");
        event["isBase64Encoded"] = json!(true);

        for (body, status) in [
            ("eyJkaXNwbGF5TmFtZSI6ImEifQ==", 200),
            ("eyJkaXNwbGF5TmFtZSI6ImEifQ", 400),
            ("{\"displayName\":\"c4n4ry\"}", 400),
            ("?", 400),
            ("", 400),
        ] {
            event["body"] = json!(body);

            let answer = world.deliver(event.clone()).await;

            assert_eq!(answer.status, status, "{body}");
            assert!(!answer.mentions(CANARY));
        }
    }

    #[tokio::test]
    async fn may_have_headers_that_are_none() {
        let world = World::new().await;

        for (name, value) in [
            ("host", json!("a^b")),
            ("host", json!("%zz")),
            ("host", json!("h:abc")),
            ("host", json!("")),
            ("host", json!(null)),
            ("x-forwarded-proto", json!("")),
            ("x-forwarded-proto", json!("https,http")),
            ("x-forwarded-proto", json!(7)),
            ("x bad name", json!("a")),
            ("", json!("a")),
            ("x-line", json!("a\r\nset-cookie: b=c")),
            ("x-nul", json!("\0")),
            ("x-umlaut", json!("é")),
            ("content-length", json!("-1")),
            ("transfer-encoding", json!("chunked")),
        ] {
            let mut event = event::http_api("GET", "/health", "");
            event["headers"][name] = value.clone();

            let answer = world.deliver(event).await;

            assert_eq!(answer.status, 200, "{name}: {value}");
            assert!(!answer.headers.contains_key("set-cookie"));
        }
    }

    #[tokio::test]
    async fn may_have_fields_of_wrong_types() {
        let world = World::new().await;

        for field in ["headers", "cookies", "body", "isBase64Encoded", "rawQueryString", "version"]
        {
            for value in [json!(null), json!(7), json!("x"), json!([7]), json!({ "x": [7] })] {
                let mut event = event::http_api("GET", "/health", "");
                event[field] = value.clone();

                let answer = world.deliver(event).await;

                let fine = [200, 400].contains(&answer.status.as_u16());
                assert!(fine, "{field} {value}: {}", answer.text());
            }
        }
    }
}

mod a_store_that_is_gone {
    use super::*;

    #[tokio::test]
    async fn is_503_and_says_nothing_of_it() {
        let world = World::new().await;
        let maya = world.maya().await;
        let door = world.lose_the_store().await;

        let answer = maya.at(door.clone()).get("/v1/account").await.expect(503);

        assert_eq!(answer.header("retry-after"), "1");
        let expected = json!({
            "type": "urn:landline:problem:unavailable",
            "title": "The service is not available",
            "status": 503,
            "code": "unavailable",
            "detail": "Try again in a moment.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        Client::new(door).get("/health").await.expect(200);
    }
}
