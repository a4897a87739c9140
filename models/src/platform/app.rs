//! The app that asks: what it runs on, and which version it is.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// What asks, as far as it says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// What the app runs on.
    pub platform: Option<Platform>,
    /// Which version of the app it is.
    pub version: Option<Version>,
}

/// What an app runs on, as `X-App-Platform` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Platform {
    /// iPhones and iPads.
    Ios,
    /// Android phones and tablets.
    Android,
    /// A web page.
    Web,
    /// A Mac.
    Macos,
    /// A PC with Windows.
    Windows,
    /// A PC with Linux.
    Linux,
}

impl Platform {
    /// Every platform.
    pub const ALL: [Self; 6] =
        [Self::Ios, Self::Android, Self::Web, Self::Macos, Self::Windows, Self::Linux];

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ios => "ios",
            Self::Android => "android",
            Self::Web => "web",
            Self::Macos => "macos",
            Self::Windows => "windows",
            Self::Linux => "linux",
        }
    }

    /// The platform of this name, in any case.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.name().eq_ignore_ascii_case(name))
    }
}

/// As it is written: by its name in lower case.
impl TryFrom<String> for Platform {
    type Error = String;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let known = Self::ALL.into_iter().find(|platform| platform.name() == name);
        known.ok_or_else(|| format!("must be one of {}", Self::ALL.map(Self::name).join(", ")))
    }
}

/// A version of an app, as App Store and Google Play show it: one to four numbers with dots between
/// them, compared number by number, so that 2.10 is newer than 2.9 and 2.0 is 2. What follows a `+`
/// is the build, and says nothing of which is newer (Semantic Versioning 2.0.0, section 10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version([u32; 4]);

/// The text is not a [`Version`].
#[derive(Debug, thiserror::Error)]
#[error("must be one to four numbers of at most 9 digits with dots between them, such as 2.3.0")]
pub struct InvalidVersion;

impl Version {
    /// What a version looks like (ECMA-262), for those who describe one.
    pub const PATTERN: &str = r"^[0-9]{1,9}(\.[0-9]{1,9}){0,3}(\+[0-9A-Za-z.-]+)?$";
}

impl FromStr for Version {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (numbers, build) = text.split_once('+').unwrap_or((text, "0"));
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
        if build.is_empty() || !build.bytes().all(plain) {
            return Err(InvalidVersion);
        }
        let mut version = [0; 4];
        let mut places = version.iter_mut();
        for number in numbers.split('.') {
            *places.next().ok_or(InvalidVersion)? = part(number).ok_or(InvalidVersion)?;
        }
        Ok(Self(version))
    }
}

/// `parse` alone would take `+1`.
fn part(text: &str) -> Option<u32> {
    let digits = (1..=9).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Three numbers, and the fourth where it is not 0.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, fourth] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if fourth == 0 { Ok(()) } else { write!(f, ".{fourth}") }
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    fn version(text: &str) -> Version {
        text.parse().unwrap_or_else(|error| panic!("{text:?} {error}"))
    }

    #[test]
    fn is_compared_number_by_number() {
        for (older, newer) in [
            ("2.9", "2.10"),
            ("2.3.9", "2.4"),
            ("1", "1.0.0.1"),
            ("1.99.99.99", "2"),
            ("0", "0.0.1"),
            ("999999998", "999999999"),
        ] {
            assert!(version(older) < version(newer), "{older} < {newer}");
        }
        for (one, same) in [("2", "2.0"), ("2.0", "2.0.0.0"), ("2.3+45", "2.3+46"), ("02.3", "2.3")]
        {
            assert_eq!(version(one), version(same), "{one} = {same}");
        }
    }

    #[test]
    fn is_written_with_three_numbers_or_four() {
        for (text, written) in
            [("2", "2.0.0"), ("2.3", "2.3.0"), ("2.3.4+b-7.x", "2.3.4"), ("2.3.4.5", "2.3.4.5")]
        {
            assert_eq!(version(text).to_string(), written);
        }
    }

    #[test]
    fn is_nothing_else() {
        for text in [
            "",
            ".",
            "2.",
            ".2",
            "2..3",
            "1.2.3.4.5",
            "1234567890",
            "-1",
            "+1",
            "2.+3",
            "v2",
            "2.3-beta",
            "2.3+",
            "2.3+a b",
            "2.3+a+b",
            " 2",
            "2 ",
            "2,3",
            "٢",
            "2.3.x",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text:?}");
        }
    }
}
