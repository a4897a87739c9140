//! Finds secrets where none may be: in logs, in answers that are no success, in what programs say.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{PoisonError, RwLock},
};

use serde_json::Value;

/// A secret where none may be.
#[derive(Debug)]
pub struct Leak {
    /// What it is.
    pub kind: &'static str,
    /// The secret itself; tests have none worth keeping.
    pub secret: String,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.secret)
    }
}

/// A random text of 32 bytes has so many characters in base64url: a token's secret, a hash, a salt.
const LONG: usize = 43;

/// SHA-256 in hexadecimal.
const HEX_HASH: usize = 64;

/// The passwords that people of this process have sent, and those that `seed` gives out.
static PASSWORDS: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());
const SEEDED: [&str; 2] = ["maya-likes-lighthouses", "omar-likes-sourdough"];

/// What a rule shows that an address looks like; nobody's own.
const PLACEHOLDER: &str = "name@example.com";

/// Every secret in the text.
pub fn leaks(text: &str) -> Vec<Leak> {
    let mut leaks = Vec::new();
    let mut found = |kind, secret: &str| leaks.push(Leak { kind, secret: secret.to_owned() });
    for word in words(text, "-_.").filter(|word| is_jwt(word)) {
        found("a JSON Web Token", word);
    }
    for word in words(text, "-_").filter(|word| is_random(word)) {
        found("a token, a hash or a salt", word);
    }
    if text.contains("$argon2") {
        found("a password hash", "$argon2");
    }
    for secret in text.split("-----BEGIN ").skip(1).filter(|rest| is_pem(rest)) {
        found("PEM", secret);
    }
    for secret in bearers(text) {
        found("a bearer token", secret);
    }
    for secret in addresses(text) {
        found("an e-mail address", secret);
    }
    let known = PASSWORDS.read().unwrap_or_else(PoisonError::into_inner);
    let known = known.iter().map(String::as_str).chain(SEEDED);
    for password in known.filter(|password| text.contains(password)) {
        found("a password", password);
    }
    leaks
}

/// Keep in mind the passwords in a request, so that they are found wherever else they appear.
pub(crate) fn learn(body: &[u8]) {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    let passwords = passwords(&body);
    let known = PASSWORDS.read().unwrap_or_else(PoisonError::into_inner);
    if passwords.iter().all(|password| known.contains(*password)) {
        return;
    }
    drop(known);
    let mut known = PASSWORDS.write().unwrap_or_else(PoisonError::into_inner);
    known.extend(passwords.into_iter().map(str::to_owned));
}

fn passwords(body: &Value) -> Vec<&str> {
    let fields = body.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| name.to_ascii_lowercase().contains("password"));
    fields.filter_map(|(_, value)| value.as_str()).filter(|it| is_telling(it)).collect()
}

/// Not so short, so even or so plain that other texts have it by accident.
fn is_telling(password: &str) -> bool {
    let password = password.trim();
    let letters = password.chars().filter(char::is_ascii_alphabetic).collect::<BTreeSet<_>>();
    password.len() >= 10 && letters.len() >= 5 && !password.chars().all(|it| it.is_alphabetic())
}

fn words<'t>(text: &'t str, also: &'static str) -> impl Iterator<Item = &'t str> {
    text.split(move |it: char| !it.is_ascii_alphanumeric() && !also.contains(it))
}

/// Three parts, and the first begins as `{"` does in base64url.
fn is_jwt(word: &str) -> bool {
    let Some(start) = word.find("eyJ") else { return false };
    let mut parts = word[start..].split('.');
    parts.by_ref().take(3).filter(|part| part.len() >= 4).count() == 3
}

fn is_random(word: &str) -> bool {
    let has = |of: fn(&u8) -> bool| word.as_bytes().iter().any(of);
    let base64 = word.len() >= LONG
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_lowercase)
        && has(u8::is_ascii_uppercase);
    base64 || word.len() >= HEX_HASH && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// After the label comes a line of base64, whatever has become of the line's end. A sentence that
/// says how PEM begins has none.
fn is_pem(rest: &str) -> bool {
    let body = rest.split_once("-----").map_or("", |(_, body)| body);
    let body = body.trim_start_matches(['\\', 'n', 'r', '\n', '\r']);
    words(body, "+/").next().is_some_and(|line| line.len() >= 8)
}

/// What follows the word `Bearer`, where that is a value and not the next word of a sentence.
fn bearers(text: &str) -> impl Iterator<Item = &str> {
    let after = text.match_indices("earer ").filter(|(at, _)| text[..*at].ends_with(['B', 'b']));
    after.filter_map(|(at, word)| {
        let value = words(&text[at + word.len()..], "-._~+/").next().unwrap_or_default();
        (value.len() >= 8).then_some(value)
    })
}

fn addresses(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('@')
        .filter_map(move |(at, _)| {
            let local = text[..at].bytes().rev();
            let local = local.take_while(|it| {
                it.is_ascii_alphanumeric() || b".!#$%&'*+-/=?^_`{|}~".contains(it)
            });
            let domain = words(&text[at + 1..], "-.").next()?.trim_end_matches('.');
            let (_, last) = domain.rsplit_once('.')?;
            let start = at - local.count();
            let named =
                start < at && last.len() >= 2 && last.bytes().all(|it| it.is_ascii_alphabetic());
            named.then(|| &text[start..=at + domain.len()])
        })
        .filter(|address| *address != PLACEHOLDER)
}

#[cfg(test)]
mod tests {
    use super::{leaks, learn};

    const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";
    const HASH: &str = "n4bQgYhMfWWaL-qgxVrQFaO_TxsrC4Is0V1sFbDwCgg";

    fn kinds(text: &str) -> Vec<&'static str> {
        leaks(text).into_iter().map(|leak| leak.kind).collect()
    }

    #[test]
    fn finds_every_kind_of_secret() {
        let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        for (text, kind) in [
            (format!("token={JWT}, and so on"), "a JSON Web Token"),
            (format!("Some(\"{JWT}\")"), "a JSON Web Token"),
            (format!("{{\"refreshToken\":\"{HASH}{HASH}\"}}"), "a token, a hash or a salt"),
            (format!("secret_hash: {HASH}"), "a token, a hash or a salt"),
            (format!("hash {hex}"), "a token, a hash or a salt"),
            ("$argon2id$v=19$m=19456".to_owned(), "a password hash"),
            ("-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG\n".to_owned(), "PEM"),
            (r#""-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEI""#.to_owned(), "PEM"),
            ("authorization: Bearer abcd-efgh".to_owned(), "a bearer token"),
            ("\"bearer abcd.efgh\"".to_owned(), "a bearer token"),
            ("nobody is maya@example.com.".to_owned(), "an e-mail address"),
            ("Maya <o'hara+x@mail.example.com>".to_owned(), "an e-mail address"),
            ("the password omar-likes-sourdough".to_owned(), "a password"),
        ] {
            assert_eq!(kinds(&text), [kind], "{text}");
        }
    }

    #[test]
    fn finds_a_password_that_was_sent() {
        assert_eq!(kinds("she said: a good password"), [""; 0]);

        learn(br#"{"newPassword":"a good password","password":"pppppppp","name":"Mayaaaaa"}"#);

        assert_eq!(kinds("she said: a good password"), ["a password"]);
        assert_eq!(kinds("pppppppp Mayaaaaa"), [""; 0]);
    }

    #[test]
    fn takes_nothing_else_for_a_secret() {
        for text in [
            "",
            "Send `Authorization: Bearer <accessToken>`.",
            "Bearer error=\"invalid_token\"",
            "no bearer token",
            "a text that begins with -----BEGIN PRIVATE KEY-----); put a copy back",
            "must be an e-mail address such as name@example.com",
            "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d",
            "urn:landline:problem:validation_failed",
            "aws_smithy_runtime::client::orchestrator::invoke_with_stop_point",
            "base64@0.21 is at 2026-11-22T16:30:00.000Z @ home",
            "eyJ is how it begins. So. Then.",
            "DynamoDB_20120810.TransactWriteItems",
        ] {
            assert_eq!(kinds(text), [""; 0], "{text}");
        }
    }
}
