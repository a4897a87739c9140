//! What an app asks at its start: whether it is too old, and what is switched on for it.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;

use crate::{
    Id,
    platform::app::{Device, Platform, Version},
    view,
    wire::present,
};

/// What differs between one release of an app and another.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The oldest versions that are served.
    pub apps: Apps,
    /// What is switched on, and for whom.
    pub flags: Flags,
}

/// The oldest version of the app that is served, for each platform that has one.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Apps(BTreeMap<Platform, Oldest>);

/// The oldest version that is served.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Oldest {
    /// It and all newer ones are served.
    pub minimum_version: Version,
    /// Where newer ones are.
    #[serde(default, deserialize_with = "present")]
    store_url: Option<StoreUrl>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "String")]
struct StoreUrl(String);

impl TryFrom<String> for StoreUrl {
    type Error = &'static str;

    fn try_from(url: String) -> Result<Self, Self::Error> {
        let host = url.strip_prefix("https://").unwrap_or_default();
        let plain = url.len() <= 2000 && url.bytes().all(|byte| byte.is_ascii_graphic());
        if plain && host.starts_with(|first: char| first.is_ascii_alphanumeric()) {
            Ok(Self(url))
        } else {
            Err("must be an https:// URL of at most 2000 characters")
        }
    }
}

impl Oldest {
    /// Where newer versions are.
    pub fn store_url(&self) -> Option<&str> {
        self.store_url.as_ref().map(|url| url.0.as_str())
    }
}

impl Apps {
    /// What this device must be updated to, if it is too old. One that does not say what it is
    /// may go on: it is `curl`, or older than the question.
    pub fn update_for(&self, device: Device) -> Option<&Oldest> {
        let oldest = self.0.get(&device.platform?)?;
        (device.version? < oldest.minimum_version).then_some(oldest)
    }
}

/// What is switched on, and for whom, by name.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Flags(BTreeMap<FlagName, Flag>);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct FlagName(String);

impl TryFrom<String> for FlagName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        let word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if word && name.len() <= 64 && name.starts_with(|first: char| first.is_ascii_alphabetic()) {
            Ok(Self(name))
        } else {
            Err("must be a letter and up to 63 more letters, digits and `_`")
        }
    }
}

/// For whom something is on. What is absent restricts nothing.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Flag {
    #[serde(default, deserialize_with = "present")]
    platforms: Option<BTreeSet<Platform>>,
    #[serde(default, deserialize_with = "present")]
    minimum_version: Option<Version>,
    #[serde(default, deserialize_with = "present")]
    percentage: Option<Percentage>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "u64")]
struct Percentage(u64);

impl TryFrom<u64> for Percentage {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        if number <= 100 { Ok(Self(number)) } else { Err("must be 0 to 100") }
    }
}

impl Flags {
    /// The names of those that are on for this device and account, in the order of the alphabet.
    /// Where a restriction asks for what is not known, the flag is off.
    pub fn on(&self, device: Device, account: Option<Id>) -> Vec<String> {
        let on = self.0.iter().filter(|(name, flag)| flag.is_on(name, device, account));
        on.map(|(name, _)| name.0.clone()).collect()
    }
}

impl Flag {
    fn is_on(&self, name: &FlagName, device: Device, account: Option<Id>) -> bool {
        let platform = self.platforms.as_ref().is_none_or(|platforms| {
            device.platform.is_some_and(|platform| platforms.contains(&platform))
        });
        let version = self
            .minimum_version
            .is_none_or(|minimum| device.version.is_some_and(|version| version >= minimum));
        let share = match self.percentage {
            None | Some(Percentage(100)) => true,
            Some(Percentage(share)) => account.is_some_and(|account| bucket(name, account) < share),
        };
        platform && version && share
    }
}

/// 0 to 99: always the same for a flag and an account, and of one flag independent of another's.
/// A larger share has all accounts of a smaller one.
fn bucket(FlagName(name): &FlagName, account: Id) -> u64 {
    // The 0 ends the name: none has one.
    let hash = digest(&SHA256, &[name.as_bytes(), &[0], account.as_bytes()].concat());
    let first = hash.as_ref().first_chunk().expect("SHA-256 has 32 bytes");
    u64::from_be_bytes(*first) % 100
}

/// What an app asks at its start.
#[view]
pub struct ConfigView {
    /// The oldest versions that are served; absent platforms have none.
    pub apps: Vec<AppView>,
    /// The names of what is switched on for the caller.
    #[schema(examples("newEditor"))]
    pub flags: Vec<String>,
}

/// The oldest version of the app that is served on a platform.
#[view]
pub struct AppView {
    /// What the app runs on, as `X-App-Platform` says it.
    #[schema(examples("ios"))]
    pub platform: String,
    /// Older versions are answered 426 `upgrade_required`.
    #[schema(examples("2.3.0"))]
    pub minimum_version: String,
    /// Where newer versions are.
    #[schema(examples("https://apps.apple.com/app/id1"))]
    pub store_url: Option<String>,
}

impl Config {
    /// What this device and account are told.
    pub fn view(&self, device: Device, account: Option<Id>) -> ConfigView {
        let app = |(platform, oldest): (&Platform, &Oldest)| AppView {
            platform: platform.name().to_owned(),
            minimum_version: oldest.minimum_version.to_string(),
            store_url: oldest.store_url().map(str::to_owned),
        };
        ConfigView {
            apps: self.apps.0.iter().map(app).collect(),
            flags: self.flags.on(device, account),
        }
    }
}
