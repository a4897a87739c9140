use std::{fs, path::PathBuf, process::Command};

use serde_json::Value;

/// The sample events that the crate `aws_lambda_events` ships in its package, by file name.
///
/// # Panics
/// When cargo cannot say where the package is.
pub fn aws_events() -> Vec<(String, String)> {
    let directory = package("aws_lambda_events").join("src/fixtures");
    let mut events: Vec<_> = fs::read_dir(&directory)
        .expect("the package has its fixtures")
        .map(|entry| {
            let entry = entry.expect("the directory can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read_to_string(entry.path()).expect("fixtures are text"))
        })
        .collect();
    events.sort();
    events
}

fn package(name: &str) -> PathBuf {
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&metadata.stdout).expect("cargo says JSON");
    let packages = metadata["packages"].as_array().expect("packages are a list");
    let package = packages.iter().find(|package| package["name"] == name);
    let manifest = package.and_then(|package| package["manifest_path"].as_str());
    let manifest = PathBuf::from(manifest.expect("the package is a dependency"));
    manifest.parent().expect("a manifest is in a directory").to_owned()
}
