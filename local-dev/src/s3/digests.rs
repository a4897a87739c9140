//! What is computed of a content while it passes, and what its sender says that must come out.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, StatusCode};
use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::{
    S3Error, S3ErrorCode, S3Result,
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
    s3_error,
};

/// The checksums of a request or an answer of [`s3s`], by algorithm.
macro_rules! checksums_in {
    ($of:expr) => {{
        let of = &$of;
        let named = [
            ("crc32", &of.checksum_crc32),
            ("crc32c", &of.checksum_crc32c),
            ("crc64nvme", &of.checksum_crc64nvme),
            ("sha1", &of.checksum_sha1),
            ("sha256", &of.checksum_sha256),
        ];
        let told = named.into_iter().filter_map(|(name, sum)| Some((name, sum.clone()?)));
        told.map(|(name, sum)| (name.to_owned(), sum)).collect::<std::collections::BTreeMap<_, _>>()
    }};
}

/// Put checksums into an answer of [`s3s`].
macro_rules! tell_checksums {
    ($in:expr, $checksums:expr) => {{
        let (mut told, sums) = ($in, $checksums);
        told.checksum_crc32 = sums.get("crc32").cloned();
        told.checksum_crc32c = sums.get("crc32c").cloned();
        told.checksum_crc64nvme = sums.get("crc64nvme").cloned();
        told.checksum_sha1 = sums.get("sha1").cloned();
        told.checksum_sha256 = sums.get("sha256").cloned();
        told
    }};
}
pub(super) use {checksums_in, tell_checksums};

/// In base64, by algorithm in lower case.
pub(super) type Checksums = BTreeMap<String, String>;

const NAMES: &str = "x-amz-checksum-";

pub(super) struct Digests {
    md5: Md5,
    checksums: ChecksumHasher,
    /// The checksums that are to come behind the body.
    behind: Vec<String>,
    pub(super) size: u64,
}

impl Digests {
    /// MD5, which makes entity tags, and what the sender tells of or names: in `told`, as
    /// `algorithm`, or as what will stand behind the body (`x-amz-trailer`).
    pub(super) fn new(
        told: &Checksums,
        algorithm: Option<&str>,
        headers: &HeaderMap,
    ) -> S3Result<Self> {
        let behind = headers.get("x-amz-trailer").and_then(|names| names.to_str().ok());
        let behind = behind.into_iter().flat_map(|names| names.split(','));
        let behind = behind.filter_map(|name| name.trim().strip_prefix(NAMES)).map(str::to_owned);
        let behind: Vec<_> = behind.collect();
        let names = told.keys().chain(&behind).map(String::as_str).chain(algorithm);
        Ok(Self { behind: behind.clone(), ..Self::of(names)? })
    }

    /// MD5, and the checksums of these algorithms.
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a str>) -> S3Result<Self> {
        let mut checksums = ChecksumHasher::default();
        for name in names {
            match name.to_ascii_lowercase().as_str() {
                "crc32" => checksums.crc32 = Some(Crc32::new()),
                "crc32c" => checksums.crc32c = Some(Crc32c::new()),
                "crc64nvme" => checksums.crc64nvme = Some(Crc64Nvme::new()),
                "sha1" => checksums.sha1 = Some(Sha1::new()),
                "sha256" => checksums.sha256 = Some(Sha256::new()),
                _ => return Err(s3_error!(NotImplemented, "There is no such checksum here.")),
            }
        }
        Ok(Self { md5: Md5::new(), checksums, behind: Vec::new(), size: 0 })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.checksums.update(bytes);
        self.size += bytes.len() as u64;
    }

    pub(super) fn finish(self) -> Digested {
        let sums = self.checksums.finalize();
        Digested {
            md5: self.md5.finalize(),
            size: self.size,
            checksums: checksums_in!(sums),
            behind: self.behind,
        }
    }
}

pub(super) struct Digested {
    pub(super) md5: [u8; 16],
    pub(super) size: u64,
    pub(super) checksums: Checksums,
    behind: Vec<String>,
}

impl Digested {
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }

    /// Refuse a content that is not what its sender says: before the body, by `Content-MD5`, or
    /// behind it. Nothing of it is kept then.
    pub(super) fn check(
        &self,
        told: &Checksums,
        content_md5: Option<&str>,
        behind: Option<&HeaderMap>,
    ) -> S3Result<()> {
        let wrong = || s3_error!(BadDigest, "The content is not what its checksum says.");
        if let Some(md5) = content_md5 {
            let md5 = BASE64_STANDARD.decode(md5).ok().filter(|md5| md5.len() == self.md5.len());
            let md5 = md5.ok_or_else(|| s3_error!(InvalidDigest))?;
            if md5 != self.md5 {
                return Err(wrong());
            }
        }
        let has_come = |name| behind.is_some_and(|it| it.contains_key(format!("{NAMES}{name}")));
        if !self.behind.iter().all(has_come) {
            return Err(malformed_trailer());
        }
        let behind = behind.into_iter().flatten().filter_map(|(name, sum)| {
            Some((name.as_str().strip_prefix(NAMES)?.to_owned(), sum.to_str().ok()?.to_owned()))
        });
        let mut told = told.clone().into_iter().chain(behind);
        if told.all(|(name, sum)| self.checksums.get(&name) == Some(&sum)) {
            Ok(())
        } else {
            Err(wrong())
        }
    }
}

fn malformed_trailer() -> S3Error {
    let code = S3ErrorCode::Custom("MalformedTrailerError".into());
    let why = "What x-amz-trailer names has not come behind the body.";
    let mut error = S3Error::with_message(code, why);
    error.set_status_code(StatusCode::BAD_REQUEST);
    error
}

/// The entity tag of what was uploaded in parts: over their MD5s, and how many they were.
pub(super) fn etag_of_parts<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let (mut md5, count) = (Md5::new(), parts.len());
    for part in parts {
        md5.update(&u128::from_str_radix(part, 16).ok()?.to_be_bytes());
    }
    Some(format!("{}-{count}", hex(&md5.finalize())))
}

fn hex(md5: &[u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(*md5))
}
