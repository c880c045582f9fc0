//! Digests as text.

use proptest::prelude::*;
use shoal_protocol::digest::{Algorithm, Digest, DigestError};

fn parse(text: &str) -> Result<Digest, DigestError> {
    text.parse()
}

proptest! {
    #[test]
    fn text_comes_back_as_the_same_digest(content in prop::collection::vec(any::<u8>(), 0..200)) {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let digest = Digest::of(algorithm, &content);
            prop_assert_eq!(parse(&digest.to_string()), Ok(digest));
            prop_assert_eq!(digest.to_string(), format!("{}:{}", algorithm.name(), digest.hex()));
            prop_assert_eq!(format!("{digest:?}"), digest.to_string());
            prop_assert_eq!(Digest::from_hash(algorithm, digest.hash()), Some(digest));
            prop_assert_eq!(digest.algorithm(), algorithm);
        }
    }

    /// Whatever is accepted is written back the very same: there is one spelling only, so a digest is safe as a name.
    #[test]
    fn any_text_is_refused_or_canonical(text in "(sha256|sha512|SHA256|md5)?:?[0-9a-fA-F/.%é]{0,130}") {
        if let Ok(digest) = parse(&text) {
            prop_assert_eq!(digest.to_string(), text);
        }
    }
}

#[test]
fn the_empty_blob_has_the_published_digests() {
    let sha256 = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), sha256);
    let sha512 = "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce\
                  47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e";
    assert_eq!(Digest::of(Algorithm::Sha512, b"").to_string(), sha512);
}

#[test]
fn what_is_wrong_is_named() {
    let good = Digest::of(Algorithm::Sha256, b"").to_string();
    let length = |found| DigestError::Length { algorithm: "sha256", expected: 64, found };
    assert_eq!(parse(""), Err(DigestError::NoColon));
    assert_eq!(parse(&good.replace(':', "-")), Err(DigestError::NoColon));
    assert_eq!(parse(&good.replace("sha256", "md5")), Err(DigestError::UnknownAlgorithm));
    assert_eq!(parse(&good.replace("sha256", "SHA256")), Err(DigestError::UnknownAlgorithm));
    assert_eq!(parse(&good[..good.len() - 1]), Err(length(63)));
    assert_eq!(parse(&format!("{good}0")), Err(length(65)));
    assert_eq!(parse(&good.replace('e', "E")), Err(DigestError::NotHex));
    assert_eq!(parse(&good.replace("e3", "é")), Err(DigestError::NotHex), "two bytes that are one letter");
    assert_eq!(parse(&good.replace("e3b", "../")), Err(DigestError::NotHex));
    assert_eq!(Digest::from_hash(Algorithm::Sha512, &[0; 32]), None);
}
