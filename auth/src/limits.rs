//! How often somebody may try, as an app sets it.

use std::{fmt, ops::RangeInclusive, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many attempts there may be in a window of time: of each kind, from one network and at one
/// account. Made from the [defaults](Self::default), or from JSON that names what is other than
/// those; there is no "off".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    window_seconds: u32,
    pub(crate) sign_in: Limit,
    pub(crate) registration: Limit,
    pub(crate) password_change: Limit,
    pub(crate) refresh: Limit,
}

/// The attempts of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Limit {
    /// At one account from one network. Where there is such a limit, what it stops does not count
    /// for the account: so one network cannot use up what the account has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_account_and_network: Option<u32>,
    /// At one account from all networks.
    pub(crate) per_account: u32,
    /// From one network at all accounts. Carriers put thousands of phones behind one address.
    pub(crate) per_network: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let guess = Limit { per_account_and_network: Some(10), per_account: 100, per_network: 300 };
        Self {
            window_seconds: 15 * 60,
            sign_in: guess,
            registration: Limit { per_account: 30, per_network: 100, ..guess },
            password_change: guess,
            // Only whoever has a token of the account counts for it.
            refresh: Limit { per_account_and_network: None, per_account: 100, per_network: 1000 },
        }
    }
}

impl Limits {
    /// How long attempts are counted together.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.window_seconds.into())
    }
}

/// What is wrong with limits in JSON, a sentence each, without the values.
#[derive(Debug, PartialEq, Eq)]
pub struct LimitsError(pub Vec<String>);

impl fmt::Display for LimitsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for LimitsError {}

/// Beyond these a limit would be none.
const MOST: RangeInclusive<u64> = 1..=100_000;
const WINDOW: RangeInclusive<u64> = 60..=86_400;

/// With fewer networks than this it shall not be possible to use up what an account has.
const NETWORKS: u32 = 2;

impl FromStr for Limits {
    type Err = LimitsError;

    /// The defaults, but for what this JSON says: `{ "signIn": { "perNetwork": 500 } }`.
    fn from_str(text: &str) -> Result<Self, LimitsError> {
        let given = serde_json::from_str(text)
            .map_err(|_| LimitsError(vec!["it is not JSON".to_owned()]))?;
        let mut limits = serde_json::to_value(Self::default()).expect("plain numbers are JSON");
        let mut problems = Vec::new();
        overlay(&mut limits, given, "", &mut problems);
        let limits: Self =
            serde_json::from_value(limits).expect("no member was added and no type was changed");
        problems.extend(limits.unbalanced());
        if problems.is_empty() { Ok(limits) } else { Err(LimitsError(problems)) }
    }
}

impl Limits {
    fn unbalanced(&self) -> impl Iterator<Item = String> {
        let named = [
            ("signIn", self.sign_in),
            ("registration", self.registration),
            ("passwordChange", self.password_change),
        ];
        named.into_iter().filter_map(|(name, limit)| {
            let least = limit.per_account_and_network?.saturating_mul(NETWORKS);
            (limit.per_account < least).then(|| {
                format!(
                    "{name}.perAccount is less than {NETWORKS} times {name}.perAccountAndNetwork: \
                     one network could lock a person out"
                )
            })
        })
    }
}

/// Puts what is given in place of what is known.
fn overlay(known: &mut Value, given: Value, path: &str, problems: &mut Vec<String>) {
    let here = if path.is_empty() { "it" } else { path };
    match (known, given) {
        (Value::Object(known), Value::Object(given)) => {
            for (name, given) in given {
                let dot = if path.is_empty() { "" } else { "." };
                if let Some(known) = known.get_mut(&name) {
                    overlay(known, given, &format!("{path}{dot}{name}"), problems);
                } else {
                    let names = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                    problems.push(format!("{here} has a member that is none of {names}"));
                }
            }
        }
        (Value::Object(_), _) => problems.push(format!("{here} is not an object")),
        (known, given) => {
            let bounds = if path == "windowSeconds" { WINDOW } else { MOST };
            if given.as_u64().is_some_and(|number| bounds.contains(&number)) {
                *known = given;
            } else {
                let (least, most) = bounds.into_inner();
                problems.push(format!("{here} is not a whole number from {least} to {most}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;

    fn told(text: &str) -> Vec<String> {
        text.parse::<Limits>().err().map(|error| error.0).unwrap_or_default()
    }

    #[test]
    fn are_the_defaults_but_for_what_is_said() {
        let text = r#"{
            "windowSeconds": 60,
            "signIn": { "perAccountAndNetwork": 50 },
            "refresh": { "perNetwork": 100000 }
        }"#;

        let limits: Limits = text.parse().unwrap();

        let mut expected = Limits { window_seconds: 60, ..Limits::default() };
        expected.sign_in.per_account_and_network = Some(50);
        expected.refresh.per_network = 100_000;
        assert_eq!(limits, expected);
        assert_eq!("{}".parse(), Ok(Limits::default()));
    }

    #[test]
    fn are_refused_in_words_and_without_the_values() {
        let number = "is not a whole number from 1 to 100000";
        for (text, why) in [
            ("", "it is not JSON".to_owned()),
            ("{signIn: 1}", "it is not JSON".to_owned()),
            ("10", "it is not an object".to_owned()),
            ("null", "it is not an object".to_owned()),
            (r#"{ "signIn": 10 }"#, "signIn is not an object".to_owned()),
            (r#"{ "signIn": { "perNetwork": 0 } }"#, format!("signIn.perNetwork {number}")),
            (r#"{ "signIn": { "perNetwork": -1 } }"#, format!("signIn.perNetwork {number}")),
            (r#"{ "signIn": { "perNetwork": 1.5 } }"#, format!("signIn.perNetwork {number}")),
            (r#"{ "signIn": { "perNetwork": "9" } }"#, format!("signIn.perNetwork {number}")),
            (r#"{ "refresh": { "perAccount": null } }"#, format!("refresh.perAccount {number}")),
            (r#"{ "refresh": { "perAccount": 100001 } }"#, format!("refresh.perAccount {number}")),
            (
                r#"{ "windowSeconds": 59 }"#,
                "windowSeconds is not a whole number from 60 to 86400".to_owned(),
            ),
            (
                r#"{ "refresh": { "perAccountAndNetwork": 5 } }"#,
                "refresh has a member that is none of perAccount, perNetwork".to_owned(),
            ),
            (
                r#"{ "signIn": { "perAccount": 19 } }"#,
                "signIn.perAccount is less than 2 times signIn.perAccountAndNetwork: one network \
                 could lock a person out"
                    .to_owned(),
            ),
        ] {
            assert_eq!(told(text), [why], "{text}");
        }
        assert_eq!(told(r#"{ "signIn": { "perAccount": 20 } }"#), [""; 0]);
        assert!(told(r#"{ "hidden": 1 }"#)[0].starts_with("it has a member that is none of "));
        assert_eq!(told(r#"{ "signIn": 1, "refresh": 2 }"#).len(), 2);
    }
}
