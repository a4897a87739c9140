use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};
use tests::{Client, Fault, Faults, Request, World};

fn titles(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().expect("a page has items");
    items.iter().map(|note| note["title"].as_str().expect("a title")).collect()
}

/// A note that was written: where it is, and what it is.
struct Written {
    path: String,
    note: Value,
}

async fn write(person: &Client, title: &str) -> Written {
    let answer = person.post("/v1/notes").json(json!({ "title": title })).await.expect(201);
    Written { path: answer.header("location").to_owned(), note: answer.json() }
}

/// Notes of these titles, a second apart.
async fn write_apart(world: &World, maya: &Client, titles: &[&str]) {
    for title in titles {
        write(maya, title).await;
        world.advance(Duration::from_secs(1));
    }
}

mod list_notes {
    use super::*;

    #[tokio::test]
    async fn is_empty_at_first() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.get("/v1/notes").await.expect(200);

        assert_eq!(answer.json(), json!({ "items": [] }));
    }

    #[tokio::test]
    async fn shows_the_callers_own_newest_first() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let first = write(&maya, "First").await.note;
        world.advance(Duration::from_millis(1));
        let second = write(&maya, "Second").await.note;
        write(&omar, "Omar's").await;

        let answer = maya.get("/v1/notes").await.expect(200);

        assert_eq!(answer.json(), json!({ "items": [second, first] }));
    }

    #[tokio::test]
    async fn comes_in_pages_without_an_empty_one_at_the_end() {
        let world = World::new().await;
        let maya = world.maya().await;
        write_apart(&world, &maya, &["1", "2", "3", "4"]).await;

        let mut pages = Vec::new();
        let mut next = Some("/v1/notes?limit=2".to_owned());
        while let Some(path) = next.take() {
            let page = maya.get(path).await.expect(200).json();
            let cursor = page["nextCursor"].as_str();
            next = cursor.map(|cursor| format!("/v1/notes?limit=2&cursor={cursor}"));
            pages.push(page);
        }

        let pages: Vec<_> = pages.iter().map(titles).collect();
        assert_eq!(pages, [["4", "3"], ["2", "1"]]);
    }

    #[tokio::test]
    async fn goes_on_where_a_note_has_been_deleted_or_added_meanwhile() {
        let world = World::new().await;
        let maya = world.maya().await;
        write_apart(&world, &maya, &["1", "2"]).await;
        let third = write(&maya, "3").await;
        world.advance(Duration::from_secs(1));

        let page = maya.get("/v1/notes?limit=1").await.expect(200).json();
        maya.delete(&third.path).await.expect(204);
        write(&maya, "4").await;
        let cursor = page["nextCursor"].as_str().unwrap();
        let rest = maya.get(format!("/v1/notes?cursor={cursor}")).await.expect(200).json();

        assert_eq!(titles(&page), ["3"]);
        assert_eq!(titles(&rest), ["2", "1"]);
    }

    #[tokio::test]
    async fn has_twenty_on_a_page_and_a_hundred_at_most() {
        let world = World::new().await;
        let maya = world.maya().await;
        join_all((0..101).map(|number| {
            let maya = maya.clone();
            async move { write(&maya, &number.to_string()).await }
        }))
        .await;

        for (query, count, more) in [
            ("", 20, true),
            ("?limit=1", 1, true),
            ("?limit=99", 99, true),
            ("?limit=100", 100, true),
        ] {
            let page = maya.get(format!("/v1/notes{query}")).await.expect(200).json();

            assert_eq!(titles(&page).len(), count, "{query}");
            assert_eq!(page["nextCursor"].is_string(), more, "{query}");
        }
        for query in ["?limit=0", "?limit=101"] {
            let answer = maya.get(format!("/v1/notes{query}")).await.expect(422);

            let expected = json!([{
                "pointer": "/limit",
                "code": "range",
                "message": "must be 1 to 100",
                "limits": { "min": 1, "max": 100 },
            }]);
            assert_eq!(answer.json()["errors"], expected, "{query}");
        }
    }

    #[tokio::test]
    async fn finds_notes_by_a_tag() {
        let world = World::new().await;
        let maya = world.maya().await;
        for (title, tags) in [
            ("1", json!(["travel", "lists"])),
            ("2", json!([])),
            ("3", json!(["travelling"])),
            ("4", json!(["travel"])),
            ("5", json!(["Travel"])),
        ] {
            let body = json!({ "title": title, "tags": tags });
            maya.post("/v1/notes").json(body).await.expect(201);
            world.advance(Duration::from_secs(1));
        }

        let all = maya.get("/v1/notes?tag=travel").await.expect(200).json();
        let first = maya.get("/v1/notes?tag=travel&limit=1").await.expect(200).json();
        let cursor = first["nextCursor"].as_str().unwrap();
        let path = format!("/v1/notes?tag=travel&limit=1&cursor={cursor}");
        let second = maya.get(path).await.expect(200).json();

        assert_eq!(titles(&all), ["4", "1"]);
        assert_eq!(all.get("nextCursor"), None);
        assert_eq!(titles(&first), ["4"]);
        assert_eq!(titles(&second), ["1"]);
        assert_eq!(second.get("nextCursor"), None);
        assert_eq!(maya.get("/v1/notes?tag=none").await.expect(200).json(), json!({ "items": [] }));
    }

    #[tokio::test]
    async fn reads_a_tag_as_a_form_has_it() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Found", "tags": ["a b&c"] });
        maya.post("/v1/notes").json(body).await.expect(201);

        for query in ["tag=a+b%26c", "tag=a%20b%26c", "t%61g=a+b%26c&limit=5"] {
            let list = maya.get(format!("/v1/notes?{query}")).await.expect(200).json();

            assert_eq!(titles(&list), ["Found"], "{query}");
        }
        for (query, rule) in [
            ("tag=", "length"),
            ("tag=ccccccccccccccccccccccccccccccc", "length"),
            ("tag=a%00", "nul"),
            ("tag=a&tag=b", "duplicate"),
        ] {
            let answer = maya.get(format!("/v1/notes?{query}")).await;

            assert_eq!(answer.violations(), [("/tag".to_owned(), rule.to_owned())], "{query}");
        }
    }

    #[tokio::test]
    async fn finds_a_tag_behind_many_notes_without_it() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Far back", "tags": ["rare"] });
        maya.post("/v1/notes").json(body).await.expect(201);
        world.advance(Duration::from_secs(1));
        for _ in 0..9 {
            join_all((0..50).map(|_| write(&maya, "In front"))).await;
        }

        let mut found = Vec::new();
        let mut pages = 0;
        let mut next = Some("/v1/notes?tag=rare".to_owned());
        while let Some(path) = next.take() {
            let page = maya.get(path).await.expect(200).json();
            found.extend(titles(&page).into_iter().map(str::to_owned));
            let cursor = page["nextCursor"].as_str();
            next = cursor.map(|cursor| format!("/v1/notes?tag=rare&cursor={cursor}"));
            pages += 1;
        }

        assert_eq!(found, ["Far back"]);
        assert_eq!(pages, 2, "one request does not read a whole partition");
    }

    #[tokio::test]
    async fn refuses_a_cursor_of_something_else() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        for client in [&maya, &omar] {
            for title in ["1", "2"] {
                let body = json!({ "title": title, "tags": ["travel"] });
                client.post("/v1/notes").json(body).await.expect(201);
            }
        }
        let page = maya.get("/v1/notes?limit=1").await.expect(200).json();
        let cursor = page["nextCursor"].as_str().unwrap();
        let tagged = maya.get("/v1/notes?limit=1&tag=travel").await.expect(200).json();
        let tagged = tagged["nextCursor"].as_str().unwrap();
        maya.sign_in("maya@example.com").await;
        let sessions = maya.get("/v1/sessions?limit=1").await.expect(200).json();
        let sessions = sessions["nextCursor"].as_str().unwrap();
        let mut other = cursor.to_owned().into_bytes();
        let last = other.last_mut().unwrap();
        *last = if *last == b'A' { b'Q' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        let (half, all_but_one) = (&cursor[..cursor.len() / 2], &cursor[..cursor.len() - 1]);
        assert!(half.len() > 20, "there is something to cut: {cursor}");

        for (client, query, why) in [
            (&maya, format!("tag=travel&cursor={cursor}"), "a tag more"),
            (&maya, format!("cursor={tagged}"), "a tag less"),
            (&maya, format!("tag=other&cursor={tagged}"), "another tag"),
            (&omar, format!("cursor={cursor}"), "another person"),
            (&maya, "cursor=c4n4ry".to_owned(), "garbage"),
            (&maya, "cursor=%2B%2F%2F".to_owned(), "not base64url"),
            (&maya, "cursor=AQ".to_owned(), "too short"),
            (&maya, format!("cursor={other}"), "changed"),
            (&maya, format!("cursor={cursor}AA"), "longer"),
            (&maya, format!("cursor={half}"), "cut in half"),
            (&maya, format!("cursor={all_but_one}"), "cut by a letter"),
            (&maya, format!("cursor={sessions}"), "another list"),
        ] {
            let answer = client.get(format!("/v1/notes?{query}")).await;

            let expected = json!({
                "type": "urn:landline:problem:cursor_invalid",
                "title": "The cursor is not valid",
                "status": 400,
                "code": "cursor_invalid",
                "detail": "Begin at the first page.",
                "requestId": "test",
            });
            assert_eq!(answer.json(), expected, "{why}");
        }
        // The size of a page may change on the way.
        maya.get(format!("/v1/notes?limit=7&cursor={cursor}")).await.expect(200);
    }

    /// No cursor is that short or that long, and the spec says so.
    #[tokio::test]
    async fn refuses_a_cursor_of_no_length_that_it_has() {
        let world = World::new().await;
        let maya = world.maya().await;
        let longest = "A".repeat(1000);

        for cursor in [String::new(), format!("{longest}A")] {
            let answer = maya.get(format!("/v1/notes?cursor={cursor}")).await;

            let expected = json!({
                "type": "urn:landline:problem:validation_failed",
                "title": "The request breaks rules",
                "status": 422,
                "code": "validation_failed",
                "detail": "One value is not as it should be.",
                "requestId": "test",
                "errors": [{
                    "pointer": "/cursor",
                    "code": "length",
                    "message": "must have 1 to 1000 characters",
                    "limits": { "min": 1, "max": 1000 },
                }],
            });
            assert_eq!(answer.json(), expected, "{}", cursor.len());
        }
        let answer = maya.get(format!("/v1/notes?cursor={longest}")).await;
        answer.expect_problem(400, "cursor_invalid");
    }

    #[tokio::test]
    async fn takes_a_cursor_for_a_day() {
        let world = World::new().await;
        let maya = world.maya().await;
        write_apart(&world, &maya, &["1", "2"]).await;
        let page = maya.get("/v1/notes?limit=1").await.expect(200).json();
        let path = format!("/v1/notes?cursor={}", page["nextCursor"].as_str().unwrap());

        world.advance(Duration::from_millis(24 * 60 * 60 * 1000 - 1));
        let maya = maya.refreshed().await;
        maya.get(&path).await.expect(200);
        world.advance(Duration::from_millis(1));

        maya.get(&path).await.expect_problem(400, "cursor_invalid");
    }
}

mod list_notes_that_are_large {
    use std::collections::BTreeSet;

    use local_dev::{Gateway, Source};
    use tests::Door;

    use super::*;

    /// What a load balancer takes is the least of all sources, and U+0001 is what grows the most
    /// on the way: a byte is six in JSON, and seven in JSON within JSON.
    #[tokio::test]
    async fn ends_a_page_before_it_is_too_large_to_be_passed_on() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Large", "body": "\u{1}".repeat(10_000) });
        let written =
            join_all((0..100).map(|_| maya.post("/v1/notes").json(body.clone()).into_future()))
                .await;
        let written: BTreeSet<_> =
            written.into_iter().map(|note| note.expect(201).json()["id"].to_string()).collect();
        let gateway = Gateway::new(world.app().clone(), world.ambient().clone());
        let doors = [world.door(), Door::InProcess(gateway.behind(Source::Alb))];

        for maya in doors.map(|door| maya.at(door)) {
            let mut found = Vec::new();
            let mut pages = 0;
            let mut next = Some("/v1/notes?limit=100".to_owned());
            while let Some(path) = next.take() {
                let page = maya.get(path).await.expect(200).json();
                let items = page["items"].as_array().unwrap();
                assert!((1..100).contains(&items.len()), "{} notes", items.len());
                found.extend(items.iter().map(|note| note["id"].to_string()));
                let cursor = page["nextCursor"].as_str();
                next = cursor.map(|cursor| format!("/v1/notes?limit=100&cursor={cursor}"));
                pages += 1;
            }

            assert!(pages > 1);
            assert_eq!(found.len(), 100);
            assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), written);
        }
    }
}

mod list_notes_from_a_forged_cursor {
    use aws_lc_rs::digest::{SHA256, digest};
    use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
    use models::Id;

    use super::*;

    /// What every cursor here would be if a client knew the layout: the version, eight bytes of a
    /// hash, the time of issue, the sort key. Nothing in it is secret.
    fn forged(owner: &Value, issued: i64, sort: &[u8]) -> String {
        let owner: Id = owner.as_str().and_then(|id| id.parse().ok()).expect("an id");
        let issued = issued.to_be_bytes();
        let mut hashed = Vec::new();
        for part in [b"NOTE", &owner.as_bytes()[..], b"", b"", &issued, sort] {
            hashed.extend(part.len().to_be_bytes());
            hashed.extend(part);
        }
        let hash = digest(&SHA256, &hashed);
        BASE64_URL_SAFE_NO_PAD.encode([&[1], &hash.as_ref()[..8], &issued, sort].concat())
    }

    #[tokio::test]
    async fn begins_at_a_note_now_and_at_nothing_else() {
        let world = World::new().await;
        let maya = world.maya().await;
        let first = write(&maya, "First").await.note;
        world.advance(Duration::from_secs(1));
        let second = write(&maya, "Second").await.note;
        let (owner, now) = (&maya.signed_in["account"]["id"], world.ambient().now().unix_millis());
        let sort = |prefix: &str| [prefix, second["id"].as_str().unwrap()].concat();
        let note = sort("NOTE#");

        for (issued, why) in [(now, "now"), (now + 59_999, "by a clock that is ahead")] {
            let cursor = forged(owner, issued, note.as_bytes());
            let page = maya.get(format!("/v1/notes?cursor={cursor}")).await.expect(200).json();

            assert_eq!(page, json!({ "items": [first] }), "{why}");
        }
        for (issued, sort, why) in [
            (now, &b""[..], "nothing"),
            (now, b"NOTE", "half a sort key"),
            (now, sort("SESSION#").as_bytes(), "another kind"),
            (now, sort("PROFILE#").as_bytes(), "another kind before this one"),
            (now, sort("NOTES#").as_bytes(), "a kind that begins alike"),
            (now, b"NOTE#\xff", "not UTF-8"),
            (now + 60_000, note.as_bytes(), "a minute ahead"),
            (now + 3_600_000, note.as_bytes(), "an hour ahead"),
            (i64::MAX, note.as_bytes(), "the end of time"),
            (i64::MIN, note.as_bytes(), "the beginning of time"),
        ] {
            let cursor = forged(owner, issued, sort);
            let answer = maya.get(format!("/v1/notes?cursor={cursor}")).await;

            assert_eq!(answer.json()["code"], "cursor_invalid", "{why}");
            assert_eq!(answer.status, 400, "{why}");
        }
    }
}

mod create_note {
    use super::*;

    #[tokio::test]
    async fn keeps_everything_that_is_said() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = json!({
            "title": "Packing list",
            "body": "Tent, stove,\n\"the good rope\", 🏕 \u{7f}",
            "tags": ["travel", "lists"],
            "colour": "green",
            "pinned": true,
        });
        let answer = maya.post("/v1/notes").json(body).await.expect(201);

        let note = answer.json();
        let expected = json!({
            "id": note["id"],
            "title": "Packing list",
            "body": "Tent, stove,\n\"the good rope\", 🏕 \u{7f}",
            "tags": ["travel", "lists"],
            "colour": "green",
            "pinned": true,
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:30:00.000Z",
            "version": 1,
        });
        assert_eq!(note, expected);
        let id = note["id"].as_str().unwrap();
        assert_eq!(answer.header("location"), format!("/v1/notes/{id}"));
        let kept = maya.get(answer.header("location")).await.expect(200);
        assert_eq!(kept.json(), expected);
    }

    #[tokio::test]
    async fn needs_a_title_only() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = json!({ "title": "Call the harbour office" });
        let note = maya.post("/v1/notes").json(body).await.expect(201).json();

        let expected = json!({
            "id": note["id"],
            "title": "Call the harbour office",
            "body": "",
            "tags": [],
            "colour": "yellow",
            "pinned": false,
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:30:00.000Z",
            "version": 1,
        });
        assert_eq!(note, expected);
    }

    #[tokio::test]
    async fn takes_every_value_up_to_its_bound() {
        let world = World::new().await;
        let maya = world.maya().await;

        for (field, value) in [
            ("title", json!("t")),
            ("title", json!("𝒳".repeat(200))),
            ("body", json!("")),
            ("body", json!("𝒳".repeat(10_000))),
            ("tags", json!([])),
            ("tags", json!(["t", "𝒳".repeat(30)])),
            ("tags", json!(vec!["t"; 10])),
            ("colour", json!("pink")),
        ] {
            let mut body = json!({ "title": "A title" });
            body[field] = value.clone();

            let note = maya.post("/v1/notes").json(body).await.expect(201).json();

            assert_eq!(note[field], value);
        }
    }

    #[tokio::test]
    async fn refuses_every_value_beyond_its_bound() {
        let world = World::new().await;
        let maya = world.maya().await;

        for (field, value, pointer, rule) in [
            ("title", json!(""), "/title", "length"),
            ("title", json!("𝒳".repeat(201)), "/title", "length"),
            ("body", json!("b".repeat(10_001)), "/body", "length"),
            ("tags", json!(vec!["t"; 11]), "/tags", "length"),
            ("tags", json!(["t", ""]), "/tags/1", "length"),
            ("tags", json!(["t", "t", "𝒳".repeat(31)]), "/tags/2", "length"),
            ("colour", json!("mauve"), "/colour", "unknown_value"),
            ("colour", json!("Yellow"), "/colour", "unknown_value"),
        ] {
            let mut body = json!({ "title": "A title" });
            body[field] = value.clone();

            let answer = maya.post("/v1/notes").json(body).await;

            let expected = [(pointer.to_owned(), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{field}: {value}");
        }
        assert_eq!(maya.get("/v1/notes").await.expect(200).json(), json!({ "items": [] }));
    }
}

mod create_note_of_something_else {
    use super::*;

    #[tokio::test]
    async fn is_refused_by_place_and_without_the_value() {
        let world = World::new().await;
        let maya = world.maya().await;

        for (body, pointer, code) in [
            ("[\"c4n4ry\",\"\",[],\"blue\",true]", "", "wrong_type"),
            ("{}", "/title", "required"),
            ("{\"title\":\"a\",\"owner\":\"c4n4ry\"}", "/owner", "unknown_field"),
            ("{\"title\":\"a\",\"body\":null}", "/body", "wrong_type"),
            ("{\"title\":\"a\",\"tags\":\"c4n4ry\"}", "/tags", "wrong_type"),
            ("{\"title\":\"a\",\"tags\":null}", "/tags", "wrong_type"),
            ("{\"title\":\"a\",\"tags\":{\"0\":\"c4n4ry\"}}", "/tags", "wrong_type"),
            ("{\"title\":\"a\",\"tags\":[\"a\",7]}", "/tags/1", "wrong_type"),
            ("{\"title\":\"a\",\"tags\":[\"a\",null]}", "/tags/1", "wrong_type"),
            ("{\"title\":\"a\",\"tags\":[\"c4n4ry\\u0000\"]}", "/tags/0", "nul"),
            ("{\"title\":\"a\",\"pinned\":\"true\"}", "/pinned", "wrong_type"),
            ("{\"title\":\"a\",\"pinned\":\"c4n4ry, expected c4n4ry\"}", "/pinned", "wrong_type"),
            ("{\"title\":\"a\",\"pinned\":1}", "/pinned", "wrong_type"),
            ("{\"title\":\"a\",\"pinned\":1e308}", "/pinned", "wrong_type"),
            ("{\"title\":\"a\",\"colour\":1}", "/colour", "wrong_type"),
            ("{\"title\":\"a\",\"colour\":{\"blue\":null}}", "/colour", "wrong_type"),
            ("{\"title\":\"a\",\"colour\":\"c4n4ry\"}", "/colour", "unknown_value"),
            (
                "{\"title\":\"a\",\"colour\":\"c4n4ry`, expected c4n4ry\"}",
                "/colour",
                "unknown_value",
            ),
        ] {
            let answer = maya.post("/v1/notes").json_text(body).await;

            assert!(!answer.mentions("c4n4ry"), "{body}: {}", answer.text());
            assert_eq!(answer.violations(), [(pointer.to_owned(), code.to_owned())], "{body}");
        }
        assert_eq!(maya.get("/v1/notes").await.expect(200).json(), json!({ "items": [] }));
    }

    #[tokio::test]
    async fn is_told_what_there_is_to_choose_from() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = json!({ "title": "Packing list", "colour": "mauve" });
        let answer = maya.post("/v1/notes").json(body).await.expect(422);

        let expected = json!([{
            "pointer": "/colour",
            "code": "unknown_value",
            "message": "must be one of \"yellow\", \"blue\", \"green\", \"pink\"",
            "limits": {},
        }]);
        assert_eq!(answer.json()["errors"], expected);
    }
}

mod get_note {
    use super::*;

    #[tokio::test]
    async fn shows_the_note() {
        let world = World::new().await;
        let maya = world.maya().await;
        let written = write(&maya, "Packing list").await;

        let answer = maya.get(&written.path).await.expect(200);

        assert_eq!(answer.json(), written.note);
    }

    #[tokio::test]
    async fn does_not_find_another_persons() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let written = write(&maya, "Packing list").await;

        let answer = omar.get(&written.path).await.expect(404);

        let expected = json!({
            "type": "urn:landline:problem:not_found",
            "title": "There is no such resource",
            "status": 404,
            "code": "not_found",
            "detail": "There is no such note.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
    }
}

mod put_note {
    use super::*;

    /// As a phone makes it, offline.
    const PATH: &str = "/v1/notes/01a20449-4b19-71d8-8d0c-7e91835567cb";

    fn put(person: &Client, path: &str, body: &Value) -> Request {
        person.request(Method::PUT, path).json(body.clone())
    }

    #[tokio::test]
    async fn keeps_a_note_under_the_id_that_the_phone_has_made() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = json!({ "title": "Packing list", "tags": ["travel"] });
        let answer = put(&maya, PATH, &body).await.expect(201);

        assert_eq!(answer.header("location"), PATH);
        assert_eq!(answer.header("etag"), r#""1""#);
        let expected = json!({
            "id": "01a20449-4b19-71d8-8d0c-7e91835567cb",
            "title": "Packing list",
            "body": "",
            "tags": ["travel"],
            "colour": "yellow",
            "pinned": false,
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:30:00.000Z",
            "version": 1,
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(maya.get(PATH).await.expect(200).json(), expected);
    }

    #[tokio::test]
    async fn replaces_all_of_one_that_is_there() {
        let world = World::new().await;
        let maya = world.maya().await;
        let written = write(&maya, "Packing list").await;
        world.advance(Duration::from_secs(90));

        let body = json!({ "title": "Packing list", "pinned": true });
        let answer = put(&maya, &written.path, &body).await.expect(200);

        let mut expected = written.note;
        expected["pinned"] = json!(true);
        expected["updatedAt"] = json!("2026-11-22T16:31:30.000Z");
        expected["version"] = json!(2);
        assert_eq!(answer.json(), expected);
        assert_eq!(answer.header("etag"), r#""2""#);
        assert_eq!(answer.header("location"), "");
    }

    #[tokio::test]
    async fn makes_one_note_however_often_it_is_sent() {
        let world = World::new().await;
        let maya = world.maya().await;

        let body = json!({ "title": "Packing list" });
        let sent = (0..20).map(|_| put(&maya, PATH, &body).into_future());
        let answers = join_all(sent).await;

        let new = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(new, 1);
        let page = maya.get("/v1/notes").await.expect(200).json();
        assert_eq!(titles(&page), ["Packing list"]);
        assert_eq!(page["items"][0]["version"], 20);
    }

    #[tokio::test]
    async fn holds_the_condition_that_it_is_sent_with() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Packing list" });
        let put = |name, value| put(&maya, PATH, &body).header(name, value).into_future();

        put("if-match", "*").await.expect_problem(412, "precondition_failed");
        put("if-match", r#""1""#).await.expect_problem(412, "precondition_failed");
        put("if-none-match", "*").await.expect(201);
        put("if-none-match", "*").await.expect_problem(412, "precondition_failed");
        put("if-match", r#""1""#).await.expect(200);
        put("if-match", r#""1""#).await.expect_problem(412, "precondition_failed");
        put("if-match", "*").await.expect(200);
    }

    /// So that a phone that knows the old one cannot take the new one for it.
    #[tokio::test]
    async fn counts_on_where_one_of_its_id_was_deleted() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Packing list" });
        put(&maya, PATH, &body).await.expect(201);
        maya.delete(PATH).await.expect(204);
        maya.get(PATH).await.expect_problem(404, "not_found");
        maya.delete(PATH).await.expect_problem(404, "not_found");
        assert_eq!(maya.get("/v1/notes").await.json(), json!({ "items": [] }));

        let stale = put(&maya, PATH, &body).header("if-match", "*").await;
        let again = put(&maya, PATH, &body).header("if-none-match", "*").await.expect(201);

        stale.expect_problem(412, "precondition_failed");
        assert_eq!(again.header("etag"), r#""3""#);
        maya.get(PATH).await.expect(200);
    }

    #[tokio::test]
    async fn is_about_the_callers_own_notes() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let written = write(&maya, "Maya's").await;

        put(&omar, &written.path, &json!({ "title": "Omar's" })).await.expect(201);

        assert_eq!(maya.get(&written.path).await.expect(200).json(), written.note);
        assert_eq!(omar.get(&written.path).await.expect(200).json()["title"], "Omar's");
    }

    #[tokio::test]
    async fn takes_no_id_that_is_none() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = put(&maya, "/v1/notes/packing-list", &json!({ "title": "List" })).await;

        answer.expect_problem(404, "not_found");
    }
}

mod update_note {
    use super::*;

    #[tokio::test]
    async fn changes_what_is_named_and_leaves_the_rest() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Packing list", "body": "Tent", "tags": ["travel"] });
        let created = maya.post("/v1/notes").json(body).await.expect(201);
        world.advance(Duration::from_secs(90));

        let body = json!({ "pinned": true, "colour": "blue" });
        let answer = maya.patch(created.header("location")).json(body).await.expect(200);

        let expected = json!({
            "id": created.json()["id"],
            "title": "Packing list",
            "body": "Tent",
            "tags": ["travel"],
            "colour": "blue",
            "pinned": true,
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:31:30.000Z",
            "version": 2,
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(maya.get(created.header("location")).await.expect(200).json(), expected);
    }

    #[tokio::test]
    async fn clears_a_text_or_a_list_by_its_empty_value() {
        let world = World::new().await;
        let maya = world.maya().await;
        let body = json!({ "title": "Packing list", "body": "Tent", "tags": ["travel"] });
        let created = maya.post("/v1/notes").json(body).await.expect(201);

        let body = json!({ "body": "", "tags": [] });
        let note = maya.patch(created.header("location")).json(body).await.expect(200).json();

        assert_eq!(note["body"], "");
        assert_eq!(note["tags"], json!([]));
        assert_eq!(note["title"], "Packing list");
        let found = maya.get("/v1/notes?tag=travel").await.expect(200).json();
        assert_eq!(found, json!({ "items": [] }));
    }

    #[tokio::test]
    async fn refuses_null_and_everything_else_that_is_no_value() {
        let world = World::new().await;
        let maya = world.maya().await;
        let written = write(&maya, "Packing list").await;

        for (body, pointer, rule) in [
            (json!({ "title": null }), "/title", "wrong_type"),
            (json!({ "body": null }), "/body", "wrong_type"),
            (json!({ "tags": null }), "/tags", "wrong_type"),
            (json!({ "colour": null }), "/colour", "wrong_type"),
            (json!({ "pinned": null }), "/pinned", "wrong_type"),
            (json!({ "title": "" }), "/title", "length"),
            (json!({ "title": "t".repeat(201) }), "/title", "length"),
            (json!({ "body": "b".repeat(10_001) }), "/body", "length"),
            (json!({ "tags": vec!["t"; 11] }), "/tags", "length"),
            (json!({ "id": written.note["id"] }), "/id", "unknown_field"),
            (json!({ "version": 1 }), "/version", "unknown_field"),
        ] {
            let answer = maya.patch(&written.path).json(body.clone()).await;

            let expected = [(pointer.to_owned(), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{body}");
        }
        assert_eq!(maya.get(&written.path).await.expect(200).json(), written.note);
    }

    #[tokio::test]
    async fn loses_none_of_twenty_changes_at_once() {
        let world = World::new().await;
        let maya = world.maya().await;
        let written = write(&maya, "Packing list").await;
        let changes = [
            json!({ "body": "Tent" }),
            json!({ "tags": ["travel"] }),
            json!({ "colour": "pink" }),
            json!({ "pinned": true }),
        ];

        let answers = join_all((0..20).map(|number| {
            maya.patch(&written.path).json(changes[number % 4].clone()).into_future()
        }))
        .await;

        let answers = answers.into_iter().map(|answer| answer.expect(200).json());
        let mut versions: Vec<_> = answers.filter_map(|note| note["version"].as_u64()).collect();
        versions.sort_unstable();
        assert_eq!(versions, (2..=21).collect::<Vec<_>>());
        let mut expected = written.note;
        expected["body"] = json!("Tent");
        expected["tags"] = json!(["travel"]);
        expected["colour"] = json!("pink");
        expected["pinned"] = json!(true);
        expected["version"] = json!(21);
        assert_eq!(maya.get(&written.path).await.expect(200).json(), expected);
    }

    #[tokio::test]
    async fn does_not_find_another_persons() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let written = write(&maya, "Packing list").await;

        let body = json!({ "title": "Omar was here" });
        omar.patch(&written.path).json(body).await.expect_problem(404, "not_found");

        assert_eq!(maya.get(&written.path).await.expect(200).json(), written.note);
    }
}

mod delete_note {
    use super::*;

    #[tokio::test]
    async fn keeps_a_note_that_has_changed_since_the_phone_saw_it() {
        let world = World::new().await;
        let maya = world.maya().await;
        let path = write(&maya, "Packing list").await.path;
        maya.patch(&path).json(json!({ "pinned": true })).await.expect(200);

        let stale = maya.delete(&path).header("if-match", r#""1""#).await;

        stale.expect_problem(412, "precondition_failed");
        maya.get(&path).await.expect(200);
        maya.delete(&path).header("if-match", r#""2""#).await.expect(204);
        let gone = maya.delete(&path).header("if-match", r#""2""#).await;
        gone.expect_problem(404, "not_found");
    }

    #[tokio::test]
    async fn removes_the_note_once() {
        let world = World::new().await;
        let maya = world.maya().await;
        let written = write(&maya, "Packing list").await;
        let kept = write(&maya, "Opening hours").await;

        maya.delete(&written.path).await.expect(204);

        maya.delete(&written.path).await.expect_problem(404, "not_found");
        maya.get(&written.path).await.expect_problem(404, "not_found");
        let body = json!({ "title": "Back again" });
        maya.patch(&written.path).json(body).await.expect_problem(404, "not_found");
        let list = maya.get("/v1/notes").await.expect(200).json();
        assert_eq!(list, json!({ "items": [kept.note] }));
    }

    #[tokio::test]
    async fn is_done_by_exactly_one_of_ten_at_once() {
        let world = World::new().await;
        let maya = world.maya().await;
        let written = write(&maya, "Packing list").await;

        let answers = join_all((0..10).map(|_| maya.delete(&written.path).into_future())).await;

        let gone = answers.iter().filter(|answer| answer.status == 204).count();
        let lost = answers.iter().filter(|answer| answer.status == 404).count();
        assert_eq!((gone, lost), (1, 9));
    }

    #[tokio::test]
    async fn does_not_find_another_persons() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let written = write(&maya, "Packing list").await;

        omar.delete(&written.path).await.expect_problem(404, "not_found");

        assert_eq!(maya.get(&written.path).await.expect(200).json(), written.note);
    }
}

mod an_answer_of_the_store_that_is_lost {
    use super::*;

    #[tokio::test]
    async fn makes_one_note_changes_it_once_and_deletes_it() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        faults.next(1, "PutItem", Fault::LostAnswer);

        let written = write(&maya, "Packing list").await;

        let list = maya.get("/v1/notes").await.expect(200).json();
        assert_eq!(list, json!({ "items": [written.note] }));
        faults.next(1, "PutItem", Fault::LostAnswer);
        let note = maya.patch(&written.path).json(json!({ "pinned": true })).await.expect(200);
        assert_eq!(note.json()["version"], 2);
        assert_eq!(maya.get(&written.path).await.expect(200).json(), note.json());
        faults.next(1, "PutItem", Fault::LostAnswer);
        maya.delete(&written.path).await.expect(204);
        let list = maya.get("/v1/notes").await.expect(200).json();
        assert_eq!(list, json!({ "items": [] }));
    }
}

mod the_calls_to_the_store {
    use super::*;

    #[tokio::test]
    async fn are_as_few_as_can_be() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        let path = write(&maya, "Packing list").await.path;
        faults.calls();

        for (request, status, calls) in [
            (maya.post("/v1/notes").json(json!({ "title": "A" })), 201, &["PutItem"][..]),
            (maya.get("/v1/notes"), 200, &["Query"]),
            (maya.get("/v1/notes?limit=1"), 200, &["Query"]),
            (maya.get("/v1/notes?tag=none"), 200, &["Query"]),
            (maya.get(&path), 200, &["GetItem"]),
            (maya.patch(&path).json(json!({ "pinned": true })), 200, &["GetItem", "PutItem"]),
            (maya.delete(&path), 204, &["GetItem", "PutItem"]),
            (maya.get(&path), 404, &["GetItem"]),
            (maya.patch(&path).json(json!({ "pinned": true })), 404, &["GetItem"]),
            (maya.patch(&path).json(json!({ "pinned": 7 })), 422, &[]),
        ] {
            let named = request.to_string();

            request.await.expect(status);

            assert_eq!(faults.calls(), calls, "{named}");
        }
    }
}

mod the_store_of_a_laptop {
    use tests::{LocalDev, run};

    use super::*;

    #[tokio::test]
    async fn is_filled_with_notes_once() {
        let place = tempfile::tempdir().unwrap();
        let data = place.path().to_str().unwrap();
        for _ in 0..2 {
            let outcome = run("local-dev", ["seed", "--data-dir", data], &[]).await;
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
        }

        let laptop = LocalDev::start(place.path(), ["--data-dir", data]).await;

        let body = json!({ "email": "maya@example.com", "password": "maya-likes-lighthouses" });
        let answer = laptop.anonymous().post("/v1/sessions").json(body).await.expect(201);
        let maya = laptop.anonymous().as_signed_in(answer.json());
        let list = maya.get("/v1/notes").await.expect(200).json();
        let expected = ["Call the harbour office", "Lighthouse opening hours", "Packing list"];
        assert_eq!(titles(&list), expected);
    }
}

/// Each shape of a note that a release has written. `docs/evolving.md` says when to add one.
mod a_stored_note {
    use models::entities::notes::Note;
    use tests::evolution::{expect_kept, get, owned_key};

    use super::*;

    /// What phones ask for changes by, and nothing of what the note said when it is gone.
    #[tokio::test]
    async fn says_when_it_has_changed_and_leaves_a_tombstone() {
        let world = World::new().await;
        let maya = world.maya().await;
        let Written { path, note } = write(&maya, "Packing list").await;
        let owner = maya.signed_in["account"]["id"].as_str().unwrap();
        let keys = json!({
            "pk": { "S": format!("ACCOUNT#{owner}") },
            "sk": { "S": format!("NOTE#{}", note["id"].as_str().unwrap()) },
        });

        let made = get(&world, &keys).await;
        world.advance(Duration::from_secs(60));
        maya.patch(&path).json(json!({ "title": "Packing" })).await.expect(200);
        let changed = get(&world, &keys).await;
        world.advance(Duration::from_secs(60));
        maya.delete(&path).await.expect(204);
        let mut tombstone = get(&world, &keys).await;

        assert_eq!(made["changedAt"], json!({ "S": "2026-11-22T16:30:00.000Z" }));
        assert_eq!(changed["changedAt"], json!({ "S": "2026-11-22T16:31:00.000Z" }));
        let write_id = tombstone.as_object_mut().unwrap().remove("writeId").unwrap();
        assert!(write_id["B"].is_string(), "{write_id}");
        let expected = json!({
            "pk": keys["pk"],
            "sk": keys["sk"],
            "kind": { "S": "NOTE" },
            "version": { "N": "3" },
            "changedAt": { "S": "2026-11-22T16:32:00.000Z" },
            "deletedAt": { "S": "2026-11-22T16:32:00.000Z" },
            // 2027-02-20T16:32:00Z, 90 days later.
            "ttl": { "N": "1803141120" },
        });
        assert_eq!(tombstone, expected);
    }

    #[tokio::test]
    async fn of_any_release_is_read_and_kept() {
        for (release, sample) in [(
            "0.1.0",
            json!({
                "pk": { "S": "ACCOUNT#019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
                "sk": { "S": "NOTE#019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
                "kind": { "S": "NOTE" },
                "id": { "S": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
                "owner": { "S": "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
                "title": { "S": "Packing list" },
                "body": { "S": "" },
                "tags": { "L": [{ "S": "travel" }] },
                "colour": { "S": "pink" },
                "pinned": { "BOOL": true },
                "createdAt": { "S": "2026-11-22T16:30:00.000Z" },
                "updatedAt": { "S": "2026-11-22T16:30:00.000Z" },
                "changedAt": { "S": "2026-11-22T16:30:00.000Z" },
                "version": { "N": "1" },
                "writeId": { "B": "d3JpdGUtc2FtcGxl" },
            }),
        )] {
            expect_kept::<Note>(release, owned_key::<Note>(&sample), &sample).await;
        }
    }
}
