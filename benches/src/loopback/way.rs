//! The ways of a file to another process.

use shoal_peer::secure::Credentials;
use shoal_protocol::{identity::NodeKey, membership::ClusterKey};

use crate::cli::Failure;

/// How the file gets over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    /// Bare TLS.
    Tls,
    /// Bare TCP.
    Tcp,
    /// TCP by `sendfile`.
    Sendfile,
    /// A lane whose pieces are thrown away.
    Lane,
    /// A lane whose pieces are verified.
    Verified,
    /// A lane in plaintext whose pieces are thrown away.
    Plaintext,
}

impl Way {
    /// As it stands in arguments and records.
    pub(super) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// Of the sender with its own number, or of the receiver with another.
    pub(super) fn credentials(self, secret: u8) -> Result<Credentials, Failure> {
        let (key, cluster) = (NodeKey::from_secret([secret; 32]), ClusterKey::from_root([9; 32]));
        Ok(match self {
            Self::Plaintext => Credentials::with_plaintext_lanes(key, cluster)?,
            _ => Credentials::new(key, cluster)?,
        })
    }
}
