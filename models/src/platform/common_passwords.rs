use validator::ValidationError;

use crate::wire::Verdict;

/// One on each line, in lower case, of as many bytes as a new password has at least.
const COMMONEST: &str = include_str!("common-passwords.txt");

/// Refuses the passwords that are guessed first, in any case (NIST SP 800-63B-4, section 3.1.1.2).
/// Looks through the list as it is: that takes microseconds, and nothing is built at the start.
pub(super) fn uncommon(password: &str) -> Verdict {
    if COMMONEST.lines().any(|known| known.eq_ignore_ascii_case(password)) {
        let message = "must not be one of the commonest passwords";
        return Err(ValidationError::new("common").with_message(message.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{COMMONEST, uncommon};

    #[test]
    fn are_listed_so_that_each_can_be_met() {
        let lines: Vec<_> = COMMONEST.lines().collect();

        assert!(lines.len() >= 500, "{} are listed", lines.len());
        assert!(lines.is_sorted_by(|a, b| a < b), "sorted, and none twice");
        for line in lines {
            assert!(line.len() >= 8, "{line} is too short to be a new password");
            assert_eq!(line, line.to_ascii_lowercase());
            assert_eq!(line, line.trim());
        }
    }

    #[test]
    fn are_refused_in_any_case_and_only_whole() {
        for password in ["password", "PassWord", "12345678", "QWERTYUIOP"] {
            assert_eq!(uncommon(password).unwrap_err().code, "common", "{password}");
        }
        for password in ["password ", " password", "my password", "pässword", "", "12345678 9"] {
            assert!(uncommon(password).is_ok(), "{password}");
        }
    }
}
