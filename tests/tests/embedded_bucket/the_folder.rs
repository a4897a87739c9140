//! The folder `files/`, whatever else is in it.

use super::*;

/// As a process leaves it behind that was killed, or an older store that was put back.
#[tokio::test]
async fn loses_what_the_store_does_not_know_and_says_so() {
    let folder = tempdir().unwrap();
    let laptop = Laptop::start(folder.path(), 1, &[]).await;
    laptop.put("a", b"meow").await;
    drop(laptop);
    let files = folder.path().join("files");
    let names = || {
        let names = fs::read_dir(&files).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let before = names();
    fs::write(files.join("019aab4c-2d7e-7c31-9f5e-0a1b2c3d4e5f"), "left behind").unwrap();

    let log = Log::listen();
    let laptop = Laptop::start(folder.path(), 2, &[]).await;

    let said = r#"{"message":"removed files that the store does not know","forgotten":1}"#;
    assert!(log.text().contains(said), "{}", log.text());
    assert_eq!(names(), before);
    assert_eq!(read(&laptop.client, "a").await, b"meow");
}

#[tokio::test]
async fn may_have_other_things_in_it() {
    let folder = tempdir().unwrap();
    drop(Laptop::start(folder.path(), 1, &[]).await);
    let files = folder.path().join("files");
    let theirs = ["notes.txt", ".DS_Store", "019AAB4C-2D7E-7C31-9F5E-0A1B2C3D4E5F"];
    for name in theirs {
        fs::write(files.join(name), "theirs").unwrap();
    }
    let folders = ["019aab4c-2d7e-7c31-9f5e-0a1b2c3d4e5f", "older"];
    for name in folders {
        fs::create_dir(files.join(name)).unwrap();
    }

    let log = Log::listen();
    let laptop = Laptop::start(folder.path(), 2, &[]).await;

    laptop.put("a", b"meow").await;
    for name in theirs.iter().chain(&folders) {
        assert!(files.join(name).exists(), "{name}");
    }
    assert!(!log.text().contains("forgotten"), "{}", log.text());
}
