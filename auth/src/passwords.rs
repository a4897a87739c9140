use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use models::Ambient;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
};

use crate::Error;

/// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane. A program takes no hash
/// that asks for more than its own do, so whoever raises these cannot go back to the program before.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// So many hashes at once; each takes [`MEMORY_KIB`] and a core.
const AT_ONCE: usize = 4;

/// So many more may wait for one of those, so a hundred are served at once. At 40 ms a hash the last
/// of them waits for a second on four cores; beyond that it is better to say so at once.
const WAITING: usize = 96;

/// The memory of one hash, used again for the next: an allocator would keep what many threads
/// have freed, half a gigabyte after thirty sign-ins.
struct Memory {
    blocks: Vec<Block>,
    /// How many KiB were gone through in it.
    #[cfg(test)]
    work: u32,
}

/// What a password is to the hash that is kept.
#[derive(PartialEq, Eq)]
pub(crate) enum Checked {
    /// Another one, or there is no hash.
    Wrong,
    /// The one that was hashed.
    Right,
    /// The one that was hashed, with less effort than today. This is its hash as of today.
    RightAndRehashed(String),
    /// The hash is none, or asks for more than ours do. Says what is wrong and not what it is.
    Broken(password_hash::Error),
}

/// A hash is shown to nobody.
impl fmt::Debug for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wrong => "Wrong",
            Self::Right => "Right",
            Self::RightAndRehashed(_) => "RightAndRehashed",
            Self::Broken(_) => "Broken",
        })
    }
}

/// A place among those whose passwords are hashed or wait for it, until the last of it is dropped.
pub(crate) type Place = Arc<OwnedSemaphorePermit>;

/// Hashes passwords and compares them, off the threads that serve requests.
pub(crate) struct Passwords {
    /// For being hashed or waiting for it.
    places: Arc<Semaphore>,
    /// For being hashed.
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Memory>>>,
    ambient: Ambient,
}

impl Passwords {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self {
            places: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            idle: Arc::default(),
            ambient,
        }
    }

    /// Take a place. Before anything is counted: who is told to come back has not tried.
    pub(crate) fn place(&self) -> Result<Place, Error> {
        self.places.clone().try_acquire_owned().map(Arc::new).map_err(|_| Error::Busy)
    }

    /// The password's hash as a PHC string, with a salt of its own.
    pub(crate) async fn hash(&self, place: Place, password: &[u8]) -> Result<String, Error> {
        let password = password.to_vec();
        let salt = self.ambient.random();
        self.off_thread(place, move |memory| hash(&password, &salt, memory))
            .await?
            .map_err(|error| Error::Internal(format!("a password cannot be hashed: {error}")))
    }

    /// Whether the password is the one of `hash`. Takes as long when there is no hash.
    pub(crate) async fn check(
        &self,
        place: Place,
        password: &[u8],
        hash: Option<String>,
    ) -> Result<Checked, Error> {
        let password = password.to_vec();
        let salt = self.ambient.random();
        self.off_thread(place, move |memory| check(&password, hash.as_deref(), &salt, memory)).await
    }

    /// Place and permit go along, so that work whose request is gone still counts until it ends.
    async fn off_thread<T: Send + 'static>(
        &self,
        place: Place,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let idle = self.idle.clone();
        spawn_blocking(move || {
            let _held = (place, permit);
            let lend = || idle.lock().unwrap_or_else(PoisonError::into_inner);
            let memory = lend().pop();
            let mut memory = memory.unwrap_or_else(Memory::new);
            let done = work(&mut memory);
            lend().push(memory);
            done
        })
        .await
        .map_err(|error| Error::Internal(format!("hashing ended early: {error}")))
    }
}

impl Memory {
    fn new() -> Self {
        Self {
            blocks: vec![Block::default(); MEMORY_KIB as usize],
            #[cfg(test)]
            work: 0,
        }
    }
}

/// A hash out of the table that may be computed: it asks for no more than ours do.
struct Stored {
    params: Params,
    salt: Salt,
    expected: Output,
}

impl Stored {
    fn read(text: &str) -> password_hash::Result<Self> {
        let hash = PasswordHash::new(text)?;
        let params = Params::try_from(&hash)?;
        if hash.algorithm != ARGON2ID_IDENT {
            return Err(password_hash::Error::Algorithm);
        }
        if hash.version != Some(Version::V0x13.into()) {
            return Err(password_hash::Error::Version);
        }
        let too_much =
            params.m_cost() > MEMORY_KIB || params.t_cost() > PASSES || params.p_cost() > LANES;
        if too_much {
            return Err(password_hash::Error::ParamsInvalid);
        }
        let salt = hash.salt.ok_or(password_hash::Error::SaltInvalid)?;
        let expected = hash.hash.ok_or(password_hash::Error::OutputSize)?;
        Ok(Self { params, salt, expected })
    }

    /// Compared with when there is no other, so that the answer takes as long. Nobody's password.
    fn nobodys() -> Self {
        let salt = Salt::new(b"nobody's salt 16").expect("16 bytes are a salt");
        let expected = Output::new(&[0; 32]).expect("32 bytes are an output");
        Self { params: params(), salt, expected }
    }

    fn is_of(&self, password: &[u8], memory: &mut Memory) -> password_hash::Result<bool> {
        // Outputs compare in constant time.
        Ok(output(self.params.clone(), password, &self.salt, memory)? == self.expected)
    }

    fn is_weak(&self) -> bool {
        self.params.m_cost() < MEMORY_KIB
            || self.params.t_cost() < PASSES
            || self.salt.len() < Salt::RECOMMENDED_LENGTH
            || self.expected.len() < Params::DEFAULT_OUTPUT_LEN
    }

    /// What this hash takes less than one of today's, where that is anything.
    fn saving(&self) -> Option<Params> {
        let saved = MEMORY_KIB * PASSES - self.params.m_cost() * self.params.t_cost();
        Params::new(saved / PASSES, PASSES, LANES, None).ok()
    }
}

/// Takes the work of one of today's hashes whatever it compares with, unless the password is right:
/// how long it takes shall not tell whether there is an account.
fn check(password: &[u8], stored: Option<&str>, salt: &[u8; 16], memory: &mut Memory) -> Checked {
    let Some(stored) = stored else {
        let _ = Stored::nobodys().is_of(password, memory);
        return Checked::Wrong;
    };
    let compared =
        Stored::read(stored).and_then(|stored| Ok((stored.is_of(password, memory)?, stored)));
    match compared {
        Ok((true, stored)) if stored.is_weak() => {
            hash(password, salt, memory).map_or(Checked::Right, Checked::RightAndRehashed)
        }
        Ok((true, _)) => Checked::Right,
        Ok((false, stored)) => {
            let _ = stored.saving().map(|params| output(params, password, salt, memory));
            Checked::Wrong
        }
        Err(error) => {
            let _ = Stored::nobodys().is_of(password, memory);
            Checked::Broken(error)
        }
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are good")
}

fn hash(password: &[u8], salt: &[u8; 16], memory: &mut Memory) -> password_hash::Result<String> {
    let hash = PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params())?,
        salt: Some(Salt::new(salt)?),
        hash: Some(output(params(), password, salt, memory)?),
    };
    Ok(hash.to_string())
}

fn output(
    params: Params,
    password: &[u8],
    salt: &[u8],
    memory: &mut Memory,
) -> password_hash::Result<Output> {
    let mut bytes = [0; Params::DEFAULT_OUTPUT_LEN];
    let length = params.output_len().unwrap_or(bytes.len());
    let bytes = bytes.get_mut(..length).ok_or(password_hash::Error::OutputSize)?;
    #[cfg(test)]
    {
        memory.work += params.m_cost() * params.t_cost();
    }
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into_with_memory(
        password,
        salt,
        bytes,
        &mut memory.blocks,
    )?;
    Ok(Output::new(bytes)?)
}

#[cfg(test)]
mod tests;
