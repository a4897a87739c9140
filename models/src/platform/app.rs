//! The app that asks: what it runs on.

use serde::{Deserialize, Serialize};

/// What an app runs on, as `X-App-Platform` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
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
