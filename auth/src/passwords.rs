use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use argon2::{
    ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use models::Ambient;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::Error;

/// OWASP's first recommendation for Argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// So many hashes at once; each takes [`MEMORY_KIB`] and a core.
const AT_ONCE: usize = 4;

/// Compared with when there is no account, so that the answer takes as long as with one.
static NOBODYS_HASH: LazyLock<String> = LazyLock::new(|| {
    let zeros = Output::new(&[0; 32]).expect("32 bytes are an output");
    phc(Salt::new(b"nobody's salt 16").expect("16 bytes are a salt"), zeros).to_string()
});

/// The memory of one hash, used again for the next: an allocator would keep what many threads
/// have freed, half a gigabyte after thirty sign-ins.
type Memory = Vec<Block>;

/// Hashes passwords and compares them, off the threads that serve requests.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Memory>>>,
    ambient: Ambient,
}

impl Passwords {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)), idle: Arc::default(), ambient }
    }

    /// The password's hash as a PHC string, with a salt of its own.
    pub(crate) async fn hash(&self, password: &[u8]) -> Result<String, Error> {
        let password = password.to_vec();
        let salt: [u8; 16] = self.ambient.random();
        self.off_thread(move |memory| hash(&password, &salt, memory))
            .await?
            .map_err(|error| Error::Internal(format!("a password cannot be hashed: {error}")))
    }

    /// Whether the password is the one of `hash`; never when there is no hash, which takes as
    /// long.
    pub(crate) async fn matches(
        &self,
        password: &[u8],
        hash: Option<String>,
    ) -> Result<bool, Error> {
        let password = password.to_vec();
        let known = hash.is_some();
        let matched = self
            .off_thread(move |memory| {
                verify(&password, hash.as_deref().unwrap_or(&NOBODYS_HASH), memory)
            })
            .await?;
        match matched {
            Ok(matched) => Ok(known && matched),
            Err(error) => {
                Err(Error::Internal(format!("a stored password hash is broken: {error}")))
            }
        }
    }

    /// The permit goes along, so that work whose request is gone still counts until it ends.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permit = self.permits.clone().acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        let idle = self.idle.clone();
        spawn_blocking(move || {
            let _permit = permit;
            let lend = || idle.lock().unwrap_or_else(PoisonError::into_inner);
            let memory = lend().pop();
            let mut memory = memory.unwrap_or_else(|| vec![Block::default(); MEMORY_KIB as usize]);
            let done = work(&mut memory);
            lend().push(memory);
            done
        })
        .await
        .map_err(|error| Error::Internal(format!("hashing ended early: {error}")))
    }
}

fn params() -> Params {
    Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are good")
}

fn phc(salt: Salt, output: Output) -> PasswordHash {
    PasswordHash {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params()).expect("the parameters are good"),
        salt: Some(salt),
        hash: Some(output),
    }
}

fn hash(password: &[u8], salt: &[u8], memory: &mut Memory) -> password_hash::Result<String> {
    let output = output(params(), password, salt, memory)?;
    Ok(phc(Salt::new(salt)?, output).to_string())
}

/// Refuses a stored hash that asks for more than ours do before it is given the memory.
fn verify(password: &[u8], hash: &str, memory: &mut Memory) -> password_hash::Result<bool> {
    let hash = PasswordHash::new(hash)?;
    let params = Params::try_from(&hash)?;
    let ours = hash.algorithm == ARGON2ID_IDENT && hash.version == Some(Version::V0x13.into());
    if !ours || params.m_cost() > MEMORY_KIB || params.t_cost() > PASSES || params.p_cost() > LANES
    {
        return Err(password_hash::Error::ParamsInvalid);
    }
    let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else {
        return Err(password_hash::Error::PasswordInvalid);
    };
    // Outputs compare in constant time.
    Ok(output(params, password, salt, memory)? == *expected)
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
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into_with_memory(password, salt, bytes, memory)?;
    Ok(Output::new(bytes)?)
}
