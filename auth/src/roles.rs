use std::collections::{BTreeMap, BTreeSet};

/// Which scopes each role gives.
pub type Roles = BTreeMap<String, Vec<String>>;

/// A scope by the grammar of RFC 6749, section 3.3 (`scope-token`): one word of visible ASCII
/// without `"` and `\`. Roles have names of the same grammar.
pub fn is_scope(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.bytes().all(allowed)
}

/// What only an admin may do, an admin may.
pub(crate) fn default_roles() -> Roles {
    Roles::from([("admin".to_owned(), vec!["admin".to_owned()])])
}

/// The scopes that these roles give together, with spaces between them; `None` when there are
/// none. A role that is not known gives none.
pub(crate) fn scope_of(roles: &[String], known: &Roles) -> Option<String> {
    let scopes = roles.iter().filter_map(|role| known.get(role)).flatten().map(String::as_str);
    let scopes = scopes.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>();
    (!scopes.is_empty()).then(|| scopes.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Roles, is_scope, scope_of};

    #[test]
    fn scopes_are_one_visible_word() {
        for (text, good) in [
            ("admin", true),
            ("reports:read", true),
            ("https://example.com/reports", true),
            ("!#$~[]", true),
            ("", false),
            ("reports read", false),
            ("reports\"", false),
            ("reports\\", false),
            ("repörts", false),
            ("reports\n", false),
        ] {
            assert_eq!(is_scope(text), good, "{text:?}");
        }
    }

    #[test]
    fn roles_add_their_scopes_up() {
        let scopes = |list: &[&str]| list.iter().map(|scope| (*scope).to_owned()).collect();
        let known = Roles::from([
            ("admin".to_owned(), scopes(&["admin", "reports"])),
            ("auditor".to_owned(), scopes(&["reports"])),
            ("guest".to_owned(), scopes(&[])),
        ]);

        for (roles, expected) in [
            (scopes(&["auditor", "admin"]), Some("admin reports")),
            (scopes(&["auditor"]), Some("reports")),
            (scopes(&["guest"]), None),
            (scopes(&["unheard-of"]), None),
            (scopes(&[]), None),
        ] {
            assert_eq!(scope_of(&roles, &known).as_deref(), expected, "{roles:?}");
        }
    }
}
