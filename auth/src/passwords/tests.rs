use futures_util::{FutureExt, future::join_all};
use models::{Ambient, Timestamp};

use super::*;

const SALT: [u8; 16] = *b"sixteen bytes ..";

/// The work of one hash: every KiB of the memory, twice.
const WORK: u32 = 2 * 19_456;

/// A hash of other parameters than ours.
fn hash_of(password: &[u8], memory: u32, passes: u32, salt: &[u8], length: usize) -> String {
    let params = Params::new(memory, passes, 1, Some(length)).expect("argon2 takes them");
    let mut bytes = vec![0; length];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into(password, salt, &mut bytes)
        .expect("it can be hashed");
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).expect("they have a text"),
        salt: Some(Salt::new(salt).expect("a salt")),
        hash: Some(Output::new(&bytes).expect("an output")),
    };
    hash.to_string()
}

/// What the password is to the hash, and the work that this took.
fn checked(password: &[u8], hash: Option<&str>) -> (Checked, u32) {
    let mut memory = Memory::new();
    let checked = check(password, hash, &SALT, &mut memory);
    (checked, memory.work)
}

/// Hashes that no program of ours has written, or that ask for more than we give.
fn broken() -> Vec<String> {
    let good = hash(b"password", &SALT, &mut Memory::new()).expect("it can be hashed");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{good} has no {from}");
        good.replace(from, to)
    };
    let cut = good.rsplit_once('$').expect("it has parts").0;
    vec![
        String::new(),
        "password".to_owned(),
        "$".repeat(6),
        good[1..].to_owned(),
        format!("{good}$more"),
        cut.to_owned(),
        format!("{cut}$"),
        format!("{cut}$short"),
        format!("{cut}${}", "A".repeat(86)),
        format!("{cut}$not base64!"),
        with("argon2id", "argon2i"),
        with("argon2id", "argon2d"),
        with("argon2id", "bcrypt"),
        with("v=19", "v=16"),
        with("v=19$", ""),
        with("m=19456", "m=19457"),
        with("m=19456", "m=4294967295"),
        with("m=19456", "m=4294967296"),
        with("m=19456", "m=1"),
        with("m=19456", "m=-1"),
        with("t=2", "t=3"),
        with("t=2", "t=4294967295"),
        with("t=2", "t=0"),
        with("p=1", "p=2"),
        with("p=1", "p=16777215"),
        with("m=19456", "m=19456,m=4294967295"),
        with("p=1", "p=1,x=1"),
        "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW".to_owned(),
        "x".repeat(100_000),
    ]
}

mod check {
    use super::*;

    #[test]
    fn knows_the_password_that_was_hashed_from_any_other() {
        let hash = hash(b"caf\xc3\xa9 au lait", &SALT, &mut Memory::new()).unwrap();

        assert_eq!(checked(b"caf\xc3\xa9 au lait", Some(&hash)), (Checked::Right, WORK));
        for other in [&b"caf\xc3\xa9 au lait "[..], b"cafe\xcc\x81 au lait", b"Caf\xc3\xa9 au lait"]
        {
            assert_eq!(checked(other, Some(&hash)), (Checked::Wrong, WORK));
        }
    }

    #[test]
    fn takes_the_same_work_whether_there_is_a_hash_or_none() {
        let ours = hash(b"password", &SALT, &mut Memory::new()).unwrap();
        for hash in [
            None,
            Some(ours),
            Some(hash_of(b"password", 9_728, 2, &SALT, 32)),
            Some(hash_of(b"password", 19_456, 1, &SALT, 32)),
            Some(hash_of(b"password", 8, 1, &SALT[..8], 10)),
        ] {
            assert_eq!(checked(b"wrong", hash.as_deref()), (Checked::Wrong, WORK), "{hash:?}");
        }
    }

    #[test]
    fn hashes_anew_what_was_hashed_with_less_effort() {
        for weak in [
            hash_of(b"password", 19_455, 2, &SALT, 32),
            hash_of(b"password", 19_456, 1, &SALT, 32),
            hash_of(b"password", 19_456, 2, &SALT[..15], 32),
            hash_of(b"password", 19_456, 2, &SALT, 31),
        ] {
            let (Checked::RightAndRehashed(strong), _) = checked(b"password", Some(&weak)) else {
                panic!("{weak} is weaker than ours are");
            };

            assert!(strong.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{strong}");
            assert_eq!(checked(b"password", Some(&strong)), (Checked::Right, WORK));
        }
    }

    #[test]
    fn never_takes_a_broken_hash_for_one_and_gives_it_no_more_memory() {
        for hash in broken() {
            let mut memory = Memory::new();

            let checked = check(b"password", Some(&hash), &SALT, &mut memory);

            assert!(matches!(checked, Checked::Broken(_)), "{checked:?} of {hash:.200}");
            assert_eq!(memory.work, WORK, "{hash:.200}");
            assert_eq!(memory.blocks.len(), 19_456);
        }
    }
}

mod a_crowd {
    use super::*;

    /// As a sign-in does it: a place first.
    async fn check_one(passwords: &Passwords) -> Result<Checked, Error> {
        passwords.check(passwords.place()?, b"password", None).await
    }

    /// The permits are taken before, so nobody is done until everybody has asked.
    #[tokio::test]
    async fn is_hashed_up_to_the_hundredth_and_refused_from_there_at_once() {
        let passwords = Passwords::new(Ambient::fixed(Timestamp::from_unix_millis(0), 7));
        let permits = passwords.permits.clone().acquire_many_owned(4).await.unwrap();
        let mut crowd: Vec<_> = (0..150).map(|_| Box::pin(check_one(&passwords))).collect();

        let at_once: Vec<_> = crowd.iter_mut().map(|one| one.now_or_never()).collect();

        assert!(at_once[..100].iter().all(Option::is_none));
        for refused in &at_once[100..] {
            assert!(matches!(refused, Some(Err(Error::Busy))));
        }
        drop(permits);
        crowd.truncate(100);
        for checked in join_all(crowd).await {
            assert_eq!(checked.unwrap(), Checked::Wrong);
        }
        let idle = passwords.idle.lock().unwrap();
        assert!(idle.len() <= 4, "{} memories for four hashes at once", idle.len());
        assert_eq!(idle.iter().map(|memory| memory.work).sum::<u32>(), 100 * WORK);
    }

    #[tokio::test]
    async fn leaves_its_places_when_it_goes_away() {
        let passwords = Passwords::new(Ambient::fixed(Timestamp::from_unix_millis(0), 7));
        let permits = passwords.permits.clone().acquire_many_owned(4).await.unwrap();
        let mut crowd: Vec<_> = (0..100).map(|_| Box::pin(check_one(&passwords))).collect();
        assert!(crowd.iter_mut().all(|one| one.now_or_never().is_none()));
        assert!(matches!(check_one(&passwords).await, Err(Error::Busy)));

        drop(crowd);

        drop(permits);
        assert_eq!(check_one(&passwords).await.unwrap(), Checked::Wrong);
    }

    /// The request is gone, and its hash is not: it goes on to count.
    #[tokio::test]
    async fn that_hangs_up_keeps_its_places_until_its_hashes_are_made() {
        let passwords = Passwords::new(Ambient::fixed(Timestamp::from_unix_millis(0), 7));
        let held = passwords.idle.clone();
        let held = held.lock().unwrap();
        let mut crowd: Vec<_> = (0..4).map(|_| Box::pin(check_one(&passwords))).collect();
        assert!(crowd.iter_mut().all(|one| one.now_or_never().is_none()));

        drop(crowd);

        assert_eq!(passwords.places.available_permits(), 96);
        assert_eq!(passwords.permits.available_permits(), 0);
        drop(held);
        drop(passwords.places.acquire_many(100).await.unwrap());
        drop(passwords.permits.acquire_many(4).await.unwrap());
    }
}
