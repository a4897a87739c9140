use super::{Settings, SettingsError};

/// Every variable of ours.
const NAMES: [&str; 18] = [
    "LANDLINE_APPS",
    "LANDLINE_AUDIENCE",
    "LANDLINE_BASE_PATH",
    "LANDLINE_CORS_ORIGINS",
    "LANDLINE_FAILURES",
    "LANDLINE_FLAGS",
    "LANDLINE_ISSUER",
    "LANDLINE_ISSUERS",
    "LANDLINE_LIMITS",
    "LANDLINE_LOG",
    "LANDLINE_MAIL_FROM",
    "LANDLINE_PUBLIC_KEYS",
    "LANDLINE_REFRESH_REUSE_SECONDS",
    "LANDLINE_ROLES",
    "LANDLINE_SESSION_DAYS",
    "LANDLINE_SESSION_IDLE_DAYS",
    "LANDLINE_SIGNING_KEY",
    "LANDLINE_TABLE",
];

pub(super) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

impl Settings {
    /// Refuse what looks like a setting and is none: a misspelt limit would be no limit. For
    /// programs, with the names of all variables that there are.
    ///
    /// # Errors
    /// Each unknown name, and the one that it may be meant for.
    pub fn check_names(names: impl IntoIterator<Item = String>) -> Result<(), SettingsError> {
        let ours = names.into_iter().filter(|name| name.starts_with("LANDLINE_"));
        let unknown = ours.filter(|name| !is_known(name)).map(|name| {
            let near = NAMES.iter().max_by_key(|known| likeness(&name, known));
            format!("{name} is no setting; the nearest is {}", near.unwrap_or(&""))
        });
        let mut problems: Vec<_> = unknown.collect();
        problems.sort();
        if problems.is_empty() { Ok(()) } else { Err(SettingsError(problems)) }
    }
}

/// How many letters two names begin and end with alike, less what one is longer.
fn likeness(one: &str, other: &str) -> isize {
    let begin = one.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let end = one.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
    (begin + end).cast_signed() - one.len().abs_diff(other.len()).cast_signed()
}
