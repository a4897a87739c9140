//! What a process was at that was killed, and others after it.

use api::http::Lease;

use super::*;

/// Two handlers of each file: one has a lease and never ends, but for a process that comes later; the
/// other tells of each delivery.
fn modules(takes: bool, tell: &UnboundedSender<&'static str>) -> Vec<Module> {
    let (of_leased, of_each) = (tell.clone(), tell.clone());
    let leased = move |_: ObjectCreated, _: Lease| {
        let told = of_leased.send("leased");
        async move {
            told?;
            if takes { Ok(()) } else { std::future::pending().await }
        }
    };
    let each = move |_: ObjectCreated| {
        let told = of_each.send("delivered");
        async move { Ok(told?) }
    };
    vec![
        Module::new("leased").on_object_created("uploads/", leased),
        Module::new("each").on_object_created("uploads/", each),
    ]
}

/// An hour after the epoch of these tests, and so many seconds.
fn at(seconds: i64, seed: u64) -> Ambient {
    Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_123 + seconds * 1000), seed)
}

async fn next(told: &mut UnboundedReceiver<&'static str>) -> &'static str {
    let told = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
    told.expect("it is delivered").expect("somebody listens")
}

/// Both are in the lease of the first process, in which each attempt fails.
#[tokio::test]
async fn does_not_give_up_what_a_process_that_was_killed_has_leased() {
    let folder = tempdir().unwrap();
    let (tell, mut told) = unbounded_channel();
    let (never, takes) = (modules(false, &tell), modules(true, &tell));
    let failures = FailureStore::memory();
    let start = async |modules: &[Module], ambient| {
        Laptop::at(folder.path(), ambient, modules, modules, failures.clone()).await
    };
    let killed = start(&never, at(0, 1)).await;
    killed.put("uploads/1", b"1").await;
    assert_eq!(next(&mut told).await, "leased");
    drop(killed);

    // An attempt that runs when one is stopped is finished, and counted.
    for (seed, attempts) in [(2, 2), (3, 1)] {
        let laptop = start(&takes, at(1, seed)).await;
        for _ in 0..attempts {
            assert_eq!(next(&mut told).await, "delivered");
        }
        laptop.bucket.stop().await;
    }
    let laptop = start(&takes, at(121, 4)).await;

    let mut last = [next(&mut told).await, next(&mut told).await];
    last.sort_unstable();
    assert_eq!(last, ["delivered", "leased"]);
    laptop.bucket.stop().await;
    assert_eq!(failures.list("").await.unwrap(), [""; 0]);
}
