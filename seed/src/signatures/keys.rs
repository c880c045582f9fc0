//! Public keys, and whether one of them made a signature.

use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_parser::{prelude::FromDer as _, x509::SubjectPublicKeyInfo};

/// Object identifiers of keys and curves, dotted: RFC 5480, RFC 8017 and RFC 8410.
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const RSA: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";

/// A key that signatures are verified with.
#[derive(Clone, Debug)]
pub(super) struct PublicKey {
    kind: Kind,
    /// In the form that `ring` takes for the kind.
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    P256,
    P384,
    Rsa,
    Ed25519,
}

/// Why a key can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeyError {
    #[error("it is no public key")]
    Malformed,
    #[error("it is of a kind that is not known here ({0}): ECDSA with P-256 or P-384, RSA and Ed25519 are")]
    Unknown(String),
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo (RFC 5280) in DER.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let (_, info) = SubjectPublicKeyInfo::from_der(der).map_err(|_| KeyError::Malformed)?;
        let kind = match info.algorithm.algorithm.to_id_string().as_str() {
            RSA => Kind::Rsa,
            ED25519 => Kind::Ed25519,
            EC_PUBLIC_KEY => {
                let curve = info.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
                match curve.map(|oid| oid.to_id_string()).unwrap_or_default().as_str() {
                    P256 => Kind::P256,
                    P384 => Kind::P384,
                    curve => return Err(KeyError::Unknown(format!("ECDSA with the curve {curve:?}"))),
                }
            }
            other => return Err(KeyError::Unknown(other.to_owned())),
        };
        Ok(Self { kind, bytes: info.subject_public_key.data.to_vec() })
    }

    /// Whether this key made `signature` over `message`, in the forms that cosign writes: ECDSA in ASN.1, RSA by
    /// PKCS #1 v1.5 and SHA-256, plain Ed25519.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let algorithms: &[&'static dyn VerificationAlgorithm] = match self.kind {
            Kind::P256 => &[&signature::ECDSA_P256_SHA256_ASN1],
            // Its versions do not agree on the hash.
            Kind::P384 => &[&signature::ECDSA_P384_SHA384_ASN1, &signature::ECDSA_P384_SHA256_ASN1],
            Kind::Rsa => &[&signature::RSA_PKCS1_2048_8192_SHA256],
            Kind::Ed25519 => &[&signature::ED25519],
        };
        algorithms.iter().any(|algorithm| self.verify(*algorithm, message, signature))
    }

    /// Whether this key made a signature of JSON Web Signature's algorithm `name` (RFC 7518), if it is one that
    /// Notation allows for this kind of key.
    pub(super) fn signed_jws(&self, name: &str, message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn VerificationAlgorithm = match (self.kind, name) {
            (Kind::P256, "ES256") => &signature::ECDSA_P256_SHA256_FIXED,
            (Kind::P384, "ES384") => &signature::ECDSA_P384_SHA384_FIXED,
            (Kind::Rsa, "PS256") => &signature::RSA_PSS_2048_8192_SHA256,
            (Kind::Rsa, "PS384") => &signature::RSA_PSS_2048_8192_SHA384,
            (Kind::Rsa, "PS512") => &signature::RSA_PSS_2048_8192_SHA512,
            _ => return false,
        };
        self.verify(algorithm, message, signature)
    }

    fn verify(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> bool {
        UnparsedPublicKey::new(algorithm, &self.bytes).verify(message, signature).is_ok()
    }
}
