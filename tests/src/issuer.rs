//! Another issuer: an OpenID Connect provider on loopback, over real TLS.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use http::{Request, Response, header};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair as TlsKey};
use serde_json::{Map, Value, json};
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::aws_lc_rs::default_provider,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::World;

/// Where an issuer has its discovery document.
pub const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where it has its keys.
pub const KEYS: &str = "/keys";

/// An issuer. It counts what it is asked, and answers as it is told; without being told it does
/// what it should. It is gone when it is dropped.
pub struct Issuer {
    address: SocketAddr,
    shared: Arc<Shared>,
    server: JoinHandle<()>,
}

/// How an issuer answers.
#[derive(Clone)]
pub enum Reply {
    /// As it should.
    Well,
    /// The connection closes in place of an answer.
    Closed,
    /// Not at all, and the connection stays.
    Never,
    /// With this status, and these headers and texts.
    With(u16, Vec<(&'static str, String)>, String),
}

impl Reply {
    /// JSON, whatever it says.
    pub fn json(body: &Value) -> Self {
        Self::text(body.to_string())
    }

    /// A text that is said to be JSON.
    pub fn text(body: impl Into<String>) -> Self {
        Self::With(200, vec![("content-type", "application/json".to_owned())], body.into())
    }
}

struct Shared {
    url: String,
    told: Mutex<Told>,
}

struct Told {
    keys: Vec<Arc<TokenKey>>,
    replies: Vec<(&'static str, Reply)>,
    requests: Vec<String>,
}

/// What signs tokens.
pub struct TokenKey {
    id: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
}

impl TokenKey {
    /// A new key for ES256.
    pub fn es256(id: &str) -> Self {
        let pkcs8 =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let pkcs8 = pkcs8.expect("randomness");
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref());
        Self { id: id.to_owned(), pair: Pair::Es256(pair.expect("a fresh key")) }
    }

    /// A new key for RS256.
    pub fn rs256(id: &str) -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("randomness");
        Self { id: id.to_owned(), pair: Pair::Rs256(pair) }
    }

    /// Its public half (RFC 7517).
    pub fn jwk(&self) -> Value {
        match &self.pair {
            Pair::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y),
                    "kid": self.id, "alg": "ES256", "use": "sig" })
            }
            Pair::Rs256(pair) => {
                let (n, e) = (pair.public_key().modulus(), pair.public_key().exponent());
                json!({ "kty": "RSA", "n": base64(n.big_endian_without_leading_zero()),
                    "e": base64(e.big_endian_without_leading_zero()),
                    "kid": self.id, "alg": "RS256", "use": "sig" })
            }
        }
    }

    /// A token of this header and these claims, as they are.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = [header, claims].map(|part| base64(part.to_string())).join(".");
        let random = SystemRandom::new();
        let signature = match &self.pair {
            Pair::Es256(pair) => {
                pair.sign(&random, message.as_bytes()).expect("it signs").as_ref().to_vec()
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message.as_bytes(), &mut signature)
                    .expect("it signs");
                signature
            }
        };
        format!("{message}.{}", base64(signature))
    }

    fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        }
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

impl Issuer {
    /// Start one with a key for ES256.
    ///
    /// # Panics
    /// When there is no loopback.
    pub async fn start() -> Self {
        Self::with_key(TokenKey::es256("first")).await
    }

    /// Start one with this key.
    ///
    /// # Panics
    /// When there is no loopback.
    pub async fn with_key(key: TokenKey) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("loopback");
        let address = listener.local_addr().expect("a listener has an address");
        let told = Told { keys: vec![Arc::new(key)], replies: Vec::new(), requests: Vec::new() };
        let shared = Arc::new(Shared { url: format!("https://{address}"), told: told.into() });
        let server = tokio::spawn(serve(listener, shared.clone()));
        Self { address, shared, server }
    }

    /// The name under which it issues tokens.
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the app must be told to accept its tokens, with these members besides or instead.
    pub fn rules(&self, members: Value) -> Value {
        let usual = json!({
            "issuer": self.url(),
            "audiences": ["app"],
            "algorithms": ["ES256"],
        });
        merged(usual, members)
    }

    /// A token that the newest key signs, with these claims besides or instead; `null` leaves one
    /// out. It begins now and is good for an hour.
    pub fn token(&self, world: &World, claims: Value) -> String {
        self.token_with_header(world, json!({}), claims)
    }

    /// The same, with these members of the header besides or instead.
    pub fn token_with_header(&self, world: &World, header: Value, claims: Value) -> String {
        let key = self.newest_key();
        let usual = json!({ "alg": key.algorithm(), "typ": "JWT", "kid": key.id });
        key.sign(&merged(usual, header), &merged(self.claims(world), claims))
    }

    /// What its tokens claim of Maya.
    pub fn claims(&self, world: &World) -> Value {
        let now = world.ambient().now().unix_seconds();
        json!({ "iss": self.url(), "sub": "maya", "aud": "app", "iat": now, "exp": now + 3600 })
    }

    /// What signs its tokens now.
    pub fn newest_key(&self) -> Arc<TokenKey> {
        self.shared.told().keys.last().expect("it has a key").clone()
    }

    /// Sign with this key from now on, and publish no other.
    pub fn rotate(&self, key: TokenKey) {
        self.shared.told().keys = vec![Arc::new(key)];
    }

    /// Answer so at this path from now on.
    pub fn reply(&self, path: &'static str, reply: Reply) {
        let mut told = self.shared.told();
        told.replies.retain(|(known, _)| *known != path);
        told.replies.push((path, reply));
    }

    /// Answer so everywhere from now on.
    pub fn reply_everywhere(&self, reply: Reply) {
        for path in [DISCOVERY, KEYS] {
            self.reply(path, reply.clone());
        }
    }

    /// The paths that were asked for since this was asked before, in their order.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.told().requests)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// The settings of an app that accepts the tokens of issuers under these rules
/// ([`Issuer::rules`]), and knows who signs their certificates.
///
/// # Panics
/// When the rules are not such as the app takes.
pub fn trusting(rules: &[Value]) -> auth::Settings {
    let own = crate::Setup::default().auth;
    let issuers = auth::Issuer::read_list(&json!(rules).to_string(), &own.issuer);
    let extra_roots = Some(authority_pem().into_bytes());
    auth::Settings { issuers: issuers.expect("rules that the app takes"), extra_roots, ..own }
}

/// `usual` with the members of `other` in place of its own; `null` takes one away.
fn merged(usual: Value, other: Value) -> Value {
    let (Value::Object(mut usual), Value::Object(other)) = (usual, other) else {
        panic!("both are objects");
    };
    usual.extend(other);
    usual.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>().into()
}

impl Shared {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Count a request, and see what is to happen to it.
    fn reply(&self, path: &str) -> Reply {
        let mut told = self.told();
        told.requests.push(path.to_owned());
        let reply = told.replies.iter().find(|(of, _)| *of == path);
        match (reply.map_or(Reply::Well, |(_, reply)| reply.clone()), path) {
            (Reply::Well, DISCOVERY) => Reply::json(&json!({
                "issuer": self.url,
                "jwks_uri": format!("{}{KEYS}", self.url),
            })),
            (Reply::Well, KEYS) => {
                let keys = told.keys.iter().map(|key| key.jwk()).collect::<Vec<_>>();
                Reply::json(&json!({ "keys": keys }))
            }
            (Reply::Well, _) => Reply::With(404, Vec::new(), String::new()),
            (reply, _) => reply,
        }
    }
}

/// Who signs the certificates of all issuers in this process.
static AUTHORITY: LazyLock<CertifiedIssuer<'static, TlsKey>> = LazyLock::new(|| {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = TlsKey::generate().expect("randomness");
    CertifiedIssuer::self_signed(parameters, key).expect("a certificate")
});

fn authority_pem() -> String {
    pem::encode(&pem::Pem::new("CERTIFICATE", AUTHORITY.der().to_vec()))
}

fn tls() -> TlsAcceptor {
    static CONFIG: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
        let key = TlsKey::generate().expect("randomness");
        let parameters = CertificateParams::new([Ipv4Addr::LOCALHOST.to_string()]);
        let certificate = parameters.expect("an address").signed_by(&key, &AUTHORITY);
        let chain = vec![CertificateDer::from(certificate.expect("a certificate"))];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of these versions")
            .with_no_client_auth()
            .with_single_cert(chain, key);
        Arc::new(config.expect("a key that goes with its certificate"))
    });
    TlsAcceptor::from(CONFIG.clone())
}

async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and with it everything that they are doing.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let shared = shared.clone();
        connections.spawn(async move {
            let Ok(stream) = tls().accept(stream).await else { return };
            let answer = service_fn(move |request| answer(shared.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), answer);
            // A connection that fails is what was asked for.
            drop(connection.await);
        });
    }
}

/// An error closes the connection without an answer.
async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<String>, Box<dyn std::error::Error + Send + Sync>> {
    match shared.reply(request.uri().path()) {
        Reply::Well | Reply::Closed => Err("the connection closes".into()),
        Reply::Never => std::future::pending().await,
        Reply::With(status, headers, body) => {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(name, value);
            }
            Ok(response.header(header::CACHE_CONTROL, "no-store").body(body)?)
        }
    }
}
