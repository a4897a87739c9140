//! Which issuers are trusted with what, as a person writes it down.

use std::{collections::BTreeMap, time::Duration};

use http::Uri;
use jsonwebtoken::Algorithm;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// Clocks differ by less; a longer one would only keep expired tokens alive.
const LONGEST_LEEWAY: u64 = 30;

/// An issuer whose tokens are accepted beside ours, and what is accepted of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Issuer {
    /// Its `iss`, to the letter.
    pub(super) name: String,
    /// None: the discovery document says it.
    pub(super) key_set_url: Option<Uri>,
    pub(super) audiences: Vec<String>,
    /// Of one family.
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) token_type: Option<String>,
    pub(super) leeway: Duration,
    pub(super) audience_claim: String,
    /// Members of the token that must have this value.
    pub(super) claims: BTreeMap<String, Value>,
    /// Those of the token's scopes that are believed.
    pub(super) scopes: Vec<String>,
}

/// An issuer in JSON (`docs/issuers.md`).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    issuer: String,
    key_set_url: Option<String>,
    audiences: Vec<String>,
    algorithms: Vec<String>,
    token_type: Option<String>,
    #[serde(default = "usual_leeway")]
    leeway_seconds: u64,
    #[serde(default = "usual_audience_claim")]
    audience_claim: String,
    #[serde(default)]
    claims: BTreeMap<String, Value>,
    #[serde(default)]
    scopes: Vec<String>,
}

fn usual_leeway() -> u64 {
    LONGEST_LEEWAY
}

fn usual_audience_claim() -> String {
    "aud".to_owned()
}

impl Issuer {
    /// Read a JSON array of issuers. `own` is the issuer of our own tokens, which nobody else may
    /// be.
    ///
    /// # Errors
    /// All problems at once, each as the rest of a sentence that begins with the list's name,
    /// without the values.
    pub fn read_list(json: &str, own: &str) -> Result<Vec<Self>, Vec<String>> {
        let Ok(written) = serde_json::from_str::<Vec<&RawValue>>(json) else {
            return Err(vec!["is not a JSON array of issuers (docs/issuers.md)".to_owned()]);
        };
        let (mut issuers, mut problems) = (Vec::<Self>::new(), Vec::new());
        for (place, text) in (1..).zip(written) {
            match Self::read(text.get()) {
                Ok(issuer) if issuer.name == own => {
                    problems.push(format!("has this API's own issuer as number {place}"));
                }
                Ok(issuer) if issuers.iter().any(|it| it.name == issuer.name) => {
                    problems.push(format!("has an issuer twice; number {place} is there before"));
                }
                Ok(issuer) => issuers.push(issuer),
                Err(found) => problems.extend(
                    found.iter().map(|problem| format!("has an issuer, number {place}, {problem}")),
                ),
            }
        }
        if problems.is_empty() { Ok(issuers) } else { Err(problems) }
    }

    fn read(json: &str) -> Result<Self, Vec<String>> {
        let mut json = serde_json::Deserializer::from_str(json);
        let written: Written =
            serde_path_to_error::deserialize(&mut json).map_err(|error| vec![shape(&error)])?;
        let problems = written.problems();
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self {
            key_set_url: written.key_set_url.as_deref().and_then(https_url),
            algorithms: written.algorithms.iter().filter_map(|name| algorithm(name)).collect(),
            name: written.issuer,
            audiences: written.audiences,
            token_type: written.token_type,
            leeway: Duration::from_secs(written.leeway_seconds),
            audience_claim: written.audience_claim,
            claims: written.claims,
            scopes: written.scopes,
        })
    }
}

impl Written {
    fn problems(&self) -> Vec<String> {
        let names = [Some(&self.audience_claim), self.token_type.as_ref()];
        let families = self.algorithms.iter().map(|name| family(name)).collect::<Vec<_>>();
        let url = self.key_set_url.as_deref();
        let checks = [
            (is_issuer(&self.issuer), "whose `issuer` is not an https:// URL"),
            (url.is_none_or(is_https), "whose `keySetUrl` is not an https:// URL"),
            (!self.audiences.is_empty(), "without an audience"),
            (self.audiences.iter().all(|it| is_word(it)), "with a blank audience"),
            (!self.algorithms.is_empty(), "without an algorithm"),
            (
                self.algorithms.iter().all(|name| algorithm(name).is_some()),
                "with an algorithm that is not one of public keys, such as RS256 or ES256",
            ),
            (families.windows(2).all(|two| two[0] == two[1]), "with algorithms of two families"),
            (self.leeway_seconds <= LONGEST_LEEWAY, "whose `leewaySeconds` are more than 30"),
            (
                names.into_iter().flatten().all(|name| is_word(name)),
                "with a blank `tokenType` or `audienceClaim`",
            ),
            (self.claims.keys().all(|name| is_word(name)), "with a blank name among its `claims`"),
            (self.scopes.iter().all(|it| is_word(it)), "with a scope that is blank or has spaces"),
        ];
        let broken = checks.into_iter().filter(|(holds, _)| !holds);
        broken.map(|(_, problem)| problem.to_owned()).collect()
    }
}

/// What is wrong with a document that is not an issuer at all, by the names of its members.
fn shape(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let (place, cause) = (error.path(), error.inner().to_string());
    let cause = cause.as_str();
    // These three name members and no values.
    let named = ["missing field", "unknown field", "duplicate field"];
    match named.iter().find(|start| cause.starts_with(**start)) {
        Some(_) => {
            let cause = cause.split(", expected").next().unwrap_or_default();
            let cause = cause.split(" at line").next().unwrap_or_default();
            format!("which is none: {cause}")
        }
        None => format!("whose `{place}` is of another type of JSON"),
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace)
}

/// OpenID Connect Discovery 1.0, section 2: scheme, host, perhaps port and path, and nothing more.
fn is_issuer(text: &str) -> bool {
    is_https(text) && !text.contains('?')
}

fn is_https(text: &str) -> bool {
    https_url(text).is_some()
}

/// The URL, if it is one of HTTPS and carries neither a password nor a fragment.
pub(super) fn https_url(text: &str) -> Option<Uri> {
    let url: Uri = text.parse().ok()?;
    let named = url.host().is_some_and(|host| !host.is_empty());
    let plain = url.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    (url.scheme_str() == Some("https") && named && plain && !text.contains('#')).then_some(url)
}

/// The algorithm of this name (RFC 7518, section 3.1; RFC 8037), if public keys check it. Those
/// with a shared secret would make everybody who checks tokens able to make them.
fn algorithm(name: &str) -> Option<Algorithm> {
    let algorithm = name.parse().ok()?;
    (family(name) != "HS").then_some(algorithm)
}

/// RS, PS, ES or Ed.
fn family(name: &str) -> &str {
    name.get(..2).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Issuer;

    const OWN: &str = "https://api.example.com";

    fn usual() -> Value {
        json!({
            "issuer": "https://issuer.example.com",
            "audiences": ["app"],
            "algorithms": ["RS256"],
        })
    }

    fn told(issuers: &Value) -> Vec<String> {
        Issuer::read_list(&issuers.to_string(), OWN).err().unwrap_or_default()
    }

    #[test]
    fn takes_what_the_guide_shows() {
        let whole = json!([{
            "issuer": "https://issuer.example.com/tenant/",
            "keySetUrl": "https://keys.example.com/keys?version=2",
            "audiences": ["app", "web"],
            "algorithms": ["ES256", "ES384"],
            "tokenType": "at+jwt",
            "leewaySeconds": 0,
            "audienceClaim": "client_id",
            "claims": { "token_use": "access", "email_verified": true },
            "scopes": ["things:read"],
        }, usual()]);

        assert_eq!(told(&whole), [""; 0]);
        assert_eq!(Issuer::read_list("[]", OWN), Ok(Vec::new()));
    }

    #[test]
    fn tells_what_is_wrong_with_one() {
        let url = "whose `issuer` is not an https:// URL";
        let keys = "whose `keySetUrl` is not an https:// URL";
        let algorithm = "with an algorithm that is not one of public keys, such as RS256 or ES256";
        let names = "with a blank `tokenType` or `audienceClaim`";
        for (member, value, expected) in [
            ("issuer", json!(""), url),
            ("issuer", json!("  "), url),
            ("issuer", json!("accounts.google.com"), url),
            ("issuer", json!("http://issuer.example.com"), url),
            ("issuer", json!("https://"), url),
            ("issuer", json!("https://user:word@issuer.example.com"), url),
            ("issuer", json!("https://issuer.example.com?tenant=1"), url),
            ("issuer", json!("https://issuer.example.com#tenant"), url),
            ("issuer", json!(7), "whose `issuer` is of another type of JSON"),
            ("keySetUrl", json!("http://issuer.example.com/keys"), keys),
            ("keySetUrl", json!(""), keys),
            ("audiences", json!([]), "without an audience"),
            ("audiences", json!(["app", " "]), "with a blank audience"),
            ("audiences", json!("app"), "whose `audiences` is of another type of JSON"),
            ("algorithms", json!([]), "without an algorithm"),
            ("algorithms", json!([""]), algorithm),
            ("algorithms", json!(["HS256"]), algorithm),
            ("algorithms", json!(["none"]), algorithm),
            ("algorithms", json!(["RS256", "ES256"]), "with algorithms of two families"),
            ("algorithms", json!(["RS256", "PS256"]), "with algorithms of two families"),
            ("leewaySeconds", json!(31), "whose `leewaySeconds` are more than 30"),
            ("leewaySeconds", json!(-1), "whose `leewaySeconds` is of another type of JSON"),
            ("tokenType", json!(""), names),
            ("audienceClaim", json!(" "), names),
            ("claims", json!({ "": 1 }), "with a blank name among its `claims`"),
            ("scopes", json!(["a b"]), "with a scope that is blank or has spaces"),
            ("audience", json!(["app"]), "which is none: unknown field `audience`"),
        ] {
            let mut issuer = usual();
            issuer[member] = value.clone();

            let expected = format!("has an issuer, number 2, {expected}");
            let other = json!({ "issuer": "https://other.example.com", "audiences": ["app"],
                "algorithms": ["RS256"] });
            assert_eq!(told(&json!([other, issuer])), [expected], "{member}: {value}");
        }
    }

    #[test]
    fn tells_what_is_wrong_with_all_of_them() {
        let own = json!({ "issuer": OWN, "audiences": ["app"], "algorithms": ["RS256"] });
        let bad = json!({ "issuer": "", "audiences": [], "algorithms": [], "leewaySeconds": 60 });
        let short = json!({ "issuer": "https://short.example.com" });

        let told = told(&json!([usual(), bad, usual(), own, short]));

        let expected = [
            "has an issuer, number 2, whose `issuer` is not an https:// URL",
            "has an issuer, number 2, without an audience",
            "has an issuer, number 2, without an algorithm",
            "has an issuer, number 2, whose `leewaySeconds` are more than 30",
            "has an issuer twice; number 3 is there before",
            "has this API's own issuer as number 4",
            "has an issuer, number 5, which is none: missing field `audiences`",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn takes_nothing_else_for_a_list() {
        for json in ["", "{}", "null", "[", "https://issuer.example.com"] {
            let told = Issuer::read_list(json, OWN).unwrap_err();

            assert_eq!(told, ["is not a JSON array of issuers (docs/issuers.md)"], "{json}");
        }
        let twice = r#"[{ "issuer": "https://a.example", "issuer": "https://b.example" }]"#;
        assert_eq!(
            Issuer::read_list(twice, OWN).unwrap_err(),
            ["has an issuer, number 1, which is none: duplicate field `issuer`"],
        );
    }
}
