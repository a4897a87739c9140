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

const MALFORMED: &str = "A path has no slash at its end, no empty or dot segment, no backslash or \
                         control character, and valid percent-encoding.";

/// How a source hands paths over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As the client sent them.
    Percent,
    /// Decoded already; decoding them again would make another path of `%2525`.
    Decoded,
}

/// The one spelling of a path.
pub(super) fn normalise(path: &str, encoding: Encoding) -> Result<String, Problem> {
    let path = match encoding {
        Encoding::Decoded => Cow::Borrowed(path),
        Encoding::Percent => decode(path)?,
    };
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

fn decode(path: &str) -> Result<Cow<'_, str>, Problem> {
    let whole = |(at, _)| {
        let digits = path.as_bytes().get(at + 1..at + 3);
        digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if !path.match_indices('%').all(whole) {
        return Err(malformed());
    }
    percent_decode_str(path).decode_utf8().map_err(|_| malformed())
}

/// The path below the stage that stands in front of it.
pub(super) fn below_stage<'p>(path: &'p str, stage: Option<&str>) -> &'p str {
    match (stage, path.strip_prefix('/')) {
        (Some(stage), Some(rest)) if rest.starts_with(stage) => below(path, &path[..=stage.len()]),
        _ => path,
    }
}

/// The path below `base`, such as `/api`; the path itself where it is not below it.
pub(super) fn below<'p>(path: &'p str, base: &str) -> &'p str {
    match path.strip_prefix(base) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

/// A name or value of a query string.
pub(super) fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

pub(super) fn malformed() -> Problem {
    Problem::new(Code::MalformedPath, MALFORMED)
}

#[cfg(test)]
mod tests {
    use super::{Encoding, below, below_stage, normalise};

    fn normal(path: &str) -> Option<String> {
        normalise(path, Encoding::Percent).ok()
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
    fn leaves_what_is_decoded_as_it_is() {
        let normal = |path| normalise(path, Encoding::Decoded).ok();

        assert_eq!(normal("/a%2Fb").as_deref(), Some("/a%252Fb"));
        assert_eq!(normal("/a?b#c%").as_deref(), Some("/a%3Fb%23c%25"));
        assert_eq!(normal("/a/../b"), None);
    }

    #[test]
    fn takes_the_stage_off_once() {
        assert_eq!(below_stage("/prod/v1", Some("prod")), "/v1");
        assert_eq!(below_stage("/prod/prod/v1", Some("prod")), "/prod/v1");
        assert_eq!(below_stage("/prod", Some("prod")), "/");
        assert_eq!(below_stage("/production/v1", Some("prod")), "/production/v1");
        assert_eq!(below_stage("/v1", None), "/v1");
    }

    #[test]
    fn takes_the_base_path_off_where_it_is() {
        assert_eq!(below("/api/v1", "/api"), "/v1");
        assert_eq!(below("/api", "/api"), "/");
        assert_eq!(below("/apiary", "/api"), "/apiary");
        assert_eq!(below("/v1", ""), "/v1");
    }
}
