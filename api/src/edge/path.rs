//! One rule for paths, the only one that all sources can share: decoded once as a whole, split at
//! slashes, each segment encoded again. What could mean two things is refused.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::http::{Code, Problem};

/// All but `pchar` of RFC 3986, section 3.3.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// The bytes of a percent-encoded path.
pub(super) fn decode(path: &str) -> Result<Cow<'_, [u8]>, Problem> {
    let bytes = path.as_bytes();
    let broken = bytes.iter().enumerate().any(|(at, byte)| {
        *byte == b'%'
            && !bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if broken { Err(malformed()) } else { Ok(percent_decode_str(path).into()) }
}

/// The one spelling of a decoded path.
pub(super) fn normalise(path: &[u8]) -> Result<String, Problem> {
    let path = std::str::from_utf8(path).map_err(|_| malformed())?;
    let segments = path.strip_prefix('/').ok_or_else(malformed)?;
    if segments.is_empty() {
        return Ok("/".to_owned());
    }
    let mut normal = String::with_capacity(path.len());
    for segment in segments.split('/') {
        let ambiguous = matches!(segment, "" | "." | "..")
            || segment.chars().any(|character| character == '\\' || character.is_control());
        if ambiguous {
            return Err(malformed());
        }
        normal.push('/');
        normal.extend(utf8_percent_encode(segment, SEGMENT));
    }
    Ok(normal)
}

/// Payload 2.0 has the stage in front of the path, unless it is `$default`.
pub(super) fn without_stage<'p>(path: &'p str, stage: Option<&str>) -> &'p str {
    let stage = stage.filter(|stage| !stage.is_empty() && *stage != "$default");
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    match rest {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// A name or value of a query string.
pub(super) fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn malformed() -> Problem {
    Problem::new(Code::MalformedPath, "No resource has a path like this.")
}

#[cfg(test)]
mod tests {
    use super::{decode, normalise, without_stage};

    fn normal(path: &str) -> Option<String> {
        decode(path).ok().and_then(|path| normalise(&path).ok())
    }

    #[test]
    fn gives_each_path_one_spelling() {
        for (path, expected) in [
            ("/", "/"),
            ("/v1/notes", "/v1/notes"),
            ("/a%20b", "/a%20b"),
            ("/%61", "/a"),
            ("/a%3Fb%23c", "/a%3Fb%23c"),
            ("/a%252Fb", "/a%252Fb"),
            ("/a%2Fb", "/a/b"),
            ("/a+b", "/a+b"),
            ("/ü", "/%C3%BC"),
            ("/%c3%bc", "/%C3%BC"),
            ("/...", "/..."),
        ] {
            assert_eq!(normal(path).as_deref(), Some(expected), "{path}");
        }
    }

    #[test]
    fn refuses_what_could_mean_two_things() {
        for path in [
            "",
            "v1",
            "//",
            "/a//b",
            "/a/",
            "/.",
            "/a/..",
            "/%2e%2e/a",
            "/a/%2E",
            "/a\\b",
            "/a%5Cb",
            "/a%09b",
            "/a%00",
            "/%",
            "/%zz",
            "/%ff",
            "/a%2F%2Fb",
        ] {
            assert_eq!(normal(path), None, "{path}");
        }
    }

    #[test]
    fn takes_the_stage_off_once() {
        assert_eq!(without_stage("/prod/v1", Some("prod")), "/v1");
        assert_eq!(without_stage("/prod/prod/v1", Some("prod")), "/prod/v1");
        assert_eq!(without_stage("/prod", Some("prod")), "/");
        assert_eq!(without_stage("/production/v1", Some("prod")), "/production/v1");
        assert_eq!(without_stage("/v1", Some("$default")), "/v1");
        assert_eq!(without_stage("/v1", None), "/v1");
    }
}
