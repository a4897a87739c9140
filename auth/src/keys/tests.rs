use super::SigningKey;
use crate::{KeyError, PublicKey};

macro_rules! fixture {
    ($name:literal) => {
        include_str!(concat!("fixtures/", $name, ".pem"))
    };
}

#[test]
fn survives_the_way_through_pem() {
    for pem in [fixture!("p-256"), fixture!("rsa-2048"), fixture!("ed25519")] {
        let key = SigningKey::from_pem(pem).unwrap();

        assert_eq!(SigningKey::from_pem(&key.to_pem()).unwrap().id(), key.id());
    }
}

#[test]
fn signs_by_the_algorithm_of_its_kind_and_has_the_public_half_of_its_file() {
    for (private, public, algorithm) in [
        (fixture!("p-256"), fixture!("p-256-public"), "ES256"),
        (fixture!("rsa-2048"), fixture!("rsa-2048-public"), "RS256"),
        (fixture!("ed25519"), fixture!("ed25519-public"), "EdDSA"),
    ] {
        let key = SigningKey::from_pem(private).unwrap();
        let public = PublicKey::from_pem(public).unwrap();

        assert_eq!(key.public_key().algorithm(), algorithm);
        assert_eq!(public.algorithm(), algorithm);
        assert_eq!(public.id(), key.id(), "{algorithm}");
    }
}

#[test]
fn refuses_what_cannot_sign() {
    let broken = "-----BEGIN PRIVATE KEY-----\nMFkw\n-----END PRIVATE KEY-----\n";
    let two = format!("{}{}", fixture!("p-256"), fixture!("ed25519"));
    let cut = fixture!("rsa-2048").replacen("-----END PRIVATE KEY-----", "", 1);
    // The last line of the key's base64 is short, so that dropping it leaves whole bytes.
    let lines: Vec<_> = fixture!("ed25519").lines().collect();
    let short = format!("{}\n{}\n{}\n", lines[0], &lines[1][..40], lines[2]);

    for (pem, why, error) in [
        ("", "nothing", KeyError::NotPrivate),
        ("secret", "a word", KeyError::NotPrivate),
        (&two, "two keys", KeyError::NotPrivate),
        (&cut, "a key without its end", KeyError::NotPrivate),
        (fixture!("p-256-public"), "a public key", KeyError::NotPrivate),
        (fixture!("sec1"), "SEC1", KeyError::NotPrivate),
        (fixture!("encrypted"), "an encrypted key", KeyError::NotPrivate),
        (broken, "no algorithm", KeyError::OtherKind),
        (fixture!("p-384"), "P-384", KeyError::OtherKind),
        (fixture!("secp256k1"), "secp256k1", KeyError::OtherKind),
        (fixture!("x25519"), "X25519, which cannot sign", KeyError::OtherKind),
        (fixture!("ed448"), "Ed448", KeyError::OtherKind),
        (fixture!("rsa-pss"), "a key for PSS only", KeyError::OtherKind),
        (fixture!("rsa-1024"), "RSA of 1024 bits", KeyError::RsaSize),
        (&short, "half an Ed25519 key", KeyError::Damaged),
    ] {
        assert_eq!(SigningKey::from_pem(pem).err(), Some(error), "{why}");
    }
}

#[test]
fn refuses_public_keys_that_cannot_check() {
    let half = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----";
    let off_curve = fixture!("p-256-public").replace("rQVD", "rQVE");
    let two = format!("{}{}", fixture!("p-256-public"), fixture!("ed25519-public"));

    for (pem, why, error) in [
        ("", "nothing", KeyError::NotPublic),
        (fixture!("p-256"), "a private key", KeyError::NotPublic),
        (&two, "two keys where one is asked for", KeyError::NotPublic),
        (half, "no point", KeyError::Damaged),
        (&off_curve, "a point beside the curve", KeyError::Damaged),
        (fixture!("rsa-1024-public"), "RSA of 1024 bits", KeyError::RsaSize),
    ] {
        assert_eq!(PublicKey::from_pem(pem).err(), Some(error), "{why}");
    }
    let both = PublicKey::all_from_pem(&two).unwrap();
    assert_eq!(both.iter().map(PublicKey::algorithm).collect::<Vec<_>>(), ["ES256", "EdDSA"]);
}

#[test]
fn refuses_keys_that_are_published_with_their_private_halves() {
    for (pem, place) in [
        (fixture!("example-rfc7515"), "RFC 7515, appendix A.3"),
        (fixture!("example-rfc7517"), "RFC 7517, appendix A.2"),
        (fixture!("example-rfc8037"), "RFC 8037, appendix A.1"),
        (fixture!("example-rfc9500"), "RFC 9500, section 2.3"),
        (fixture!("example-jwt-io"), "jwt.io"),
    ] {
        assert_eq!(SigningKey::from_pem(pem).err(), Some(KeyError::Example), "{place}");
    }
    let public = PublicKey::from_pem(fixture!("example-rfc7515-public"));
    assert_eq!(public.err(), Some(KeyError::Example), "RFC 7515, appendix A.2");
}

#[test]
fn is_not_shown_by_debug() {
    let key = SigningKey::generate();

    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.id()));
}
