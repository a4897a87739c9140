//! JSON Web Tokens in the compact form (RFC 7515, section 3.1; RFC 7519), read strictly.
//!
//! Reading believes nothing. Whose keys to try may be chosen by what an unverified token says, and
//! nothing else: first the signature, then the claims.

use std::{borrow::Cow, collections::BTreeMap, fmt, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::Algorithm;
use models::Timestamp;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use crate::{TokenError, verifying_key::VerifyingKey};

/// No token that is meant to fit into a header is longer, in bytes.
const LONGEST: usize = 8 * 1024;

/// The last second of the year 9999, the end of what times can be told in.
const LAST_SECOND: i64 = 253_402_300_799;

/// A token in its parts, none of which is to be believed yet.
pub(crate) struct Jwt<'t> {
    /// What its header says.
    pub(crate) header: Header,
    message: &'t [u8],
    signature: &'t str,
    payload: Vec<u8>,
}

/// What is read of a header (RFC 7515, section 4.1). What would bring a key along (`jku`, `jwk`,
/// `x5u`, `x5c`) is not.
#[derive(Debug)]
pub(crate) struct Header {
    /// The algorithm, one of those that sign.
    pub(crate) algorithm: Algorithm,
    /// The key's id.
    pub(crate) key: Option<String>,
    kind: Option<String>,
}

impl Header {
    /// Whether the token is of this media type. The prefix `application/` may be left out and case
    /// does not matter (RFC 7515, section 4.1.9).
    pub(crate) fn is_type(&self, name: &str) -> bool {
        const PREFIX: &str = "application/";
        let Some(kind) = self.kind.as_deref() else { return false };
        let prefix = kind.get(..PREFIX.len()).filter(|it| it.eq_ignore_ascii_case(PREFIX));
        kind[prefix.map_or(0, str::len)..].eq_ignore_ascii_case(name)
    }

    /// Whether it says nothing of its type.
    pub(crate) fn has_no_type(&self) -> bool {
        self.kind.is_none()
    }

    fn read(part: &str) -> Result<Self, TokenError> {
        let json = decode(part)?;
        let members = Members::read(&json)?;
        // Both change what is signed or how it is read, and none of it is understood here
        // (RFC 7515, section 4.1.11; RFC 7797, section 3).
        if members.has("crit") || members.has("b64") {
            return Err(TokenError::Invalid);
        }
        Ok(Self {
            algorithm: members.text("alg")?.parse().map_err(|_| TokenError::Invalid)?,
            key: members.optional("kid")?,
            kind: members.optional("typ")?,
        })
    }
}

impl<'t> Jwt<'t> {
    /// Take a token apart: three parts of unpadded base64url without spare bits, a header that is
    /// an object, no member of it twice.
    pub(crate) fn read(token: &'t str) -> Result<Self, TokenError> {
        if token.len() > LONGEST {
            return Err(TokenError::Invalid);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Invalid)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Invalid)?;
        // A fourth part would stand in the payload, and a point is not base64url.
        let payload = decode(payload)?;
        Ok(Self { header: Header::read(header)?, message: message.as_bytes(), signature, payload })
    }

    /// What it claims: an object, no member of it twice.
    pub(crate) fn claims(&self) -> Result<Members<'_>, TokenError> {
        Members::read(&self.payload)
    }

    /// Whether the key has signed it by the algorithm of the header, and is one for that algorithm.
    pub(crate) fn is_signed_by(&self, key: &VerifyingKey) -> bool {
        key.verifies(self.header.algorithm, self.message, self.signature)
    }
}

fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Invalid)
}

/// The members of a JSON object, each there once (RFC 7515, section 4; RFC 7519, section 4).
pub(crate) struct Members<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

impl<'a> Members<'a> {
    fn read(json: &'a [u8]) -> Result<Self, TokenError> {
        serde_json::from_slice(json).map_err(|_| TokenError::Invalid)
    }

    fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A member, if it is there. Of another type, `null` included, it is an error.
    pub(crate) fn optional<T: Deserialize<'a>>(&self, name: &str) -> Result<Option<T>, TokenError> {
        let value = self.0.get(name).map(|value| serde_json::from_str(value.get()));
        value.transpose().map_err(|_| TokenError::Invalid)
    }

    /// A member that must be there.
    pub(crate) fn required<T: Deserialize<'a>>(&self, name: &str) -> Result<T, TokenError> {
        self.optional(name)?.ok_or(TokenError::Invalid)
    }

    /// A text that must be there.
    pub(crate) fn text(&self, name: &str) -> Result<Cow<'a, str>, TokenError> {
        self.required::<Text<'a>>(name).map(|text| text.0)
    }

    /// What the token may be used for: words with spaces between them (RFC 8693, section 4.2).
    pub(crate) fn scopes(&self) -> Result<Vec<String>, TokenError> {
        let scope = self.optional::<Text<'a>>("scope")?;
        let words = scope.iter().flat_map(|text| text.0.split(' ')).filter(|word| !word.is_empty());
        Ok(words.map(str::to_owned).collect())
    }

    /// A time, if it is there (`NumericDate`, RFC 7519, section 2): seconds since 1970, rounded
    /// down to whole ones, not after the year 9999.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, TokenError> {
        Ok(self.optional::<Seconds>(name)?.map(|seconds| seconds.0))
    }

    /// Whether now lies between the token's beginning (`nbf`, `iat`) and its end (`exp`). Each may
    /// be missed by so much, since clocks differ; the end must be there.
    pub(crate) fn check_times(
        &self,
        now: Timestamp,
        early: Duration,
        late: Duration,
    ) -> Result<(), TokenError> {
        let ends = self.time("exp")?.ok_or(TokenError::Invalid)?;
        let begins = self.time("nbf")?.max(self.time("iat")?);
        if begins.is_some_and(|begins| now.plus(early) < begins) {
            return Err(TokenError::Invalid);
        }
        if ends.plus(late) <= now { Err(TokenError::Expired) } else { Ok(()) }
    }
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = BTreeMap::new();
        while let Some((name, value)) = map.next_entry::<Text<'de>, _>()? {
            if members.insert(name.0, value).is_some() {
                return Err(A::Error::custom("a member is there twice"));
            }
        }
        Ok(Members(members))
    }
}

/// A text, copied only when it has escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

struct Seconds(Timestamp);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = number.as_i64().or_else(|| {
            let number = number.as_f64().filter(|number| number.abs() <= LAST_SECOND as f64);
            number.map(|number| number.floor() as i64)
        });
        let seconds = whole.filter(|seconds| (0..=LAST_SECOND).contains(seconds));
        let seconds = seconds.ok_or_else(|| D::Error::custom("not a time"))?;
        Ok(Self(Timestamp::from_unix_millis(seconds * 1000)))
    }
}
