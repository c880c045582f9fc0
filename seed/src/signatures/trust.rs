//! Whose signatures count: the keys and certificates that a policy names, read from their files.

use std::{
    fmt, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use rustls::pki_types::{
    CertificateDer, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime,
    pem::{self, PemObject},
};
use webpki::anchor_from_trusted_cert;
use x509_parser::{
    certificate::X509Certificate,
    objects::{oid_registry, oid2abbrev},
    prelude::FromDer as _,
    x509::X509Name,
};

use super::{
    keys::PublicKey,
    policy::{SignatureMode, SignaturePolicy},
};

/// Why a policy can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file of `cosign_keys`.
    #[error("{path}: {reason}; cosign_keys are public keys in PEM form, such as cosign.pub", path = path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A file of `notation_certificates`.
    #[error("{path}: {reason}; notation_certificates are certificates of authorities in PEM form", path = path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody could sign.
    #[error(
        "the policy for {0} names nobody whose signature counts: give it cosign_keys or notation_certificates"
    )]
    Nobody(String),
}

/// Whose signatures count for the images of one policy.
#[derive(Debug)]
pub(super) struct Trust {
    pub(super) keys: Vec<NamedKey>,
    pub(super) authorities: Authorities,
}

/// A key of cosign, and the file that it is from.
#[derive(Debug)]
pub(super) struct NamedKey {
    pub(super) key: PublicKey,
    pub(super) path: PathBuf,
}

/// Who may issue certificates to signers, and to which.
#[derive(Debug, Default)]
pub(super) struct Authorities {
    anchors: Vec<Anchor>,
    subjects: Vec<CertificateSubject>,
}

#[derive(Debug)]
struct Anchor {
    anchor: TrustAnchor<'static>,
    /// Seconds since 1970 from which and until which its certificate is valid.
    valid_s: (i64, i64),
}

/// What the subject of a signer's certificate has to have: some attributes, each with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateSubject(Vec<(String, String)>);

impl Trust {
    /// Reads the files that a policy names.
    pub(super) fn load(policy: &SignaturePolicy) -> Result<Self, TrustError> {
        let keys =
            policy.cosign_keys.iter().map(|path| NamedKey::load(path)).collect::<Result<Vec<_>, _>>()?;
        let mut anchors = Vec::new();
        for path in &policy.notation_certificates {
            let fail = |reason| TrustError::Certificate { path: path.clone(), reason };
            anchors.extend(read_anchors(path).map_err(fail)?);
        }
        if keys.is_empty() && anchors.is_empty() && policy.mode != SignatureMode::Ignored {
            let images: Vec<_> = policy.images.iter().map(ToString::to_string).collect();
            return Err(TrustError::Nobody(images.join(", ")));
        }
        Ok(Self { keys, authorities: Authorities { anchors, subjects: policy.notation_subjects.clone() } })
    }
}

impl NamedKey {
    fn load(path: &Path) -> Result<Self, TrustError> {
        let fail = |reason| TrustError::Key { path: path.to_owned(), reason };
        let spki = SubjectPublicKeyInfoDer::from_pem_file(path).map_err(|error| fail(pem_reason(&error)))?;
        let key = PublicKey::from_spki(&spki).map_err(|error| fail(error.to_string()))?;
        Ok(Self { key, path: path.to_owned() })
    }
}

impl Authorities {
    pub(super) fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// The authorities whose own certificates are valid at `now`.
    pub(super) fn anchors(&self, now: UnixTime) -> Vec<TrustAnchor<'static>> {
        let now_s = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let valid = self.anchors.iter().filter(|one| (one.valid_s.0..=one.valid_s.1).contains(&now_s));
        valid.map(|one| one.anchor.clone()).collect()
    }

    /// Whether somebody of that name may sign.
    pub(super) fn accept(&self, name: &X509Name<'_>) -> bool {
        self.subjects.is_empty() || self.subjects.iter().any(|subject| subject.fits(name))
    }
}

fn read_anchors(path: &Path) -> Result<Vec<Anchor>, String> {
    let found = CertificateDer::pem_file_iter(path).map_err(|error| pem_reason(&error))?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(|error| pem_reason(&error))?;
    if found.is_empty() {
        return Err("no certificate in it".to_owned());
    }
    found.iter().map(Anchor::of).collect()
}

impl Anchor {
    fn of(certificate: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
        let anchor = anchor_from_trusted_cert(certificate).map_err(|error| error.to_string())?;
        let validity = parsed.validity();
        let valid_s = (validity.not_before.timestamp(), validity.not_after.timestamp());
        Ok(Self { anchor: anchor.to_owned(), valid_s })
    }
}

impl CertificateSubject {
    fn fits(&self, name: &X509Name<'_>) -> bool {
        self.0.iter().all(|(attribute, value)| {
            name.iter_attributes().any(|own| {
                oid2abbrev(own.attr_type(), oid_registry()).is_ok_and(|known| known == attribute)
                    && own.as_str().is_ok_and(|own| own == value)
            })
        })
    }
}

impl FromStr for CertificateSubject {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        const ATTRIBUTES: [&str; 6] = ["C", "ST", "L", "O", "OU", "CN"];
        let pair = |part: &str| {
            let (attribute, value) = part.split_once('=')?;
            let is_known = ATTRIBUTES.contains(&attribute) && !value.is_empty();
            is_known.then(|| (attribute.to_owned(), value.to_owned()))
        };
        text.split('/').map(pair).collect::<Option<_>>().map(Self).ok_or(())
    }
}

impl fmt::Display for CertificateSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts: Vec<_> = self.0.iter().map(|(attribute, value)| format!("{attribute}={value}")).collect();
        f.write_str(&parts.join("/"))
    }
}

fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) if error.kind() == io::ErrorKind::NotFound => "no such file".to_owned(),
        error => error.to_string(),
    }
}
