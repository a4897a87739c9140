//! Conditional requests (RFC 9110, section 13): the version of a resource travels as its entity
//! tag, comes back in `If-Match` or `If-None-Match`, and decides whether the request is done.

use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH},
    request::Parts,
};
use models::store::Precondition;

use super::{Code, Describe, Description, Problem};
use crate::Services;

/// What `If-Match` and `If-None-Match` hold, as a regular expression: `*`, or entity tags with commas
/// between them (RFC 9110, section 13.1).
pub const ENTITY_TAGS: &str = r#"^(\*|((W/)?"[!#-~]*")?([ \t]*,[ \t]*((W/)?"[!#-~]*")?)*)$"#;

/// The entity tag of this version. A strong one: of one version all answers are alike, until a
/// release shows more of it.
pub(super) fn entity_tag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes are a header's value")
}

/// A request that says nothing is done whatever the item is; [`Required`] insists.
impl FromRequestParts<Services> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        match (tags(&parts.headers, IF_MATCH)?, tags(&parts.headers, IF_NONE_MATCH)?) {
            (None, None) => Ok(Self::None),
            (Some(Tags::Any), None) => Ok(Self::Exists),
            // A weak tag matches nothing here, nor does one that is none of ours (section 13.1.1).
            (Some(Tags::Listed(tags)), None) => {
                Ok(Self::Versions(tags.into_iter().filter_map(Tag::version).collect()))
            }
            (None, Some(Tags::Any)) => Ok(Self::Absent),
            _ => Err(malformed("Send `If-Match`, or `If-None-Match: *`, and not both.")),
        }
    }
}

impl Describe for Precondition {
    fn describe(description: &mut Description) {
        description.takes_precondition(false);
    }
}

/// A precondition without which the request is not done: 428 (RFC 6585, section 3).
#[derive(Debug)]
pub struct Required<T>(pub T);

impl FromRequestParts<Services> for Required<Precondition> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        match Precondition::from_request_parts(parts, services).await? {
            Precondition::None => {
                let detail = "Send the resource's `ETag` as `If-Match`.";
                Err(Problem::new(Code::PreconditionRequired, detail))
            }
            precondition => Ok(Self(precondition)),
        }
    }
}

impl Describe for Required<Precondition> {
    fn describe(description: &mut Description) {
        description.takes_precondition(true);
    }
}

/// The layer of what changes something and takes no [`Precondition`]: it refuses a condition that
/// nobody would look at. `describe` is the endpoint's; it builds schemas, so it is asked only then.
pub(crate) async fn refuse_unheeded(
    State(describe): State<fn(&mut Description)>,
    request: Request,
    next: Next,
) -> Response {
    if [IF_MATCH, IF_NONE_MATCH].iter().any(|name| request.headers().contains_key(name)) {
        let mut description = Description::default();
        describe(&mut description);
        if description.precondition.is_none() {
            let detail = "This takes no condition: neither `If-Match` nor `If-None-Match`.";
            return malformed(detail).into_response();
        }
    }
    next.run(request).await
}

/// The layer that answers 304 to a phone that has the resource already (section 13.1.2).
pub(crate) async fn answer_not_modified(request: Request, next: Next) -> Response {
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    let known = if reads { tags(request.headers(), IF_NONE_MATCH) } else { Ok(None) };
    let mut response = next.run(request).await;
    let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).and_then(Tag::parse);
    let (StatusCode::OK, Some(tag)) = (response.status(), tag) else { return response };
    let known = match known {
        Ok(known) => known,
        Err(problem) => return problem.into_response(),
    };
    if known.is_some_and(|known| known.contains(&tag)) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = axum::body::Body::empty();
        for name in [CONTENT_TYPE, CONTENT_LENGTH] {
            response.headers_mut().remove(name);
        }
    }
    response
}

enum Tags {
    Any,
    Listed(Vec<Tag>),
}

#[derive(PartialEq)]
struct Tag {
    weak: bool,
    opaque: String,
}

impl Tags {
    /// Weak comparison (section 8.8.3.2).
    fn contains(&self, tag: &Tag) -> bool {
        match self {
            Self::Any => true,
            Self::Listed(tags) => tags.iter().any(|known| known.opaque == tag.opaque),
        }
    }
}

impl Tag {
    fn parse(text: &str) -> Option<Self> {
        let (weak, text) = text.strip_prefix("W/").map_or((false, text), |text| (true, text));
        let opaque = text.strip_prefix('"')?.strip_suffix('"')?;
        let plain = opaque.bytes().all(|byte| byte > b' ' && byte != b'"' && byte != 0x7f);
        plain.then(|| Self { weak, opaque: opaque.to_owned() })
    }

    fn version(self) -> Option<u64> {
        let version: u64 = self.opaque.parse().ok()?;
        (!self.weak && version.to_string() == self.opaque).then_some(version)
    }
}

/// The header's entity tags; several headers are one list (section 5.3).
fn tags(headers: &HeaderMap, name: HeaderName) -> Result<Option<Tags>, Problem> {
    let mut listed = Vec::new();
    let mut values = headers.get_all(&name).iter().peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    for value in values {
        let value = value.to_str().map_err(|_| unreadable(&name))?.trim();
        if value == "*" && headers.get_all(&name).iter().count() == 1 {
            return Ok(Some(Tags::Any));
        }
        for tag in split(value) {
            listed.push(Tag::parse(tag).ok_or_else(|| unreadable(&name))?);
        }
    }
    Ok(Some(Tags::Listed(listed)))
}

/// The members of a list; a comma within quotes is the tag's own.
fn split(list: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    list.split(move |character| {
        quoted ^= character == '"';
        character == ',' && !quoted
    })
    .map(str::trim)
    .filter(|member| !member.is_empty())
}

fn unreadable(name: &HeaderName) -> Problem {
    let name = if *name == IF_MATCH { "If-Match" } else { "If-None-Match" };
    malformed(format!(
        "`{name}` holds entity tags, such as \"3\", with commas between them, or `*`."
    ))
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}
