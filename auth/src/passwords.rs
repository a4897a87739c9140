use std::sync::{Arc, LazyLock};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::{self, phc::PasswordHash},
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
    argon2()
        .hash_password_with_salt(b"nobody", b"nobody's salt 16")
        .expect("the parameters are good")
        .to_string()
});

/// Hashes passwords and compares them, off the threads that serve requests.
pub(crate) struct Passwords {
    permits: Arc<Semaphore>,
    ambient: Ambient,
}

impl Passwords {
    pub(crate) fn new(ambient: Ambient) -> Self {
        Self { permits: Arc::new(Semaphore::new(AT_ONCE)), ambient }
    }

    /// The password's hash as a PHC string, with a salt of its own.
    pub(crate) async fn hash(&self, password: &[u8]) -> Result<String, Error> {
        let password = password.to_vec();
        let salt: [u8; 16] = self.ambient.random();
        self.off_thread(move || {
            argon2().hash_password_with_salt(&password, &salt).map(|hash| hash.to_string())
        })
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
            .off_thread(move || {
                verify(&password, hash.as_deref().unwrap_or_else(|| NOBODYS_HASH.as_str()))
            })
            .await?;
        match matched {
            Ok(()) => Ok(known),
            Err(password_hash::Error::PasswordInvalid) => Ok(false),
            Err(error) => {
                Err(Error::Internal(format!("a stored password hash is broken: {error}")))
            }
        }
    }

    /// The permit goes along, so that work whose request is gone still counts until it ends.
    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let permits = self.permits.clone();
        let permit = permits.acquire_owned().await.expect("the semaphore is never closed");
        spawn_blocking(move || {
            let _permit = permit;
            work()
        })
        .await
        .map_err(|error| Error::Internal(format!("hashing ended early: {error}")))
    }
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the parameters are good");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Refuses a stored hash that asks for more than ours do before it is given the memory.
fn verify(password: &[u8], hash: &str) -> password_hash::Result<()> {
    let hash = PasswordHash::new(hash)?;
    let params = Params::try_from(&hash)?;
    if params.m_cost() > MEMORY_KIB || params.t_cost() > PASSES || params.p_cost() > LANES {
        return Err(password_hash::Error::ParamsInvalid);
    }
    argon2().verify_password(password, &hash)
}
