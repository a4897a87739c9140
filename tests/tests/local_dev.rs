//! The built `local-dev`, as somebody runs it in a terminal.

use std::{fs, net::TcpListener, path::Path};

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};
use tests::{Client, LocalDev, Outcome, run};
use tokio::{net::TcpStream, sync::mpsc, task::JoinSet};

/// A folder for one test, and a data directory in it that is not there yet.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempdir().expect("a folder for temporary files") }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn data(&self) -> std::path::PathBuf {
        self.path().join("data")
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.data().join(name)
    }

    async fn start(&self) -> LocalDev {
        let data = self.data();
        LocalDev::start(self.path(), ["--data-dir".as_ref(), data.as_os_str()]).await
    }

    async fn run(&self, arguments: &[&str]) -> Outcome {
        let data = self.data();
        let data = ["--data-dir", data.to_str().expect("the folder's name is text")];
        run("local-dev", [arguments, &data].concat(), &[]).await
    }
}

/// One clear sentence and exit code 1.
#[track_caller]
fn assert_refused(outcome: &Outcome, why: &str) {
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stderr.contains(why), "{why:?} is not in {outcome:?}");
    assert_eq!(outcome.stdout, "", "{outcome:?}");
}

/// Change the name, and give the account.
async fn rename(person: &Client, name: &str) -> Value {
    let body = json!({ "displayName": name });
    person.patch("/v1/account").json(body).await.expect(200).json()
}

mod a_start {
    use super::*;

    #[tokio::test]
    async fn serves_the_api_the_docs_and_the_spec() {
        let place = Place::new();
        let laptop = LocalDev::start(place.path(), ["--ephemeral"]).await;
        let anonymous = laptop.anonymous();

        let health = anonymous.get("/health").await.expect(200);
        let spec = anonymous.get("/openapi.json").unspecified().await.expect(200);
        let docs = anonymous.get("/docs").unspecified().await.expect(307);
        let page = anonymous.get(docs.header("location")).unspecified().await.expect(200);

        assert_eq!(health.json(), json!({ "status": "ok" }));
        assert_eq!(spec.header("content-type"), "application/json");
        assert_eq!(spec.text(), openapi::json().unwrap());
        assert!(page.header("content-type").starts_with("text/html"), "{:?}", page.headers);
        let page = page.text();
        let links = page
            .split(['"', '\''])
            .filter(|text| [".js", ".css", ".png"].iter().any(|end| text.ends_with(end)));
        let links: Vec<_> = links.collect();
        assert!(links.len() >= 3, "{page}");
        for link in links {
            assert!(!link.contains("//"), "{link} is on the network");
            let path = format!("/docs/{}", link.trim_start_matches("./"));
            anonymous.get(path).unspecified().await.expect(200);
        }
    }

    #[tokio::test]
    async fn says_where_everything_is() {
        let place = Place::new();

        let laptop = place.start().await;

        let (port, data) = (laptop.port(), place.data());
        let expected = format!(
            "Landline is up, as behind an HTTP API. Ctrl-C stops it.\n\
             \n  API       http://localhost:{port}\
             \n  Docs      http://localhost:{port}/docs\
             \n  Spec      http://localhost:{port}/openapi.json\
             \n  Mail      http://localhost:{port}/dev/outbox\
             \n  Data      {}\
             \n\
             \nTry it:     curl http://localhost:{port}/health\n",
            data.display()
        );
        assert_eq!(laptop.greeting, expected);
    }

    #[tokio::test]
    async fn keeps_its_files_from_others() {
        use std::os::unix::fs::PermissionsExt;

        let place = Place::new();

        let laptop = place.start().await;
        laptop.anonymous().register("maya@example.com", "Maya").await;

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&place.data()), 0o700);
        let mut names = Vec::new();
        for entry in fs::read_dir(place.data()).unwrap() {
            let entry = entry.unwrap();
            let expected = if entry.path().is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&entry.path()), expected, "{}", entry.path().display());
            names.push(entry.file_name().into_string().unwrap());
        }
        assert!(names.contains(&"signing-key.pem".to_owned()), "{names:?}");
        assert!(names.contains(&"store.sqlite".to_owned()), "{names:?}");
    }

    #[tokio::test]
    async fn leaves_nothing_behind_when_it_is_ephemeral() {
        let place = Place::new();
        let laptop = LocalDev::start(place.path(), ["--ephemeral"]).await;
        laptop.anonymous().register("maya@example.com", "Maya").await;

        let outcome = laptop.end_with("TERM").await;

        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn keeps_data_beside_the_workspace_unless_told_otherwise() {
        let place = Place::new();
        fs::write(place.path().join("Cargo.toml"), "[workspace]\n").unwrap();
        let deep = place.path().join("api/src");
        fs::create_dir_all(&deep).unwrap();
        let nothing: [&str; 0] = [];

        let laptop = LocalDev::start(&deep, nothing).await;

        assert!(place.path().join(".landline/store.sqlite").exists(), "{}", laptop.greeting);
    }
}

#[cfg(target_os = "linux")]
mod memory {
    use super::*;

    #[tokio::test]
    async fn is_that_of_four_password_hashes_however_many_register() {
        let place = Place::new();
        let laptop = LocalDev::start(place.path(), ["--ephemeral"]).await;
        let mut people = JoinSet::new();

        for number in 0..30 {
            let anonymous = laptop.anonymous();
            people.spawn(async move {
                anonymous.register(&format!("maya{number}@example.com"), "Maya").await;
            });
        }
        people.join_all().await;

        // 19 MiB each, and what the program has anyway.
        let megabytes = laptop.most_memory() / 1_000_000;
        assert!(megabytes < 200, "{megabytes} MB");
    }
}

mod a_restart {
    use super::*;

    #[tokio::test]
    async fn finds_data_and_earlier_sessions() {
        let place = Place::new();
        let laptop = place.start().await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        let account = rename(&maya, "Maya Lindqvist").await;
        let outcome = laptop.end_with("INT").await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");

        let laptop = place.start().await;
        let maya = maya.at(laptop.door());

        assert_eq!(maya.get("/v1/account").await.expect(200).json(), account);
        let maya = maya.refreshed().await;
        let sessions = maya.get("/v1/sessions").await.expect(200).json();
        assert_eq!(sessions["items"][0]["id"], maya.signed_in["session"]["id"]);
        maya.sign_in("maya@example.com").await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn after_kill_9_has_every_write_that_was_acknowledged() {
        let place = Place::new();
        let laptop = place.start().await;
        let mut people = Vec::new();
        for number in 0..8 {
            let email = format!("maya{number}@example.com");
            people.push(laptop.anonymous().register(&email, "Maya").await);
        }
        let (written, mut acknowledged) = mpsc::unbounded_channel();
        let mut writers = JoinSet::new();
        for (writer, person) in people.iter().enumerate() {
            let (person, written) = (person.clone(), written.clone());
            writers.spawn(async move {
                // Until the connection breaks; bounded, should it never do so.
                for number in 0..10_000 {
                    let body = json!({ "displayName": number.to_string() });
                    let request = person.patch("/v1/account").json(body);
                    let Some(answer) = request.attempt().await else { return };
                    written.send((writer, answer.expect(200).json())).unwrap();
                }
            });
        }
        drop(written);

        let mut last = vec![Value::Null; people.len()];
        for _ in 0..100 {
            let (writer, account) = acknowledged.recv().await.unwrap();
            last[writer] = account;
        }
        let outcome = laptop.kill().await;
        while let Some((writer, account)) = acknowledged.recv().await {
            last[writer] = account;
        }
        writers.join_all().await;

        assert_eq!(outcome.code, None, "{outcome:?}");
        let laptop = place.start().await;
        for (person, last) in people.iter().zip(last) {
            let person = person.at(laptop.door()).refreshed().await;
            let kept = person.get("/v1/account").await.expect(200).json();
            let (kept, last) = (kept["version"].as_u64(), last["version"].as_u64());
            // The last write may have been kept without its answer having arrived.
            let lost = kept < last || kept > last.map(|version| version + 1);
            assert!(!lost, "{kept:?} was kept of {last:?}");
            rename(&person, "Still writing").await;
        }
    }
}

mod an_end {
    use super::*;

    #[tokio::test]
    async fn comes_cleanly_at_either_signal_whatever_connections_are_open() {
        for signal in ["INT", "TERM"] {
            let place = Place::new();
            let laptop = place.start().await;
            laptop.anonymous().get("/health").await.expect(200);
            let idle = TcpStream::connect(("127.0.0.1", laptop.port())).await.unwrap();

            let outcome = laptop.end_with(signal).await;

            drop(idle);
            assert_eq!(outcome.code, Some(0), "{signal}: {outcome:?}");
            let late = outcome.stderr.contains("before every request was answered");
            assert!(!late, "{signal} waits for idle connections: {outcome:?}");
        }
    }
}

mod a_start_that_takes_long {
    use std::{fs::File, process::Stdio, thread, time::Duration};

    use tests::program;
    use tokio::{process::Command, sync::oneshot, time::timeout};

    use super::*;

    const TOO_LONG: Duration = Duration::from_secs(60);

    /// The key comes through a pipe, and does not come.
    #[tokio::test]
    async fn is_ended_at_once_by_either_signal() {
        for signal in ["INT", "TERM"] {
            let place = Place::new();
            fs::create_dir(place.data()).unwrap();
            fs::write(place.file("local-dev.lock"), "").unwrap();
            let key = place.file("signing-key.pem");
            let made = Command::new("mkfifo").args(["-m", "600"]).arg(&key).status().await;
            assert!(made.unwrap().success());
            let mut laptop = Command::new(program("local-dev"))
                .args(["--port", "0", "--data-dir"])
                .arg(place.data())
                .env_clear()
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .kill_on_drop(true)
                .spawn()
                .unwrap();
            // A pipe is open when both of its ends are.
            let (opened, is_open) = oneshot::channel();
            thread::spawn(move || opened.send(File::options().write(true).open(key)));
            let pipe = timeout(TOO_LONG, is_open).await.expect("the key is read").unwrap();

            let id = laptop.id().expect("it runs").to_string();
            let kill = Command::new("sh").args(["-c", &format!("kill -{signal} {id}")]).status();
            assert!(kill.await.unwrap().success());
            let end = timeout(TOO_LONG, laptop.wait()).await.expect("it ends").unwrap();

            assert_eq!(end.code(), Some(130), "{signal}");
            drop(pipe.unwrap());
        }
    }
}

mod a_second_signal {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// Half a request would hold the end up for seconds.
    #[tokio::test]
    async fn ends_it_at_once() {
        let place = Place::new();
        let mut laptop = place.start().await;
        let mut half = TcpStream::connect(("127.0.0.1", laptop.port())).await.unwrap();
        let request = "POST /v1/sessions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{";
        half.write_all(request.as_bytes()).await.unwrap();

        let said = laptop.says_at("INT").await;
        let outcome = laptop.end_with("INT").await;

        assert_eq!(said, "Stopping. Ctrl-C once more stops at once.\n");
        assert_eq!(outcome.code, Some(130), "{outcome:?}");
    }
}

mod a_refusal {
    use super::*;

    #[tokio::test]
    async fn names_limits_that_are_none() {
        let limits = r#"{ "signIn": { "perNetwork": 0 } }"#;

        let arguments = ["--ephemeral", "--port", "0"];
        let outcome = run("local-dev", arguments, &[("LANDLINE_LIMITS", limits)]).await;

        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        let expected = "error: the configuration is wrong or not complete:
  LANDLINE_LIMITS: signIn.perNetwork is not a whole number from 1 to 100000\n";
        assert_eq!(outcome.stderr, expected);
    }

    #[tokio::test]
    async fn names_a_port_that_is_taken() {
        let place = Place::new();
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port().to_string();

        let outcome = place.run(&["--port", &port]).await;

        assert_refused(&outcome, &port);
        assert!(!place.data().exists(), "a server that cannot listen makes no directory");
    }

    #[tokio::test]
    async fn names_a_store_port_that_is_taken() {
        let place = Place::new();
        let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port().to_string();

        let outcome = place.run(&["--port", "0", "--store-port", &port]).await;

        assert_refused(&outcome, "--store-port");
    }

    #[tokio::test]
    async fn names_a_data_directory_that_is_a_file_or_in_one() {
        let place = Place::new();
        fs::write(place.data(), "mine").unwrap();
        let inside = place.data().join("data");

        let outcome = place.run(&["--port", "0"]).await;
        assert_refused(&outcome, place.data().to_str().unwrap());
        let arguments = ["--port", "0", "--data-dir", inside.to_str().unwrap()];
        let outcome = run("local-dev", arguments, &[]).await;
        assert_refused(&outcome, inside.to_str().unwrap());

        assert_eq!(fs::read_to_string(place.data()).unwrap(), "mine");
    }

    #[tokio::test]
    async fn names_a_directory_with_somebody_elses_files_and_leaves_them() {
        let place = Place::new();
        fs::create_dir(place.data()).unwrap();
        fs::write(place.file("store.sqlite"), "mine").unwrap();

        for arguments in [&["--port", "0"][..], &["seed"], &["reset"]] {
            let outcome = place.run(arguments).await;

            assert_refused(&outcome, place.data().to_str().unwrap());
        }
        assert_eq!(fs::read_to_string(place.file("store.sqlite")).unwrap(), "mine");
        assert_eq!(fs::read_dir(place.data()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn names_a_damaged_store_and_leaves_it_as_it_is() {
        let place = Place::new();
        let laptop = place.start().await;
        laptop.anonymous().register("maya@example.com", "Maya").await;
        assert_eq!(laptop.end_with("TERM").await.code, Some(0));
        let path = place.file("store.sqlite");
        let sound = fs::read(&path).unwrap();
        let mut holed = sound.clone();
        holed[4096..8192].fill(0xa5);
        // What SQLite has beside the file may have what is damaged in it, and that would be no damage.
        let log = place.file("store.sqlite-wal");
        let logged = fs::read(&log).unwrap_or_default();

        for (damaged, why) in [
            (Vec::new(), "empty"),
            (vec![7; 9000], "junk"),
            (sound[..10].to_vec(), "cut in its first line"),
            (sound[..sound.len() / 2].to_vec(), "cut in the middle"),
            (holed, "with a hole"),
        ] {
            fs::write(&path, &damaged).unwrap();
            fs::write(&log, "").unwrap();

            let outcome = place.run(&["--port", "0"]).await;

            assert_refused(&outcome, path.to_str().unwrap());
            assert_eq!(fs::read(&path).unwrap(), damaged, "{why}");
        }
        fs::write(&path, &sound).unwrap();
        fs::write(&log, &logged).unwrap();
        place.start().await.anonymous().sign_in("maya@example.com").await;
    }

    #[tokio::test]
    async fn names_a_damaged_or_open_key() {
        use std::os::unix::fs::PermissionsExt;

        let place = Place::new();
        assert_eq!(place.start().await.end_with("TERM").await.code, Some(0));
        let path = place.file("signing-key.pem");
        let sound = fs::read(&path).unwrap();

        for damaged in [&b""[..], b"c4n4ry", &sound[..sound.len() / 2], b"\xff\xff"] {
            fs::write(&path, damaged).unwrap();

            let outcome = place.run(&["--port", "0"]).await;

            assert_refused(&outcome, path.to_str().unwrap());
            assert!(!outcome.stderr.contains("c4n4ry"), "{outcome:?}");
        }
        fs::write(&path, &sound).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let outcome = place.run(&["--port", "0"]).await;
        assert_refused(&outcome, "chmod 600");
    }

    #[tokio::test]
    async fn keeps_a_second_program_out_of_a_directory_in_use() {
        let place = Place::new();
        let laptop = place.start().await;

        for arguments in [&["--port", "0"][..], &["seed"], &["reset"]] {
            let outcome = place.run(arguments).await;

            assert_refused(&outcome, place.data().to_str().unwrap());
        }
        laptop.anonymous().register("maya@example.com", "Maya").await;
    }

    #[tokio::test]
    async fn is_of_another_kind_for_a_flag_that_does_not_exist() {
        for arguments in
            [&["--prot", "0"][..], &["sed"], &["reset", "--port", "0"], &["--port", "x"]]
        {
            let outcome = run("local-dev", arguments, &[]).await;

            assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
            assert!(outcome.stderr.starts_with("error: "), "{outcome:?}");
        }
    }
}

mod seed {
    use super::*;

    #[tokio::test]
    async fn makes_two_people_once() {
        let place = Place::new();

        let first = place.run(&["seed"]).await;
        let second = place.run(&["seed"]).await;

        assert_eq!((first.code, second.code), (Some(0), Some(0)), "{first:?} {second:?}");
        let laptop = place.start().await;
        for (email, password) in [
            ("maya@example.com", "maya-likes-lighthouses"),
            ("omar@example.com", "omar-likes-sourdough"),
        ] {
            assert!(first.stdout.contains(email) && first.stdout.contains(password), "{first:?}");
            let body = json!({ "email": email, "password": password });
            let answer = laptop.anonymous().post("/v1/sessions").json(body).await.expect(201);
            let person = laptop.anonymous().as_signed_in(answer.json());
            // Filling the store leaves no session behind.
            let sessions = person.get("/v1/sessions").await.expect(200).json();
            assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
        }
    }
}

mod token {
    use super::*;

    const MAYA: [&str; 3] = ["token", "--email", "maya@example.com"];

    /// The token alone on a line.
    #[track_caller]
    fn printed(outcome: &Outcome) -> &str {
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
        outcome.stdout.strip_suffix('\n').expect("a line")
    }

    async fn device_names(person: &Client) -> Vec<Value> {
        let sessions = person.get("/v1/sessions").await.expect(200).json();
        let items = sessions["items"].as_array().expect("a page has items");
        items.iter().map(|session| session["deviceName"].clone()).collect()
    }

    #[tokio::test]
    async fn is_a_real_one_while_nothing_runs() {
        let place = Place::new();
        let laptop = place.start().await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        assert_eq!(laptop.end_with("TERM").await.code, Some(0));

        let outcome = place.run(&MAYA).await;

        let laptop = place.start().await;
        let minted = laptop.anonymous().with_token(printed(&outcome));
        let account = minted.get("/v1/account").await.expect(200).json();
        assert_eq!(account, maya.signed_in["account"]);
        assert_eq!(device_names(&minted).await, ["local-dev token", "Maya's phone"]);
    }

    #[tokio::test]
    async fn is_a_real_one_while_local_dev_runs() {
        let place = Place::new();
        let laptop = place.start().await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;

        let outcome = place.run(&["token", "--email", "MAYA@example.com"]).await;

        let minted = laptop.anonymous().with_token(printed(&outcome));
        let account = minted.get("/v1/account").await.expect(200).json();
        assert_eq!(account, maya.signed_in["account"]);
        assert_eq!(device_names(&maya).await, ["local-dev token", "Maya's phone"]);
        minted.delete("/v1/sessions/current").await.expect(204);
        assert_eq!(device_names(&maya).await, ["Maya's phone"]);
    }

    #[tokio::test]
    async fn is_there_after_local_dev_was_killed() {
        let place = Place::new();
        let laptop = place.start().await;
        laptop.anonymous().register("maya@example.com", "Maya").await;
        laptop.kill().await;
        assert!(place.file("store-address").exists(), "a killed process leaves it behind");

        let outcome = place.run(&MAYA).await;

        let laptop = place.start().await;
        let minted = laptop.anonymous().with_token(printed(&outcome));
        minted.get("/v1/account").await.expect(200);
        assert_eq!(laptop.end_with("TERM").await.code, Some(0));
        assert!(!place.file("store-address").exists(), "an orderly end takes it away");
    }

    #[tokio::test]
    async fn is_refused_for_an_address_that_nobody_has() {
        let place = Place::new();

        assert_refused(&place.run(&MAYA).await, "`seed`");
        let _laptop = place.start().await;
        assert_refused(&place.run(&MAYA).await, "POST /v1/accounts");
    }

    #[tokio::test]
    async fn is_refused_where_the_running_process_does_not_say_where_its_store_is() {
        let place = Place::new();
        let _laptop = place.start().await;
        fs::remove_file(place.file("store-address")).unwrap();

        assert_refused(&place.run(&MAYA).await, "try again");
    }

    #[tokio::test]
    async fn is_refused_by_an_address_at_which_there_is_no_store() {
        let place = Place::new();
        let _laptop = place.start().await;
        fs::write(place.file("store-address"), "http://127.0.0.1:1").unwrap();

        assert_refused(&place.run(&MAYA).await, "cannot sign in");
    }
}

mod role {
    use super::*;

    async fn token(place: &Place, laptop: &LocalDev) -> Client {
        let outcome = place.run(&["token", "--email", "maya@example.com"]).await;
        laptop.anonymous().with_token(outcome.stdout.trim())
    }

    #[tokio::test]
    async fn comes_and_goes_while_local_dev_runs() {
        let place = Place::new();
        let laptop = place.start().await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        let id = maya.signed_in["account"]["id"].as_str().expect("an account has an id");
        let path = format!("/v1/admin/accounts/{id}");

        let given = place.run(&["role", "--email", "MAYA@example.com", "admin"]).await;
        token(&place, &laptop).await.get(&path).await.expect(200);
        let maya = maya.refreshed().await;
        maya.get(&path).await.expect(200);
        let taken = place.run(&["role", "--email", "maya@example.com", "--remove", "admin"]).await;
        maya.refreshed().await.get(&path).await.expect_problem(403, "insufficient_scope");

        for (outcome, roles) in [(given, "admin"), (taken, "none")] {
            let said = format!("Roles now: {roles}. Tokens have them from the next refresh on.\n");
            assert_eq!((outcome.code, outcome.stdout), (Some(0), said));
        }
    }

    #[tokio::test]
    async fn is_given_while_nothing_runs() {
        let place = Place::new();
        let laptop = place.start().await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        assert_eq!(laptop.end_with("TERM").await.code, Some(0));

        for role in ["admin", "auditor"] {
            let outcome = place.run(&["role", "--email", "maya@example.com", role]).await;
            assert_eq!(outcome.code, Some(0), "{outcome:?}");
        }

        let laptop = place.start().await;
        let id = maya.signed_in["account"]["id"].as_str().expect("an account has an id");
        let answer = token(&place, &laptop).await.get(format!("/v1/admin/accounts/{id}")).await;
        assert_eq!(answer.expect(200).json()["roles"], json!(["admin", "auditor"]));
    }

    #[tokio::test]
    async fn is_refused_where_it_is_none_or_nobody_has_the_address() {
        let place = Place::new();

        for (arguments, why) in [
            (["role", "--email", "maya@example.com", "admin"], "`seed`"),
            (["role", "--email", "maya@example.com", "the boss"], "a role is one word"),
        ] {
            assert_refused(&place.run(&arguments).await, why);
        }
    }
}

mod reset {
    use super::*;

    #[tokio::test]
    async fn empties_the_directory_and_a_start_begins_anew() {
        let place = Place::new();
        let laptop = place.start().await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        assert_eq!(laptop.end_with("TERM").await.code, Some(0));
        fs::write(place.file("mine.txt"), "mine").unwrap();

        let outcome = place.run(&["reset"]).await;

        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(!place.file("store.sqlite").exists());
        assert!(!place.file("signing-key.pem").exists());
        assert_eq!(fs::read_to_string(place.file("mine.txt")).unwrap(), "mine");
        let laptop = place.start().await;
        let maya = maya.at(laptop.door());
        maya.get("/v1/account").await.expect_problem(401, "token_invalid");
        maya.anonymous().register("maya@example.com", "Maya").await;
    }

    #[tokio::test]
    async fn does_not_mind_when_there_is_nothing() {
        let place = Place::new();

        let outcome = place.run(&["reset"]).await;

        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert!(!place.data().exists());
    }
}

mod the_environment {
    use super::*;

    #[tokio::test]
    async fn says_which_versions_are_too_old_and_what_is_on() {
        let place = Place::new();
        let environment = [
            ("LANDLINE_APPS", r#"{"ios":{"minimumVersion":"2.3"}}"#),
            ("LANDLINE_FLAGS", r#"{"newEditor":{}}"#),
        ];

        let laptop = LocalDev::start_in(place.path(), ["--ephemeral"], &environment).await;

        let anonymous = laptop.anonymous();
        let old = anonymous.get("/v1/account").header("x-app-platform", "ios");
        old.header("x-app-version", "2.2").await.expect_problem(426, "upgrade_required");
        let config = anonymous.get("/v1/config").await.expect(200).json();
        assert_eq!(config["flags"], json!(["newEditor"]));
    }

    #[tokio::test]
    async fn is_told_where_it_makes_no_sense() {
        let environment = [("LANDLINE_APPS", r#"{"ios":{"minimumVersion":"two"}}"#)];

        let outcome = run("local-dev", ["--ephemeral", "--port", "0"], &environment).await;

        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("LANDLINE_APPS at /ios/minimumVersion"), "{outcome:?}");
    }
}

mod openapi_command {
    use super::*;

    #[tokio::test]
    async fn prints_the_spec() {
        let outcome = run("local-dev", ["openapi"], &[]).await;

        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stdout, openapi::json().unwrap());
    }
}

mod the_gateway {
    use super::*;

    #[tokio::test]
    async fn refuses_in_its_own_words_what_never_reaches_the_app() {
        let place = Place::new();
        let laptop = LocalDev::start(place.path(), ["--ephemeral"]).await;
        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        let large = maya.patch("/v1/account").json_text(vec![b' '; 10 * 1024 * 1024 + 1]);
        let long = maya.get("/v1/account").header("x-long", "x".repeat(10_240));

        for (request, status, message) in [
            (large, 413, "Request Entity Too Large"),
            (long, 431, "Request Header Fields Too Large"),
        ] {
            let answer = request.unspecified().await.expect(status);

            assert_eq!(answer.json(), json!({ "message": message }));
        }
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), maya.signed_in["account"]);
    }
}

mod the_store {
    use auth::SigningKey;
    use models::{aws::Access, store::Connection};
    use tests::{Door, Function};

    use super::*;

    /// What the greeting has after this name.
    fn told(laptop: &LocalDev, name: &str) -> String {
        let (_, rest) = laptop.greeting.split_once(name).expect("the greeting says it");
        rest.split([' ', '\n']).next().expect("a value").to_owned()
    }

    #[tokio::test]
    async fn is_open_to_the_lambda_binary_where_a_flag_says_so() {
        let place = Place::new();
        let data = place.data();
        let arguments = ["--store-port", "0", "--data-dir", data.to_str().unwrap()];
        let laptop = LocalDev::start(place.path(), arguments).await;
        let pem = fs::read_to_string(place.file("signing-key.pem")).unwrap();
        let auth = auth::Settings::new(
            told(&laptop, "LANDLINE_ISSUER="),
            told(&laptop, "LANDLINE_AUDIENCE="),
            SigningKey::from_pem(&pem).unwrap(),
        );
        let connection = Connection {
            endpoint: Some(told(&laptop, "AWS_ENDPOINT_URL_DYNAMODB=")),
            table: told(&laptop, "LANDLINE_TABLE="),
            access: Access { region: told(&laptop, "AWS_REGION="), ..Access::embedded() },
        };
        let function = Function::start(&auth, &connection, &[]).await;

        let maya = laptop.anonymous().register("maya@example.com", "Maya").await;
        let account = rename(&maya.at(Door::Lambda(function)), "Maya Lindqvist").await;

        assert_eq!(maya.get("/v1/account").await.expect(200).json(), account);
    }

    #[tokio::test]
    async fn is_not_mentioned_otherwise() {
        let place = Place::new();

        let laptop = LocalDev::start(place.path(), ["--ephemeral"]).await;

        assert!(!laptop.greeting.contains("AWS_"), "{}", laptop.greeting);
    }
}
