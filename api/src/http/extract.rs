use auth::{Auth, Caller, Origin};
use axum::{
    RequestPartsExt,
    body::Body,
    extract::{
        FromRequest, FromRequestParts, OptionalFromRequestParts, RawPathParams, Request, State,
    },
};
use http::{
    HeaderMap,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use models::{
    Id,
    platform::{account::Accounts, app::Platform},
    store::{Entity, Owned, Store},
    wire,
};
use serde::de::DeserializeOwned;
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use super::{Code, Describe, Description, Problem, app_version::APP_PLATFORM, json, violations};
use crate::{Services, edge::ClientAddress};

/// The largest JSON body that is read. Files do not travel as JSON.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// A JSON body, decoded and validated; or an answer of that shape.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T> FromRequest<Services> for Json<T>
where
    T: DeserializeOwned + Validate,
{
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Services) -> Result<Self, Problem> {
        expect_json(request.headers())?;
        let body = read(request.into_body()).await?;
        decode_body(&body).map(Self)
    }
}

impl<T: DeserializeOwned + Validate + ToSchema> Describe for Json<T> {
    fn describe(description: &mut Description) {
        description.takes_body::<T>();
        description.decode_body = Some(|body| decode_body::<T>(body).map(drop));
    }
}

fn expect_json(headers: &HeaderMap) -> Result<(), Problem> {
    let mut parts = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .split(';')
        .map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    // RFC 8259, section 8.1: JSON is UTF-8; a `charset` that says so is harmless.
    let utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.eq_ignore_ascii_case("charset")
            || value.trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::new(Code::UnsupportedMediaType, "Send the body uncompressed."));
    }
    if json && utf8 {
        Ok(())
    } else {
        Err(Problem::new(Code::UnsupportedMediaType, "Send JSON as application/json."))
    }
}

pub(super) async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().into()),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("The body may have at most {LARGEST_BODY} bytes.");
            Err(Problem::new(Code::ContentTooLarge, detail))
        }
        Err(_) => Err(Problem::new(Code::MalformedJson, "The body did not arrive whole.")),
    }
}

fn decode_body<T: DeserializeOwned + Validate>(body: &[u8]) -> Result<T, Problem> {
    json::check_syntax(body).map_err(|why| Problem::new(Code::MalformedJson, why))?;
    let mut json = serde_json::Deserializer::from_slice(body);
    valid(serde_path_to_error::deserialize(&mut json))
}

/// A query string, decoded and validated.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T> FromRequestParts<Services> for Query<T>
where
    T: DeserializeOwned + Validate,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        decode_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

impl<T: DeserializeOwned + Validate + IntoParams> Describe for Query<T> {
    fn describe(description: &mut Description) {
        description.takes_query::<T>();
        description.decode_query = Some(|query| decode_query::<T>(query).map(drop));
    }
}

fn decode_query<T: DeserializeOwned + Validate>(query: &str) -> Result<T, Problem> {
    if !is_percent_encoded_utf8(query) {
        let detail = "The query string is not percent-encoded UTF-8.";
        return Err(Problem::new(Code::MalformedQuery, detail));
    }
    let query = serde_html_form::Deserializer::from_bytes(query.as_bytes());
    valid(serde_path_to_error::deserialize(query))
}

fn is_percent_encoded_utf8(query: &str) -> bool {
    let mut decoded = Vec::with_capacity(query.len());
    let mut bytes = query.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        match (digit(), digit()) {
            (Some(high), Some(low)) => decoded.extend(u8::try_from(high * 16 + low)),
            _ => return false,
        }
    }
    std::str::from_utf8(&decoded).is_ok()
}

fn valid<T: Validate, E: std::fmt::Display>(
    decoded: Result<T, serde_path_to_error::Error<E>>,
) -> Result<T, Problem> {
    let model = decoded.map_err(|error| Problem::invalid(vec![violations::of_decoding(&error)]))?;
    model.validate().map_err(|errors| Problem::invalid(wire::violations(&errors)))?;
    Ok(model)
}

/// The parameters of the path. What does not parse names nothing that exists, hence 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// What a path's parameters can be: an id, or two where one resource lies in another.
pub trait PathParameters: Sized {
    /// Parse the values in the order of the path.
    fn parse(values: &[&str]) -> Option<Self>;

    /// Say each parameter's type, in the order of the path.
    fn describe(description: &mut Description);
}

impl PathParameters for Id {
    fn parse(values: &[&str]) -> Option<Self> {
        let [id] = values else { return None };
        id.parse().ok()
    }

    fn describe(description: &mut Description) {
        description.takes_path_parameter::<Id>();
    }
}

impl PathParameters for (Id, Id) {
    fn parse(values: &[&str]) -> Option<Self> {
        let [outer, inner] = values else { return None };
        Some((outer.parse().ok()?, inner.parse().ok()?))
    }

    fn describe(description: &mut Description) {
        description.takes_path_parameter::<Id>();
        description.takes_path_parameter::<Id>();
    }
}

impl<T: PathParameters> FromRequestParts<Services> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        let found = parts.extract::<RawPathParams>().await.ok().and_then(|parameters| {
            let values: Vec<_> = parameters.iter().map(|(_, value)| value).collect();
            T::parse(&values)
        });
        found.map(Self).ok_or_else(|| Problem::not_found("resource"))
    }
}

impl<T: PathParameters> Describe for Path<T> {
    fn describe(description: &mut Description) {
        T::describe(description);
    }
}

/// What the caller owns of one kind.
impl<E: Entity> FromRequestParts<Services> for Owned<E> {
    type Rejection = Problem;

    #[expect(clippy::disallowed_methods, reason = "this is where it becomes the caller's")]
    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        let caller = <Caller as FromRequestParts<_>>::from_request_parts(parts, services).await?;
        Ok(Self::new(store(parts, services), caller.account))
    }
}

impl<E: Entity> Describe for Owned<E> {
    fn describe(description: &mut Description) {
        description.kinds.push((E::KIND, std::any::type_name::<E>()));
        Caller::describe(description);
    }
}

/// The table, for what nobody owns.
impl FromRequestParts<Services> for Store {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        Ok(store(parts, services))
    }
}

impl Describe for Store {
    fn describe(_: &mut Description) {}
}

/// Everybody's accounts.
impl FromRequestParts<Services> for Accounts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        Ok(Self::new(store(parts, services)))
    }
}

impl Describe for Accounts {
    fn describe(_: &mut Description) {}
}

/// Who signs people in.
impl FromRequestParts<Services> for Auth {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, services: &Services) -> Result<Self, Problem> {
        Ok(services.auth.over(store(parts, services)))
    }
}

impl Describe for Auth {
    fn describe(_: &mut Description) {}
}

/// The request's own, which knows its end, and collects where the request has a key; or everybody's.
pub(super) fn store(parts: &Parts, services: &Services) -> Store {
    parts.extensions.get().unwrap_or(&services.store).clone()
}

impl<T> Describe for State<T> {
    fn describe(_: &mut Description) {}
}

/// Who is calling, which the endpoint's guard has found out.
impl FromRequestParts<Services> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        let caller = parts.extensions.get().cloned();
        caller.ok_or_else(|| Problem::internal("a public endpoint asks who is calling"))
    }
}

/// Who is calling where [`Guard::Anyone`](super::Guard::Anyone) lets everybody in.
impl OptionalFromRequestParts<Services> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get().cloned())
    }
}

impl Describe for Option<Caller> {
    fn describe(description: &mut Description) {
        description.takes_caller_if_any = true;
    }
}

/// Where the request comes from.
impl FromRequestParts<Services> for Origin {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Services) -> Result<Self, Problem> {
        let network = parts.extensions.get::<ClientAddress>().map(ClientAddress::network);
        let platform = parts.headers.get(APP_PLATFORM).and_then(|name| name.to_str().ok());
        Ok(Self { network, platform: platform.and_then(Platform::of_name) })
    }
}

impl Describe for Origin {
    fn describe(_: &mut Description) {}
}

impl Describe for Caller {
    fn describe(description: &mut Description) {
        description.takes_caller = true;
    }
}
