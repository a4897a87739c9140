//! How long sessions last, and which scopes roles give.

use std::{collections::BTreeMap, ops::RangeInclusive, time::Duration};

use auth::{Roles, SessionRules, is_scope};

use super::{Environment, decode};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Longer than anybody keeps a phone; and time stays within what a clock can say.
const DAYS: RangeInclusive<u32> = 1..=3650;

/// Beyond a day the window is not stricter than none in any way that matters.
const REUSE_SECONDS: RangeInclusive<u32> = 1..=86_400;

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    pub(super) fn sessions(&mut self) -> SessionRules {
        let (idle_name, name) = ("LANDLINE_SESSION_IDLE_DAYS", "LANDLINE_SESSION_DAYS");
        let default = SessionRules::default();
        let idle = self.whole_number(idle_name, DAYS).map_or(default.idle, |days| days * DAY);
        let lifetime = self.whole_number(name, DAYS).map_or(default.lifetime, |days| days * DAY);
        if idle > lifetime {
            self.problems.push(format!("{idle_name} is more than {name}"));
        }
        let reuse = self.whole_number("LANDLINE_REFRESH_REUSE_SECONDS", REUSE_SECONDS);
        let reuse = reuse.map(|seconds| Duration::from_secs(seconds.into()));
        SessionRules { idle, lifetime, reuse }
    }

    pub(super) fn roles(&mut self, default: Roles) -> Roles {
        let name = "LANDLINE_ROLES";
        let Some(text) = self.optional(name) else { return default };
        let Ok(roles) = decode::<BTreeMap<String, Vec<String>>>(&text) else {
            self.problems.push(format!(
                "{name} is not a JSON object of roles and their scopes, such as {{\"admin\": [\"admin\"]}}"
            ));
            return default;
        };
        if !roles
            .iter()
            .flat_map(|(role, scopes)| scopes.iter().chain([role]))
            .all(|it| is_scope(it))
        {
            self.problems.push(format!(
                "{name} has a role or scope that is not one word of visible ASCII without \" and \\"
            ));
        }
        roles
    }

    fn whole_number(&mut self, name: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let text = self.optional(name)?;
        let number = text.parse().ok().filter(|number| range.contains(number));
        if number.is_none() {
            let (least, most) = (range.start(), range.end());
            self.problems.push(format!("{name} is not a whole number from {least} to {most}"));
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashMap, time::Duration};

    use auth::{Roles, SessionRules};

    use super::Environment;

    const HOUR: Duration = Duration::from_secs(60 * 60);

    /// What the environment makes of these variables, and the problems that it tells.
    fn read(variables: &[(&str, &str)]) -> (SessionRules, Roles, Vec<String>) {
        let variables: HashMap<_, _> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let mut environment = Environment { variable, problems: Vec::new() };
        let rules = environment.sessions();
        let roles = environment.roles(Roles::new());
        (rules, roles, environment.problems)
    }

    #[test]
    fn are_as_most_apps_want_them_where_nothing_is_said() {
        for variables in [
            &[][..],
            &[("LANDLINE_SESSION_IDLE_DAYS", ""), ("LANDLINE_REFRESH_REUSE_SECONDS", " ")],
        ] {
            let expected = SessionRules { idle: 2160 * HOUR, lifetime: 8760 * HOUR, reuse: None };
            assert_eq!(read(variables), (expected, Roles::new(), Vec::new()));
        }
    }

    #[test]
    fn are_taken_up_to_their_bounds() {
        for (idle, whole, reuse) in [(1, 1, 1), (30, 180, 30), (3650, 3650, 86_400)] {
            let (idle_days, days, seconds) =
                (idle.to_string(), whole.to_string(), reuse.to_string());
            let (rules, _, problems) = read(&[
                ("LANDLINE_SESSION_IDLE_DAYS", &idle_days),
                ("LANDLINE_SESSION_DAYS", &days),
                ("LANDLINE_REFRESH_REUSE_SECONDS", &seconds),
            ]);

            let expected = SessionRules {
                idle: idle * 24 * HOUR,
                lifetime: whole * 24 * HOUR,
                reuse: Some(Duration::from_secs(reuse)),
            };
            assert_eq!((rules, problems), (expected, Vec::new()));
        }
    }

    #[test]
    fn are_refused_beyond_their_bounds() {
        let days = "LANDLINE_SESSION_DAYS is not a whole number from 1 to 3650";
        let seconds = "LANDLINE_REFRESH_REUSE_SECONDS is not a whole number from 1 to 86400";
        for (variables, problem) in [
            (&[("LANDLINE_SESSION_DAYS", "0")][..], days),
            (&[("LANDLINE_SESSION_DAYS", "3651")], days),
            (&[("LANDLINE_SESSION_DAYS", "-1")], days),
            (&[("LANDLINE_SESSION_DAYS", "365.0")], days),
            (&[("LANDLINE_SESSION_DAYS", "a year")], days),
            (&[("LANDLINE_REFRESH_REUSE_SECONDS", "0")], seconds),
            (&[("LANDLINE_REFRESH_REUSE_SECONDS", "86401")], seconds),
            (
                &[("LANDLINE_SESSION_DAYS", "89")],
                "LANDLINE_SESSION_IDLE_DAYS is more than LANDLINE_SESSION_DAYS",
            ),
            (
                &[("LANDLINE_SESSION_IDLE_DAYS", "366")],
                "LANDLINE_SESSION_IDLE_DAYS is more than LANDLINE_SESSION_DAYS",
            ),
        ] {
            assert_eq!(read(variables).2, [problem], "{variables:?}");
        }
    }

    #[test]
    fn roles_are_an_object_of_lists_of_scopes() {
        let (_, roles, problems) =
            read(&[("LANDLINE_ROLES", r#"{"admin": ["admin", "reports:read"], "guest": []}"#)]);

        let scopes = |list: &[&str]| list.iter().map(|scope| (*scope).to_owned()).collect();
        let expected = Roles::from([
            ("admin".to_owned(), scopes(&["admin", "reports:read"])),
            ("guest".to_owned(), scopes(&[])),
        ]);
        assert_eq!((roles, problems), (expected, Vec::new()));
        assert_eq!(read(&[("LANDLINE_ROLES", "{}")]).2, [""; 0]);
    }

    #[test]
    fn roles_of_another_shape_are_refused() {
        let shape = "LANDLINE_ROLES is not a JSON object of roles and their scopes, such as \
            {\"admin\": [\"admin\"]}";
        let word = "LANDLINE_ROLES has a role or scope that is not one word of visible ASCII \
            without \" and \\";
        for (text, problem) in [
            ("admin", shape),
            ("[]", shape),
            (r#"["admin"]"#, shape),
            (r#"{"admin": "admin"}"#, shape),
            (r#"{"admin": [1]}"#, shape),
            (r#"{"admin": null}"#, shape),
            (r#"{"admin": ["admin"]"#, shape),
            (r#"{"admin": ["admin"], "admin": []}"#, shape),
            (r#"{"admin": ["read write"]}"#, word),
            (r#"{"admin": [""]}"#, word),
            (r#"{"admin": ["a\\b"]}"#, word),
            (r#"{"admin": ["café"]}"#, word),
            (r#"{"": []}"#, word),
            (r#"{"the boss": []}"#, word),
        ] {
            assert_eq!(read(&[("LANDLINE_ROLES", text)]).2, [problem], "{text}");
        }
    }
}
