use similar::TextDiff;

/// The committed document is not the one that the code makes.
#[derive(Debug)]
pub struct Stale {
    /// The difference, from the committed document to the code's.
    pub difference: String,
}

/// Compare the committed document with the one that the code makes.
///
/// # Errors
/// With the difference, when they are not the same to the byte.
pub fn check(committed: &str, made: &str) -> Result<(), Stale> {
    if committed == made {
        return Ok(());
    }
    let difference = TextDiff::from_lines(committed, made)
        .unified_diff()
        .context_radius(3)
        .header("committed", "made from the code")
        .to_string();
    Err(Stale { difference })
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn shows_what_has_changed() {
        assert!(check("a\nb\n", "a\nb\n").is_ok());

        let stale = check("a\nb\n", "a\nc\n").unwrap_err();

        assert_eq!(
            stale.difference,
            "--- committed\n+++ made from the code\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n"
        );
    }
}
