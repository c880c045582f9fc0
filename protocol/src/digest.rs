//! Content digests, as OCI names blobs by.

use alloc::string::String;
use core::{fmt, str::FromStr};

use crate::hex;

/// A hash algorithm that OCI registers and Shoal can verify in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// SHA-256: what nearly every image uses.
    Sha256,
    /// SHA-512: optional in the OCI image specification.
    Sha512,
}

impl Algorithm {
    /// The name before the colon.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the hash, which is also the length of the chaining state.
    pub const fn hash_bytes(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// The digest of some content: `sha256:<64 hex digits>` or `sha512:<128 hex digits>`.
///
/// Parsed once at the edge; a value of this type is always well formed
/// (OCI image specification, "Descriptors: Digests"). Only lower-case hex is accepted, as there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// A SHA-256 hash.
    Sha256([u8; 32]),
    /// A SHA-512 hash.
    Sha512([u8; 64]),
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// No colon between algorithm and hash.
    #[error("a digest is written <algorithm>:<hex>, this has no colon")]
    NoColon,
    /// An algorithm other than SHA-256 and SHA-512.
    #[error("unknown digest algorithm; sha256 and sha512 are supported")]
    UnknownAlgorithm,
    /// The hash has the wrong length.
    #[error("a {algorithm} digest has {expected} hex digits, this has {found}")]
    Length {
        /// The algorithm before the colon.
        algorithm: &'static str,
        /// Hex digits it takes.
        expected: usize,
        /// Bytes found after the colon.
        found: usize,
    },
    /// Something else than a lower-case hex digit in the hash.
    #[error("a digest has lower-case hex digits only")]
    NotHex,
}

impl Digest {
    /// The algorithm that made this digest.
    pub const fn algorithm(&self) -> Algorithm {
        match self {
            Self::Sha256(_) => Algorithm::Sha256,
            Self::Sha512(_) => Algorithm::Sha512,
        }
    }

    /// The hash itself: 32 or 64 bytes.
    pub const fn hash(&self) -> &[u8] {
        match self {
            Self::Sha256(hash) => hash,
            Self::Sha512(hash) => hash,
        }
    }

    /// A digest from an algorithm and a hash; `None` when the hash has another length than the algorithm's.
    pub fn from_hash(algorithm: Algorithm, hash: &[u8]) -> Option<Self> {
        Some(match algorithm {
            Algorithm::Sha256 => Self::Sha256(hash.try_into().ok()?),
            Algorithm::Sha512 => Self::Sha512(hash.try_into().ok()?),
        })
    }

    /// Hashes `content` from its first byte.
    pub fn of(algorithm: Algorithm, content: &[u8]) -> Self {
        use sha2::Digest as _;
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(sha2::Sha256::digest(content).into()),
            Algorithm::Sha512 => Self::Sha512(sha2::Sha512::digest(content).into()),
        }
    }

    /// The hash in lower-case hex, without the algorithm: safe as a file name.
    pub fn hex(&self) -> String {
        hex::encode(self.hash())
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let (algorithm, digits) = text.split_once(':').ok_or(DigestError::NoColon)?;
        let algorithm = match algorithm {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(DigestError::UnknownAlgorithm),
        };
        let expected = algorithm.hash_bytes() * 2;
        if digits.len() != expected {
            return Err(DigestError::Length { algorithm: algorithm.name(), expected, found: digits.len() });
        }
        let hash = hex::decode(digits).ok_or(DigestError::NotHex)?;
        Self::from_hash(algorithm, &hash).ok_or(DigestError::NotHex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm().name())?;
        self.hash().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
