//! Signatures that the real cosign and notation made, and what becomes of them when something is changed.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::Value;
use shoal_protocol::digest::{Algorithm, Digest};

use super::{
    Rejection, SignatureMode, SignaturePolicy, TrustError, bundle, cosign, keys::PublicKey, notation,
    trust::Trust,
};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/signatures/fixtures")
}

/// A repository as the registry held it after signing.
struct Repository(PathBuf);

impl Repository {
    fn team(name: &str) -> Self {
        Self(fixtures().join("repositories/team").join(name))
    }

    fn tag(&self, tag: &str) -> Digest {
        fs::read_to_string(self.0.join("tags").join(tag)).unwrap().parse().unwrap()
    }

    /// What `v1` stands for, the image that was signed.
    fn image(&self) -> Digest {
        self.tag("v1")
    }

    fn manifest(&self, digest: &str) -> Value {
        let hex = digest.strip_prefix("sha256:").unwrap();
        serde_json::from_slice(&fs::read(self.0.join("manifests").join(hex)).unwrap()).unwrap()
    }

    fn blob(&self, digest: &str) -> Vec<u8> {
        fs::read(self.0.join("blobs").join(digest.strip_prefix("sha256:").unwrap())).unwrap()
    }

    /// The first layer of the signature under cosign's tag: its payload and the signature over that.
    fn cosign_signature(&self) -> (Vec<u8>, String) {
        let manifest = self.manifest(&self.tag(&format!("sha256-{}.sig", self.image().hex())).to_string());
        let layer = &manifest["layers"][0];
        let signature = layer["annotations"][cosign::ANNOTATION].as_str().unwrap().to_owned();
        (self.blob(layer["digest"].as_str().unwrap()), signature)
    }

    /// The content of the first thing that refers to the image.
    fn artifact(&self) -> Vec<u8> {
        let index = self.manifest(&self.tag(&format!("sha256-{}", self.image().hex())).to_string());
        let manifest = self.manifest(index["manifests"][0]["digest"].as_str().unwrap());
        self.blob(manifest["layers"][0]["digest"].as_str().unwrap())
    }
}

fn policy(keys: &[&str], certificates: &[&str], subjects: &[&str]) -> SignaturePolicy {
    let path = |name: &&str| fixtures().join("trust").join(name);
    SignaturePolicy {
        images: vec!["*".parse().unwrap()],
        mode: SignatureMode::Required,
        cosign_keys: keys.iter().map(path).collect(),
        notation_certificates: certificates.iter().map(path).collect(),
        notation_subjects: subjects.iter().map(|subject| subject.parse().unwrap()).collect(),
    }
}

fn key(name: &str) -> PublicKey {
    Trust::load(&policy(&[name], &[], &[])).unwrap().keys[0].key.clone()
}

fn other_digest() -> Digest {
    Digest::of(Algorithm::Sha256, b"another image")
}

#[test]
fn cosigns_older_form_holds_for_its_key_and_its_image_alone() {
    let repository = Repository::team("tag");
    let (payload, signature) = repository.cosign_signature();
    let (team, other, digest) = (key("team.pub"), key("other.pub"), repository.image());
    let verify = |payload: &[u8], digest: &Digest, keys: &[&PublicKey]| {
        cosign::verify(payload, &signature, digest, keys)
    };
    assert_eq!(verify(&payload, &digest, &[&team]), Ok(0));
    assert_eq!(verify(&payload, &digest, &[&other, &team]), Ok(1));
    assert_eq!(verify(&payload, &digest, &[&other]), Err(Rejection::UnknownKey));
    assert_eq!(verify(&payload, &other_digest(), &[&team]), Err(Rejection::OtherDigest));
    for place in 0..payload.len() {
        let mut tampered = payload.clone();
        tampered[place] ^= 1;
        assert_eq!(verify(&tampered, &digest, &[&team]), Err(Rejection::UnknownKey), "byte {place}");
    }
    assert!(matches!(cosign::verify(&payload, "?", &digest, &[&team]), Err(Rejection::Malformed(_))));
}

#[test]
fn cosigns_newer_form_holds_for_its_key_and_its_image_alone() {
    let repository = Repository::team("bundle");
    let (bundle, digest) = (repository.artifact(), repository.image());
    let (team, other) = (key("team.pub"), key("other.pub"));
    assert_eq!(bundle::verify(&bundle, &digest, &[&other, &team]), Ok(1));
    assert_eq!(bundle::verify(&bundle, &digest, &[&other]), Err(Rejection::UnknownKey));
    assert_eq!(bundle::verify(&bundle, &other_digest(), &[&team]), Err(Rejection::OtherDigest));

    let mut read: Value = serde_json::from_slice(&bundle).unwrap();
    let payload = STANDARD.decode(read["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
    let payload = String::from_utf8(payload).unwrap().replace(&digest.hex(), &other_digest().hex());
    read["dsseEnvelope"]["payload"] = STANDARD.encode(payload).into();
    let tampered = serde_json::to_vec(&read).unwrap();
    assert_eq!(bundle::verify(&tampered, &other_digest(), &[&team]), Err(Rejection::UnknownKey));
}

#[test]
fn an_attestation_by_the_right_key_is_no_signature() {
    let repository = Repository::team("attested");
    let verdict = bundle::verify(&repository.artifact(), &repository.image(), &[&key("team.pub")]);
    assert_eq!(verdict, Err(Rejection::Malformed("it attests to something else than a signature")));
}

fn check_notation(name: &str, policy: &SignaturePolicy, now: SystemTime) -> Result<String, Rejection> {
    let (repository, trust) = (Repository::team(name), Trust::load(policy).unwrap());
    notation::verify(&repository.artifact(), &repository.image(), &trust.authorities, now)
}

/// While the certificates of the fixtures are valid, and all signatures in them.
fn then() -> SystemTime {
    // 2026-11-22T12:00:00Z
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_348_800)
}

#[test]
fn notations_signatures_hold_under_their_authority() {
    let root = policy(&[], &["root.crt"], &[]);
    assert_eq!(check_notation("notation", &root, then()), Ok("C=EX, O=Example, CN=Releases".to_owned()));
    assert_eq!(check_notation("notation-rsa", &root, then()), Ok("C=EX, O=Example, CN=Builds".to_owned()));
    assert!(check_notation("notation-expiry", &root, then()).is_ok());

    let both = policy(&[], &["other-root.crt", "root.crt"], &[]);
    assert!(check_notation("notation", &both, then()).is_ok());
    let other = policy(&[], &["other-root.crt"], &[]);
    assert!(matches!(check_notation("notation", &other, then()), Err(Rejection::Chain(_))));
}

#[test]
fn only_the_subjects_that_are_named_may_sign() {
    let named = |subjects: &[&str]| policy(&[], &["root.crt"], subjects);
    assert!(check_notation("notation", &named(&["O=Example/CN=Releases"]), then()).is_ok());
    assert!(check_notation("notation", &named(&["CN=Builds", "CN=Releases"]), then()).is_ok());
    for subjects in [["CN=Builds"], ["O=Other/CN=Releases"], ["CN=Release"], ["OU=Example"]] {
        let refused = check_notation("notation", &named(&subjects), then());
        assert!(matches!(refused, Err(Rejection::Subject(_))), "{subjects:?}: {refused:?}");
    }
}

#[test]
fn what_has_ended_or_not_begun_does_not_count() {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
    let root = policy(&[], &["root.crt"], &[]);
    assert_eq!(check_notation("notation-expiry", &root, then() + YEAR), Err(Rejection::Expired));
    assert!(check_notation("notation", &root, then() + YEAR).is_ok(), "it has no expiry of its own");
    for moment in [then() + 80 * YEAR, then() - 10 * YEAR] {
        let refused = check_notation("notation", &root, moment);
        assert!(matches!(refused, Err(Rejection::Chain(_))), "{moment:?}: {refused:?}");
    }
}

/// Notation's signature, with one part of the envelope changed.
fn with_changed(part: &str, change: impl Fn(String) -> String) -> Result<String, Rejection> {
    let repository = Repository::team("notation");
    let mut envelope: Value = serde_json::from_slice(&repository.artifact()).unwrap();
    let text = URL_SAFE_NO_PAD.decode(envelope[part].as_str().unwrap()).unwrap();
    let text = change(String::from_utf8(text).unwrap());
    envelope[part] = URL_SAFE_NO_PAD.encode(text).into();
    let trust = Trust::load(&policy(&[], &["root.crt"], &[])).unwrap();
    let envelope = serde_json::to_vec(&envelope).unwrap();
    notation::verify(&envelope, &repository.image(), &trust.authorities, then())
}

#[test]
fn an_envelope_that_was_changed_does_not_count() {
    let image = Repository::team("notation").image().hex();
    assert!(with_changed("payload", |text| text).is_ok(), "unchanged");
    let moved = with_changed("payload", |text| text.replace(&image, &other_digest().hex()));
    assert_eq!(moved, Err(Rejection::WrongSignature));
    let padded = with_changed("protected", |text| text.replace('{', "{ "));
    assert_eq!(padded, Err(Rejection::WrongSignature));
    let replaced = |from: &str, to: &str| {
        with_changed("protected", |text| {
            assert!(text.contains(from), "{from} in {text}");
            text.replace(from, to)
        })
    };
    for algorithm in ["none", "HS256", "ES384", "PS256"] {
        assert_eq!(replaced("ES256", algorithm), Err(Rejection::WrongSignature), "{algorithm}");
    }
    let critical = r#"["io.cncf.notary.signingScheme"]"#;
    for (from, to) in [
        (r#""notary.x509""#, r#""notary.x509.signingAuthority""#),
        ("notary.payload.v1", "notary.payload.v2"),
        (critical, "[]"),
        (critical, r#"["io.cncf.notary.signingScheme","another"]"#),
    ] {
        let refused = replaced(from, to);
        assert!(matches!(refused, Err(Rejection::Malformed(_))), "{from} to {to}: {refused:?}");
    }
    let repository = Repository::team("notation");
    let trust = Trust::load(&policy(&[], &["root.crt"], &[])).unwrap();
    let other = notation::verify(&repository.artifact(), &other_digest(), &trust.authorities, then());
    assert_eq!(other, Err(Rejection::OtherDigest));
}

#[test]
fn a_chain_without_its_middle_leads_nowhere() {
    let repository = Repository::team("notation");
    let mut envelope: Value = serde_json::from_slice(&repository.artifact()).unwrap();
    let chain = envelope["header"]["x5c"].as_array_mut().unwrap();
    chain.remove(1);
    let too_many: Vec<_> = std::iter::repeat_n(chain[0].clone(), 11).collect();
    let trust = Trust::load(&policy(&[], &["root.crt"], &[])).unwrap();
    let verify = |envelope: &Value| {
        let envelope = serde_json::to_vec(envelope).unwrap();
        notation::verify(&envelope, &repository.image(), &trust.authorities, then())
    };
    assert!(matches!(verify(&envelope), Err(Rejection::Chain(_))));
    envelope["header"]["x5c"] = too_many.into();
    assert!(matches!(verify(&envelope), Err(Rejection::Malformed(_))));
}

#[test]
fn files_that_can_not_be_used_are_named() {
    let told = |policy: &SignaturePolicy| Trust::load(policy).unwrap_err().to_string();
    let missing = told(&policy(&["nowhere.pub"], &[], &[]));
    assert!(missing.contains("trust/nowhere.pub: no such file; cosign_keys are public keys"), "{missing}");
    let certificate = told(&policy(&["root.crt"], &[], &[]));
    assert!(certificate.contains("trust/root.crt: ") && certificate.contains("cosign.pub"), "{certificate}");
    let key = told(&policy(&[], &["team.pub"], &[]));
    assert!(key.contains("trust/team.pub: no certificate in it; notation_certificates"), "{key}");
    assert!(matches!(Trust::load(&policy(&[], &[], &[])), Err(TrustError::Nobody(images)) if images == "*"));
}
