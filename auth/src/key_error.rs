/// A text is not a key that can be used. Reads on after the name of what should hold one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or PEM of something else, such as a public key or a key in SEC1 or PKCS#1.
    #[error(
        "is not a private key in PKCS#8 PEM (a text that begins with -----BEGIN PRIVATE KEY-----)"
    )]
    NotPrivate,
    /// Not PEM, or PEM of something else, such as a private key or a certificate.
    #[error("is not public keys in PEM (texts that begin with -----BEGIN PUBLIC KEY-----)")]
    NotPublic,
    /// A key of another kind or curve.
    #[error("is neither a P-256 key (ES256), nor an RSA key (RS256), nor an Ed25519 key (EdDSA)")]
    OtherKind,
    /// An RSA key that is too weak, or so large that every request would pay for it.
    #[error("is an RSA key of fewer than 2048 or more than 8192 bits")]
    RsaSize,
    /// It says which kind of key it is, and the rest of it is none.
    #[error("is damaged: it does not hold the kind of key that it says")]
    Damaged,
    /// Its private half can be read in a standard or on a web page.
    #[error("is an example that is published with its private half; make a key of your own")]
    Example,
}
